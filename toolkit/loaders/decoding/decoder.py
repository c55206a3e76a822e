"""Framed records in, column buffers out.

Blocks of framed records go to the native scanner (`native`), and the records that it defers go to
the reference decoder. Without the scanner every record is deferred: the same columns, slower.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from toolkit.arrow import numpy, offsets
from toolkit.limits import LIMITS, Limits
from toolkit.loaders import buffers
from toolkit.loaders.buffers import SCOPE, Decoded
from toolkit.loaders.decoding.native import Placed, Scanned, completed, no_rejects, placed
from toolkit.loaders.decoding.reference import ReferenceDecoder
from toolkit.loaders.framing.frames import Frames


class Decoder:
    """Decode the records of one source, in order.

    Parameters
    ----------
    path : str, optional
        Where in each record the response is; None: found by content.
    limits : Limits

    Attributes
    ----------
    next_record : int
        Records so far.
    epoch : int
        ``[DONE]`` markers so far, and a `columns.SCOPE` for each scope.
    envelopes : int
        Wrappers taken off so far.
    """

    def __init__(self, path: str | None = None, limits: Limits = LIMITS) -> None:
        self._reference = ReferenceDecoder(path, limits)
        self.envelopes = 0
        self._pieces: list[Decoded] = []
        self._placed: list[Placed] = []  # follow the pieces

    @property
    def next_record(self) -> int:
        """Records so far."""
        return self._reference.next_record

    @property
    def epoch(self) -> int:
        """``[DONE]`` markers so far."""
        return self._reference.epoch

    def objects(self, units: list[tuple[list[Any], Any, bool]]) -> pa.Table:
        """Decode objects that were parsed elsewhere; see `ReferenceDecoder.objects`.

        Returns
        -------
        pyarrow.Table
            What is rejected of them, as `columns.REJECTS`.
        """
        return self._add(self._reference.objects(units))

    def frames(self, frames: Frames, scanned: Scanned | None = None) -> pa.Table:
        """Decode the next block of framed records.

        Parameters
        ----------
        frames : Frames
        scanned : Scanned, optional
            What `scan_frames` gave for it, on whatever thread; None: all is for the reference
            decoder.

        Returns
        -------
        pyarrow.Table
            What is rejected of it, as `columns.REJECTS`.
        """
        if scanned is None or not scanned.verdicts.any():
            return self._add(self._reference.frames(frames))
        first, epoch = self.next_record, self.epoch
        rows = np.flatnonzero(scanned.verdicts)
        n = len(scanned.verdicts)
        if len(rows) == n:
            self._reference.skip(frames)
            self.envelopes += scanned.envelopes
            self._placed.append(placed(scanned, frames, np.arange(first, first + n), epoch))
            return no_rejects()
        deferred = self._reference.frames(frames, np.flatnonzero(scanned.verdicts == 0))
        if self.epoch != epoch + len(frames.breaks):  # exchanges, with scopes of their own
            self._reference.next_record, self._reference.epoch = first, epoch
            return self._add(self._reference.frames(frames))
        # Every record has one ordinal; those that these did not use are the others'.
        used = np.zeros(self.next_record - first, bool)
        for table in (deferred.bodies, deferred.rejects):
            used[numpy(table, "record") - first] = True
        record = np.zeros(n, np.int64)
        record[rows] = np.flatnonzero(~used) + first
        native = completed([placed(scanned, frames, record, epoch)])
        self.envelopes += scanned.envelopes
        return self._add(_interleaved(native, deferred))

    def begin_scope(self) -> None:
        """Begin another source: no chunk of it belongs to a response before."""
        self._reference.epoch = (self.epoch // SCOPE + 1) * SCOPE

    def reject(self, line: int, byte_offset: int, reason: str, message: str) -> None:
        """Count as a record, and reject, that the source gave out at a place."""
        row = {
            "record": self.next_record,
            "line": line,
            "byte_offset": byte_offset,
            "length": 0,
            "reason": reason,
            "message": message,
            "epoch": self.epoch,
        }
        self._reference.next_record += 1
        rejects = pa.Table.from_pylist([row], buffers.REJECTS)
        self._add(Decoded.concat([])._replace(rejects=rejects))

    def _add(self, decoded: Decoded) -> pa.Table:
        self._complete()
        self.envelopes += decoded.envelopes
        self._pieces.append(decoded)
        return decoded.rejects

    def _complete(self) -> None:
        if self._placed:
            self._pieces.append(completed(self._placed))
            self._placed = []

    def take(self) -> Decoded:
        """Return what was decoded since the last time."""
        self._complete()
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else Decoded.concat(pieces)


def _interleaved(native: Decoded, deferred: Decoded) -> Decoded:
    """Bring the bodies of both decoders into the order of their records."""
    rest = {"rejects": deferred.rejects, "envelopes": deferred.envelopes}
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
        self.bounds = {
            "bodies": np.arange(len(parts)),
            "parts": parts,
            "tokens": tokens,
            "alternatives": offsets(numpy(decoded.tokens, "n_alternatives"))[tokens],
            "members": offsets(numpy(decoded.bodies, "n_records") - 1),
        }
        self.body = 0

    def next(self, n: int) -> Decoded:
        """Return the next n bodies."""
        start, self.body = self.body, self.body + n
        tables = {
            name: getattr(self.decoded, name).slice(
                bounds[start], bounds[self.body] - bounds[start]
            )
            for name, bounds in self.bounds.items()
        }
        return Decoded(**tables, rejects=no_rejects())
