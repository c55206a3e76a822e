"""Read sources one after the other, from their bytes to tables: `BatchReader`.

The way of a block of bytes: `framing` cuts it into records, on this thread; `decoding.native` scans
it, on other threads if there are any; `decoding` turns it into column buffers, in order. At the end
of a batch, `merging` joins chunks to responses and `assembling` builds the tables.

Small sources share a batch, because a batch costs the same for one record as for a thousand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import schema
from toolkit.arrow import numpy, truth
from toolkit.errors import RecordError, SourceError
from toolkit.loaders.assembling import Origins, assemble
from toolkit.loaders.decoding.decoder import Decoder
from toolkit.loaders.decoding.native import scan_frames
from toolkit.loaders.decoding.ordinals import Place
from toolkit.loaders.decoding.reference import Unit
from toolkit.loaders.decoding.rejects import LISTED, Listing
from toolkit.loaders.formats.embedded import NAME as ROW
from toolkit.loaders.framing.detect import BOM, frame
from toolkit.loaders.framing.frames import Frames
from toolkit.loaders.merging.merger import LATE_CHUNK, Merger
from toolkit.loaders.options import ReadOptions
from toolkit.loaders.prefetch import ordered_map
from toolkit.loaders.scanner import Scanned
from toolkit.loaders.sources.fingerprint import Fingerprint, FingerprintRecord
from toolkit.loaders.sources.source import Source
from toolkit.tables import LogprobTables

_BLOCK_BYTES = 8 << 20  # bytes that are read, framed and scanned at a time, at most
_AHEAD = 4  # steps scanned ahead for each thread; about half of them are blocks of a single line
_SMALL_BYTES = 1 << 20  # bytes of sources that share a batch; smaller blocks stay on this thread
_SMALL_SOURCES = 1024  # number of sources that share a batch


class _Begin(NamedTuple):
    """A source begins."""

    name: str
    ordinal: int
    skipped: Mapping[str, int] = {}  # of a folder: the files that were not taken, by kind
    document: tuple[int, str] | None = None  # of a file that may be one document: size, name


class _End(NamedTuple):
    """A source has been read to its end, or up to a fault."""

    fault: SourceError | None
    fingerprint: FingerprintRecord | None


_Step = _Begin | Frames | _End


@dataclass
class _Progress:
    """Counts of one source; those named ``first_`` and ``_before`` are as it began."""

    name: str
    ordinal: int
    first_record: int
    scope: int
    envelopes_before: int
    control_before: int
    document: tuple[int, str] | None = None
    next_record: int = np.iinfo(np.int64).max
    counts: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    late: int = 0  # those of them that the merger found
    listed: int = 0
    line: int = 1  # that reading has reached, for the line of a fault
    ended: bool = False

    def count(self, frames: Frames) -> None:
        for name, n in frames.counts._asdict().items():
            self.counts[name] += n
        self.line = max(self.line, frames.end_line)


class BatchReader:
    """Read sources one after the other, and yield their tables batch by batch.

    Parameters
    ----------
    options : ReadOptions
    fingerprints : bool
        Whether to record the size and SHA-256 of each source, as it is stored.

    Attributes
    ----------
    names : list of str
        The sources so far.
    n_records : int
        Records so far.
    faults : list of SourceError
        One error for each source that could not be read to its end.
    fingerprints : list of dict
        Name, size and hash of each source, if they are recorded.
    skipped : list of (str, mapping)
        Each folder of which files were skipped, with their number by kind.
    """

    def __init__(self, options: ReadOptions, *, fingerprints: bool = False) -> None:
        self.options = options
        self.names: list[str] = []
        self.n_records = 0
        self.faults: list[SourceError] = []
        self.fingerprints: list[dict[str, Any]] = []
        self.skipped: list[tuple[str, Mapping[str, int]]] = []
        self._records_fingerprints = fingerprints
        self._listing = Listing(None if options.rejects == "all" else LISTED)
        self._decoder = Decoder(options.lookup, options.limits, self._listing)
        self._merger = Merger(options.stream_window)
        self._sources: list[_Progress] = []  # those whose tables are not all yielded yet

    @property
    def unlisted(self) -> Counter[str]:
        """Rejects that are not listed, by reason."""
        return self._listing.unlisted

    def batches(
        self,
        sources: Iterable[tuple[int, Source]],
        pool: Executor | None,
        on_bytes: Callable[[int], object],
    ) -> Iterator[LogprobTables]:
        """Read sources.

        Parameters
        ----------
        sources : iterable of (int, Source)
            Each with its ordinal among all sources, which becomes the high half of
            ``response_key``.
        pool : concurrent.futures.Executor or None
            Where blocks are scanned ahead; None: on this thread.
        on_bytes : callable
            Called with the number of bytes of each block.

        Yields
        ------
        LogprobTables
            The ledger of a source is in its last batch. Large sources do not share a batch.
        """
        size, batch_bytes = 0, self.options.batch_bytes
        steps = self._steps(sources, min(batch_bytes, _BLOCK_BYTES))
        limit = _AHEAD * self.options.thread_count
        for step, scanned in ordered_map(self._scan, steps, pool, limit, _is_large):
            if isinstance(step, _Begin):
                self._begin(step)
            elif isinstance(step, _End):
                self._end(step)
                if size >= min(batch_bytes, _SMALL_BYTES) or len(self._sources) >= _SMALL_SOURCES:
                    yield self._tables()
                    size = 0
            else:
                is_due = size >= batch_bytes or (len(self._sources) > 1 and _is_large(step))
                if size and is_due:
                    yield self._tables()
                    size = 0
                self._sources[-1].count(step)
                self._raise_first(self._decoder.frames(step, scanned))
                on_bytes(step.counts.bytes)
                size += step.counts.bytes
        if self._sources:
            yield self._tables()

    def _steps(self, sources: Iterable[tuple[int, Source]], block_bytes: int) -> Iterator[_Step]:
        limits = self.options.limits
        for ordinal, source in sources:
            yield _Begin(source.name, ordinal, source.skipped, source.document())
            fault = None
            fingerprint = Fingerprint() if self._records_fingerprints else None
            try:
                blocks = source.blocks(block_bytes, limits, fingerprint)
                yield from frame(blocks, limits.record_bytes)
            except SourceError as error:
                fault = error
            yield _End(fault, None if fingerprint is None else fingerprint.finish())

    def _scan(self, step: _Step) -> Scanned | None:
        # The scanner finds responses by content, and does not look at the columns of rows.
        if not self.options.lookup.is_by_content or not isinstance(step, Frames):
            return None
        return scan_frames(step, self.options.stream_window, self.options.limits)

    def objects(self, units: list[Unit]) -> LogprobTables:
        """Read objects in memory as one source, named ``<memory>``."""
        self._begin(_Begin("<memory>", 0))
        self._raise_first(self._decoder.objects(units))
        self._end(_End(None, None))
        return self._tables()

    def _begin(self, begin: _Begin) -> None:
        self._decoder.begin_source()
        self.names.append(begin.name)
        now, decoder = self._decoder.ordinals(), self._decoder
        progress = _Progress(
            *(begin.name, begin.ordinal, now.record, now.scope),
            *(decoder.envelopes, decoder.control, begin.document),
        )
        progress.counts["skipped"] = sum(begin.skipped.values())
        self._sources.append(progress)
        if begin.skipped:
            self.skipped.append((begin.name, begin.skipped))

    def _end(self, end: _End) -> None:
        source, fault = self._sources[-1], end.fault
        if end.fingerprint is not None:
            self.fingerprints.append({"source": source.name, **end.fingerprint})
        if fault is not None:
            if self.options.on_error == "raise":
                raise fault
            self.faults.append(fault)
            reason = getattr(fault, "reason", "unreadable_source")
            place = Place(source.line, source.counts["bytes"], 0)
            self._decoder.reject(place, reason, str(fault))
        source.next_record = self._decoder.ordinals().record
        source.counts["records"] = self._decoder.ordinals().record - source.first_record
        source.counts["envelopes"] = self._decoder.envelopes - source.envelopes_before
        source.counts["control"] += self._decoder.control - source.control_before
        self.n_records += source.counts["records"] - (fault is not None)
        source.ended = True

    def _raise_first(self, rejects: pa.Table) -> None:
        """Raise the first reject if ``on_error="raise"``."""
        if self.options.on_error != "raise" or not rejects.num_rows:
            return
        first = rejects.slice(0, 1).to_pylist()[0]
        details = {name: first[name] for name in ("line", "byte_offset", "reason", "path")}
        at = self._origins().of(np.array([first["record"]]))[0]
        raise RecordError(first["message"], source=self._sources[at].name, **details)

    def _origins(self) -> Origins:
        return Origins.of_sources(
            [(source.first_record, source.ordinal, source.name) for source in self._sources]
        )

    def _tables(self) -> LogprobTables:
        """Merge and assemble what was decoded since the batch before."""
        newest = self._sources[-1]
        is_last = newest.ended
        decoded = self._decoder.take()
        merged = self._merger.merge(decoded, is_last=is_last, scope=newest.scope)
        self._raise_first(merged.rejects)
        origins = self._origins()
        merged = merged._replace(bodies=self._named_by_file(merged.bodies))
        merged = merged._replace(rejects=self._listed(merged.rejects, decoded.rejected, origins))
        ledger = [_ledger_row(source) for source in self._sources if source.ended]
        tables = assemble(merged, origins)
        self._sources = [] if is_last else self._sources[-1:]
        declared = schema.LEDGER.arrow
        return LogprobTables(*tables, ledger=pa.Table.from_pylist(ledger, declared))

    def _listed(self, rejects: pa.Table, rejected: pa.Table, origins: Origins) -> pa.Table:
        """Count the rejects of each source, and return those that are listed."""
        n, most = len(self._sources), self._listing.most
        at = origins.of(numpy(rejects, "record"))
        late = np.flatnonzero(truth(pc.equal(rejects["reason"], LATE_CHUNK)))
        n_late = np.bincount(at[late], minlength=n)
        if most is not None and len(late):
            before = np.array([source.late for source in self._sources])[at[late]]
            nth = before + np.arange(len(late)) - np.searchsorted(at[late], at[late])
            keep = np.ones(len(at), bool)
            keep[late[nth >= most]] = False
            self._listing.unlisted += Counter({LATE_CHUNK: int(np.count_nonzero(~keep))})
            rejects, at = rejects.filter(pa.array(keep)), at[keep]
        first, lengths = (numpy(rejected, name) for name in ("record", "n_records"))
        n_rejected = np.bincount(origins.of(first), weights=lengths, minlength=n).astype(int)
        counts = (n_rejected + n_late, n_late, np.bincount(at, minlength=n))
        for source, *found in zip(self._sources, *(each.tolist() for each in counts), strict=True):
            source.rejected += found[0]
            source.late += found[1]
            source.listed += found[2]
        return rejects

    def _named_by_file(self, bodies: pa.Table) -> pa.Table:
        """Return bodies in which a row that is alone in its file has the name of it as its id."""
        if not any(source.document for source in self._sources):
            return bodies
        is_row = pc.or_(pc.equal(bodies["format"], ROW), bodies["path"].is_valid())
        record, offset = numpy(bodies, "record"), numpy(bodies, "byte_offset")
        stop = offset + numpy(bodies, "length")
        names: list[str | None] = [None] * len(record)
        for source in self._sources:
            if source.document is None:
                continue
            size, name = source.document
            mine = (record >= source.first_record) & (record < source.next_record)
            rows = np.flatnonzero(mine & (offset <= len(BOM)))
            if len(rows) == 1 and is_row[rows[0]].as_py() and stop[rows[0]] >= size - len(b"\r\n"):
                names[rows[0]] = name
        if not any(names):
            return bodies
        custom_id = pc.coalesce(bodies["custom_id"], pa.array(names, schema.TEXT))
        return bodies.set_column(bodies.column_names.index("custom_id"), "custom_id", custom_id)


def _is_large(step: _Step) -> bool:
    """Return whether a step is large enough to be scanned on another thread."""
    return isinstance(step, Frames) and len(step.data) >= _SMALL_BYTES


def _ledger_row(source: _Progress) -> dict[str, Any]:
    found = source.counts | {
        "source": source.name,
        "read": source.counts["records"] - source.rejected,
        "rejected": source.rejected,
        "unlisted": source.rejected - source.listed,
    }
    return {name: found.get(name, 0) for name in schema.LEDGER.names}
