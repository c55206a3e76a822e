"""The rows do not depend on batches, threads or block sizes."""

import gzip
import itertools
import json
import threading
import warnings
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests import strategies
from toolkit.loaders.batches import BatchReader
from toolkit.loaders.decoding.native import scan_frames
from toolkit.loaders.framing.detect import frame
from toolkit.loaders.options import ReadOptions
from toolkit.loaders.sources.resolve import resolve
from toolkit.tables import joined

needs_scanner = pytest.mark.skipif(
    toolkit.decoder() != "native", reason="the native scanner was not built"
)

TABLES = ("responses", "choices", "tokens", "alternatives", "rejects", "ledger")


def same(a, b):
    """Check that two loads have the same rows in the same order."""
    for name in TABLES:
        assert a[name].to_pylist() == b[name].to_pylist(), name


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", toolkit.ToolkitWarning)
        yield


@st.composite
def recordings(draw):
    """Interleaved streams, most of them regular, with an odd event here and there."""
    queues = []
    for i in range(draw(st.integers(1, 4))):
        name = f"id-{i if draw(st.integers(0, 9)) else 0}"
        events = [
            json.dumps(chunk) for chunk in draw(strategies.streamed(draw(strategies.answers(name))))
        ]
        queues.append(events + ["[DONE]"] * draw(st.integers(0, 1)))
    in_turns = draw(st.booleans())
    events = draw(strategies.interleaved(queues)) if in_turns else sum(queues, [])
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        odd = draw(st.sampled_from(["[DONE]", "{bad", '{"error": {"message": "x"}}', "{}"]))
        events.insert(draw(st.integers(0, len(events))), odd)
    return "".join(f"data: {event}\n\n" for event in events).encode()


def scanned(data, **options):
    return toolkit.concat(toolkit.scan(data, **options))


@pytest.mark.parametrize("batch_bytes", [2_000, 5_000, 100_000])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    "name", ["pairs_stream.sse", "bytes_stream.sse", "capitals_batch.jsonl", "pairs_whole.jsonl"]
)
def test_scan_gives_the_rows_of_read(samples, name, batch_bytes, threads):
    path = samples / name
    same(scanned(path, batch_bytes=batch_bytes, threads=threads), toolkit.read(path))


def test_every_batch_is_sorted_and_the_ledger_comes_once(samples):
    parts = list(toolkit.scan(samples / "pairs_stream.sse", batch_bytes=20_000))
    assert len(parts) > 5
    for part in parts:
        keys = part.responses["response_key"].to_pylist()
        assert keys == sorted(set(keys))
    assert [part.ledger.num_rows for part in parts] == [0] * (len(parts) - 1) + [1]


