"""The reference decoder, which defines what a record means.

It parses strict JSON (`strict_json`), lets `toolkit.loaders.formats` find the canonical bodies in
the value, and walks each body into column lists (`body_reader`). A record that cannot be read is
rejected with a reason and a JSON path; a record that is odd but readable is kept with a note.
"""

from __future__ import annotations

import gc
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from toolkit.limits import LIMITS, Limits
from toolkit.loaders import buffers
from toolkit.loaders.buffers import Decoded, Ints
from toolkit.loaders.decoding import strict_json
from toolkit.loaders.decoding.body_reader import BodyReader
from toolkit.loaders.decoding.native import Counted, counted
from toolkit.loaders.decoding.ordinals import Ordinals, Place
from toolkit.loaders.decoding.ranks import add_ranks
from toolkit.loaders.decoding.rejects import Listing, RejectColumns
from toolkit.loaders.formats import detect
from toolkit.loaders.formats.body import Body, Control, Exchange, Found
from toolkit.loaders.formats.lookup import Lookup
from toolkit.loaders.framing.detect import frame
from toolkit.loaders.framing.frames import Frames
from toolkit.loaders.json_values import Reject, utf8

_BY_CONTENT = Lookup()
_SHORT, _MOST_KNOWN = 64, 1000  # bytes of texts, and texts, whose rejects are remembered
_FEW = 4096  # frames that are Python's numbers at a time
_MANY = 1 << 14  # rows above which lists become Arrow tables, of which a row takes a tenth
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class Unit(NamedTuple):
    """Objects in memory that are decoded together.

    Attributes
    ----------
    bodies : list
        Parsed objects, or JSON text as str or bytes.
    custom_id : object
        The caller's id for their response; None: the ids that the objects have themselves.
    is_stream : bool
        Whether the bodies are one stream, in which no chunk of another unit takes part even if it
        has the same id.
    """

    bodies: list[Any]
    custom_id: Any = None
    is_stream: bool = False


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause the cycle collector, because parsed records are trees and it would find nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class ReferenceDecoder:
    """Decode records of the sources of a load, in order.

    Parameters
    ----------
    lookup : Lookup
        What to look for in each record.
    limits : Limits
    ordinals : Ordinals, optional
        Counters to advance; None: counters of its own.
    listing : Listing, optional
        The rejects so far; None: none.

    Examples
    --------
    >>> answer = {"choices": [{"message": {"content": "hi"}}]}
    >>> decoded = ReferenceDecoder().objects([Unit([answer, 7])])
    >>> decoded.parts["content"].to_pylist(), decoded.rejects["reason"].to_pylist()
    (['hi'], ['not_an_object'])
    """

    def __init__(
        self,
        lookup: Lookup = _BY_CONTENT,
        limits: Limits = LIMITS,
        ordinals: Ordinals | None = None,
        listing: Listing | None = None,
    ) -> None:
        self.lookup = lookup
        self.limits = limits
        self.ordinals = Ordinals() if ordinals is None else ordinals
        self.listing = Listing() if listing is None else listing
        self.known: dict[bytes, Reject] = {}  # of short texts that were rejected lately
        self.scopes: Ints = np.zeros(0, np.int64)  # after each frame that was decoded last

    def frames(
        self, frames: Frames, rows: Ints | None = None, others: Counted | None = None
    ) -> Decoded:
        """Decode a block of framed records, or some of its rows.

        Parameters
        ----------
        frames : Frames
        rows : int64 array, optional
            The frames to decode, increasing.
        others : Counted, optional
            What the other frames are; None: a record each.
        """
        n = len(frames.starts)
        if rows is None:
            rows = np.arange(n)
        if others is None:
            is_read = np.ones(n, np.int32)
            is_read[rows] = 0
            others = counted(is_read)
        skipped, scopes = (np.diff(each[rows], prepend=0) for each in others)
        done = frames.markers_before(rows)
        batch = _Batch(self)
        with _collector_paused():
            for at in range(0, len(rows), _FEW):
                few = slice(at, at + _FEW)
                batch.frames(frames, rows[few], skipped[few], done[few], scopes[few])
                batch.flush(more_than=_MANY)
        self.ordinals.advance(
            int(others.records[-1] - skipped.sum()), len(frames.breaks) - int(done.sum())
        )
        self.ordinals.begin_scope(int(others.scopes[-1] - scopes.sum()))
        self.scopes = np.array(batch.scopes, np.int64)
        return batch.finish()

    def objects(self, units: Iterable[Unit]) -> Decoded:
        """Decode objects that are already parsed, or JSON texts.

        The line of an object is its ordinal among all of them, from 1.
        """
        batch = _Batch(self)
        with _collector_paused():
            for unit in units:
                if unit.is_stream:
                    self.ordinals.begin_scope()
                batch.custom_id = unit.custom_id
                for body in unit.bodies:
                    line = self.ordinals.record + 1
                    if isinstance(body, str | bytes):
                        raw = utf8(body) if isinstance(body, str) else body
                        batch.text(raw, Place(line, 0, len(raw)))
                    else:
                        batch.parsed(body, Place(line, 0, 0))
                if unit.is_stream:
                    self.ordinals.begin_scope()
                batch.flush(more_than=_MANY)
        return batch.finish()


