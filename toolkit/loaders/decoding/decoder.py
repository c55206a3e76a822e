"""Decode framed records into column buffers: `Decoder` joins the two decoders.

A block of framed records was scanned by the native scanner (`native`); the records that it deferred
go to the reference decoder (`reference`). Without the scanner every record is deferred: the columns
are the same, and reading is slower.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from toolkit.arrow import numpy, run_rows
from toolkit.limits import LIMITS, Limits
from toolkit.loaders import buffers
from toolkit.loaders.buffers import Decoded
from toolkit.loaders.decoding.native import Placed, complete, counted, place
from toolkit.loaders.decoding.ordinals import Ordinals, Place
from toolkit.loaders.decoding.reference import ReferenceDecoder, Unit
from toolkit.loaders.decoding.rejects import Listing, RejectColumns
from toolkit.loaders.formats.lookup import Lookup
from toolkit.loaders.framing.frames import Frames
from toolkit.loaders.json_values import Reject
from toolkit.loaders.scanner import DEFERRED, Scanned


class Decoder:
    """Decode the records of the sources of a load, in order.

    Parameters
    ----------
    lookup : Lookup
        What to look for in each record.
    limits : Limits
    listing : Listing, optional
        Counts the rejects, and says which are listed.

    Attributes
    ----------
    envelopes, control : int
        Records found inside an envelope, and frames that are not records, so far.
    """

    def __init__(
        self,
        lookup: Lookup | None = None,
        limits: Limits = LIMITS,
        listing: Listing | None = None,
    ) -> None:
        self._lookup = lookup or Lookup()
        self._ordinals = Ordinals()
        self._listing = Listing() if listing is None else listing
        self._reference = ReferenceDecoder(self._lookup, limits, self._ordinals, self._listing)
        self.envelopes = self.control = 0
        self._pieces: list[Decoded] = []
        self._placed: list[Placed] = []  # blocks that were scanned, among the pieces

    def ordinals(self) -> Ordinals:
        """Return a copy of the counters as they are now."""
        return self._ordinals.copy()

    def begin_source(self) -> None:
        """Begin another source, so that no stream continues from the one before."""
        self._ordinals.begin_scope()
        self._listing.begin_source()

    def objects(self, units: list[Unit]) -> pa.Table:
        """Decode objects in memory; see `ReferenceDecoder.objects`.

        Returns
        -------
        pyarrow.Table
            The rejects among them, as `buffers.REJECTS`.
        """
        return self._add(self._reference.objects(units))

    def frames(self, frames: Frames, scanned: Scanned | None = None) -> pa.Table:
        """Decode the next block of framed records.

        Parameters
        ----------
        frames : Frames
        scanned : Scanned, optional
            What `scan_frames` returned for it; None: the reference decoder reads all of it.

        Returns
        -------
        pyarrow.Table
            The rejects among them, as `buffers.REJECTS`.
        """
        if scanned is None or not scanned.verdicts.any():
            return self._add(self._reference.frames(frames))
        before = self.ordinals()
        n = len(scanned.verdicts)
        rows = np.flatnonzero(scanned.verdicts != DEFERRED)
        read = counted(scanned.verdicts)
        begun = read.scopes
        if len(rows) == n:
            self._ordinals.advance(int(read.records[-1]), len(frames.breaks))
            self._ordinals.begin_scope(int(begun[-1]))
            self.envelopes += scanned.envelopes
            record = before.record + read.records[:-1]
            self._placed.append(place(scanned, frames, record, before, begun))
            return buffers.nothing().rejects
        others = np.flatnonzero(scanned.verdicts == DEFERRED)
        deferred = self._reference.frames(frames, others, read)
        if len(frames.breaks) and self._ordinals.scope != before.scope:
            # Exchanges began scopes within the block, and which of the markers are in which?
            self._ordinals.rewind(before)
            return self._add(self._reference.frames(frames))
        by_others = self._reference.scopes - before.scope - begun[others]
        begun = begun + np.append(0, by_others)[np.searchsorted(others, np.arange(n + 1))]
        # Every record has its own ordinal, so the scanned records have those that the deferred
        # ones did not use.
        is_used = np.zeros(self._ordinals.record - before.record, bool)
        rejected = (numpy(deferred.rejected, name) for name in ("record", "n_records"))
        for used in (numpy(deferred.bodies, "record"), run_rows(*rejected)):
            is_used[used - before.record] = True
        record = np.zeros(n, np.int64)
        record[rows] = before.record + np.flatnonzero(~is_used)[read.records[rows]]
        self._placed.append(place(scanned, frames, record, before, begun))
        self.envelopes += scanned.envelopes
        return self._add(deferred)

    def reject(self, place: Place, reason: str, message: str) -> None:
        """Add a reject, counted as a record, for a source that could not be read to its end."""
        columns = RejectColumns(self._listing)
        columns.add(Reject(reason, message), self._ordinals, place)
        self._ordinals.advance(records=1)
        rejects, rejected = columns.tables()
        nothing = buffers.nothing()
        self._add(nothing._replace(rejects=rejects, rejected=rejected, reasons=columns.reasons))

    def _add(self, decoded: Decoded) -> pa.Table:
        self.envelopes += decoded.envelopes
        self.control += decoded.control
        self._listing.add(decoded.reasons)
        self._pieces.append(decoded)
        return decoded.rejects

    def take(self) -> Decoded:
        """Return, and forget, what was decoded since the last call, in any order."""
        pieces = [complete(self._placed, self._lookup)] if self._placed else []
        pieces += self._pieces
        self._placed, self._pieces = [], []
        return pieces[0] if len(pieces) == 1 else Decoded.concat(pieces)
