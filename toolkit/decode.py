"""Framed records in, column buffers out.

Blocks of framed records go to the native scanner, which reads what it is certain of and defers the
rest, untouched, to the reference decoder. Where the scanner was not built, everything is deferred:
the same columns, slower.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from toolkit import columns
from toolkit.columns import Decoded, numpy, offsets
from toolkit.formats import openai_chat
from toolkit.framing import Frames
from toolkit.reference import ReferenceDecoder

try:
    from toolkit import _scan
except ImportError:  # no compiler was at hand when the toolkit was installed
    _scan = None

_ENVELOPED = 2  # as `_scan.scan` says it


def decoder() -> str:
    """Return which decoder reads records: ``"native"`` or ``"reference"``.

    Both give the same tables. The native one is there if the toolkit was installed with a C++
    compiler at hand, or from a wheel.

    Returns
    -------
    str

    Examples
    --------
    >>> decoder() in ("native", "reference")
    True
    """
    return "reference" if _scan is None else "native"


class Decoder:
    """Decode the records of one source, in order.

    Attributes
    ----------
    next_record : int
        Records so far.
    epoch : int
        ``[DONE]`` markers so far.
    """

    def __init__(self) -> None:
        self._reference = ReferenceDecoder()

    @property
    def next_record(self) -> int:
        """Records so far."""
        return self._reference.next_record

    @property
    def epoch(self) -> int:
        """``[DONE]`` markers so far."""
        return self._reference.epoch

    def objects(self, units: list[tuple[list[Any], Any, bool]]) -> Decoded:
        """Decode objects that were parsed elsewhere; see `ReferenceDecoder.objects`."""
        return self._reference.objects(units)

    def frames(self, frames: Frames, scanned: Scanned | None = None) -> Decoded:
        """Decode the next block of framed records.

        Parameters
        ----------
        frames : Frames
        scanned : Scanned, optional
            What `scan_frames` gave for it, on whatever thread.
        """
        scanned = scanned or scan_frames(frames)
        if scanned is None:
            return self._reference.frames(frames)
        first, epoch = self.next_record, self.epoch
        rows = np.flatnonzero(scanned.verdicts)
        if not len(rows):
            return self._reference.frames(frames)
        deferred = None
        if len(rows) == len(scanned.verdicts):
            self._reference.skip(frames)
            record = np.arange(first, first + len(rows))
        else:
            deferred = self._reference.frames(frames, np.flatnonzero(scanned.verdicts == 0))
            # Every record has one ordinal; those that these did not use are the others'.
            used = np.zeros(self.next_record - first, bool)
            for table in (deferred.bodies, deferred.rejects):
                used[numpy(table, "record") - first] = True
            record = np.flatnonzero(~used) + first
        places = {
            "record": record,
            "line": frames.lines[rows],
            "byte_offset": frames.offsets[rows],
            "length": frames.lengths[rows],
            "epoch": epoch + np.searchsorted(frames.breaks, rows, side="right"),
        }
        fields = (columns.BODIES, columns.PARTS, columns.TOKENS, columns.ALTERNATIVES)
        native = Decoded(
            *(_completed(*each, places) for each in zip(scanned.tables, fields, strict=True)),
            _no_rejects(),
            int(np.count_nonzero(scanned.verdicts == _ENVELOPED)),
        )
        return native if deferred is None else _interleaved(native, deferred)


@cache
def _no_rejects() -> pa.Table:
    return columns.REJECTS.empty_table()


class Scanned(NamedTuple):
    """What the native scanner made of a block.

    Attributes
    ----------
    verdicts : uint8 array, shape (n_frames,)
        0: deferred, 1: read, 2: read out of an envelope.
    tables : list of pyarrow.RecordBatch
        Bodies, parts, tokens and alternatives of what was read, without its places.
    """

    verdicts: np.ndarray
    tables: list[pa.RecordBatch]


def scan_frames(frames: Frames) -> Scanned | None:
    """Read what is certain of a block; None if there is no native scanner.

    Needs nothing of the blocks before, and other threads go on meanwhile.
    """
    if _scan is None:
        return None
    verdicts, *tables = _scan.scan(frames.data, frames.starts, frames.stops)
    return Scanned(
        np.frombuffer(verdicts, np.uint8),
        [pa.RecordBatch._import_from_c_capsule(*table) for table in tables],
    )


def _completed(batch: pa.RecordBatch, fields: pa.Schema, places: dict[str, np.ndarray]) -> pa.Table:
    """Add the columns that the scanner leaves to others."""
    if batch.schema.equals(fields):
        return pa.Table.from_batches([batch])
    n = batch.num_rows
    arrays = []
    for field in fields:
        if field.name in batch.schema.names:
            arrays.append(batch[field.name])
        elif field.name in places:
            arrays.append(pa.array(places[field.name], field.type))
        elif field.name == "format":
            arrays.append(pa.repeat(pa.scalar(openai_chat.NAME, field.type), n))
        elif field.name == "notes":
            none = pa.array(np.zeros(n + 1, np.int32))
            arrays.append(
                pa.ListArray.from_arrays(none, pa.array([], pa.string())).cast(field.type)
            )
        else:
            arrays.append(pa.nulls(n, field.type))
    return pa.Table.from_arrays(arrays, schema=fields)


def _interleaved(native: Decoded, deferred: Decoded) -> Decoded:
    """Bring the bodies of both decoders into the order of their records."""
    rest = {
        "rejects": deferred.rejects,
        "envelopes": native.envelopes + deferred.envelopes,
    }
    if not deferred.bodies.num_rows:
        return native._replace(**rest)
    records = [numpy(decoded.bodies, "record") for decoded in (native, deferred)]
    is_deferred = np.repeat([0, 1], [len(each) for each in records])
    is_deferred = is_deferred[np.argsort(np.concatenate(records), kind="stable")]
    turns = np.flatnonzero(np.diff(is_deferred)) + 1
    sides = [_Cutter(native), _Cutter(deferred)]
    runs = np.split(is_deferred, turns)
    return Decoded.concat([sides[run[0]].next(len(run)) for run in runs])._replace(**rest)


class _Cutter:
    """Cuts runs of bodies, with all that hangs on them, off one decoder's columns."""

    def __init__(self, decoded: Decoded) -> None:
        self.decoded = decoded
        parts = offsets(numpy(decoded.bodies, "n_parts"))
        names = ("n_content", "n_reasoning", "n_refusal")
        per_part = np.add.reduce([numpy(decoded.parts, name) for name in names])
        tokens = offsets(per_part)[parts]
        alternatives = offsets(numpy(decoded.tokens, "n_alternatives"))[tokens]
        self.bounds = (np.arange(len(parts)), parts, tokens, alternatives)
        self.body = 0

    def next(self, n: int) -> Decoded:
        """Return the next n bodies."""
        start, self.body = self.body, self.body + n
        tables = [
            table.slice(bounds[start], bounds[self.body] - bounds[start])
            for table, bounds in zip(self.decoded[:4], self.bounds, strict=True)
        ]
        return Decoded(*tables, columns.REJECTS.empty_table())
