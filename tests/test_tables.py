"""The tables as one object: selecting, filtering, joining, handing on."""

import datetime
import json
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import toolkit
from tests.loaders.merging.test_merger import chunk, entry, part, stream
from tests.loaders.test_read import whole
from tests.oracle import assert_conserved, bare, rows_by_response
from toolkit import schema
from toolkit.tables import LogprobTables

quietly = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")


def two_choices(id_="two"):
    body = whole("ab", id_, model="n")
    second = json.loads(json.dumps(body["choices"][0])) | {"index": 1, "finish_reason": "length"}
    second["logprobs"]["content"] = [entry("c", -1.5)]
    second["message"]["content"] = "c"
    body["choices"].append(second)
    return body


@pytest.fixture
def lp():
    """Three responses: ``x`` of model m, ``two`` (two choices) of model n, stream ``s``."""
    return toolkit.from_responses(
        [whole("hi", "x"), two_choices(), stream("s", "yz")], custom_id=["c0", "c1", "c2"]
    )


# The object


def test_length_and_repr(lp):
    assert len(lp) == 3
    assert repr(lp) == (
        "<LogprobTables: 3 responses, 4 choices, 7 tokens, 0 alternatives, 0 rejects>"
    )
    one = toolkit.from_responses(whole("a"))
    assert repr(one) == "<LogprobTables: 1 response, 1 choice, 1 token, 0 alternatives, 0 rejects>"


def test_tables_by_name(lp):
    for name in ("responses", "choices", "tokens", "alternatives", "rejects", "ledger"):
        assert lp[name] is getattr(lp, name)
    for wrong in ("token", "equals", "__len__", ""):
        with pytest.raises(toolkit.errors.ArgumentError, match="expected the name of a table"):
            lp[wrong]


def test_declared_columns_units_and_docs(lp):
    for table in (*schema.TABLES, schema.LEDGER):
        found = lp[table.name].schema
        assert found.equals(table.arrow, check_metadata=True)
        for column, field in zip(table.columns, found, strict=True):
            metadata = field.metadata or {}
            assert metadata[b"doc"].decode() == column.doc
            assert metadata.get(b"unit", b"").decode() == column.unit
            assert metadata.get(b"more_certain", b"").decode() == column.direction
            assert field.nullable == (not column.required)
    assert lp.tokens.schema.field("logprob").metadata[b"unit"] == b"nats"


def test_equals(lp):
    assert lp.equals(lp)
    assert lp.equals(lp.filter())
    assert not lp.equals(lp.filter(model="m"))
    other = toolkit.from_responses([whole("hi", "x"), two_choices(), stream("s", "yz")])
    assert not lp.equals(other)


# locate


@pytest.mark.parametrize(
    ("selector", "row"),
    [
        (0, 0),
        (2, 2),
        (-1, 2),
        (-3, 0),
        (np.int64(1), 1),
        ("x", 0),
        ("s", 2),
        ("c1", 1),
    ],
)
def test_locate(selector, row, lp):
    assert lp.locate(selector) == row
    assert type(lp.locate(selector)) is int


@pytest.mark.parametrize("selector", [3, -4, "nobody", ""])
def test_nothing_to_locate(selector, lp):
    with pytest.raises(toolkit.errors.SelectionError):
        lp.locate(selector)
    with pytest.raises(LookupError):
        lp.locate(selector)


@pytest.mark.parametrize("selector", [None, 1.0, True, b"x", ["x"]])
def test_what_is_no_selector(selector, lp):
    with pytest.raises(toolkit.errors.ArgumentError, match="response"):
        lp.locate(selector)


def test_an_id_of_two_responses_selects_none():
    lp = toolkit.from_responses([whole("a", "same"), whole("b", "same")], custom_id=["p", "q"])
    with pytest.raises(toolkit.errors.SelectionError, match="2 responses"):
        lp.locate("same")
    assert lp.locate("q") == 1


# text


def test_text(lp):
    assert lp.text() == "hi"
    assert lp.text("two", choice=1) == "c"
    assert lp.text("s") == "yz"
    assert lp.text(0, channel="refusal") is None
    with pytest.raises(toolkit.errors.SelectionError, match="no choice"):
        lp.text(0, choice=1)
    with pytest.raises(toolkit.errors.ArgumentError, match="channel"):
        lp.text(0, channel="tools")


