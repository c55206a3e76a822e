"""Ranges of a file have the frames of the file read as one, wherever it is cut."""

import errno
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests.conftest import ROOT
from toolkit.loaders.framing import line_ranges
from toolkit.loaders.framing.frames import without_long
from toolkit.loaders.framing.line_ranges import LineRange
from toolkit.loaders.framing.lines import frame_lines

LINES = (
    b'{"a": 1}\n',
    b'{"b": "' + b"x" * 40 + b'"}\r\n',
    b"\n",
    b"data: [DONE]\n",
    b'data: {"c": 3}\n',
    b": comment\n",
    b"[1, 2]\n",
)


class File:
    """A file in memory, of which some bytes are read at a time at most."""

    def __init__(self, data: bytes) -> None:
        self.data, self.size = data, len(data)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        piece = self.data[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        return len(piece)


def rows(found, first_line=1):
    """Return text, line, offset and length of the frames, and their counts."""
    frames, done = [], 0
    counts = np.zeros(5, int)
    for each in found:
        texts = [each.data[a:b] for a, b in zip(each.starts, each.stops, strict=True)]
        places = zip(each.lines + first_line - 1, each.offsets, each.lengths, strict=True)
        frames += [
            (bytes(text), *map(int, place)) for text, place in zip(texts, places, strict=True)
        ]
        counts += each.counts
        done += len(each.breaks)
    return frames, counts.tolist(), done


def in_ranges(data, first, cuts, max_bytes):
    """Return the rows of ranges that end at the cuts."""
    bounds = [first, *sorted(cut for cut in cuts if first < cut < len(data)), len(data)]
    line, frames, counts, done = 1, [], np.zeros(5, int), 0
    for start, stop in itertools.pairwise(bounds):
        lines = LineRange(File(data), first, start, stop)
        found = lines.frame(memoryview(bytearray(lines.room)), max_bytes)
        more = rows(found, line)
        frames += more[0]
        counts += more[1]
        done += more[2]
        line += found[-1].end_line - 1 if found else 0
    return frames, counts.tolist(), done


@pytest.fixture(params=[0, 7, 1 << 16])
def rest(request, monkeypatch):
    """How far a range reads beyond its end at once."""
    monkeypatch.setattr(line_ranges, "_REST", request.param)
    monkeypatch.setattr(line_ranges, "_MORE", 5)


@pytest.mark.usefixtures("rest")
@pytest.mark.parametrize("max_bytes", [20, 1 << 20])
@pytest.mark.parametrize("end", [b"", b'{"last": 1}'])
def test_cuts_at_every_byte(end, max_bytes):
    data = b"\xef\xbb\xbf" + b"".join(LINES) + end
    expected = rows(
        without_long(each, max_bytes) for each in frame_lines(iter([data[3:]]), 3, max_bytes)
    )
    for cut in range(len(data)):
        assert in_ranges(data, 3, [cut], max_bytes) == expected, cut


@given(
    st.lists(st.sampled_from(LINES), min_size=1).map(b"".join),
    st.lists(st.integers(0, 400), max_size=6),
    st.sampled_from([b"", b'{"z": [', b"\n\n"]),
    st.sampled_from([20, 1 << 20]),
)
def test_any_cuts(data, cuts, end, max_bytes):
    data += end
    expected = rows(
        without_long(each, max_bytes) for each in frame_lines(iter([data]), 0, max_bytes)
    )
    assert in_ranges(data, 0, set(cuts), max_bytes) == expected


@pytest.mark.filterwarnings("ignore::toolkit.ToolkitWarning")
def test_a_file_is_read_in_ranges_of_any_size(tmp_path, monkeypatch):
    """Also if it has a record that is deferred, a stream over many ranges, and a broken line."""
    text = (ROOT / "data" / "twin_chunks.jsonl").read_bytes()
    path = tmp_path / "log.jsonl"
    whole = (ROOT / "data" / "pairs_whole.jsonl").read_bytes()
    path.write_bytes(text + b'{"choices": [\n' + whole + b'{"error": {"message": "no"}}\n')
    expected = toolkit.read(path.read_bytes(), threads=1)
    for size in (101, 999, 20_000):
        monkeypatch.setattr("toolkit.loaders.batches._BLOCK_BYTES", size)
        got = toolkit.read(path, threads=2)
        for name in ("choices", "tokens", "alternatives"):
            assert got[name].equals(expected[name]), (size, name)
        for name in ("responses", "rejects"):
            assert got[name].drop_columns("source").equals(expected[name].drop_columns("source"))


def test_a_file_that_is_cut_while_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("toolkit.loaders.batches._BLOCK_BYTES", 1000)
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"choices": [{"message": {"content": "x"}}]}\n' * 100)
    parts = toolkit.scan(path, batch_bytes=1000, threads=1)
    first = next(parts)
    with path.open("r+b") as file:
        file.truncate(2000)
    with pytest.warns(toolkit.ToolkitWarning, match="had 4,500 bytes"):
        lp = toolkit.concat([first, *parts])
    assert lp.rejects["reason"].to_pylist()[-1] == "changed_source"
    assert len(lp) >= 22


@pytest.mark.filterwarnings("ignore::toolkit.ToolkitWarning")
def test_a_file_whose_head_cannot_be_read_is_read_as_a_stream(tmp_path, monkeypatch):
    monkeypatch.setattr("toolkit.loaders.batches._BLOCK_BYTES", 100)
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"choices": [{"message": {"content": "x"}}]}\n' * 10)

    def fails(*_):
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr("toolkit.loaders.sources.ranges.os.pread", fails)
    assert len(toolkit.read(path, progress=False)) == 10
