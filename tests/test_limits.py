"""What exceeds a limit is rejected alone, with a reason, and is not held in memory."""

import bz2
import gzip
import json
import warnings
from unittest import mock

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import toolkit
from tests.oracle import assert_conserved
from toolkit import Limits
from toolkit.limits import LIMITS, MOST_NESTING
from toolkit.loaders.framing.detect import frame
from toolkit.loaders.framing.frames import balance

pytestmark = pytest.mark.filterwarnings("ignore::toolkit.ToolkitWarning")


def answer(content="Hi", k=0, **more):
    top = [{"token": str(i), "logprob": -1.0 - i} for i in range(k)]
    entry = {"token": content, "logprob": -0.5, "bytes": None, "top_logprobs": top}
    choice = {"message": {"content": content}, "logprobs": {"content": [entry]}}
    return json.dumps({"choices": [choice], **more}).encode()


GOOD = answer()
LONG = answer("x" * 500)
MOST = 300  # bytes, between the sizes of the two


def as_array(records):
    return b"[" + b",\n".join(records) + b"]"


def as_documents(records):
    return b"\n".join(json.dumps(json.loads(record), indent=1).encode() for record in records)


def as_lines(records):
    return b"\n".join(records)


def as_crlf_lines(records):
    return b"\r\n".join(records) + b"\r\n"


def as_events(records):
    return b"".join(b"data: " + record + b"\n\n" for record in records)


def as_events_of_several_lines(records):
    """One data line for every few bytes: the event is long, none of its lines is."""
    events = [json.dumps(json.loads(record), indent=0).split("\n") for record in records]
    return "".join("".join(f"data: {line}\n" for line in event) + "\n" for event in events).encode()


CONTAINERS = [as_array, as_documents, as_lines, as_crlf_lines, as_events]


@pytest.mark.parametrize("contain", CONTAINERS)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_record_that_is_too_long_costs_itself_alone(contain, at):
    records = [GOOD, GOOD, GOOD]
    records[at] = LONG
    data = contain(records)
    lp = toolkit.read(data, limits=Limits(record_bytes=MOST))
    assert_conserved(lp)
    assert lp.responses["record"].to_pylist() == [i for i in range(3) if i != at]
    assert lp.tokens["token"].to_pylist() == ["Hi", "Hi"]
    [reject] = lp.rejects.to_pylist()
    assert (reject["record"], reject["reason"]) == (at, "too_long")
    assert f"at most {MOST}" in reject["message"]
    assert "Limits.record_bytes" in reject["message"]
    start = reject["byte_offset"]
    there = data[start : start + reject["length"]]
    assert json.loads(there.removeprefix(b"data: ")) == json.loads(LONG)


def test_an_event_of_many_lines_that_is_too_long():
    tokens = [{"token": f"{i:04}", "logprob": -0.5} for i in range(20)]
    choice = {"message": {"content": "x"}, "logprobs": {"content": tokens}}
    long = json.dumps({"choices": [choice]}).encode()
    data = as_events_of_several_lines([GOOD, long, GOOD])
    lp = toolkit.read(data, limits=Limits(record_bytes=MOST))
    assert_conserved(lp)
    assert lp.rejects["reason"].to_pylist() == ["too_long"]
    assert lp.responses["record"].to_pylist() == [0, 2]
    assert len(toolkit.read(data)) == 3


