"""Where the caller says that things are: `path=`, `id=`, `keep=` and `shape=`."""

import json

import pytest

import toolkit
from tests.oracle import assert_conserved
from toolkit.errors import ArgumentError
from toolkit.loaders.formats.paths import along, find, steps_of

pytestmark = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
ENTRIES = [{"token": "A", "logprob": -0.25}]


def answer(id_="x", text="A"):
    choice = {"index": 0, "message": {"content": text}, "logprobs": {"content": ENTRIES}}
    return {"id": id_, "choices": [choice]}


def read(*records, **options):
    lp = toolkit.read("".join(json.dumps(each) + "\n" for each in records).encode(), **options)
    assert_conserved(lp)
    return lp


def columns(lp, *names):
    return [tuple(row[name] for name in names) for row in lp.responses.to_pylist()]


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("a.b[0]", ("a", "b", 0)),
        ('a["b.c"].d', ("a", "b.c", "d")),
        ('["say \\"hi\\""]', ('say "hi"',)),
    ],
)
def test_steps(path, steps):
    assert steps_of(path) == steps


@pytest.mark.parametrize("path", ["a[", "a]", 'a["b]', "a[b]"])
def test_what_is_not_a_path(path):
    with pytest.raises(ValueError):  # noqa: PT011, the message is the path
        steps_of(path)
    with pytest.raises(ArgumentError, match="expected keys such as"):
        read(answer(), path=path)


def test_the_path_of_what_was_found_leads_back_to_it():
    row = {"a.b": [{"c d": 1}, {"c d": 2}], "e": {"f": {"g": 3}}}
    for path in ('a.b[]["c d"]', "e.f.g", "a.b"):
        for value, at in find(row, steps_of(path)):
            assert along(row, at)[-1] is value


@pytest.mark.parametrize("path", ["attributes.llm.output", 'attributes["llm.output"]'])
def test_a_path_with_dots_in_a_key_and_a_body_as_text(path):
    row = {"name": "n", "attributes": {"llm.output": json.dumps(answer())}}
    lp = read(row, path=path)
    assert columns(lp, "path", "response_id") == [('$.attributes["llm.output"]', "x")]


def test_a_path_to_each_element():
    row = {"id": 7, "runs": [{"raw": answer("a")}, {"raw": 5}, {"raw": answer("b")}]}
    lp = read(row, path="runs[].raw")
    assert columns(lp, "custom_id", "path") == [("7", "$.runs[0].raw"), ("7", "$.runs[2].raw")]
    assert lp.rejects["path"].to_pylist() == ["$.runs[1].raw"]


def test_a_path_to_token_logprobs():
    rows = [{"id": "q", "said": "A", "odd": value} for value in (ENTRIES, {"content": ENTRIES})]
    lp = read(*rows, {"said": "x", "odd": {"tokens": ["x"], "my_logprobs": [-0.5]}}, path="odd")
    assert lp.tokens["logprob"].to_pylist() == [-0.25, -0.25, -0.5]
    assert columns(lp, "custom_id", "path") == [("q", "$.odd"), ("q", "$.odd"), (None, "$.odd")]


def test_a_path_that_leads_to_nothing_names_the_keys():
    lp = read({"raw": answer()}, {"other": 1}, path="raw")
    [reject] = lp.rejects.to_pylist()
    assert reject["reason"] == "no_choices"
    assert "'other'" in reject["message"]


def test_ids_and_columns_of_the_nearest_row():
    row = {"set": "s", "rows": [{"n": i, "q": {"text": f"Q{i}"}, "a": answer()} for i in (1, 2)]}
    row["rows"][1]["a"]["id"] = "y"
    lp = read(row, id="n", keep=["q.text", "set", "nowhere"])
    kept = [json.loads(text) for text in lp.responses["kept"].to_pylist()]
    assert columns(lp, "custom_id") == [("1",), ("2",)]
    assert kept == [{"q.text": "Q1", "set": "s"}, {"q.text": "Q2", "set": "s"}]


def test_columns_beside_a_plain_body_and_a_batch_line():
    line = {"custom_id": "c", "tag": [1, None], "response": {"status_code": 200, "body": answer()}}
    lp = read(answer() | {"expected": "A"}, line, keep=("expected", "tag"))
    found = columns(lp, "custom_id", "path", "kept")
    assert found == [
        (None, None, '{"expected":"A"}'),
        ("c", "$.response.body", '{"tag":[1,null]}'),
    ]


