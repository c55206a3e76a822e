"""Read sources one after the other, from their bytes to tables: `BatchReader`.

The way of a block of bytes: `framing` cuts it into records and `decoding.native` scans them, on any
thread; `decoding` gives the records their ordinals and, at the end of a batch, `merging` settles
which chunks make which response, both in order, on this thread; `merging.responses` merges them and
`assembling` builds the tables of a batch, on any thread again.

Small sources share a batch, because a batch costs the same for one record as for a thousand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import schema
from toolkit.arrow import numpy, truth
from toolkit.errors import RecordError, SourceError
from toolkit.loaders.assembling import Batch, Document, Origins, assembled
from toolkit.loaders.decoding.decoder import Decoder
from toolkit.loaders.decoding.native import scan_frames
from toolkit.loaders.decoding.ordinals import Place
from toolkit.loaders.decoding.reference import Unit
from toolkit.loaders.decoding.rejects import LISTED, Listing
from toolkit.loaders.framing.frames import Frames
from toolkit.loaders.framing.line_ranges import LineRange, RangeBuffers
from toolkit.loaders.merging.merger import LATE_CHUNK, Merger
from toolkit.loaders.options import ReadOptions
from toolkit.loaders.plan import Begin, CannotCutError, End, Plan, Step
from toolkit.loaders.scanner import Scanned
from toolkit.loaders.sources.fingerprint import FingerprintRecord
from toolkit.loaders.sources.ranges import RangeFile
from toolkit.loaders.sources.source import Source, Span, faults_of
from toolkit.prefetch import ordered_map
from toolkit.tables import LogprobTables

_BLOCK_BYTES = 16 << 20  # bytes that are read, framed and scanned at a time, at most
_BLOCKS = 4  # in a batch, at least, so that memory is bounded and several threads have work
_AHEAD = 2  # steps scanned ahead for each thread
_SMALL_BYTES = 1 << 20  # bytes of sources that share a batch; smaller blocks stay on this thread
_SMALL_SOURCES = 1024  # number of sources that share a batch


class _Scan(NamedTuple):
    """What came of scanning a step: its frames, each with what the native scanner read of it.

    Attributes
    ----------
    pieces : list of (Frames, Scanned or None)
    fault : SourceError or None
        Why a range could not be read.
    buffer : memoryview or None
        Memory that the frames of a range are in, to give back when they are decoded.
    """

    pieces: list[tuple[Frames, Scanned | None]]
    fault: SourceError | None = None
    buffer: memoryview | None = None


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
    file: RangeFile | None = None
    next_record: int = np.iinfo(np.int64).max
    fault: SourceError | None = None  # of a range
    counts: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    late: int = 0  # those of them that the merger found
    listed: int = 0
    line: int = 1  # that reading has reached, for the line of a fault
    ended: bool = False
    span: Span | None = None
    n_frames: int = 0

    def count(self, frames: Frames) -> None:
        self.n_frames += len(frames.starts)
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
        self._fingerprints = fingerprints
        self._listing = Listing(None if options.rejects == "all" else LISTED)
        self._decoder = Decoder(options.lookup, options.limits, self._listing)
        self._merger = Merger(options.stream_window)
        self._buffers = RangeBuffers()
        self._sources: list[_Progress] = []  # those whose tables are not all yielded yet

    @property
    def unlisted(self) -> Counter[str]:
        """Rejects that are not listed, by reason."""
        return self._listing.unlisted

    def batches(
        self,
        sources: Iterable[tuple[int, Source]],
        pool: Executor | None,
        on_bytes: Callable[[int, int], object],
    ) -> Iterator[tuple[LogprobTables, int]]:
        """Read sources.

        Parameters
        ----------
        sources : iterable of (int, Source)
            Each with its ordinal among all sources, which becomes the high half of
            ``response_key``.
        pool : concurrent.futures.Executor or None
            Where blocks are scanned and batches assembled ahead; None: on this thread.
        on_bytes : callable
            Called with the number of bytes of each block: as it was read, and as it is stored.

        Yields
        ------
        LogprobTables
            The ledger of a source is in its last batch. Large sources do not share a batch.
        n_bytes : int
            Bytes of the sources that the batch is made of.
        """
        block_bytes = min(-(-self.options.batch_bytes // _BLOCKS), _BLOCK_BYTES)
        plan = Plan(block_bytes, self.options.limits, fingerprints=self._fingerprints)
        try:
            batches = self._settled(plan, sources, pool, on_bytes)
            for batch, tables in ordered_map(assembled, batches, pool, self.options.thread_count):
                yield tables, batch.n_bytes
        finally:
            plan.close()

    def _settled(
        self,
        plan: Plan,
        sources: Iterable[tuple[int, Source]],
        pool: Executor | None,
        on_bytes: Callable[[int, int], object],
    ) -> Iterator[Batch]:
        """Scan the steps of a plan on the pool, and settle them, in order, on this thread."""
        size, batch_bytes = 0, self.options.batch_bytes
        limit = _AHEAD * self.options.thread_count
        for step, scan in ordered_map(self._scan, plan.steps(sources), pool, limit, _is_large):
            if isinstance(step, Begin):
                self._begin(step)
            elif isinstance(step, End):
                self._end(step, plan)
                if size >= min(batch_bytes, _SMALL_BYTES) or len(self._sources) >= _SMALL_SOURCES:
                    yield self._batch(size)
                    size = 0
            else:
                is_due = size >= batch_bytes or (len(self._sources) > 1 and _is_large(step))
                if size and is_due:
                    yield self._batch(size)
                    size = 0
                n_bytes = self._add(scan)
                on_bytes(n_bytes, step.stored)
                size += n_bytes
        if self._sources:
            yield self._batch(size)

    def _scan(self, step: Step) -> _Scan:
        if isinstance(step, Frames):
            return _Scan([(step, self._scanned(step))])
        if not isinstance(step, LineRange):
            return _Scan([])
        buffer = self._buffers.take(step.room)
        try:
            found = step.frame(buffer, self.options.limits.record_bytes)
        except SourceError as error:
            return _Scan([], fault=error)
        pieces = [(frames, self._scanned(frames)) for frames in found]
        if any(scanned is None or not scanned.verdicts.all() for _, scanned in pieces):
            return _Scan(pieces, buffer=buffer)  # the reference decoder reads some of it
        self._buffers.give_back(buffer)
        return _Scan([(frames._replace(data=b""), scanned) for frames, scanned in pieces])

    def _scanned(self, frames: Frames) -> Scanned | None:
        options = self.options
        return scan_frames(frames, options.stream_window, options.limits, options.lookup)

    def _add(self, scan: _Scan) -> int:
        """Decode what was scanned of the newest source; return its bytes."""
        source = self._sources[-1]
        source.fault = source.fault or scan.fault
        if source.fault is not None:
            return 0
        before = source.line - 1  # lines before a range, which counts its own from 1
        for frames, scanned in scan.pieces:
            if source.file is not None:
                lines, end_line = frames.lines + before, frames.end_line + before
                frames = frames._replace(lines=lines, end_line=end_line)
            source.count(frames)
            self._raise_first(self._decoder.frames(frames, scanned))
        if scan.buffer is not None:
            self._buffers.give_back(scan.buffer)
        return sum(frames.counts.bytes for frames, _ in scan.pieces)

    def objects(self, units: list[Unit]) -> LogprobTables:
        """Read objects in memory as one source, named ``<memory>``."""
        self._begin(Begin("<memory>", 0))
        self._raise_first(self._decoder.objects(units))
        self._end(End())
        return assembled(self._batch(0))

    def _begin(self, begin: Begin) -> None:
        self._decoder.begin_source()
        self.names.append(begin.name)
        now, decoder, span = self._decoder.ordinals(), self._decoder, begin.span
        progress = _Progress(
            *(begin.name, begin.ordinal, now.record, now.scope),
            *(decoder.envelopes, decoder.control, begin.document, begin.file),
        )
        if span is not None:
            progress.span = span
            progress.first_record -= span.records
            progress.line += span.lines
        progress.counts["skipped"] = sum(begin.skipped.values())
        self._sources.append(progress)
        if begin.skipped:
            self.skipped.append((begin.name, begin.skipped))

    def _end(self, end: End, plan: Plan | None = None) -> None:
        source, fault, fingerprint = self._sources[-1], end.fault, end.fingerprint
        if plan is not None and source.file is not None:
            fault, fingerprint = self._end_ranges(source, plan, end.hashing)
        n_records = self._decoder.ordinals().record - source.first_record
        if source.span is not None:
            n_records -= source.span.records
            if fault is not None or n_records != source.n_frames:
                raise CannotCutError("it has a fault, or lines of several records")
        if fingerprint is not None:
            self.fingerprints.append({"source": source.name, **fingerprint})
        if fault is not None:
            if self.options.on_error == "raise":
                raise fault
            self.faults.append(fault)
            reason = getattr(fault, "reason", "unreadable_source")
            place = Place(source.line, source.counts["bytes"], 0)
            self._decoder.reject(place, reason, str(fault))
            n_records += 1
        source.next_record = self._decoder.ordinals().record
        source.counts["records"] = n_records
        source.counts["envelopes"] = self._decoder.envelopes - source.envelopes_before
        source.counts["control"] += self._decoder.control - source.control_before
        self.n_records += source.counts["records"] - (fault is not None)
        source.ended = True

    def _end_ranges(
        self,
        source: _Progress,
        plan: Plan,
        hashing: Future[FingerprintRecord | None] | None,
    ) -> tuple[SourceError | None, FingerprintRecord | None]:
        """Return the fault and the fingerprint of a file that was read by ranges, and close it."""
        assert source.file is not None
        fault, fingerprint = source.fault, None
        try:
            if hashing is not None:
                with faults_of(source.name):
                    fingerprint = hashing.result()
            source.file.check_unchanged()
        except SourceError as error:
            fault = fault or error
        plan.close_file(source.file)
        return fault, fingerprint

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

    def _batch(self, n_bytes: int) -> Batch:
        """Settle what was decoded since the batch before."""
        newest = self._sources[-1]
        is_last = newest.ended
        decoded = self._decoder.take()
        if newest.span is not None and decoded.has_chunks:
            raise CannotCutError("it holds the chunks of streams")
        settled = self._merger.settle(decoded, is_last=is_last, scope=newest.scope)
        self._raise_first(settled.rejects)
        origins = self._origins()
        settled = settled._replace(rejects=self._listed(settled.rejects, decoded.rejected, origins))
        ledger = [_ledger_row(source) for source in self._sources if source.ended]
        documents = [
            Document(*source.document, source.first_record, source.next_record)
            for source in self._sources
            if source.document is not None
        ]
        self._sources = [] if is_last else self._sources[-1:]
        return Batch(settled, origins, documents, ledger, n_bytes)

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


def _is_large(step: Step) -> bool:
    """Return whether a step is large enough to be scanned on another thread."""
    if isinstance(step, LineRange):
        return step.stop - step.start >= _SMALL_BYTES
    return isinstance(step, Frames) and len(step.data) >= _SMALL_BYTES


def _ledger_row(source: _Progress) -> dict[str, Any]:
    found = source.counts | {
        "source": source.name,
        "read": source.counts["records"] - source.rejected,
        "rejected": source.rejected,
        "unlisted": source.rejected - source.listed,
    }
    return {name: found.get(name, 0) for name in schema.LEDGER.names}