def test_small_sources_share_a_batch(samples):
    data = (samples / "pairs_whole.jsonl").read_bytes().splitlines(keepends=True)
    parts = list(toolkit.scan(data, batch_bytes=sum(map(len, data)) // 3))
    assert 2 <= len(parts) <= 5
    same(toolkit.concat(parts), toolkit.read(data))


@given(st.data(), st.integers(1, 3000), st.sampled_from([1, 2]))
def test_streams_cross_batches_whole(data, batch_bytes, threads):
    recording = data.draw(recordings())
    expected = toolkit.read(recording)
    same(scanned(recording, batch_bytes=batch_bytes, threads=threads), expected)


@given(recordings())
def test_block_by_block_is_chunk_by_chunk(recording):
    expected = toolkit.read(recording)
    with mock.patch("toolkit.loaders.merging.merger.assign_block", return_value=None):
        same(toolkit.read(recording), expected)


def chunk(id_, kind, text, *, created=1, token=True):
    """Return a chunk as servers write it, of one of a few kinds."""
    delta = {"role": "assistant", "content": ""} if kind == "role" else {}
    entry = {"token": text, "logprob": -0.5, "bytes": list(text.encode()), "top_logprobs": []}
    logprobs = None
    if kind in ("text", "finish with text", "usage with text", "refusal"):
        channel = "refusal" if kind == "refusal" else "content"
        delta = {channel: text}
        logprobs = {channel: [entry]} if token else None
    if kind == "empty":
        delta = {"content": ""}
    reason = "stop" if kind.startswith("finish") else None
    choice = {"index": int(kind == "other choice"), "delta": delta, "logprobs": logprobs}
    choices = [] if kind == "usage" else [choice | {"finish_reason": reason}]
    usage = {"prompt_tokens": 1, "completion_tokens": 2} if kind.startswith("usage") else None
    return {"id": id_, "created": created, "model": "m", "choices": choices, "usage": usage}


@st.composite
def events(draw):
    """Chunks of a few ids in any order, most of them text, with every kind of oddity."""
    kinds = ["text"] * 12 + ["role", "finish", "finish with text", "usage", "usage with text"]
    kinds += ["empty", "refusal", "other choice", "[DONE]", "{bad", "no id"]
    lines = [json.dumps(chunk("chatcmpl-0", "role", ""))]
    for i in range(draw(st.integers(1, 60))):
        kind = draw(st.sampled_from(kinds))
        if kind in ("[DONE]", "{bad"):
            lines.append(kind)
            continue
        id_ = None if kind == "no id" else f"chatcmpl-{draw(st.integers(0, 2))}"
        kind = "text" if kind == "no id" else kind
        created = draw(st.sampled_from([1] * 9 + [2]))
        one = chunk(id_, kind, f"t{i} ", created=created, token=draw(st.integers(0, 9)) > 0)
        lines.append(json.dumps(one, separators=draw(st.sampled_from([(",", ":"), (", ", ": ")]))))
    return "\n".join(lines).encode()


@given(events(), st.sampled_from([1, 2, 5, 20, 100_000]), st.sampled_from([100, 1000, None]))
def test_chunks_joined_by_the_scanner_are_those_it_leaves_apart(data, window, batch_bytes):
    joined = toolkit.read(data, stream_window=window)
    same(scanned(data, stream_window=window, batch_bytes=batch_bytes), joined)
    with (
        mock.patch("toolkit.loaders.batches.scan_frames", lambda frames, *_: scan_frames(frames)),
        mock.patch("toolkit.loaders.merging.merger.assign_block", return_value=None),
    ):
        same(toolkit.read(data, stream_window=window), joined)


@needs_scanner
@pytest.mark.parametrize("ids", [["a" * 30], ["a", "b" * 8, "c" * 31]])
def test_text_between_the_first_and_the_last_chunk_makes_one_body(ids):
    kinds = ["role", *["text"] * 20, "finish"]
    chunks = [chunk(id_, kind, str(i)) for i, kind in enumerate(kinds) for id_ in ids]
    data = "".join(json.dumps(each) + "\n" for each in chunks).encode()
    [frames] = frame(iter([data]))
    found = scan_frames(frames, window=len(ids))
    bodies = found.bodies.to_pydict()
    assert bodies["n_records"] == [21] * len(ids) + [1] * len(ids)
    assert len(found.members) == 20 * len(ids)
    assert toolkit.read(data).tokens["chunk"].to_pylist() == list(range(1, 21)) * len(ids)
    assert scan_frames(frames, window=len(ids) - 1).bodies.num_rows == len(chunks)


def test_nesting_is_counted_from_the_beginning_of_a_joined_chunk_too():
    deep = '{"id": "chatcmpl-1", "choices": [{"delta": {"content": "a", "x": DEEP}}]}'
    lines = [deep.replace("DEEP", "[" * n + "]" * n) for n in (1, 60, 61)]
    lp = toolkit.read("\n".join(lines).encode())
    assert lp.rejects["line"].to_pylist() == [3]
    assert lp.responses["n_chunks"].to_pylist() == [2]


def test_usage_before_the_choices_is_each_chunks_own():
    """A text that several chunks begin with is read once; usage in it must be read each time."""
    begin = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "usage": {"total_tokens": 7}}
    other = {"id": "x", "choices": [{"message": {"content": "a"}}], "usage": {"total_tokens": 9}}
    lines = [json.dumps(each) for each in (begin | {"choices": []}, other, begin | {"choices": []})]
    lp = toolkit.read("".join(line + "\n" for line in lines).encode())
    assert lp.responses["total_tokens"].to_pylist() == [7, 9]


def test_regular_streams_are_assigned_a_block_at_a_time(samples):
    with mock.patch(
        "toolkit.loaders.merging.merger.Merger._one_by_one", side_effect=AssertionError
    ):
        for name in ("pairs_stream.sse", "bytes_stream.sse"):
            toolkit.read(samples / name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": 0}, "threads=0"),
        ({"batch_bytes": 0}, "batch_bytes=0"),
        ({"stream_window": True}, "stream_window=True"),
        ({"on_error": "skip"}, "on_error='skip'"),
    ],
)
def test_options_are_checked_at_the_call(options, message):
    with pytest.raises(toolkit.errors.ArgumentError, match=message):
        toolkit.scan(b"{}", **options)


def test_an_export_is_not_scanned(samples, tmp_path):
    out = toolkit.export(samples / "pairs_whole.jsonl", tmp_path / "out")
    with pytest.raises(toolkit.errors.ArgumentError, match="read_parquet"):
        toolkit.scan(out)


