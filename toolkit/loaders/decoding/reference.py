"""The reference decoder: it defines what a record means.

Strict JSON (`strict_json`), the formats (`toolkit.loaders.formats`), then one walk over the
canonical body into column lists. A record that cannot be read is rejected with a reason and a JSON
path; a record that is odd but readable is kept with a note.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa

from toolkit.limits import LIMITS, Limits
from toolkit.loaders import buffers
from toolkit.loaders.buffers import Decoded
from toolkit.loaders.decoding import strict_json
from toolkit.loaders.decoding.body_reader import BodyReader
from toolkit.loaders.decoding.ranks import derive
from toolkit.loaders.formats import detect
from toolkit.loaders.formats.body import Body, Exchange
from toolkit.loaders.framing.detect import frame
from toolkit.loaders.framing.frames import Frames
from toolkit.loaders.json_values import Reject

_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Parsed records are trees: the cycle collector would only walk them over and over."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class ReferenceDecoder:
    """Decode the records of one source, in order.

    Holds what must be known from one block to the next: how many records and ``[DONE]`` markers
    came before.

    Parameters
    ----------
    path : str, optional
        Where in each record the response is; None: found by content.
    limits : Limits

    Examples
    --------
    >>> answer = {"choices": [{"message": {"content": "hi"}}]}
    >>> decoded = ReferenceDecoder().objects([([answer, 7], None, False)])
    >>> decoded.parts["content"].to_pylist(), decoded.rejects["reason"].to_pylist()
    (['hi'], ['not_an_object'])
    """

    def __init__(self, path: str | None = None, limits: Limits = LIMITS) -> None:
        self.path = path
        self.limits = limits
        self.next_record = 0
        self.epoch = 0

    def frames(self, frames: Frames, rows: np.ndarray | None = None) -> Decoded:
        """Decode one block of framed records, or some of its rows.

        Parameters
        ----------
        frames : Frames
        rows : int64 array, optional
            The frames to decode, increasing; each of the others counts as one record.
        """
        if rows is None:
            rows = np.arange(len(frames.starts))
        base = self.epoch
        batch = _Batch(self)
        epochs = np.searchsorted(frames.breaks, rows, side="right")
        left_out = np.diff(rows - np.arange(len(rows)), prepend=0)
        columns_ = (frames.starts, frames.stops, frames.lines, frames.offsets, frames.lengths)
        spans = zip(
            epochs.tolist(), left_out.tolist(), *(c[rows].tolist() for c in columns_), strict=True
        )
        with _collector_paused():
            for epoch, n, start, stop, line, offset, length in spans:
                self.epoch = base + epoch
                self.next_record += n
                batch.text(frames.data[start:stop], line, offset, length)
                base = self.epoch - epoch  # it rises by the scopes of exchanges
        self.epoch = base + len(frames.breaks)
        self.next_record += len(frames.starts) - len(rows) - int(left_out.sum())
        return batch.finish()

    def skip(self, frames: Frames) -> None:
        """Count the records of a block that is decoded elsewhere."""
        self.epoch += len(frames.breaks)
        self.next_record += len(frames.starts)

    def objects(self, units: Iterable[tuple[list[Any], Any, bool]]) -> Decoded:
        """Decode objects that were parsed elsewhere, or JSON texts; their ordinal serves as line.

        Parameters
        ----------
        units : iterable of (list, object, bool)
            Objects, the caller's id for their response, and whether a stream in them is theirs
            alone, whatever the ids of chunks elsewhere.
        """
        batch = _Batch(self)
        with _collector_paused():
            for objs, custom_id, alone in units:
                self.epoch += buffers.SCOPE * alone
                batch.custom_id = custom_id
                for obj in objs:
                    line = self.next_record + 1
                    if isinstance(obj, str | bytes):
                        raw = obj.encode("utf-8", "surrogatepass") if isinstance(obj, str) else obj
                        batch.text(raw, line, 0, len(raw))
                    else:
                        batch.value(obj, line, 0, 0, halves=True)
                self.epoch += buffers.SCOPE * alone
        return batch.finish()


class _Batch:
    """Columns and rejects of one block."""

    def __init__(self, decoder: ReferenceDecoder) -> None:
        self.decoder = decoder
        self.reader = BodyReader(decoder.limits)
        self.custom_id: Any = None  # stands in for the records' own, if given
        self.rejects: list[tuple[Any, ...]] = []  # rows of columns.REJECTS
        self.envelopes = 0

    def text(self, raw: bytes, line: int, offset: int, length: int) -> None:
        """Decode the JSON values of one frame, normally one."""
        limits = self.decoder.limits
        try:
            if length > limits.record_bytes:
                message = (
                    f"expected at most {limits.record_bytes:,} bytes (Limits.record_bytes), "
                    f"found {length:,}"
                )
                raise Reject("too_long", message)
            values = list(strict_json.values(raw, limits.nesting))
        except Reject as reject:
            self._reject(reject, line, offset, length)
            return
        halves = _HALF_PAIR.search(raw) is not None
        if len(values) == 1 and not isinstance(values[0][0], Reject | list):
            self.value(values[0][0], line, offset, length, halves=halves)
            return
        for value, first, size in values:
            at = (line + raw.count(b"\n", 0, first), offset + first, size)
            if isinstance(value, Reject):
                self._reject(value, *at)
            elif isinstance(value, list):
                self._array(value, at, halves)
            else:
                self.value(value, *at, halves=halves)

    def value(
        self, value: object, line: int, offset: int, length: int, *, halves: bool = False
    ) -> None:
        """Decode one parsed value: an object with one body or, in an envelope, several."""
        at = (line, offset, length)
        path = self.decoder.path
        if path is None:
            self.envelopes += detect.is_envelope(value)
            self._bodies(detect.bodies(value), at, halves)
        else:
            self.envelopes += 1
            self._bodies(detect.bodies_at(value, path), at, halves)

    def _bodies(
        self,
        bodies: Iterator[Body | Exchange | Reject],
        at: tuple[int, int, int],
        halves: bool,
    ) -> None:
        for body in bodies:
            if isinstance(body, Reject):
                self._reject(body, *at)
            elif isinstance(body, Body):
                self._body(body, at, halves)
            else:
                self._exchange(body, at, halves)

    def _body(self, body: Body, at: tuple[int, int, int], halves: bool) -> None:
        reader, decoder = self.reader, self.decoder
        if self.custom_id is not None:
            body = body._replace(custom_id=self.custom_id)
        mark = reader.mark()
        try:
            reader.read(body, decoder.next_record, *at, decoder.epoch)
        except Reject as reject:
            reader.rewind(mark)
            self._reject(reject, *at)
            return
        if halves:
            reader.replace_half_pairs(mark)
        decoder.next_record += 1

    def _exchange(self, body: Exchange, at: tuple[int, int, int], halves: bool) -> None:
        """Decode the records of one exchange, which no stream outside belongs to."""
        first = self.decoder.next_record
        self.decoder.epoch += buffers.SCOPE
        if isinstance(body.records, list):
            records = ((item, f"{body.path}[{i}]") for i, item in enumerate(body.records))
        else:
            records = ((value, body.path) for value in self._values_of(body.records))
        for value, path in records:
            told = iter([value]) if isinstance(value, Reject) else detect.bodies(value, path)
            self._bodies((detect.inside(body, inner) for inner in told), at, halves)
        self.decoder.epoch += buffers.SCOPE
        if self.decoder.next_record == first:
            self._reject(Reject("empty_record", "expected records, found none", body.path), *at)

    def _values_of(self, told: str) -> Iterator[object]:
        """Yield the values in the text of an exchange, and rejects."""
        base = self.decoder.epoch
        limits = self.decoder.limits
        for frames in frame([told.encode("utf-8", "surrogatepass")], limits.record_bytes):
            epochs = base + np.searchsorted(frames.breaks, np.arange(len(frames.starts)), "right")
            spans = zip(*(c.tolist() for c in (epochs, frames.starts, frames.stops)), strict=True)
            for epoch, start, stop in spans:
                self.decoder.epoch = epoch
                text = frames.data[start:stop]
                try:
                    found = [value for value, *_ in strict_json.values(text, limits.nesting)]
                except Reject as reject:
                    found = [reject]
                for value in found:
                    yield from value if isinstance(value, list) else [value]
            base += len(frames.breaks)
        self.decoder.epoch = base

    def _array(self, values: list[object], at: tuple[int, int, int], halves: bool) -> None:
        """An array stands for its elements, which share its place."""
        if not values:
            self._reject(Reject("empty_record", "expected records, found an empty array"), *at)
        for value in values:
            self.value(value, *at, halves=halves)

    def _reject(self, reject: Reject, line: int, offset: int, length: int) -> None:
        decoder = self.decoder
        what = (reject.reason, reject.path, reject.message)
        self.rejects.append((decoder.next_record, line, offset, length, *what, decoder.epoch))
        decoder.next_record += 1

    def finish(self) -> Decoded:
        """Turn the lists into Arrow."""
        none: list[list[Any]] = [[] for _ in buffers.REJECTS]
        rejected = zip(*self.rejects, strict=True) if self.rejects else none
        rejects = pa.Table.from_arrays(
            [
                pa.array(list(values), field.type)
                for values, field in zip(rejected, buffers.REJECTS, strict=True)
            ],
            schema=buffers.REJECTS,
        )
        bodies, parts, tokens, alternatives = self.reader.tables()
        members = buffers.MEMBERS.empty_table()
        return Decoded(
            bodies, parts, *derive(tokens, alternatives), rejects, members, self.envelopes
        )
