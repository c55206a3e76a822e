"""Answers inside rows and envelopes: the scanner reads them, and only if it is certain."""

import json
from contextlib import suppress

import pytest

import toolkit
from tests.fuzz import compare
from tests.fuzz.other_formats import RECORDS
from tests.fuzz.seeds import seeds
from toolkit.loaders.formats.declared import SHAPES
from toolkit.loaders.formats.lookup import Lookup
from toolkit.loaders.framing.detect import frame

pytestmark = pytest.mark.skipif(
    toolkit.decoder() != "native", reason="the native scanner was not built"
)

ENTRY = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
WHOLE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hi"},
            "logprobs": {"content": [ENTRY]},
            "finish_reason": "stop",
        }
    ],
}
CHUNK = {
    "id": "chatcmpl-1",
    "choices": [{"index": 0, "delta": {"content": "Hi"}, "logprobs": {"content": [ENTRY]}}],
}
OPENING = {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"role": "assistant"}}]}
ASKED = {"model": "m", "logprobs": True, "top_logprobs": 5, "messages": [{"role": "user"}]}
LINE = {"custom_id": "c", "response": {"status_code": 200, "request_id": "r", "body": "@"}}

READ = [
    ({"data": "@"}, "$.data", None),
    ({"__data__": "@"}, "$.__data__", None),
    ({"id": 7, "prompt": "Who?", "response": "@", "expected": "Hi"}, "$.response", "7"),
    ({"request": ASKED, "response": "@", "uuid": "u", "type": "chat"}, "$.response", "u"),
    ({"id": "out", "a": {"b": "@", "qid": "in"}}, "$.a.b", "in"),
    ({**LINE, "error": None, "id": "batch_1"}, "$.response.body", "c"),
    ({"task_id": 3, "line": LINE}, "$.line.response.body", "3"),
    ({"line": LINE}, "$.line.response.body", "c"),
    ({"custom_id": "c", "response": "@"}, "$.response", "c"),
    ({"custom_id": "c", "response": "@", "error": None, "id": "x"}, "$.response", "c"),
    ({"index": 4, "event": {"data": "@"}}, "$.event.data", "4"),
    ({"answer": "@"}, "$.answer", None),
    ({"meta": {"run": 1}, "output": "text", "details": None, "answer": "@"}, "$.answer", None),
]
UNCERTAIN = [
    {"q17": "@"},  # the key is the id
    {"one": "@", "other": "@"},
    {"list": ["@"]},
    {"output": "@"},  # Inspect
    {"candidates": [], "answer": "@"},
    {"answer": "@", "raw": json.dumps(WHOLE)},
    {"answer": "@", "raw": "\n" + json.dumps({"logprobs": [ENTRY]})},
    {"answer": "@", "scores": {"logprobs": [-0.5]}},
    {"answer": "@", "step": {"finish_reason": "stop", "message": {"content": "x"}}},
    {"answer": "@", "log": {"entries": []}},
    {"answer": "@", "token": {"text": "a", "logprob": 4}},
    {"answer": "@", "meta": {"finish_reason": "stop"}},
    {"answer": "@", "meta.finish_reason": "stop"},
    {"answer": "@", "type": "response.created"},
    {"answer": "@", "key.with.dots": {"in": "@"}},
    {"key.with.dots": "@"},
    {"id": "", "answer": "@"},
    {"a": {"b": {"c": {"d": {"e": "@"}}}}},
    {**LINE, "error": {"code": 1}},
    {**LINE, "response": {"status_code": 500, "body": "@"}},
    {**LINE, "response": {"body": {"answer": "@"}}},
    {**LINE, "custom_id": 7},
    {"data": {"answer": "@", "type": "x"}},
    {"data": "@", "error": "no"},
    {"data": "@", "__data__": "{}"},
]


def row(template, body):
    return json.dumps(template).replace('"@"', json.dumps(body)).encode()


