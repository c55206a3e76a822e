"""One source, from its bytes to tables, in batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from functools import partial
from typing import Any, Literal

import pyarrow as pa

from toolkit import columns, schema
from toolkit.ahead import ahead
from toolkit.assemble import assemble
from toolkit.decode import Decoder
from toolkit.errors import RecordError, SourceError
from toolkit.framing import Frames, frame
from toolkit.scanned import scan_frames
from toolkit.sources import Source
from toolkit.streams import Merger
from toolkit.tables import LogprobTables

OnError = Literal["reject", "raise"]
_BLOCK_BYTES = 8 << 20
_AHEAD = 4  # blocks that are scanned ahead, for each thread; half of them are single lines


class Recording:
    """What is being read of one source.

    Parameters
    ----------
    name : str
        What stands in the ``source`` columns.
    ordinal : int
        Place of the source among those read; the high half of ``response_key``.
    on_error : {"reject", "raise"}
    window : int
        Records without a chunk after which a stream is closed.
    place : str, optional
        Where in each record the answer stands, if that is not to be found by content.

    Attributes
    ----------
    n_records : int
        Records so far.
    fault : SourceError or None
        Why the source gave out, if it did.
    """

    def __init__(
        self, name: str, ordinal: int, on_error: OnError, window: int, place: str | None = None
    ) -> None:
        self.name = name
        self.ordinal = ordinal
        self.on_error = on_error
        self.fault: SourceError | None = None
        self._decoder = Decoder(place)
        self._scan = None if place is not None else partial(scan_frames, window=window)
        self._merger = Merger(window)
        self._counts: Counter[str] = Counter()
        self._rejected = 0
        self._last: Frames | None = None  # to tell the line should the source give out

    @property
    def n_records(self) -> int:
        """Records so far."""
        return self._decoder.next_record

    def batches(
        self,
        source: Source,
        batch_bytes: int,
        pool: Executor | None,
        threads: int,
        on_bytes: Callable[[int], object],
    ) -> Iterator[LogprobTables]:
        """Read the source.

        Parameters
        ----------
        source : Source
        batch_bytes : int
            Bytes of the (decompressed) source after which a batch ends, with the block.
        pool : concurrent.futures.Executor or None
            Where blocks are scanned ahead.
        threads : int
            Threads of the pool.
        on_bytes : callable
            Called with the bytes of each block.

        Yields
        ------
        LogprobTables
            At least one; the last has the ledger.
        """
        size = 0
        try:
            blocks = frame(source.blocks(min(batch_bytes, _BLOCK_BYTES)))
            if self._scan is None:
                pairs = ((frames, None) for frames in blocks)
            else:
                pairs = ahead(self._scan, blocks, pool, _AHEAD * threads)
            for frames, scanned in pairs:
                if size >= batch_bytes:
                    yield self._tables(last=False)
                    size = 0
                self._count(frames)
                self._refuse(self._decoder.frames(frames, scanned))
                on_bytes(frames.counts.bytes)
                size += frames.counts.bytes
        except SourceError as error:
            if self.on_error == "raise":
                raise
            self.fault = error
        yield self._tables(last=True)

    def objects(self, units: list[tuple[list[Any], Any, bool]]) -> LogprobTables:
        """Read objects in memory; see `toolkit.units`."""
        self._refuse(self._decoder.objects(units))
        return self._tables(last=True)

    def _count(self, frames: Frames) -> None:
        for name, n in frames.counts._asdict().items():
            self._counts[name] += n
        if len(frames.lines):
            self._last = frames

    def _fault_row(self, fault: SourceError) -> dict[str, Any]:
        """Return a row of rejects for the place where the source gave out."""
        line = 1
        if self._last is not None:
            rest = int(self._last.starts[-1])
            line = int(self._last.lines[-1]) + self._last.data.count(b"\n", rest)
        return {
            "record": self._decoder.next_record,
            "line": line,
            "byte_offset": self._counts["bytes"],
            "length": 0,
            "reason": getattr(fault, "reason", "unreadable_source"),
            "path": None,
            "message": str(fault),
            "epoch": self._decoder.epoch,
        }

    def _refuse(self, rejects: pa.Table) -> None:
        """Raise the first reject, if that is wanted."""
        if self.on_error != "raise" or not rejects.num_rows:
            return
        first = rejects.slice(0, 1).to_pylist()[0]
        place = {name: first[name] for name in ("line", "byte_offset", "reason", "path")}
        raise RecordError(first["message"], source=self.name, **place)

    def _tables(self, *, last: bool) -> LogprobTables:
        """Merge what was decoded since the batch before."""
        decoded = self._decoder.take()
        if self.fault is not None:  # in the last batch
            row = pa.Table.from_pylist([self._fault_row(self.fault)], columns.REJECTS)
            decoded = decoded._replace(rejects=pa.concat_tables([decoded.rejects, row]))
        self._counts["envelopes"] += decoded.envelopes
        merged = self._merger.merge(decoded, is_last=last)
        self._refuse(merged.rejects)
        self._rejected += merged.rejects.num_rows
        ledger = self._ledger() if last else schema.LEDGER.empty()
        return LogprobTables(*assemble(merged, self.name, self.ordinal), ledger=ledger)

    def _ledger(self) -> pa.Table:
        records = self._decoder.next_record + (self.fault is not None)
        found = self._counts | {
            "source": self.name,
            "records": records,
            "read": records - self._rejected,
            "rejected": self._rejected,
        }
        row = {name: found.get(name, 0) for name in schema.LEDGER.names}
        return pa.Table.from_pylist([row], schema.LEDGER.arrow)