def test_text_out_of_bytes():
    """Where no text was sent: the bytes joined, decoded once, never token by token."""
    halves = [
        {"token": "\ufffd", "logprob": -1, "bytes": list(raw)} for raw in (b"\xf0\x9f", b"\x98\x80")
    ]
    broken = {"token": "\ufffd", "logprob": -1, "bytes": [0xFF]}
    no_bytes = {"token": "é", "logprob": -1}
    body = {"choices": [{"message": {}, "logprobs": {}}]}
    lists = body["choices"][0]["logprobs"]
    lists["refusal"] = [no_bytes, no_bytes]
    lists["reasoning_content"] = [broken]
    lists["content"] = [*halves, no_bytes, broken]
    lp = toolkit.from_responses([whole("first"), body, whole("last")])
    assert lp.text(1) == "😀é\ufffd"
    assert lp.text(1, channel="reasoning") == "\ufffd"
    assert lp.text(1, channel="refusal") == "éé"
    assert lp.text(2) == "last"


def test_text_of_nothing():
    with pytest.warns(toolkit.ToolkitWarning):
        lp = toolkit.from_responses({"choices": [{"message": {"content": ""}}]})
    assert lp.text() is None


# filter


def kept(lp, **conditions):
    part_ = lp.filter(**conditions)
    return part_.responses["response_id"].to_pylist(), part_


@pytest.mark.parametrize(
    ("conditions", "ids"),
    [
        ({}, ["x", "two", "s"]),
        ({"model": "m"}, ["x"]),
        ({"model": None}, ["s"]),
        ({"model": ["m", "n"]}, ["x", "two"]),
        ({"model": ("m", None)}, ["x", "s"]),
        ({"model": {"n"}}, ["two"]),
        ({"model": []}, []),
        ({"model": "z"}, []),
        ({"kind": "stream"}, ["s"]),
        ({"kind": ["stream", "completion"], "model": "n"}, ["two"]),
        ({"custom_id": np.array(["c0", "c2"])}, ["x", "s"]),
        ({"response_id": "two"}, ["two"]),
        ({"finish_reason": "length"}, ["two"]),
        ({"choice": 0}, ["x", "two", "s"]),
        ({"choice": [1, 2]}, ["two"]),
        ({"model": "m", "choice": 1}, []),
        ({"logprobs_state": "present"}, ["x", "two", "s"]),
        ({"alignment": "exact", "finish_reason": "stop"}, ["x", "two", "s"]),
        ({"n_choices": 2}, ["two"]),
        ({"record": [0, 1]}, ["x", "two"]),
    ],
)
def test_filter(conditions, ids, lp):
    found, part_ = kept(lp, **conditions)
    assert found == ids
    rows = {row["response"]["response_id"]: row for row in rows_by_response(lp)}
    by_choice = set(conditions) & {"choice", "finish_reason", "logprobs_state", "alignment"}
    if not by_choice:
        assert rows_by_response(part_) == [rows[id_] for id_ in ids]


def test_filter_by_choice_keeps_such_choices_only(lp):
    _, part_ = kept(lp, finish_reason="length")
    assert part_.choices["choice"].to_pylist() == [1]
    assert part_.tokens["token"].to_pylist() == ["c"]
    _, part_ = kept(lp, choice=0)
    assert part_.choices.num_rows == 3
    assert part_.tokens.num_rows == 6


def test_filter_by_time(lp):
    when = datetime.datetime.fromtimestamp(1_700_000_000, datetime.UTC)
    assert kept(lp, created=when)[0] == ["x", "two"]
    assert kept(lp, created=None)[0] == ["s"]


def test_filter_keeps_rejects_and_ledger():
    with pytest.warns(toolkit.ToolkitWarning):
        lp = toolkit.from_responses([whole("a"), 5])
    nothing = lp.filter(model="z")
    assert (len(nothing), nothing.rejects.num_rows, nothing.ledger.num_rows) == (0, 1, 1)