@pytest.mark.parametrize("body", [WHOLE, CHUNK, OPENING], ids=["whole", "chunk", "opening"])
@pytest.mark.parametrize(("template", "path", "custom_id"), READ, ids=range(len(READ)))
def test_a_body_inside_a_row_is_read_natively(template, path, custom_id, body):
    record = row(template, body)
    assert not compare.differ([record])
    assert not compare.joins_differ([record, record])
    assert compare.taken([record])
    read = compare.native(compare.framed([record]))
    assert read.bodies["path"].to_pylist() == [path]
    assert read.bodies["custom_id"].to_pylist() == [custom_id]
    assert read.envelopes == 1


@pytest.mark.parametrize("body", [WHOLE, CHUNK], ids=["whole", "chunk"])
@pytest.mark.parametrize("template", UNCERTAIN, ids=range(len(UNCERTAIN)))
def test_what_is_uncertain_in_a_row_is_left_to_the_reference(template, body):
    record = row(template, body)
    assert not compare.taken([record])
    assert not compare.differ([record])


OTHER = WHOLE | {"id": "chatcmpl-2"}
ANSWERS = [
    ({"id": "q", "baseline": WHOLE, "tuned": OTHER}, ["$.baseline", "$.tuned"]),
    ({"key": 7, "a": {"id": "in", "x": OTHER}, "n": [1], "b": WHOLE}, ["$.a.x", "$.b"]),
    (
        {"uuid": "u", "x": WHOLE, "y": {"z": OTHER}, "w": WHOLE | {"id": "chatcmpl-3"}},
        ["$.x", "$.y.z", "$.w"],
    ),
]
UNCERTAIN_ANSWERS = [
    {"id": "q", "one": WHOLE, "again": WHOLE},
    {"one": WHOLE, "other": OTHER},
    {"id": "q", "one": WHOLE, "other": CHUNK},
    {"id": "q", "one": WHOLE, "other": OTHER | {"id": ""}},
    {"id": "q", "one": WHOLE, "other": OTHER | {"id": None}},
    {"id": "q", "one": WHOLE, "question": {"choices": ["a", "b"]}},
    {"id": "q", "one": WHOLE, "others": [OTHER]},
    {"id": "q", "one": WHOLE, "other": OTHER, "logprobs": [ENTRY]},
    {"id": "q", "logprobs": [ENTRY], "one": WHOLE, "other": OTHER},
    {"id": "q", "one": WHOLE, "other": OTHER, "text": json.dumps(WHOLE)},
    {"id": "q", "text": json.dumps(WHOLE), "one": WHOLE, "other": OTHER},
    {"id": "q", "one": WHOLE | {"inner": OTHER}, "more": WHOLE | {"id": "chatcmpl-1"}},
    {"id": "q", **{f"a{i}": WHOLE | {"id": f"c{i}"} for i in range(9)}},
    {"custom_id": "c", "response": {"status_code": 200, "body": WHOLE, "other": OTHER}},
    {"data": WHOLE, "x": OTHER},
]


@pytest.mark.parametrize(("row", "paths"), ANSWERS, ids=range(len(ANSWERS)))
def test_the_answers_of_a_row_are_read_natively(row, paths):
    record, chunk = json.dumps(row).encode(), json.dumps(CHUNK).encode()
    deferred = json.dumps({"id": "q", "a": WHOLE, "b": WHOLE}).encode()
    assert compare.taken([record])
    read = compare.native(compare.framed([record]))
    assert read.bodies["path"].to_pylist() == paths
    assert read.bodies["record"].to_pylist() == list(range(len(paths)))
    assert read.envelopes == 1
    records = [chunk, record, chunk, chunk, b"{", record, deferred, record, b"", record, chunk]
    for start in range(len(records)):
        assert not compare.differ(records[start:])
        assert not compare.joins_differ(records[start:])
    for lookup in compare.LOOKUPS:
        assert not compare.differ([record, record], lookup=lookup)


@pytest.mark.parametrize("row", UNCERTAIN_ANSWERS, ids=range(len(UNCERTAIN_ANSWERS)))
def test_answers_that_are_uncertain_are_left_to_the_reference(row):
    record = json.dumps(row).encode()
    assert not compare.taken([record])
    assert not compare.differ([record, json.dumps(ANSWERS[0][0]).encode(), record])


