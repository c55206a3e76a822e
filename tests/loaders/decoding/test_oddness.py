"""Every way in which a record can be odd, and the verdict: rejected with its place, or kept.

Each kind lies between two good records, in JSON lines, as an event, as an element of an array,
and between the chunks of a stream. The good ones must come out as they do alone, and the place of
a reject must be that of exactly its bytes. Each kind in each container is a source of its own, and
a subtest; the sources of one container are read in one load.
"""

import json
import warnings

import pytest

import toolkit
from tests.loaders.decoding.many_sources import parts_of, read_each
from tests.loaders.decoding.odd_kinds import BALANCED, KINDS, REJECTED
from tests.loaders.decoding.odd_records import (
    CANARY,
    DROP,
    batch,
    body,
    choice,
    good,
    message,
    obj,
    with_entry,
    with_message,
)
from tests.oracle import assert_conserved, rows_by_response
from tests.strategies import camel

pytestmark = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")

KEPT = [kind for kind in KINDS if not kind.rejected]


def test_the_names_of_kinds_are_unique():
    names = [kind.name for kind in KINDS]
    assert len(names) == len(set(names)) > 70


# Containers: the text before, between and after records


CONTAINERS = {
    "jsonl": (b"", b"\n", b"\n"),
    "sse": (b"data: ", b"\n\ndata: ", b"\n\ndata: [DONE]\n\n"),
    "array": (b"[", b",\n ", b"]\n"),
}


def enclose(container, records):
    before, between, after = CONTAINERS[container]
    return before + between.join(records) + after


def between_good_ones(container, kind):
    return enclose(container, [good("a"), kind.raw, good("b")])


def without_place(rows):
    """Write rows as text; ranks and notes do not depend on where a record lies."""
    return json.dumps(rows, default=str, sort_keys=True)


def assert_rejected(rejects, kind, data):
    """One reject, of this reason, at the path and at exactly these bytes."""
    [reject] = rejects
    reason, path = kind.rejected
    if reason == "bad_json":  # several reasons are true of it
        assert reject["reason"] in ("bad_utf8", "not_json", "trailing_garbage")
    else:
        assert (reject["reason"], reject["path"]) == (reason, path)
    start = reject["byte_offset"]
    found = data[start : start + reject["length"]]
    assert found.strip() == kind.raw.strip()
    assert reject["line"] == data.count(b"\n", 0, start) + 1
    assert reject["record"] == 1
    assert CANARY not in reject["message"]
    assert reject["reason"] in toolkit.schema.REASONS


def assert_kept(tables, rejects, kind):
    """As many responses as it should give, with these notes and these values."""
    assert not rejects
    rows = tables["responses"][1:-1]
    assert len(rows) == kind.n_responses
    assert [row["notes"] for row in rows] == [list(kind.notes)] * kind.n_responses
    assert set(kind.notes) <= set(toolkit.schema.NOTES)
    keys = {row["response_key"] for row in rows}
    for name, expected in kind.columns.items():
        table, column = name.split(".")
        found = [row[column] for row in tables[table] if row["response_key"] in keys]
        assert repr(found) == repr(expected), name


@pytest.mark.parametrize(
    ("container", "kinds"),
    [("jsonl", KINDS), ("sse", KINDS), ("array", BALANCED)],
    ids=["as a line", "as an event", "as an element of an array"],
)
def test_between_good_records(container, kinds, subtests):
    alone = [without_place(found.rows[0]) for found in read_each([good("a"), good("b")])]
    sources = [between_good_ones(container, kind) for kind in kinds]
    for kind, data, found in zip(kinds, sources, read_each(sources), strict=True):
        with subtests.test(kind.name):
            assert [without_place(found.rows[i]) for i in (0, -1)] == alone
            if kind.rejected:
                assert len(found.rows) == 2
                assert_rejected(found.rejects, kind, data)
            else:
                assert_kept(found.tables, found.rejects, kind)


def test_in_the_middle_of_a_stream(subtests):
    """Its chunks keep all that came; a note says that something may be missing."""
    first, last = (
        obj(
            id='"s"', choices=f"[{choice(message=DROP, delta=message(), finish_reason=end)}]"
        ).encode()
        for end in ("null", '"stop"')
    )
    sources = [enclose("sse", [first, kind.raw, last]) for kind in REJECTED]
    for kind, data, found in zip(REJECTED, sources, read_each(sources), strict=True):
        with subtests.test(kind.name):
            assert_rejected(found.rejects, kind, data)
            [response] = found.tables["responses"]
            assert response["notes"] == ["gap"]
            assert response["n_chunks"] == 2
            assert found.column("tokens", "token") == ["b", "b"]
            assert found.column("tokens", "chunk") == [0, 1]
            assert found.column("choices", "content") == [CANARY * 2]