class _Batch:
    """Column lists and rejects of the records that are decoded in one call."""

    def __init__(self, decoder: ReferenceDecoder) -> None:
        self.custom_id: Any = None  # replaces the ids that the records have themselves, if given
        self._lookup = decoder.lookup
        self._limits = decoder.limits
        self._ordinals = decoder.ordinals
        self._reader = BodyReader(decoder.limits)
        self._read: list[tuple[pa.Table, ...]] = []  # tables of the reader before
        self._rejects = RejectColumns(decoder.listing)
        self._last_reject: Reject | None = None
        self._known = decoder.known
        self._envelopes = self._control = 0
        self.scopes: list[int] = []  # after each frame
        self._answers: list[dict[str, Any]] | None = None  # of the row that is being decoded
        # Of the text or object that is being decoded; all of its records share them.
        self._place = Place(1, 0, 0)
        self._may_have_surrogates = False

    def frames(self, frames: Frames, rows: Ints, skipped: Ints, done: Ints, scopes: Ints) -> None:
        """Decode some frames, before each of which are other records, ``[DONE]``s and scopes."""
        starts, stops, *places = (column[rows] for column in frames[1:6])
        between = (skipped, done, scopes)
        is_plain = not any(map(np.any, between)) and (stops - starts).max() <= _SHORT
        if is_plain and self._counted(frames.data, starts, stops):
            self.scopes += [self._ordinals.scope] * len(rows)
            return
        for records, markers, begun, start, stop, *place in zip(
            *(span.tolist() for span in (*between, starts, stops, *places)), strict=True
        ):
            self._ordinals.advance(records, markers)
            self._ordinals.begin_scope(begun)
            self.text(bytes(frames.data[start:stop]), Place(*place))
            self.scopes.append(self._ordinals.scope)

    def _counted(self, data: bytes, starts: Ints, stops: Ints) -> bool:
        """Count frames if the text of each is known to be rejected, and none is to be listed."""
        spans = zip(starts.tolist(), stops.tolist(), strict=True)
        reasons: Counter[str] = Counter()
        for text, n in Counter([bytes(data[start:stop]) for start, stop in spans]).items():
            if (known := self._known.get(text)) is None:
                return False
            reasons[known.reason] += n
        if is_counted := self._rejects.count(reasons, self._ordinals):
            self._ordinals.advance(records=len(starts))
        return is_counted

    def text(self, raw: bytes, place: Place) -> None:
        """Decode the JSON values of one frame; as a rule there is one."""
        self._place = place
        if len(raw) == place.length:
            self._short(raw, self._text, raw, place)
        else:
            self._text(raw, place)

    def _text(self, raw: bytes, place: Place) -> None:
        self._may_have_surrogates = _ESCAPED_SURROGATE.search(raw) is not None
        try:
            text = self._decoded(raw)
        except Reject as reject:
            self._reject(reject)
            return
        parsed = strict_json.values(raw, text)
        first = list(islice(parsed, 2))
        line, counted = place.line, 0
        for value, start, length in chain(first, parsed):
            if isinstance(value, list):
                value = detect.record_of(value)
            if len(first) > 1 or isinstance(value, Reject | list):
                line, counted = line + raw.count(b"\n", counted, start), start
                self._place = Place(line, place.byte_offset + start, length)
            # The message of a fault counts bytes from the first value.
            if length > _SHORT or (start and isinstance(value, Reject)):
                self._any(value)
            else:
                self._short(raw[start : start + length], self._any, value)

    def _short(self, raw: bytes, decode: Callable[..., None], *arguments: object) -> None:
        """Decode a text, which is rejected for the same reason again if it is short."""
        if not 0 < len(raw) <= _SHORT:
            decode(*arguments)
            return
        if (known := self._known.get(raw)) is not None:
            self._reject(known)
            return
        self._last_reject = None
        record, *before = self._state()
        decode(*arguments)
        reject: Reject | None = self._last_reject
        is_all = self._state() == (record + 1, *before)  # that came of the text
        if reject is not None and is_all:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[raw] = reject.with_traceback(None)

    def _state(self) -> tuple[Any, ...]:
        at = self._ordinals
        counts = (at.record, at.scope, self._envelopes, self._control)
        return (*counts, self._place, *self._reader.mark())

    def _any(self, value: object) -> None:
        """Decode a parsed value, of which the caller has set the place."""
        if isinstance(value, list):
            self._array(value)
        else:
            self._value(value)

    def _decoded(self, raw: bytes) -> str:
        limit, length = self._limits.record_bytes, self._place.length
        if length > limit:
            message = f"expected at most {limit:,} bytes (Limits.record_bytes), found {length:,}"
            raise Reject("too_long", message)
        return strict_json.decode(raw, self._limits.nesting)

    def parsed(self, value: object, place: Place) -> None:
        """Decode an object in memory, whose texts may have lone surrogates."""
        self._place = place
        self._may_have_surrogates = True
        self._any(detect.record_of(value) if isinstance(value, list) else value)

    def _array(self, values: list[object]) -> None:
        """Decode the elements of an array, which share its place."""
        if not values:
            self._reject(Reject("empty_record", "expected records, found an empty array"))
        for value in values:
            self._value(value)

    def _value(self, value: object) -> None:
        """Decode one parsed value: an object with one body or, in an envelope, several."""
        if isinstance(value, Reject):
            self._reject(value)
        elif self._lookup.path is None:
            found = list(detect.bodies(value, shape=self._lookup.shape))
            if not all(isinstance(each, Control) for each in found):
                is_inside = any(
                    isinstance(each, Body | Exchange) and each.path != "$" for each in found
                )
                is_envelope = detect.is_envelope(value, self._lookup.shape)
                self._envelopes += is_inside or is_envelope
                self._answers = [] if is_inside and not is_envelope else None
            self._bodies(found, value)
            self._answers = None
        else:
            self._envelopes += 1
            path, shape = self._lookup.path, self._lookup.shape
            self._bodies(detect.bodies_at(value, path, shape), value)

    def _bodies(self, bodies: Iterable[Found], record: object = None) -> None:
        for body in bodies:
            if isinstance(body, Body | Exchange) and record is not None:
                body = self._lookup.with_row(body, record)
            if isinstance(body, Reject):
                self._reject(body)
            elif isinstance(body, Exchange):
                self._exchange(body)
            elif isinstance(body, Control):
                self._control += 1
            else:
                self._body(body)

    def _body(self, body: Body) -> None:
        if self.custom_id is not None:
            body = body._replace(custom_id=self.custom_id)
        if self._is_copy(body):
            self._control += 1
            return
        mark = self._reader.mark()
        try:
            self._reader.read(body, self._place, self._ordinals)
        except Reject as reject:
            self._reader.rewind(mark)
            self._reject(reject)
            return
        if self._may_have_surrogates:
            self._reader.replace_lone_surrogates(mark)
        self._ordinals.advance(records=1)

    def _is_copy(self, body: Body) -> bool:
        """Return whether the row has had the same answer, which traces hold several times."""
        if self._answers is None or not body.obj.get("id") or not body.is_whole:
            return False
        if any(detect.repeats(body.obj, known) for known in self._answers):
            return True
        self._answers.append(body.obj)
        return False

    def _exchange(self, exchange: Exchange) -> None:
        """Decode the records of an exchange in a scope of its own."""
        first = (self._ordinals.record, self._control)
        self._ordinals.begin_scope()
        records = exchange.records
        if isinstance(records, list):
            values = ((value, f"{exchange.path}[{i}]") for i, value in enumerate(records))
        else:
            values = ((value, exchange.path) for value in self._values_of(records))
        for value, path in values:
            found = [value] if isinstance(value, Reject) else detect.bodies(value, path)
            self._bodies(detect.inside(exchange, body) for body in found)
        self._ordinals.begin_scope()
        if (self._ordinals.record, self._control) == first:
            self._reject(Reject("empty_record", "expected records, found none", exchange.path))

    def _values_of(self, text: str) -> Iterator[object]:
        """Yield the values in the text of an exchange, and a `Reject` for what is not JSON."""
        for frames in frame([utf8(text)], self._limits.record_bytes):
            markers = frames.markers_before(np.arange(len(frames.starts)))
            spans = (markers, frames.starts, frames.stops)
            for done, start, stop in zip(*(span.tolist() for span in spans), strict=True):
                self._ordinals.advance(done=done)
                raw = frames.data[start:stop]
                try:
                    parsed = strict_json.values(raw, strict_json.decode(raw, self._limits.nesting))
                except Reject as reject:
                    yield reject
                    continue
                for value, *_ in parsed:
                    yield from value if isinstance(value, list) else [value]
            self._ordinals.advance(done=len(frames.breaks) - int(markers.sum()))

    def _reject(self, reject: Reject) -> None:
        self._last_reject = reject
        self._rejects.add(reject, self._ordinals, self._place)
        self._ordinals.advance(records=1)

    def flush(self, *, more_than: int) -> None:
        """Make Arrow tables of the column lists if they have many rows."""
        if sum(self._reader.mark()) > more_than:
            bodies, parts, *entries = self._reader.tables()
            self._read.append((bodies, parts, *add_ranks(*entries)))
            self._reader = BodyReader(self._limits)

    def finish(self) -> Decoded:
        """Return all columns as Arrow tables."""
        self.flush(more_than=-1)
        bodies, parts, tokens, alternatives = map(pa.concat_tables, zip(*self._read, strict=True))
        rejects, rejected = self._rejects.tables()
        return Decoded(
            bodies,
            parts,
            tokens,
            alternatives,
            rejects=rejects,
            rejected=rejected,
            members=buffers.nothing().members,
            envelopes=self._envelopes,
            control=self._control,
            reasons=self._rejects.reasons,
        )
