"""Sources, one after the other, from their bytes to tables.

What is read of small sources is merged and put into tables together: a batch costs the same
whether it has one record or a thousand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from toolkit import schema
from toolkit.arrow import numpy
from toolkit.errors import RecordError, SourceError
from toolkit.loaders.assembling import Origins, assemble
from toolkit.loaders.buffers import SCOPE
from toolkit.loaders.decoding.decoder import Decoder
from toolkit.loaders.decoding.native import Scanned, scan_frames
from toolkit.loaders.framing.detect import frame
from toolkit.loaders.framing.frames import Frames
from toolkit.loaders.merging.merger import Merger
from toolkit.loaders.options import ReadOptions
from toolkit.loaders.prefetch import ordered_map
from toolkit.loaders.sources.fingerprint import Fingerprint, FingerprintRecord
from toolkit.loaders.sources.source import Source
from toolkit.tables import LogprobTables

_BLOCK_BYTES = 8 << 20
_AHEAD = 4  # blocks that are scanned ahead, for each thread; half of them are single lines
_SMALL_BYTES = 1 << 20  # of sources that share a batch, together; and of a block for other threads
_SMALL_SOURCES = 1024  # that share a batch


class _Begin(NamedTuple):
    """A source begins."""

    name: str
    ordinal: int


class _End(NamedTuple):
    """A source ended, or gave out."""

    fault: SourceError | None
    fingerprint: FingerprintRecord | None


@dataclass
class _Progress:
    """What is known of a source so far."""

    name: str
    ordinal: int
    first_record: int
    scope: int
    envelopes_before: int
    counts: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    last: Frames | None = None  # to tell the line should the source give out
    ended: bool = False

    def count(self, frames: Frames) -> None:
        for name, n in frames.counts._asdict().items():
            self.counts[name] += n
        if len(frames.lines):
            self.last = frames

    @property
    def line(self) -> int:
        """The line that was reached."""
        if self.last is None:
            return 1
        rest = int(self.last.starts[-1])
        return int(self.last.lines[-1]) + self.last.data.count(b"\n", rest)


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
    """

    def __init__(self, options: ReadOptions, *, fingerprints: bool = False) -> None:
        self.options = options
        self.names: list[str] = []
        self.n_records = 0
        self.faults: list[SourceError] = []
        self.fingerprints: list[dict[str, Any]] = []
        self._records_fingerprints = fingerprints
        self._decoder = Decoder(options.path, options.limits)
        self._merger = Merger(options.stream_window)
        self._sources: list[_Progress] = []  # of which the tables are not all given out yet

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
            Each with its place among those read; the high half of ``response_key``.
        pool : concurrent.futures.Executor or None
            Where blocks are scanned ahead.
        on_bytes : callable
            Called with the bytes of each block.

        Yields
        ------
        LogprobTables
            The ledger of a source stands in its last batch. Large sources do not share a batch.
        """
        size, batch_bytes = 0, self.options.batch_bytes
        most = _AHEAD * self.options.thread_count
        steps = self._steps(sources, min(batch_bytes, _BLOCK_BYTES))
        for step, scanned in ordered_map(self._scan, steps, pool, most, _is_large):
            if isinstance(step, _Begin):
                self._begin(*step)
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
                self._refuse(self._decoder.frames(step, scanned))
                on_bytes(step.counts.bytes)
                size += step.counts.bytes
        if self._sources:
            yield self._tables()

    def _steps(
        self, sources: Iterable[tuple[int, Source]], block_bytes: int
    ) -> Iterator[_Begin | Frames | _End]:
        for ordinal, source in sources:
            yield _Begin(source.name, ordinal)
            fault = None
            fingerprint = Fingerprint() if self._records_fingerprints else None
            limits = self.options.limits
            try:
                blocks = source.blocks(block_bytes, limits, fingerprint)
                yield from frame(blocks, limits.record_bytes)
            except SourceError as error:
                fault = error
            yield _End(fault, None if fingerprint is None else fingerprint.finish())

    def _scan(self, step: _Begin | Frames | _End) -> Scanned | None:
        # The scanner finds responses by content, so it cannot read what a path names.
        if self.options.path is not None or not isinstance(step, Frames):
            return None
        return scan_frames(step, self.options.stream_window, self.options.limits)

    def objects(self, units: list[tuple[list[Any], Any, bool]]) -> LogprobTables:
        """Read objects in memory; see `toolkit.loaders.objects`."""
        self._begin("<memory>", 0)
        self._refuse(self._decoder.objects(units))
        self._end(_End(None, None))
        return self._tables()

    def _begin(self, name: str, ordinal: int) -> None:
        decoder = self._decoder
        decoder.begin_scope()
        self.names.append(name)
        before = (decoder.next_record, decoder.epoch // SCOPE, decoder.envelopes)
        self._sources.append(_Progress(name, ordinal, *before))

    def _end(self, end: _End) -> None:
        source, fault = self._sources[-1], end.fault
        if end.fingerprint is not None:
            self.fingerprints.append({"source": source.name, **end.fingerprint})
        if fault is not None:
            if self.options.on_error == "raise":
                raise fault
            self.faults.append(fault)
            reason = getattr(fault, "reason", "unreadable_source")
            self._decoder.reject(source.line, source.counts["bytes"], reason, str(fault))
        source.counts["records"] = self._decoder.next_record - source.first_record
        source.counts["envelopes"] = self._decoder.envelopes - source.envelopes_before
        self.n_records += source.counts["records"] - (fault is not None)
        source.last = None
        source.ended = True

    def _refuse(self, rejects: pa.Table) -> None:
        """Raise the first reject, if that is wanted."""
        if self.options.on_error != "raise" or not rejects.num_rows:
            return
        first = rejects.slice(0, 1).to_pylist()[0]
        place = {name: first[name] for name in ("line", "byte_offset", "reason", "path")}
        at = self._origins().of(np.array([first["record"]]))[0]
        raise RecordError(first["message"], source=self._sources[at].name, **place)

    def _origins(self) -> Origins:
        return Origins.of_sources(
            [(source.first_record, source.ordinal, source.name) for source in self._sources]
        )

    def _tables(self) -> LogprobTables:
        """Merge what was decoded since the batch before."""
        newest = self._sources[-1]
        is_last = newest.ended
        decoded = self._decoder.take()
        merged = self._merger.merge(decoded, is_last=is_last, scope=newest.scope)
        self._refuse(merged.rejects)
        origins = self._origins()
        at = origins.of(numpy(merged.rejects, "record"))
        rejected = np.bincount(at, minlength=len(self._sources)).tolist()
        for source, n in zip(self._sources, rejected, strict=True):
            source.rejected += n
        ledger = [_ledger_row(source) for source in self._sources if source.ended]
        tables = assemble(merged, origins)
        self._sources = [] if is_last else self._sources[-1:]
        declared = schema.LEDGER.arrow
        return LogprobTables(*tables, ledger=pa.Table.from_pylist(ledger, declared))


def _is_large(step: _Begin | Frames | _End) -> bool:
    """Tell what is worth another thread."""
    return isinstance(step, Frames) and len(step.data) >= _SMALL_BYTES


def _ledger_row(source: _Progress) -> dict[str, Any]:
    found = source.counts | {
        "source": source.name,
        "read": source.counts["records"] - source.rejected,
        "rejected": source.rejected,
    }
    return {name: found.get(name, 0) for name in schema.LEDGER.names}
