"""Nothing is lost and nothing is counted twice, whatever the bytes and however they arrive."""

import bz2
import gzip
import json
import random
import warnings

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests import strategies
from tests.oracle import assert_conserved, rows_by_response
from tests.oracle import load as read

pytestmark = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")


def answer(text="hi", **fields):
    entries = [
        {"token": c, "logprob": -0.5, "bytes": list(c.encode()), "top_logprobs": []} for c in text
    ]
    choice = {"index": 0, "message": {"content": text}, "logprobs": {"content": entries}}
    return {"id": "x", "choices": [choice]} | fields


LINE = json.dumps(answer()).encode()


def load(source, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", toolkit.ToolkitWarning)
        lp = read(source, **options)
    assert_conserved(lp)
    return lp


# Kinds of lines


FRAGMENTS = st.one_of(
    st.just(LINE),
    st.just(b""),
    st.just(b"   "),
    st.just(b"data: [DONE]"),
    st.just(b": ping"),
    st.just(b"event: message"),
    st.just(b"data: " + LINE),
    st.just(LINE + LINE),
    st.just(b"[" + LINE + b"," + LINE + b"]"),
    st.just(b"[]"),
    st.just(b'{"error":{"message":"m"}}'),
    st.integers(0, len(LINE)).map(lambda n: LINE[:n]),
    st.integers(0, len(LINE)).map(lambda n: LINE[n:]),
    st.binary(max_size=8),
    st.sampled_from((b"{", b"}", b"[", b"]", b",", b'"', b"null", b'{"a":"', b"\xff", b"\\")),
)


@given(st.lists(FRAGMENTS, max_size=8), st.sampled_from((b"\n", b"\n\n", b"\r\n", b"\r")))
def test_any_lines(lines, end):
    """Every record is read or rejected; any bytes may come in any container."""
    data = end.join(lines)
    try:
        lp = load(data)
    except toolkit.errors.SourceError:  # nothing in it, or the beginning of another kind of file
        return
    assert lp.ledger["bytes"].to_pylist() == [len(data)]
    for row in lp.rejects.to_pylist():
        assert row["byte_offset"] + row["length"] <= len(data)
        assert row["reason"] in toolkit.schema.REASONS
        before = data[: row["byte_offset"]]
        n_lines = before.count(b"\n") + 1
        if b"\r" in data:  # whether a return alone ends a line is up to the container
            n_lines = max(n_lines, len((before + b"x").splitlines()))
        assert row["line"] <= n_lines


@given(st.lists(st.sampled_from((LINE, b"", b"{bad", LINE + b" " + LINE)), max_size=9))
def test_lines_that_are_known(lines):
    """Counted by hand: each line, and what it must become."""
    data = b"\n".join([LINE, *lines]) + b"\n"
    lp = load(data)
    n = 1 + lines.count(LINE) + 2 * lines.count(LINE + b" " + LINE)
    assert len(lp) == n
    assert lp.rejects.num_rows == lines.count(b"{bad")
    [ledger] = lp.ledger.to_pylist()
    assert ledger["blank"] == lines.count(b"")
    assert ledger["records"] == n + lines.count(b"{bad")
    assert lp.tokens.num_rows == 2 * n


def test_what_is_no_record_is_counted_by_class():
    events = [": ping", "event: message", "id: 7", "retry: 10", "data:"]
    data = "\n".join(
        [*events, f"data: {LINE.decode()}", "", "", ": bye", "", "data: [DONE]", "", ""]
    )
    [ledger] = load(data.encode()).ledger.to_pylist()
    assert ledger["records"] == ledger["read"] == 1
    assert ledger["comments"] == 2
    assert ledger["control"] == 4
    assert ledger["done"] == 1
    assert ledger["bytes"] == len(data)
    line = json.dumps({"custom_id": "c", "response": {"status_code": 200, "body": answer()}})
    [ledger] = load(f"{line}\n\n{line}\n{LINE.decode()}\n".encode()).ledger.to_pylist()
    assert (ledger["envelopes"], ledger["blank"], ledger["records"]) == (2, 1, 3)


@given(st.data())
def test_any_damage(data):
    """A byte that is changed, removed or doubled costs its own record, never another one."""
    records = [json.dumps(answer(id=f"r{i}")).encode() for i in range(5)]
    victim = data.draw(st.integers(0, 4))
    at = data.draw(st.integers(0, len(records[victim]) - 1))
    byte = bytes([data.draw(st.integers(0, 255).filter(lambda b: b not in b"\r\n"))])
    old = records[victim]
    records[victim] = old[:at] + data.draw(st.sampled_from((byte, b"", byte * 2))) + old[at + 1 :]
    if victim == 0 and not records[0].startswith(b"{"):
        return  # the container is detected from the head
    lp = load(b"\n".join(records))
    ids = lp.responses["response_id"].to_pylist()
    expected = [f"r{i}" for i in range(5) if i != victim]
    assert [id_ for id_ in ids if id_ in expected] == expected
    assert lp.tokens.num_rows >= 8


# Every way to cut the bytes


class Blocks:
    """A file object that returns its bytes in pieces of any size."""

    def __init__(self, pieces):
        self._pieces = iter(pieces)
        self._rest = b""

    def read(self, size):
        self._rest = self._rest or next(self._pieces, b"")
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


def dribbled(data, seed):
    sizes = random.Random(seed)
    while data:
        size = sizes.randint(1, 7)
        yield data[:size]
        data = data[size:]


PAD = "p" * (1 << 16)  # longer than the head from which the container is detected


def recording():
    stream = [
        {"id": "s", "choices": [{"index": 0, "delta": {"content": c}}]} for c in ("日", "本", "\r")
    ]
    lines = [LINE, b"", b"{bad", json.dumps(answer("日本😀")).encode(), LINE + LINE, b"\xff"]
    return {
        "jsonl": b"\n".join([*lines, *(json.dumps(chunk).encode() for chunk in stream)]),
        "jsonl crlf": b"\r\n".join(lines) + b"\r\n",
        "sse": strategies.as_sse([answer(), *stream]),
        "sse cr": strategies.as_sse([answer(), *stream], end="\r"),
        "array": json.dumps([answer(), 5, *stream, []], indent=2).encode(),
        "documents": b"\n".join(json.dumps(chunk, indent=1).encode() for chunk in stream),
    }


@pytest.mark.parametrize("name", recording())
def test_small_reads_make_no_difference(name):
    """Neither while the container is being detected nor later, between any two blocks."""
    data = recording()[name]
    padded = answer(pad=PAD)
    head = {
        "jsonl": json.dumps(padded).encode() + b"\n",
        "sse": strategies.as_sse([padded], done=False),
        "array": b"[" + json.dumps(padded).encode() + b",\n",
        "documents": json.dumps(padded, indent=1).encode() + b"\n",
    }[name.split()[0]]
    rest = data.removeprefix(b"[") if name == "array" else data
    for lead, tail in ((b"", data), (head, rest)):
        expected = load(lead + tail)
        assert len(expected) > 0
        for seed in range(5):
            pieces = [lead, *dribbled(tail, seed)] if lead else dribbled(tail, seed)
            lp = load(Blocks(pieces))
            assert rows_by_response(lp) == rows_by_response(expected)
            for table in ("rejects", "ledger"):
                a, b = (each[table].drop_columns("source") for each in (lp, expected))
                assert a.equals(b)


@pytest.mark.parametrize("container", ["sse", "jsonl"])
def test_done_counts_wherever_a_block_ends(container):
    """The id is the same on both sides, so only [DONE] separates the two responses."""
    chunks = [{"id": "s", "choices": [{"index": 0, "delta": {"content": c}}]} for c in "ab"]
    end = {"sse": "\n\n", "jsonl": "\n"}[container]
    events = [json.dumps(chunks[0]), "[DONE]", json.dumps(chunks[1]), "[DONE]"]
    lead = "data: " if container == "sse" else ""
    head = f"{lead}{json.dumps(answer(pad=PAD))}{end}".encode()
    data = "".join(f"{lead}{event}{end}" for event in events).encode()
    for cut in range(1, len(data)):
        blocks = iter((head + data[:cut], data[cut:]))
        with pytest.warns(toolkit.ToolkitWarning, match="late_chunk"):
            lp = toolkit.read(Blocks(blocks))
        assert lp.choices["content"].to_pylist() == ["hi", "a"]
        assert lp.rejects["record"].to_pylist() == [2]


def packed(data, how):
    if how == "zstd":
        return pa.compress(data, codec="zstd", asbytes=True)
    return {"gzip": gzip.compress, "bz2": bz2.compress}[how](data)


@pytest.mark.parametrize("how", ["gzip", "bz2", "zstd"])
@pytest.mark.parametrize("name", ["jsonl", "sse", "array"])
def test_compression_makes_no_difference(name, how):
    data = recording()[name]
    lp, expected = load(packed(data, how)), load(data)
    assert lp.equals(expected)
    assert lp.ledger.equals(expected.ledger)


@pytest.mark.parametrize("how", ["gzip", "bz2", "zstd"])
def test_a_cut_archive_is_rejected_once_and_keeps_what_came(how):
    """The end of the source is a rejected record, and the record that is cut there is another."""
    rng = random.Random(1)
    names = ["".join(rng.choices("abcdefghij", k=20)) for _ in range(400)]
    data = strategies.as_jsonl([answer(name, id=name) for name in names])
    archive = bz2.compress(data, 1) if how == "bz2" else packed(data, how)
    for share in (0.5, 0.9):
        cut = archive[: int(len(archive) * share)]
        lp = load(cut)
        reasons = lp.rejects["reason"].to_pylist()
        assert reasons in (["truncated_source"], ["truncated", "truncated_source"])
        ids = lp.responses["response_id"].to_pylist()
        assert 0 < len(ids) < 400
        assert ids == names[: len(ids)]
        with pytest.raises((toolkit.errors.SourceError, toolkit.errors.RecordError)):
            toolkit.read(cut, on_error="raise")
    whole = load(archive)
    assert whole.responses["response_id"].to_pylist() == names


def test_the_line_of_the_place_where_a_source_gave_out():
    """After 50 whole lines it is line 51, with the byte offset of that line."""
    archive = gzip.compress((LINE + b"\n") * 50)
    [reject] = load(archive[:-9]).rejects.to_pylist()  # all data, and part of the checksum
    assert reject["byte_offset"] == 50 * (len(LINE) + 1)
    assert reject["line"] == 51


# Keys


def test_keys_are_source_and_record():
    lp = load([LINE + b"\n{bad\n" + LINE, b"{bad\n" + LINE, LINE])
    keys = [0, 2, 2**32 + 1, 2 * 2**32]
    assert lp.responses["response_key"].to_pylist() == keys
    assert lp.rejects["record"].to_pylist() == [1, 0]
    assert lp.responses["source"].to_pylist() == ["<bytes-1>"] * 2 + ["<bytes-2>", "<bytes-3>"]
    assert lp.ledger["records"].to_pylist() == [3, 2, 1]


def test_the_order_of_sources_changes_keys_only():
    parts = [strategies.as_jsonl([answer(text, id=text)]) for text in ("a", "bc", "def")]
    forward, backward = load(parts), load(parts[::-1])
    assert rows_by_response(forward) == rows_by_response(backward)[::-1]


def test_a_source_that_cannot_be_read_does_not_stop_the_others(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINE)
    lp = load([str(tmp_path / "missing.jsonl"), path])
    assert len(lp) == 1
    assert lp.rejects["reason"].to_pylist() == ["unreadable_source"]
    assert lp.responses["response_key"].to_pylist() == [2**32]
    assert lp.ledger["records"].to_pylist() == [1, 1]


@pytest.mark.parametrize(
    "data",
    [b"", b"\n\n", b"   ", b"data: [DONE]\n\n", b": ping\n\n", b"\xef\xbb\xbf"],
    ids=repr,
)
def test_nothing_is_no_load(data):
    with pytest.raises(toolkit.errors.NoRecordsError):
        toolkit.read(data)


def test_only_rejects_is_a_load():
    lp = load(b"{bad\n")
    assert (len(lp), lp.rejects.num_rows) == (0, 1)