@pytest.mark.parametrize("name", ["token", "nonsense", "notes", "logprob", "content"])
def test_what_cannot_be_filtered_by(name, lp):
    with pytest.raises(toolkit.errors.ArgumentError, match=name):
        lp.filter(**{name: 1})


@pytest.mark.parametrize(("name", "value"), [("choice", "zero"), ("model", 5), ("created", "x")])
def test_values_of_the_wrong_type(name, value, lp):
    with pytest.raises(toolkit.errors.ArgumentError, match=name):
        lp.filter(**{name: value})


# concat


def test_concat_of_loads_keeps_keys_unique(lp):
    both = toolkit.concat([lp, lp])
    assert_conserved_but_for_sources(both)
    assert rows_by_response(both) == rows_by_response(lp) * 2
    assert len(set(both.responses["response_key"].to_pylist())) == 6


def assert_conserved_but_for_sources(lp):
    """As `assert_conserved`, but one source name may belong to several loads."""
    from tests.oracle import assert_alternatives

    keys = lp.responses["response_key"].to_pylist()
    assert keys == sorted(set(keys))
    assert_alternatives(lp.tokens.to_pylist(), lp.alternatives.to_pylist())


def test_concat_of_parts_is_what_they_were_parts_of(tmp_path):
    paths = [tmp_path / f"{name}.jsonl" for name in "abc"]
    for path in paths:
        path.write_text(json.dumps(whole(path.stem, path.stem)))
    lp = toolkit.read(paths)
    parts = [lp.filter(source=str(path)) for path in paths]
    joined = toolkit.concat(reversed(parts))
    for name in ("responses", "choices", "tokens", "alternatives"):
        assert joined[name].equals(lp[name])


@quietly
def test_concat_of_parts_of_one_load_counts_nothing_twice():
    """Rejects and ledger describe the sources, which are the same as before."""
    data = b"\n".join([json.dumps(whole("a", "a", model=m)).encode() for m in "pq"] + [b"{bad"])
    lp = toolkit.read(data)
    joined = toolkit.concat([lp.filter(model="p"), lp.filter(model="q")])
    assert joined.responses.equals(lp.responses)
    assert_conserved(joined)
    assert joined.rejects.num_rows == 1


def test_concat_of_different_loads(lp, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(whole("file", "f")))
    other = toolkit.read(path)
    for parts in ([lp, other], [other, lp]):
        both = toolkit.concat(parts)
        assert_conserved(both)
        assert rows_by_response(both) == [row for part_ in parts for row in rows_by_response(part_)]
        assert both.ledger.num_rows == 2


def test_concat_of_loads_of_several_sources(tmp_path):
    paths = [tmp_path / f"{name}.jsonl" for name in "abc"]
    for path in paths:
        path.write_text(json.dumps(whole(path.stem, path.stem)))
    lp = toolkit.read(paths)
    thrice = toolkit.concat([lp, lp, lp])
    assert_conserved_but_for_sources(thrice)
    assert thrice.responses["response_key"].to_pylist() == [i << 32 for i in range(9)]
    assert rows_by_response(thrice) == rows_by_response(lp) * 3


def test_concat_of_nothing():
    nothing = toolkit.concat([])
    assert len(nothing) == 0
    assert len(toolkit.concat([nothing, nothing])) == 0


def test_concat_of_something_else(lp):
    with pytest.raises(toolkit.errors.ArgumentError, match="concat"):
        toolkit.concat([lp, {}])


# to_pandas


@pytest.mark.parametrize("backend", [None, "pyarrow", "numpy_nullable"])
@pytest.mark.parametrize("name", ["responses", "choices", "tokens", "alternatives", "rejects"])
def test_to_pandas(name, backend, lp):
    frame = lp.to_pandas(name, dtype_backend=backend)
    assert isinstance(frame, pd.DataFrame)
    assert (
        list(frame.columns)
        == schema.TABLES[[table.name for table in schema.TABLES].index(name)].names
    )
    assert len(frame) == lp[name].num_rows
    if backend == "pyarrow" and len(frame):
        assert all(isinstance(dtype, pd.ArrowDtype) for dtype in frame.dtypes)