TEXTS = [
    ({"id": 7, "prompt": "Who?", "response": "@"}, "$.response", "7"),
    ({"request": json.dumps(ASKED), "response": "@", "uuid": "u"}, "$.response", "u"),
    ({"custom_id": "c", "response": "@", "error": None}, "$.response", "c"),
    ({"id": "out", "a": {"b": "@", "qid": "in"}, "output": "text"}, "$.a.b", "in"),
]
UNCERTAIN_TEXTS = [
    {"data": "@"},
    {"custom_id": "c", "response": {"status_code": 200, "body": "@"}},
    {"answer": "@", "again": "@"},
    {"answer": "@", "other": WHOLE},
    {"answer": "@", "logprobs": [ENTRY]},
    {"answers": ["@"]},
    {"logprobs": "@"},
    {"request": json.dumps({"logprobs": [-0.5]}), "answer": "@"},
    {"choices": [], "answer": "@"},
]


def with_text(template, text):
    return json.dumps(template).replace('"@"', json.dumps(text)).encode()


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(("template", "path", "custom_id"), TEXTS, ids=range(len(TEXTS)))
def test_the_text_of_an_answer_is_read_natively(template, path, custom_id, indent):
    record = with_text(template, json.dumps(WHOLE, indent=indent))
    assert compare.taken([record])
    assert not compare.differ([record])
    read = compare.native(compare.framed([record]))
    assert read.bodies["path"].to_pylist() == [path]
    assert read.bodies["custom_id"].to_pylist() == [custom_id]
    assert read.bodies["scope"].to_pylist() == [1]
    assert read.envelopes == 1


@pytest.mark.parametrize(("template", "path", "custom_id"), TEXTS, ids=range(len(TEXTS)))
def test_the_text_of_an_answer_at_a_path_is_read_natively(template, path, custom_id):
    record = with_text(
        {**template, "logprobs": [ENTRY], "more": json.dumps(WHOLE)}, json.dumps(WHOLE)
    )
    lookup = Lookup(path=path.removeprefix("$."), keep=("prompt",))
    assert compare.taken([record], lookup)
    assert not compare.differ([record], lookup=lookup)
    read = compare.native(compare.framed([record]), lookup)
    assert read.bodies["path"].to_pylist() == [path]
    assert read.bodies["custom_id"].to_pylist() == [custom_id]
    assert read.bodies["scope"].to_pylist() == [1]
    assert read.envelopes == 1


@pytest.mark.parametrize("template", UNCERTAIN_TEXTS, ids=range(len(UNCERTAIN_TEXTS)))
def test_a_text_that_is_uncertain_is_left_to_the_reference(template):
    record = with_text(template, json.dumps(WHOLE))
    assert not compare.taken([record])
    assert not compare.differ([record])


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(CHUNK),
        json.dumps(WHOLE) * 2,
        json.dumps(WHOLE) + "\n" + json.dumps(WHOLE),
        json.dumps(WHOLE)[:-1],
        " " + json.dumps(WHOLE),
        "[" + json.dumps(WHOLE) + "]",
        json.dumps(WHOLE | {"id": "a\n"}),
        json.dumps(WHOLE | {"choices": []}),
        json.dumps(WHOLE).replace('"choices"', '"\\u0063hoices"'),
        "{\n" + "x" * 70_000 + json.dumps(WHOLE)[1:],
        '{"a": "' + "x" * 70_000 + '", ' + json.dumps(WHOLE)[1:],
    ],
    ids=range(11),
)
def test_another_text_is_left_to_the_reference(text):
    record = with_text({"id": 7, "response": "@"}, text)
    for lookup in (Lookup(), Lookup(path="response")):
        assert not compare.taken([record], lookup)
        assert not compare.differ([record], lookup=lookup)


