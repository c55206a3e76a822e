"""A load of sources, in one lot or several, and the verdict on all of it."""

from __future__ import annotations

import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

from toolkit import arguments
from toolkit.dataset.layout import is_dataset
from toolkit.errors import ArgumentError, NoRecordsError, SourceError, ToolkitWarning
from toolkit.limits import Limits
from toolkit.loaders.batches import BatchReader, OnError
from toolkit.loaders.scanner import decoder
from toolkit.loaders.sources.resolve import resolve
from toolkit.loaders.sources.source import Source
from toolkit.tables import LogprobTables, joined

STREAM_WINDOW = 100_000
"""Records without a chunk after which a stream is closed."""
BATCH_BYTES = 32 << 20
"""Bytes of the sources that one batch is made of."""
_SLOW_BYTES = 64 << 20  # so much without the native scanner is worth a word


class ReadSession:
    """A load, with its options; for sources that are read in several lots.

    Parameters
    ----------
    batch_bytes, on_error, progress, stream_window, path, threads, limits
        As in `scan`.
    watch : bool
        Take note of the bytes of each source as it is stored.

    Attributes
    ----------
    total : LoadSummary
    """

    def __init__(
        self,
        *,
        batch_bytes: int | None = None,
        on_error: OnError,
        progress: bool | None,
        stream_window: int,
        path: str | None,
        threads: int | None,
        limits: Limits,
        watch: bool = False,
    ) -> None:
        if on_error not in ("reject", "raise"):
            raise ArgumentError(f"on_error={on_error!r}; choose 'reject' or 'raise'")
        if not isinstance(limits, Limits):
            raise ArgumentError(f"limits={limits!r}; give toolkit.Limits(...)")
        self.batch_bytes = BATCH_BYTES if batch_bytes is None else batch_bytes
        for name, value in (("stream_window", stream_window), ("batch_bytes", self.batch_bytes)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ArgumentError(f"{name}={value!r}; give a whole number from 1")
        if not (path is None or (isinstance(path, str) and path)):
            raise ArgumentError(f"path={path!r}; give keys as in 'output.raw[0]', or None")
        self._make = partial(BatchReader, on_error, stream_window, path, limits, watch)
        self._threads = arguments.threads(threads)
        self._progress = progress
        self.total = LoadSummary()

    def all_of(self, sources: Any) -> Iterator[LogprobTables]:
        """Yield the batches of all sources that a caller names, and say what is odd."""
        if isinstance(sources, str | os.PathLike) and is_dataset(sources):
            raise ArgumentError(
                f"{os.fspath(sources)} is an exported dataset: read_parquet reads it"
            )
        return self._all_of(resolve(sources))

    def _all_of(self, sources: list[Source]) -> Iterator[LogprobTables]:
        yield from self.batches(enumerate(sources))
        self.finish()

    def batches(self, sources: Iterable[tuple[int, Source]]) -> Iterator[LogprobTables]:
        """Yield the batches of some sources, each with its place among all."""
        waiting: list[LogprobTables] = []
        recording = self._make()
        total = self.total
        with ExitStack() as stack:
            threads = self._threads
            pool = stack.enter_context(ThreadPoolExecutor(threads)) if threads > 1 else None
            bar = stack.enter_context(_bar(self._progress, total.bytes))
            since = total.bytes  # read when the last batch was yielded
            parts = recording.batches(sources, self.batch_bytes, pool, threads, total.add_bytes)
            for part in parts:
                bar.update(total.bytes - bar.n)
                total.add(part)
                waiting.append(part)
                if total.bytes - since >= self.batch_bytes:
                    yield joined(waiting)
                    waiting, since = [], total.bytes
            if waiting:
                yield joined(waiting)
        total.end(recording)

    def finish(self) -> None:
        """Say what is odd about all that was read."""
        self.total.require_records()
        self.total.warn()


_COUNTS = ("bytes", "records", "responses", "tokens")


class LoadSummary:
    """What all sources gave together, for the verdict at the end.

    Attributes
    ----------
    names : list of str
        Some of the sources.
    faults : list of SourceError
    seen : list of dict
        If sources are watched, what was seen of each.
    bytes, records, responses, tokens : int
    reasons : Counter of str
        Of the rejects.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.faults: list[SourceError] = []
        self.seen: list[dict[str, Any]] = []
        self.bytes = self.records = self.responses = self.tokens = 0
        self.reasons: Counter[str] = Counter()

    def add_bytes(self, n: int) -> None:
        """Count bytes that were read."""
        self.bytes += n

    def add(self, part: LogprobTables) -> None:
        """Count a batch."""
        self.responses += len(part)
        self.tokens += part.tokens.num_rows
        self.reasons.update(part.rejects["reason"].to_pylist())

    def note(self, since: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the counts, for JSON; `since` an earlier note, what was added to it."""
        before = since or {"reasons": {}}
        counts = {name: getattr(self, name) - before.get(name, 0) for name in _COUNTS}
        return counts | {"reasons": dict(self.reasons - Counter(before["reasons"]))}

    def add_note(self, note: dict[str, Any]) -> None:
        """Add the counts of a note."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + int(note[name]))
        self.reasons.update(note["reasons"])

    def end(self, recording: BatchReader) -> None:
        """Count sources that were read."""
        self.names += recording.names[: 4 - len(self.names)]
        self.records += recording.n_records
        self.faults += recording.faults
        self.seen += recording.seen

    def require_records(self) -> None:
        """Refuse a load without a single record."""
        if self.records:
            return
        if self.faults:
            more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
            raise SourceError(f"no source could be read: {self.faults[0]}{more}")
        names = ", ".join(self.names[:3]) + (", ..." if len(self.names) > 3 else "")
        raise NoRecordsError(
            f"no record in {names or 'no sources'}: expected JSON or SSE with model responses"
        )

    def warn(self) -> None:
        """Say once what a user would otherwise find out late."""
        messages = []
        if self.reasons:
            listed = ", ".join(f"{n} {reason}" for reason, n in self.reasons.most_common())
            rejected = self.reasons.total()
            records = "record was" if rejected == 1 else "records were"
            messages.append(f"{rejected} {records} rejected ({listed}): see the rejects table")
        if self.bytes > _SLOW_BYTES and decoder() == "reference":
            messages.append(
                "the native scanner is missing, so this took about 50 times as long as it need: "
                "install the toolkit from a wheel, or with a C++ compiler at hand"
            )
        if self.responses and not self.tokens:
            messages.append("no response has logprobs: were they asked for (logprobs=True)?")
        if messages:
            warnings.warn("; ".join(messages), ToolkitWarning, stacklevel=_callers_level())


def _callers_level() -> int:
    """Return the stack level of the first frame outside the toolkit."""
    level, current = 1, sys._getframe(1)
    while current is not None and current.f_globals.get("__name__", "").startswith("toolkit."):
        level, current = level + 1, current.f_back
    return level


def _bar(progress: bool | None, before: int) -> Any:
    from tqdm import tqdm

    disable = None if progress is None else not progress
    return tqdm(
        unit="B", unit_scale=True, desc="reading", disable=disable, leave=False, initial=before
    )