def test_to_pandas_gives_tokens_by_default(lp):
    frame = lp.to_pandas()
    assert frame["token"].tolist() == list("hiabcyz")
    assert frame["channel"].dtype == "category"
    assert frame["logprob"].sum() == pytest.approx(-4.5)


def test_to_pandas_of_what_there_is_not(lp):
    with pytest.raises(toolkit.errors.ArgumentError, match="expected the name of a table"):
        lp.to_pandas("nonsense")
    with pytest.raises(toolkit.errors.ArgumentError, match="dtype_backend"):
        lp.to_pandas(dtype_backend="polars")


# Tables from elsewhere


def test_other_types_that_hold_the_same_are_cast(lp):
    plain = lp.tokens
    for name in ("channel", "status"):
        column = plain[name].cast(pa.string())
        plain = plain.set_column(plain.schema.get_field_index(name), name, column)
    token = plain["token"].cast(pa.string())
    plain = plain.set_column(plain.schema.get_field_index("token"), "token", token)
    again = LogprobTables(lp.responses, lp.choices, plain, lp.alternatives, lp.rejects)
    assert again.equals(lp)


def test_tables_that_do_not_fit(lp):
    with pytest.raises(toolkit.errors.SchemaError, match="lacks column"):
        LogprobTables(lp.responses, lp.choices, lp.tokens.drop_columns("logprob"), lp.alternatives)
    with pytest.raises(toolkit.errors.SchemaError, match="tokens"):
        LogprobTables(lp.responses, lp.choices, lp.tokens.slice(1), lp.alternatives)
    nulls = pa.nulls(len(lp.tokens), pa.large_string())
    holes = lp.tokens.set_column(lp.tokens.schema.get_field_index("token"), "token", nulls)
    with pytest.raises(toolkit.errors.SchemaError, match="must not be null"):
        LogprobTables(lp.responses, lp.choices, holes, lp.alternatives)


@pytest.mark.parametrize("response", [0, 1, -1])
def test_only_one_choice(lp, response):
    key = lp.responses["response_key"].to_pylist()[response]
    for choice in lp.filter(response_key=key).choices["choice"].to_pylist():
        assert lp.only(response, choice).equals(lp.filter(response_key=key, choice=choice))


def test_only_a_choice_that_does_not_exist(lp):
    for response, choice in ((0, 99), (99, 0), ("nobody", 0)):
        with pytest.raises(toolkit.errors.SelectionError):
            lp.only(response, choice)


# What is derived


def sampled(entry_, tops):
    body = whole("a")
    body["choices"][0]["logprobs"]["content"] = [{**entry_, "top_logprobs": tops}]
    lp = toolkit.from_responses(body)
    return lp.alternatives["is_sampled"].to_pylist(), lp.tokens["sampled_rank"][0].as_py()


def test_which_alternative_was_sampled():
    """By token id, then bytes, then text; the best evidence that both have, then the first."""
    a = {"token": "a", "logprob": -1.0}
    plain = [{"token": "b", "logprob": -0.5}, a, {**a, "logprob": -2.0}]
    assert sampled(a, plain) == ([False, True, False], 2)
    assert sampled({**a, "token": "z"}, plain) == ([False] * 3, None)
    by_bytes = [{**a, "bytes": [1]}, {**a, "bytes": [97]}, a]
    assert sampled({**a, "bytes": [97]}, by_bytes) == ([False, True, False], 2)
    assert sampled({**a, "bytes": [97]}, [{**a, "bytes": [1]}]) == ([False], None)
    by_id = [{**a, "id": 5, "bytes": [97]}, {**a, "id": 7, "token": "z"}]
    assert sampled({**a, "id": 7, "bytes": [97]}, by_id) == ([False, True], 2)
    assert sampled({**a, "bytes": []}, [a, {**a, "bytes": []}]) == ([False, True], 2)


def test_ranks_go_by_logprob_then_slot():
    body = whole("a")
    values = [-2, -1, None, -1, -9999, 0.5, -3]
    tops = [{"token": str(i), "logprob": value} for i, value in enumerate(values)]
    body["choices"][0]["logprobs"]["content"][0]["top_logprobs"] = tops
    lp = toolkit.from_responses(body)
    assert lp.alternatives["rank"].to_pylist() == [4, 2, None, 3, 6, 1, 5]
    assert lp.alternatives["slot"].to_pylist() == list(range(1, 8))
    assert lp.alternatives["logprob"].to_pylist() == values