# Many sources


def alone(data, ordinal, name):
    """Read a source by itself, with the name and keys that it should have among others."""
    reader = BatchReader(ReadOptions(batch_bytes=1 << 20, threads=1))
    lp = joined([lp for lp, _ in reader.batches(enumerate(resolve(data)), None, lambda *_: None)])
    rows = {table: lp[table].to_pylist() for table in TABLES}
    for row in itertools.chain(*rows.values()):
        if "source" in row:
            row["source"] = name
        if "response_key" in row:
            row["response_key"] += ordinal << 32
    return rows


ODD = [b"{bad\n", b"", b" \n\n", b"{}\n", b"data: [DONE]\n\n", b'{"choices": [{"delta": {}}]}\n']


@given(
    st.lists(st.one_of(recordings(), st.sampled_from(ODD)), min_size=2, max_size=6),
    st.sampled_from([None, 1, 3000]),
    st.sampled_from([1, 2]),
)
def test_sources_are_read_together_as_each_alone(sources, batch_bytes, threads):
    """Also if they have ids in common, if a stream is cut, or if a source is empty."""
    sources.append(b'{"choices": [{"message": {"content": "x"}}]}\n')  # at least one record
    together = toolkit.concat(toolkit.scan(sources, batch_bytes=batch_bytes, threads=threads))
    expected = {name: [] for name in TABLES}
    for i, data in enumerate(sources):
        rows = alone(data, i, f"<bytes-{i + 1}>")
        for name in TABLES:
            expected[name] += rows[name]
    for name in TABLES:
        assert together[name].to_pylist() == expected[name], name


def test_a_fault_has_the_place_of_its_source(tmp_path):
    """A source that fails in the middle of others is a record of its own."""
    good = b'{"choices": [{"message": {"content": "x"}}]}\n'
    cut = gzip.compress(good * 3)[:-9]
    chunk = b'data: {"id": "a", "choices": [{"delta": {"content": "y"}}]}\n\n'
    lp = toolkit.read([good, tmp_path / "missing", cut, chunk, chunk, tmp_path / "lost", good])
    assert lp.ledger["records"].to_pylist() == [1, 1, 4, 1, 1, 1, 1]
    assert lp.ledger["rejected"].to_pylist() == [0, 1, 1, 0, 0, 1, 0]
    assert lp.rejects["reason"].to_pylist() == [
        "unreadable_source",
        "truncated_source",
        "unreadable_source",
    ]
    assert lp.rejects["record"].to_pylist() == [0, 3, 0]
    keys = lp.responses["response_key"].to_pylist()
    assert [key >> 32 for key in keys] == [0, 2, 2, 2, 3, 4, 6]
    assert lp.responses["notes"].to_pylist() == [[]] * 7


def test_a_large_source_among_small_ones(monkeypatch):
    """It has batches of its own, so that its streams are assigned a block at a time."""
    monkeypatch.setattr("toolkit.loaders.batches._SMALL_BYTES", 2000)
    small = b'{"id": "s", "choices": [{"delta": {"content": "y"}}]}\n'
    chunk = b'{"id": "b%d", "choices": [{"index": 0, "delta": {"content": "z"}}]}\n'
    large = b"".join(chunk % (i // 10) for i in range(300))
    lp = toolkit.read([small, large, small, large], threads=2)
    assert lp.ledger["records"].to_pylist() == [1, 300, 1, 300]
    assert lp.responses["n_chunks"].to_pylist() == [1, *[10] * 30, 1, *[10] * 30]


# Threads that fail


@pytest.mark.parametrize("error", [MemoryError, RuntimeError("a bug"), KeyboardInterrupt])
@pytest.mark.parametrize("call", [toolkit.read, lambda data: list(toolkit.scan(data))])
def test_a_thread_that_fails_ends_the_load(monkeypatch, error, call):
    """The load raises the error of the thread and does not hang."""
    count = itertools.count()

    def fails(*args):
        if next(count) == 3:
            raise error
        return scan_frames(*args)

    monkeypatch.setattr("toolkit.loaders.batches.scan_frames", fails)
    monkeypatch.setattr("toolkit.loaders.batches._BLOCK_BYTES", 2000)
    monkeypatch.setattr("toolkit.loaders.batches._SMALL_BYTES", 100)
    line = b'{"choices": [{"message": {"content": "%s"}}]}\n' % (b"x" * 900)
    before = threading.active_count()
    with pytest.raises(error if isinstance(error, type) else RuntimeError):
        call(line * 500)
    assert threading.active_count() == before
