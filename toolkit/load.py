"""From sources or objects to `LogprobTables`: `read`, `scan` and `from_responses`."""

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

from toolkit.ahead import thread_count
from toolkit.combine import joined
from toolkit.dataset import is_dataset, read_parquet
from toolkit.errors import ArgumentError, NoRecordsError, SourceError, ToolkitWarning
from toolkit.limits import LIMITS, Limits
from toolkit.recording import OnError, Recording
from toolkit.scanned import decoder
from toolkit.sources import Source, resolve
from toolkit.tables import LogprobTables
from toolkit.units import units

STREAM_WINDOW = 100_000
"""Records without a chunk after which a stream is closed."""
BATCH_BYTES = 32 << 20
"""Bytes of the sources that one batch is made of."""
_READ_BYTES = 256 << 20  # as `BATCH_BYTES`, where all stays in memory anyway
_SLOW_BYTES = 64 << 20  # so much without the native scanner is worth a word


def read(
    sources: Any,
    *,
    on_error: OnError = "reject",
    progress: bool | None = False,
    stream_window: int = STREAM_WINDOW,
    path: str | None = None,
    threads: int | None = None,
    limits: Limits = LIMITS,
) -> LogprobTables:
    """Load recorded responses into five tables.

    Completions and stream chunks, in snake_case or camelCase, as JSONL, Batch output, JSON
    documents or arrays, or SSE, plain or compressed (gzip, zstd, bz2); all told by content.

    Parameters
    ----------
    sources : str, path, bytes, file object, or a list of these
        Paths, globs, directories (searched for recordings), URIs, ``"-"`` for standard input,
        open files, the bytes of a recording, or a directory that `export` wrote.
    on_error : {"reject", "raise"}
        What to do with a record that cannot be read: a row of ``rejects``, or `RecordError`.
    progress : bool, optional
        Show a bar on stderr; None: if stderr is a terminal.
    stream_window : int
        A stream of which no chunk came within this many records is closed.
    path : str, optional
        Where in each record the response stands, as ``"output.raw[0]"``: for rows of an experiment
        in which it is not found by content, or in which there are several. The id of the row is
        kept as ``custom_id``.
    threads : int, optional
        Threads that scan; None: one for each core. The tables do not depend on it.
    limits : Limits
        What a record and a source may at most be; beyond it they are rejected.

    Returns
    -------
    LogprobTables

    Raises
    ------
    SourceError
        If no source could be read.
    NoRecordsError
        If there is no record in them.
    RecordError
        If ``on_error="raise"`` and a record cannot be read.

    Warns
    -----
    ToolkitWarning
        Once, if records were rejected, if no response has logprobs, or if much was read without
        the native scanner.

    Examples
    --------
    >>> import toolkit
    >>> lp = toolkit.read(b'{"choices": [{"message": {"content": "Hi"}, "logprobs": {"content":'
    ...                   b' [{"token": "Hi", "logprob": -0.25, "bytes": [72, 105]}]}}]}')
    >>> lp.tokens["logprob"].to_pylist()
    [-0.25]
    """
    if isinstance(sources, str | os.PathLike) and is_dataset(sources):
        return read_parquet(sources)
    parts = scan(
        sources,
        # Large batches cost less; smaller ones are merged while threads scan ahead.
        batch_bytes=_READ_BYTES if thread_count(threads) == 1 else 4 * BATCH_BYTES,
        on_error=on_error,
        progress=progress,
        stream_window=stream_window,
        path=path,
        threads=threads,
        limits=limits,
    )
    return joined(list(parts))


def scan(
    sources: Any,
    *,
    batch_bytes: int | None = None,
    on_error: OnError = "reject",
    progress: bool | None = False,
    stream_window: int = STREAM_WINDOW,
    path: str | None = None,
    threads: int | None = None,
    limits: Limits = LIMITS,
) -> Iterator[LogprobTables]:
    """Load recorded responses batch by batch, in bounded memory.

    The batches hold the rows that `read` gives. A stream that goes over the end of a batch is in a
    later one, whole, so keys rise within a batch but not always from one to the next;
    `toolkit.concat` puts them in order.

    Parameters
    ----------
    sources, on_error, progress, stream_window, path, threads, limits
        As in `read`; but no exported dataset.
    batch_bytes : int, optional
        Bytes of the (decompressed) sources that a batch is made of, about; 32 MiB if not given.
        Many small sources share a batch.

    Returns
    -------
    iterator of LogprobTables
        The ledger of a source stands in its last batch.

    Raises
    ------
    ArgumentError
        If an option makes no sense.
    SourceError, NoRecordsError, RecordError
        As in `read`, while the batches are taken.

    Examples
    --------
    >>> import toolkit
    >>> entry = b'{"token": "Hi", "logprob": -0.5}'
    >>> choice = b'{"message": {"content": "Hi"}, "logprobs": {"content": [' + entry + b"]}}"
    >>> line = b'{"choices": [' + choice + b"]}\\n"
    >>> [len(part) for part in toolkit.scan([line * 2, line], batch_bytes=1)]
    [2, 1]
    """
    loading = Loading(
        batch_bytes=batch_bytes,
        on_error=on_error,
        progress=progress,
        stream_window=stream_window,
        path=path,
        threads=threads,
        limits=limits,
    )
    return loading.all_of(sources)


class Loading:
    """A load, with its options; for sources that are read in several lots.

    Parameters
    ----------
    batch_bytes, on_error, progress, stream_window, path, threads, limits
        As in `scan`.
    watch : bool
        Take note of the bytes of each source as it is stored.

    Attributes
    ----------
    total : Total
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
        self._make = partial(Recording, on_error, stream_window, path, limits, watch)
        self._threads = thread_count(threads)
        self._progress = progress
        self.total = Total()

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


def from_responses(
    responses: Any, *, custom_id: Any = None, on_error: OnError = "reject"
) -> LogprobTables:
    """Load responses that are in memory.

    Parameters
    ----------
    responses : object or iterable
        One response or many. A response is a dict, JSON text (str or bytes), an object with
        ``model_dump`` (OpenAI's SDK and its kin), a message of LangChain, an output of vLLM, or an
        iterable of chunks of these kinds: one stream. A list whose items are all chunks is one
        stream too.
    custom_id : str or list of str, optional
        The caller's id of each response, in order.
    on_error : {"reject", "raise"}
        As in `read`.

    Returns
    -------
    LogprobTables

    Raises
    ------
    ArgumentError
        If the number of ids is not the number of responses.
    NoRecordsError, RecordError
        As in `read`.

    Examples
    --------
    >>> import toolkit
    >>> chunks = [{"id": "a", "choices": [{"delta": {"content": text}}]} for text in ("He", "llo")]
    >>> with warnings.catch_warnings(action="ignore"):
    ...     lp = toolkit.from_responses(chunks, custom_id="greeting")
    >>> lp.text("greeting")
    'Hello'
    """
    if on_error not in ("reject", "raise"):
        raise ArgumentError(f"on_error={on_error!r}; choose 'reject' or 'raise'")
    recording = Recording(on_error, STREAM_WINDOW)
    lp = recording.objects(units(responses, custom_id))
    total = Total()
    total.add(lp)
    total.end(recording)
    total.require_records()
    total.warn()
    return lp


_COUNTS = ("bytes", "records", "responses", "tokens")


class Total:
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

    def end(self, recording: Recording) -> None:
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