@pytest.mark.parametrize(
    ("text", "tokens", "alignment"),
    [
        ("ab", [("a", b"a"), ("b", b"b")], "exact"),
        ("ab", [("a", b"a")], "tokens_short"),
        ("b", [("<s>", b"<s>"), ("b", b"b")], "tokens_extra"),
        ("ab", [("x", b"x")], "mismatch"),
        ("ab", [], "unknown"),
        ("é", [("\ufffd", b"\xc3"), ("\ufffd", b"\xa9")], "exact"),
        ("\ufffd", [("\ufffd", b"\xc3")], "exact"),
        ("ab", [("a", None), ("b", None)], "exact"),
        ("ab", [("x", None)], "unknown"),
        ("", [("a", b"a")], "tokens_extra"),
        (None, [("a", b"a")], "tokens_extra"),
        ("ab", [("", b"")], "tokens_short"),
    ],
)
def test_alignment(text, tokens, alignment):
    entries = [
        {"token": token, "logprob": -1, "bytes": None if raw is None else list(raw)}
        for token, raw in tokens
    ]
    for channel, column in (("content", "alignment"), ("refusal", "refusal_alignment")):
        message = {"content": None, channel: text}
        choice = {"message": message, "logprobs": {channel: entries}}
        lp = toolkit.from_responses([whole("x"), {"choices": [choice]}])
        assert lp.choices[column].to_pylist()[1] == alignment


def test_channels_come_in_one_order():
    lists = {
        "refusal": [entry("r")],
        "content": [entry("c"), entry("d")],
        "reasoning_content": [entry("t")],
    }
    body = {"choices": [{"message": {}, "logprobs": lists}]}
    parts = [chunk("x", [part(0, logprobs={name: entries})]) for name, entries in lists.items()]
    for lp in (toolkit.from_responses(body), toolkit.from_responses(parts)):
        assert lp.tokens["channel"].to_pylist() == ["content", "content", "reasoning", "refusal"]
        assert lp.tokens["token"].to_pylist() == ["c", "d", "t", "r"]
        assert lp.tokens["position"].to_pylist() == [0, 1, 0, 0]
        [choice] = lp.choices.to_pylist()
        counts = {name: choice[f"n_{name}_tokens"] for name in ("content", "reasoning", "refusal")}
        assert counts == {"content": 2, "reasoning": 1, "refusal": 1}


def test_choices_are_sorted_by_index():
    body = two_choices()
    body["choices"].reverse()
    lp = toolkit.from_responses(body)
    assert lp.choices["choice"].to_pylist() == [0, 1]
    assert lp.tokens["token"].to_pylist() == ["a", "b", "c"]
    assert rows_by_response(lp) == rows_by_response(toolkit.from_responses(two_choices()))
    assert bare(lp.choices.to_pylist()[0], ())["finish_reason"] == "stop"


@pytest.mark.parametrize("name", LogprobTables.__slots__)
def test_to_polars_has_the_values_of_the_table(name, lp):
    polars = pytest.importorskip("polars")
    frame = lp.to_polars(name)
    assert isinstance(frame, polars.DataFrame)
    assert frame.columns == lp[name].column_names
    assert frame.to_dicts() == lp[name].to_pylist()


def test_to_polars_says_what_to_install(lp, monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(toolkit.errors.ArgumentError, match="pip install polars"):
        lp.to_polars()
    with pytest.raises(toolkit.errors.ArgumentError, match="expected the name of a table"):
        lp.to_polars("tables")


@quietly
def test_head_has_the_first_responses_whole(lp):
    first = lp.head(2)
    assert first.responses["response_id"].to_pylist() == ["x", "two"]
    assert first.equals(lp.filter(response_id=["x", "two"]))
    assert lp.head().equals(lp)
    assert len(lp.head(0)) == 0
    assert_conserved(lp.head(3))
    for n in (-1, 1.5, "two"):
        with pytest.raises(toolkit.errors.ArgumentError, match="n="):
            lp.head(n)