def frames(data, cuts, most):
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    blocks = [data[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]
    with mock.patch(
        "toolkit.loaders.framing.detect.HEAD_BYTES", 10
    ):  # because the blocks of the head are joined
        parts = list(frame(blocks, most))
    found = [
        (part.data[start:stop], *place)
        for part in parts
        for start, stop, *place in zip(*(column.tolist() for column in part[1:6]), strict=True)
    ]
    return found, [sum(part.counts[i] for part in parts) for i in range(5)]


PIECES = (
    '{"a": 1}',
    "{",
    "}",
    "[",
    "]",
    '"',
    "\\",
    ",",
    "\n",
    "\r\n",
    " ",
    "data: ",
    "x",
    "[DONE]",
)


@given(
    st.lists(st.sampled_from(PIECES), max_size=30),
    st.lists(st.integers(0, 10**6), max_size=8),
    st.integers(1, 12),
)
@example(["{", "x", "x", "}", "\r\n", "x"], [3, 5], 3)
@example(["data: ", "x", "x", "x", "\r\n", "data: ", "x"], [8, 9, 10], 2)
def test_how_blocks_are_cut_makes_no_difference_to_what_is_too_long(pieces, cuts, most):
    data = "".join(pieces).encode()
    whole = frames(data, [], most)
    assert frames(data, cuts, most) == whole
    assert whole[1][-1] == len(data)
    assert all(text == b"" for text, _, _, length in whole[0] if length > most)
    assert all(len(text) <= most for text, *_ in whole[0])


@given(st.lists(st.sampled_from(PIECES), max_size=30), st.integers(1, 12))
@example(["}", "{", "\n", "{"], 1)
def test_what_is_not_too_long_is_framed_as_without_a_limit(pieces, most):
    """This holds for lines; an event or a document may be too long although its pieces are not.

    Whitespace after a value that is not closed may belong to it, and counts.
    """
    data = ("{" + "".join(pieces).replace("data: ", "").replace("[", "") + "\n{}\n{}").encode()
    unlimited, _ = frames(data, [], 10**9)
    limited, _ = frames(data, [], most)

    def short(found):
        return [each for each in found if each[3] <= most and balance(each[0]) == 0]

    if all(text.count(b"\n") == 0 for text, *_ in unlimited):
        assert short(limited) == short(unlimited)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_long_record_may_be_asked_for(threads):
    long = answer("x" * 5000)
    lp = toolkit.read(long, limits=Limits(record_bytes=len(long)), threads=threads)
    assert lp.tokens["token"].to_pylist() == ["x" * 5000]
    with pytest.raises(toolkit.errors.RecordError, match="too_long"):
        toolkit.read(long, limits=Limits(record_bytes=len(long) - 1), on_error="raise")


def test_a_line_of_blanks_that_is_too_long_is_a_record():
    data = GOOD + b"\n" + b" " * 400 + b"\n" + GOOD
    lp = toolkit.read(data, limits=Limits(record_bytes=MOST))
    assert lp.rejects["reason"].to_pylist() == ["too_long"]
    assert toolkit.read(data).ledger["blank"].to_pylist() == [1]


# Nesting


def nested(depth):
    """Return an answer with an unknown key, nested so that the record has `depth` levels."""
    return GOOD[:-1] + b', "more": ' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


@pytest.mark.parametrize("limit", [10, 63, 64, 65, 100, MOST_NESTING])
def test_nesting_has_a_limit(limit):
    data = b"\n".join([nested(limit), nested(limit + 1), nested(limit)])
    lp = toolkit.read(data, limits=Limits(nesting=limit))
    assert lp.responses["record"].to_pylist() == [0, 2]
    [reject] = lp.rejects.to_pylist()
    assert reject["reason"] == "too_deep"
    assert f"at most {limit} levels" in reject["message"]


def test_calls_nested_to_the_limit_are_kept():
    arguments = "[" * 200 + "]" * 200
    call = {"index": 0, "function": {"name": "f", "arguments": json.loads(arguments)}}
    body = {"choices": [{"message": {"tool_calls": [call]}}]}
    lp = toolkit.read(json.dumps(body).encode(), limits=Limits(nesting=MOST_NESTING))
    assert "[[[[" in lp.choices["tool_calls"][0].as_py()


# Alternatives


@pytest.mark.parametrize("limit", [1, 5])
def test_alternatives_have_a_limit(limit):
    data = b"\n".join([answer(k=limit), answer(k=limit + 1), answer(k=limit)])
    lp = toolkit.read(data, limits=Limits(alternatives=limit))
    assert lp.alternatives.num_rows == 2 * limit
    [reject] = lp.rejects.to_pylist()
    assert reject["reason"] == "too_many_alternatives"
    assert reject["path"] == "$.choices[0].logprobs.content[0].top_logprobs"


# Sources


def zstd(data):
    return pa.compress(data, codec="zstd", asbytes=True)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, zstd])
def test_a_source_that_becomes_many_times_larger(pack, monkeypatch):
    monkeypatch.setattr("toolkit.loaders.sources.size_limits.FREE_BYTES", 1 << 16)
    data = (GOOD + b"\n") * 10_000
    assert len(data) / len(pack(data)) > 100
    lp = toolkit.read([pack(data), GOOD], limits=Limits(expansion=10))
    reject = lp.rejects.to_pylist()[-1]
    assert reject["reason"] == "source_over_limit"
    assert "Limits.expansion is 10" in reject["message"]
    assert 0 < len(lp) < 10_000
    assert lp.responses["source"].to_pylist()[-1] == "<bytes-2>"
    assert_conserved(lp)
    assert len(toolkit.read(pack(data), limits=Limits(expansion=10_000))) == 10_000


def test_little_may_come_of_anything():
    data = b'{"choices": []}' + b" " * 1_000_000
    assert len(data) / len(bz2.compress(data)) > 1000
    assert len(toolkit.read(bz2.compress(data))) == 1


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_source_has_a_size(pack):
    line = GOOD + b"\n"
    whole = toolkit.read(pack(line * 10), limits=Limits(source_bytes=len(line) * 10))
    assert len(whole) == 10
    lp = toolkit.read(pack(line * 10), limits=Limits(source_bytes=len(line) * 4 + 5))
    assert len(lp) == 4
    assert lp.rejects["reason"].to_pylist() == ["truncated", "source_over_limit"]
    assert lp.ledger["bytes"].to_pylist() == [len(line) * 4 + 5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"record_bytes": 0}, "record_bytes=0"),
        ({"record_bytes": 1.5}, "record_bytes=1.5"),
        ({"record_bytes": True}, "record_bytes=True"),
        ({"record_bytes": None}, "record_bytes=None"),
        ({"nesting": MOST_NESTING + 1}, "from 1 to 256"),
        ({"alternatives": -1}, "alternatives=-1"),
        ({"expansion": "9"}, "expansion='9'"),
        ({"source_bytes": 0}, "source_bytes=0"),
    ],
)
def test_limits_that_make_no_sense(options, message):
    with pytest.raises(toolkit.errors.ArgumentError, match=message):
        Limits(**options)


def test_limits_are_limits():
    with pytest.raises(toolkit.errors.ArgumentError, match="Limits"):
        toolkit.read(GOOD, limits={"record_bytes": 1})


def test_cassettes_have_a_limit():
    pytest.importorskip("yaml")
    text = "interactions:\n- response:\n    body:\n      string: '" + "x" * 500 + "'\n"
    with pytest.raises(toolkit.errors.SourceError, match="cassette of more than 300 bytes"):
        toolkit.read(text.encode(), limits=Limits(record_bytes=MOST))


def test_what_is_usual_is_far_from_every_limit():
    assert LIMITS.record_bytes == 64 << 20
    assert LIMITS.nesting == 64
    with warnings.catch_warnings(action="error"):
        toolkit.read(answer(k=1000))