def test_raised(tmp_path, subtests):
    path = tmp_path / "odd.jsonl"
    for kind in REJECTED:
        path.write_bytes(between_good_ones("jsonl", kind))
        with subtests.test(kind.name):
            with pytest.raises(toolkit.errors.RecordError) as raised:
                toolkit.read(path, on_error="raise")
            error = raised.value
            assert (error.source, error.line) == (str(path), 2)
            reason, json_path = kind.rejected
            if reason != "bad_json":
                assert (error.reason, error.path) == (reason, json_path)
                assert reason in str(error)
            assert error.byte_offset == len(good("a")) + 1
            assert str(error).startswith(f"{path}:2")
            assert json_path is None or json_path in str(error)
            assert CANARY not in str(error)


def test_not_raised(subtests):
    loads = read_each([between_good_ones("jsonl", kind) for kind in KEPT], on_error="raise")
    for kind, found in zip(KEPT, loads, strict=True):
        with subtests.test(kind.name):
            assert len(found.rows) == 2 + kind.n_responses


def warnings_of(sources):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        toolkit.read(sources)
    return [str(warning.message) for warning in caught]


def test_nothing_warns_of_content(subtests):
    """What is kept gives no warning, even together; what is rejected gives one."""
    for kind in REJECTED:
        with subtests.test(kind.name):
            [text] = warnings_of(enclose("jsonl", [good("a"), kind.raw]))
            assert CANARY not in text
    assert warnings_of([enclose("jsonl", [good("a"), kind.raw]) for kind in KEPT]) == []


def parsed_elsewhere(kind):
    """Return what another reader makes of a kind; None where it can show nothing of it."""
    if kind.rejected and kind.rejected[0] in ("duplicate_key", "too_deep"):
        return None  # a dict has no key twice, and its depth is not limited
    try:
        value = json.loads(kind.raw.decode())
    except (ValueError, RecursionError):
        return None
    return None if isinstance(value, str) else value  # a str would be JSON text


def may_be_chunk(record):
    """Return whether a record could belong to a stream, with others before and after it."""
    text = repr(record)
    return "'choices'" in text and ("'message'" not in text or "'delta'" in text)