def test_exchanges_among_other_records_are_scopes_of_their_own():
    """Whichever decoder reads them, and whether the block has ``[DONE]``s between them."""
    text = with_text({"id": 1, "response": "@"}, json.dumps(WHOLE))
    deferred = with_text({"id": 1, "response": "@"}, json.dumps(CHUNK))
    chunk, broken = json.dumps(CHUNK).encode(), b"{"
    records = [chunk, text, chunk, chunk, deferred, text, broken, deferred, text, text, chunk]
    for start in range(len(records)):
        assert not compare.differ(records[start:])
        assert not compare.joins_differ(records[start:])
        source = b"\ndata: [DONE]\n\ndata: ".join(records[start:])
        frames = next(frame([b"data: " + source + b"\n\n"]))
        assert compare.same(compare.native(frames), compare.reference(frames))
    scopes = compare.native(compare.framed(records)).bodies["scope"].to_pylist()
    assert scopes == [0, 1, 2, 2, 3, 5, 7, 9, 11, 12]
    assert compare.taken(records) == [chunk, text, chunk, chunk, text, text, text, chunk]


def parsed(texts):
    for text in texts:
        with suppress(ValueError):
            yield json.loads(text)


@pytest.mark.parametrize("body", [WHOLE, OPENING], ids=["whole", "opening"])
def test_records_of_any_format_beside_an_answer(body):
    others = list(parsed(seeds()))
    rows = [{"x": other, "answer": body} for other in others]
    rows += [{**other, "answer": body} for other in others if isinstance(other, dict)]
    rows += [{"answer": body, "text": json.dumps(other)} for other in others[:60]]
    records = [json.dumps(each).encode() for each in rows]
    if compare.differ(records):
        assert not [record for record in records if compare.differ([record])]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.name}-{shape.marks}")
def test_the_marks_of_each_declared_format_are_doubts(shape):
    """A new declaration needs one of its marks among the keys of `native/row_keys.h`."""
    marked: dict = {"answer": WHOLE}
    for mark in shape.marks:
        path, _, wanted = mark.partition("=")
        first, *others = path.split("|")[0].replace("[]", ".[]").replace("[0]", ".[]").split(".")
        value = wanted or "x"
        for step in reversed(others):
            value = [value] if step in ("[]", "[1]", "[1") else {step: value}
        marked[first.split("[")[0]] = value
    assert not compare.taken([json.dumps(marked).encode()])


@pytest.mark.parametrize(
    "values", [[{"a": "1"}], [{"a": -0.5}], [[1]], [{"token": "a", "logprob": 0}], [{"a": "nan"}]]
)
def test_a_list_beside_a_body_without_tokens_may_be_the_tokens(values):
    assert not compare.taken([row({"answer": "@", "other": values}, OPENING)])
    assert compare.taken([row({"answer": "@", "other": [*values, {"a": "x"}]}, CHUNK)])
    assert not compare.differ([row({"answer": "@", "other": values}, OPENING)])


def test_chunks_of_two_places_or_rows_are_not_joined():
    records = [row({"data": "@"}, CHUNK), row({"event": "@"}, CHUNK), row({"event": "@"}, CHUNK)]
    records += [row({"id": i, "event": "@"}, CHUNK) for i in (1, 1, 2)]
    assert len(compare.taken(records)) == len(records)
    assert not compare.joins_differ(records)
    data = b"\n".join(records) + b"\n"
    lp = toolkit.read(data)
    assert lp.choices["content"].to_pylist() == ["Hi" * 6]
    assert lp.ledger["envelopes"].to_pylist() == [6]


FORMATS = {name: each for name, each in RECORDS.items() if name not in ("row", "helm")}


@pytest.mark.parametrize("name", FORMATS)
def test_a_body_of_another_format_inside_a_row(name):
    body = FORMATS[name][0]
    templates = [{"id": 7, "prompt": "Who?", "response": "@", "mean_logprob": -0.5}, LINE]
    records = [row(template, body) for template in templates]
    assert compare.taken(records) == records
    for template, _, _ in READ:
        records += [row(template, each) for each in FORMATS[name]]
    for template in UNCERTAIN:
        records += [row(template, body)]
    lookup = Lookup(path="response", keep=("prompt",))
    assert compare.taken(records[:1], lookup)
    for each in records:
        assert not compare.differ([each])
        assert not compare.differ([each], lookup=lookup)