def test_columns_of_a_stream_are_those_of_its_first_chunk_that_has_them():
    chunks = [
        {"row": {"n": i}, "data": {"id": "s", "choices": [{"delta": {"content": text}}]}}
        for i, text in enumerate("ab")
    ]
    lp = read(*chunks, keep="row.n", id="row.n")
    assert columns(lp, "custom_id", "path", "kept") == [("0", "$.data", '{"row.n":0}')]
    assert lp.text(0) == "ab"


def test_two_answers_of_one_row_are_told_apart():
    lp = read({"id": "q1", "baseline": answer("a"), "tuned": answer("b")})
    assert columns(lp, "custom_id", "path") == [("q1", "$.baseline"), ("q1", "$.tuned")]


def test_keys_are_ids_where_each_of_them_has_an_answer():
    bare = {"text": "A", "logprobs": ENTRIES}
    nested = {"meta": 1, "all": {"q 1": {"out": answer("c")}, "q2": {"out": answer("d")}}}
    lp = read({"q1": answer("a"), "q2": answer("b")}, nested, {"k1": bare, "k2": bare})
    assert [row[0] for row in columns(lp, "custom_id")] == ["q1", "q2", "q 1", "q2", "k1", "k2"]
    lp = read({"only 1": answer()}, {"response": answer("e")}, {"a": answer("f"), "label": 1})
    assert [row[0] for row in columns(lp, "custom_id")] == ["only 1", None, None]


SHAPE = toolkit.Shape(tokens="steps[].tok", logprobs="steps[].lp", text="out")
STEPS = [{"tok": "H", "lp": -0.5}, {"tok": "i", "lp": -0.25}]


def test_a_shape_of_the_callers_own():
    lp = read({"id": 7, "out": "Hi", "steps": STEPS, "seed": 1}, answer(), shape=SHAPE, keep="seed")
    assert lp.tokens["token"].to_pylist() == ["H", "i", "A"]
    assert columns(lp, "custom_id", "format", "kept") == [
        ("7", "shape", '{"seed":1}'),
        (None, "openai_chat", None),
    ]
    assert lp.choices["alignment"].to_pylist()[0] == "exact"
    lp = read({"id": 8, "run": {"out": "Hi", "steps": STEPS}}, path="run", shape=SHAPE)
    assert columns(lp, "custom_id", "path") == [("8", "$.run")]


@pytest.mark.parametrize("decoder", ["native", "reference"])
def test_what_a_shape_reads_is_in_no_envelope(monkeypatch, decoder):
    if decoder == "reference":
        monkeypatch.setattr("toolkit.loaders.scanner._scan", None)
    lp = read({"out": "Hi", "steps": STEPS, "data": {"choices": []}}, shape=SHAPE)
    assert columns(lp, "format") == [(SHAPE.name,)]
    assert lp.ledger["envelopes"].to_pylist() == [0]


def test_a_shape_with_several_answers_alternatives_and_a_prompt():
    shape = toolkit.Shape(
        answers="beams[]",
        tokens="ids",
        logprobs="lps",
        alternatives="tops",
        prompt="$.given",
        text="text",
        custom_id="key",
        name="ours",
        marks=("beams", "kind=v1"),
    )
    beam = {"ids": ["x"], "lps": [-0.5], "tops": [{"x": -0.5, "y": -1.0}], "text": "x"}
    given = [{"token": "g", "logprob": -2.0}]
    record = {"kind": "v1", "key": 3, "beams": [beam, beam | {"text": "y"}], "given": given}
    lp = read(record, record | {"kind": "v2"}, shape=shape)
    assert columns(lp, "custom_id", "format", "n_choices")[0] == ("3", "ours", 2)
    first = lp.only(0, 0)
    assert first.choices["n_prompt_tokens"].to_pylist() == [1]
    assert first.alternatives["token"].to_pylist() == ["x", "y"]
    assert {"ours"} != set(lp.responses["format"].to_pylist())


@pytest.mark.parametrize(
    "options", [{"tokens": "a["}, {}, {"text": 5}, {"text": "a", "stream": "often"}]
)
def test_a_shape_that_cannot_be(options):
    with pytest.raises(ArgumentError, match="expected"):
        toolkit.Shape(**options)