def test_in_memory(subtests):
    """The verdict is the same for a record that was parsed elsewhere."""
    before, after = (json.loads(good(name)) for name in "ab")
    parsed = [(kind, parsed_elsewhere(kind)) for kind in BALANCED]
    parsed = [(kind, value) for kind, value in parsed if value is not None]
    whole = [pair for pair in parsed if not may_be_chunk(pair[1])]
    for pairs in (whole, *([pair] for pair in parsed if may_be_chunk(pair[1]))):
        lp = toolkit.from_responses([each for _, value in pairs for each in (before, value, after)])
        loads = parts_of(lp, len(pairs), lambda source, record: record // 3)
        for (kind, _), found in zip(pairs, loads, strict=True):
            with subtests.test(kind.name):
                if kind.rejected:
                    verdicts = [(row["reason"], row["path"]) for row in found.rejects]
                    assert verdicts == [kind.rejected]
                else:
                    assert_kept(found.tables, found.rejects, kind)


# Cuts


def test_every_cut_of_a_line_is_rejected(subtests):
    """Wherever a writer was stopped: one reject, with the reason."""
    raw = with_message(content=r'"é😀\u00e9\n"', extra="[true,null,-1.5e-3]").encode()
    stops = range(1, len(raw))
    loads = read_each([good("a") + b"\n" + raw[:stop] for stop in stops])
    for stop, found in zip(stops, loads, strict=True):
        in_character = raw[stop] & 0xC0 == 0x80
        with subtests.test(f"after {stop} bytes"):
            assert len(found.rows) == 1
            [reject] = found.rejects
            assert reject["reason"] == ("bad_utf8" if in_character else "truncated")
            assert (reject["line"], reject["length"]) == (2, stop)


def test_the_place_of_a_second_value_on_a_line():
    bad = with_entry(token="[]").encode()
    for between in (b"", b" ", b"  \t"):
        line = good("a") + between + bad + between + good("b")
        data = good("c") + b"\n" + line + b"\n"
        lp = toolkit.read(data)
        assert_conserved(lp)
        assert lp.responses["response_id"].to_pylist() == ["c", "a", "b"]
        [reject] = lp.rejects.to_pylist()
        start = reject["byte_offset"]
        assert data[start : start + reject["length"]] == bad
        assert reject["line"] == 2
        for row in lp.responses.to_pylist():
            assert data.startswith(b'{"id"', row["byte_offset"])


@pytest.mark.parametrize("end", [b' {"id":', b" nonsense"])
def test_the_place_of_what_is_broken_after_a_value(end):
    """A value before it is kept if what follows is another; garbage costs the value before it."""
    data = good("a") + b" " + good("b") + end + b"\n" + good("c")
    lp = toolkit.read(data)
    assert_conserved(lp)
    [reject] = lp.rejects.to_pylist()
    lost = end.strip() if end.startswith(b" {") else good("b") + end
    start = reject["byte_offset"]
    assert data[start : start + reject["length"]] == lost


def test_place_counts_bytes_not_characters():
    text = "日本😀é" * 20
    first = good("a").replace(CANARY.encode(), text.encode())
    bad = with_entry(token="[]").encode()
    for data in (first + b"\n" + bad, first + b" " + bad, first + b"\n" + first + b" " + bad):
        [reject] = toolkit.read(data).rejects.to_pylist()
        start = reject["byte_offset"]
        assert data[start : start + reject["length"]] == bad


# What is copied as JSON


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-1e400", "9" * 5000])
@pytest.mark.parametrize("column", ["tool_calls", "error"])
def test_columns_of_json_hold_json(column, number):
    """Other readers must be able to parse them, whatever the record wrote."""
    if column == "error":
        lp = toolkit.read(body(error=f'{{"a":{number}}}').encode())
        [text] = lp.responses["error"].to_pylist()
    else:
        lp = toolkit.read(with_message(tool_calls=f'[{{"a":{number}}}]').encode())
        [text] = lp.choices["tool_calls"].to_pylist()
    assert text is not None
    json.loads(text, parse_constant=refuse, parse_int=float)


def nested(n):
    value = []
    for _ in range(n):
        value = [value]
    return value


ROUND = []
ROUND.append(ROUND)


@pytest.mark.parametrize(
    "value",
    [nested(100_000), ROUND, {1: "a", "b": 2}, 10**5000, {"a": object}, {("a",): 1}],
    ids=["deep", "round", "mixed keys", "long integer", "a class", "a tuple as key"],
)
@pytest.mark.parametrize("place", ["tool_calls", "error", "unknown", "usage", "bytes"])
def test_no_object_in_memory_stops_a_load(place, value):
    """Objects are not limited to what JSON can hold: rejected or kept, and the others read."""
    odd = json.loads(body())
    entry_ = odd["choices"][0]["logprobs"]["content"][0]
    {
        "tool_calls": lambda: odd["choices"][0]["message"].update(tool_calls=[{"a": value}]),
        "error": lambda: odd.update(error={"a": value}),
        "unknown": lambda: odd.update(unknown=value),
        "usage": lambda: odd.update(usage={"prompt_tokens": value}),
        "bytes": lambda: entry_.update(bytes=[value]),
    }[place]()
    lp = toolkit.from_responses([json.loads(good("a")), odd, json.loads(good("b"))])
    assert_conserved(lp)
    ids = lp.responses["response_id"].to_pylist()
    assert [id_ for id_ in ids if id_ != "odd"] == ["a", "b"]


# Rule 7


def shuffled(value):
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in sorted(value, reverse=True)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


def test_order_of_keys_and_whitespace_never_matter():
    record = json.loads(batch())
    texts = [
        json.dumps(record),
        json.dumps(shuffled(record)),
        json.dumps(record, separators=(",", ":")),
        json.dumps(record, separators=(" ,\t", "  : ")),
        json.dumps(record, indent=1),
    ]
    loads = [rows_by_response(toolkit.read(text.encode())) for text in texts]
    assert all(rows == loads[0] for rows in loads)


def test_both_casings_give_equal_rows():

    snake = json.loads(with_message(reasoning_content='"r"', tool_calls='[{"id":"t"}]'))
    snake |= {"system_fingerprint": "fp", "service_tier": "default"}
    snake["usage"]["prompt_tokens_details"] = {"cached_tokens": 3, "audio_tokens": 1}
    assert camel(snake) != snake
    a, b = (toolkit.from_responses(each) for each in (snake, camel(snake)))
    assert a.equals(b)
    assert a.responses["cached_tokens"].to_pylist() == [3]
    assert a.choices["reasoning"].to_pylist() == ["r"]
