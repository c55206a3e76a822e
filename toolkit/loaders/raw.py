"""Find the text of a response in its recording: `raw`.

The tables keep where the first record of a response begins. Its source is framed again from the
start, because only framing knows where a record ends; the chunks of a stream are found by decoding
and merging it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from toolkit.arrow import numpy, offsets, take_runs
from toolkit.errors import SelectionError, SourceError
from toolkit.limits import Limits
from toolkit.loaders.batches import BatchReader
from toolkit.loaders.buffers import Ints
from toolkit.loaders.decoding import strict_json
from toolkit.loaders.decoding.reference import Unit
from toolkit.loaders.framing.detect import frame
from toolkit.loaders.framing.frames import Frames
from toolkit.loaders.json_values import Reject
from toolkit.loaders.merging.merger import Merger
from toolkit.loaders.options import ReadOptions
from toolkit.loaders.sources.resolve import resolve
from toolkit.loaders.sources.source import Source
from toolkit.tables import LogprobTables, rows

_CHANGED = (
    "the records here do not give this response: the source has changed since, or the response was "
    "read with other options of read (path, shape, stream_window ...), which raw takes too"
)


def raw(lp: LogprobTables, response: Any, options: dict[str, Any]) -> list[str]:
    """Return the records of a response, or of a reject; see `LogprobTables.raw`."""
    checked = ReadOptions(**options)
    if places := _rejected(lp, response):
        return [_slice(*place, checked.limits) for place in places]
    row = lp.locate(response)
    found = lp.responses.slice(row, 1).to_pylist()[0]
    source = _source(found["source"])
    if found["n_chunks"] is None:
        texts = _whole(source, found["byte_offset"], checked.limits)
        is_same = _gives(texts, lp, row, checked)
    else:
        finder = _StreamFinder(checked)
        texts = finder.texts(source, found["record"], found["n_chunks"])
        is_same = finder.found == found["n_chunks"] and finder.first == found["byte_offset"]
    if not is_same:
        raise SourceError(f"{found['source']}:{found['line']}: {_CHANGED}")
    return texts


def _source(name: str) -> Source:
    """Return the source of that name, to be read again."""
    if name.startswith("<") and name.endswith(">"):
        raise SourceError(
            f"the source {name} was not a file, so it cannot be read again: save the recording in "
            "a file and read that"
        )
    sources = resolve(name)
    if len(sources) != 1:
        raise SourceError(f"{name}: expected one file, found {len(sources)}")
    return sources[0]


# Rejects


def _rejected(lp: LogprobTables, response: Any) -> list[tuple[str, int, int]]:
    """Return source, offset and length of the rejected records that are asked for, if any are."""
    row = rows.fields(response) or {}
    found = [row] if {"source", "byte_offset", "length"} <= row.keys() else []
    text = rows.place(row) if rows.whole(row.get("response_key")) is None else None
    if not found and (isinstance(response, str) or text is not None):
        try:
            lp.locate(response)
        except SelectionError:
            at = rows.at_line(lp.rejects, response if text is None else text)
            found = lp.rejects.take(pa.array(at)).to_pylist()
    places = [(row["source"], int(row["byte_offset"]), int(row["length"])) for row in found]
    if places and not any(length for *_, length in places):
        raise SelectionError(f"the reject is about {places[0][0]} as a whole, and has no text")
    return list(dict.fromkeys(places))


def _slice(name: str, offset: int, length: int, limits: Limits) -> str:
    """Return a part of a source as text."""
    pieces, at = [], 0
    for block in _source(name).blocks(limits=limits):
        pieces.append(block[max(offset - at, 0) : max(offset + length - at, 0)])
        at += len(block)
        if at >= offset + length:
            break
    if at < offset + length:
        raise SourceError(f"{name}: the source has changed: it ends before byte {offset + length}")
    return b"".join(pieces).decode("utf-8", "replace")


# Whole responses


def _whole(source: Source, offset: int, limits: Limits) -> list[str]:
    """Return the text of the record that begins at an offset, or lies in one that spans it."""
    for frames in frame(source.blocks(limits=limits), limits.record_bytes):
        text = _text_at(frames, offset, limits)
        if text is not None:
            return [text]
        if len(frames.offsets) and frames.offsets[-1] > offset:
            break
    return []


def _gives(texts: list[str], lp: LogprobTables, row: int, options: ReadOptions) -> bool:
    """Return whether one of the responses in some texts has the tokens of a response."""
    if not texts:
        return False
    found = BatchReader(options).objects([Unit(list(texts))])
    mine = lp.filter(response_key=lp.responses["response_key"][row].as_py())
    kept = {"choice": numpy(mine.choices, "choice").tolist()} if mine.choices.num_rows else {}
    return any(
        _values(found.filter(response_key=key, **kept)) == _values(mine)
        for key in found.responses["response_key"].to_pylist()
    )


def _values(lp: LogprobTables) -> list[list[Any]]:
    """Return the values by which a response is recognised."""
    columns = {
        "responses": ("response_id",),
        "choices": ("choice", "content"),
        "tokens": ("choice", "channel", "position", "token", "logprob"),
    }
    return [lp[table][name].to_pylist() for table, names in columns.items() for name in names]


def _text_at(frames: Frames, offset: int, limits: Limits) -> str | None:
    """Return the text of the record at an offset of the source; None: it is in no frame here."""
    i = int(np.searchsorted(frames.offsets, offset, side="right")) - 1
    if i < 0 or offset >= frames.offsets[i] + max(int(frames.lengths[i]), 1):
        return None
    text = frames.data[frames.starts[i] : frames.stops[i]]
    try:
        parsed = list(strict_json.values(text, strict_json.decode(text, limits.nesting)))
    except Reject:
        parsed = []
    for value in parsed if len(parsed) > 1 else []:  # several values, one after the other
        if value.start == offset - frames.offsets[i]:
            text = text[value.start : value.start + value.length]
            break
    return text.decode("utf-8", "replace")


# Streams


class _NotedMerger(Merger):
    """A merger that keeps the response of each body that it got last."""

    owner: Ints

    def _owners(self, *args: Any) -> Ints:
        self.owner = super()._owners(*args)
        return self.owner


class _StreamFinder(BatchReader):
    """Find the chunks of one stream.

    Attributes
    ----------
    found : int
        Number of chunks that were found.
    first : int or None
        Offset of the first of them.
    """

    def __init__(self, options: ReadOptions) -> None:
        super().__init__(options)
        self._merger: _NotedMerger = _NotedMerger(options.stream_window)
        self.found = 0
        self.first: int | None = None

    def texts(self, source: Source, record: int, n_chunks: int) -> list[str]:
        """Return the texts of the first chunks of the response that begins with a record."""
        limits = self.options.limits
        texts: list[str] = []
        last = None
        self._decoder.begin_source()
        for frames in frame(source.blocks(limits=limits), limits.record_bytes):
            for offset in self._offsets(frames, record):
                self.first = offset if self.first is None else self.first
                self.found += 1
                if offset != last:  # several records may be in one envelope
                    texts.append(_text_at(frames, offset, limits) or "")
                last = offset
            if self.found >= n_chunks:
                break
        return texts

    def _offsets(self, frames: Frames, record: int) -> Iterator[int]:
        """Yield the offsets of the records of a response in a block of frames."""
        self._decoder.frames(frames, self._scanned(frames))
        decoded = self._decoder.take()
        self._merger.settle(decoded, is_last=False, scope=self._decoder.ordinals().scope)
        mine = np.flatnonzero(self._merger.owner == record)
        members = take_runs(offsets(numpy(decoded.bodies, "n_records") - 1), mine)
        found = np.concatenate(
            [
                numpy(decoded.bodies, "byte_offset")[mine],
                numpy(decoded.members, "byte_offset")[members],
            ]
        )
        yield from np.sort(found).tolist()
