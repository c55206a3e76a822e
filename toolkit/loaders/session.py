"""Run one load: `ReadSession` yields its batches, `LoadSummary` counts what they brought."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

from toolkit import schema
from toolkit.dataset.layout import is_dataset
from toolkit.errors import ArgumentError, NoRecordsError, SourceError, warn
from toolkit.loaders.batches import BatchReader
from toolkit.loaders.options import ReadOptions
from toolkit.loaders.scanner import decoder
from toolkit.loaders.sources.folders import describe_skipped
from toolkit.loaders.sources.resolve import resolve
from toolkit.loaders.sources.source import Source
from toolkit.loaders.sources.suffixes import OTHER_SUFFIXES
from toolkit.progress import progress_bar
from toolkit.tables import LogprobTables, joined

_SLOW_BYTES = 64 << 20  # warn about a missing native scanner if more bytes than this were read
_MOST_LISTED = 3  # faults, and folders with skipped files, that a warning lists
_MOST_NAMES = 4  # sources to keep for messages, which list three and say whether there are more


class ReadSession:
    """Read sources, in one or more passes, with the same options.

    Parameters
    ----------
    options : ReadOptions
    fingerprints : bool
        Whether to record the size and SHA-256 of each source, as it is stored.

    Attributes
    ----------
    summary : LoadSummary
        Counts of all passes so far.
    """

    def __init__(self, options: ReadOptions, *, fingerprints: bool = False) -> None:
        self.options = options
        self.summary = LoadSummary()
        self._fingerprints = fingerprints

    def read(self, sources: Any) -> Iterator[LogprobTables]:
        """Resolve the sources now; yield their batches, then warn or raise as `finish` does.

        Raises
        ------
        ArgumentError
            If `sources` is an exported dataset.
        """
        if isinstance(sources, str | os.PathLike) and is_dataset(sources):
            raise ArgumentError(
                f"{os.fspath(sources)} is an exported dataset: read_parquet reads it"
            )
        return self._read_all(resolve(sources))

    def _read_all(self, sources: list[Source]) -> Iterator[LogprobTables]:
        total, show = partial(stored_size, sources), self.options.progress
        with progress_bar("reading", total, show=show) as advance:
            yield from self.batches(enumerate(sources), advance)
        self.finish()

    def batches(
        self,
        sources: Iterable[tuple[int, Source]],
        on_stored: Callable[[int], object] = lambda n: None,
    ) -> Iterator[LogprobTables]:
        """Yield the batches of some sources, each given with its ordinal among all sources.

        `on_stored` is called with the bytes that were read, as they are stored.
        """
        waiting: list[LogprobTables] = []
        reader = BatchReader(self.options, fingerprints=self._fingerprints)
        summary, threads = self.summary, self.options.thread_count
        with ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(threads)) if threads > 1 else None
            size = 0  # bytes of the waiting batches

            def on_bytes(n: int, n_stored: int) -> None:
                summary.add_bytes(n)
                on_stored(n_stored)

            for batch, n_bytes in reader.batches(sources, pool, on_bytes):
                summary.add(batch)
                waiting.append(batch)
                size += n_bytes
                if size >= self.options.batch_bytes:
                    yield joined(waiting)
                    waiting, size = [], 0
            if waiting:
                yield joined(waiting)
        summary.add_sources(reader)

    def finish(self) -> None:
        """Raise if no record was read, else warn about rejects and missing logprobs."""
        self.summary.require_records()
        self.summary.warn()


_COUNTS = ("bytes", "records", "responses", "tokens")
_COUNTERS = ("reasons", "formats", "notes")


class LoadSummary:
    """Count what the sources of a load brought, for one warning or error at its end.

    Attributes
    ----------
    names : list of str
        The first few sources.
    faults : list of SourceError
        One error for each source that could not be read to its end.
    fingerprints : list of dict
        Size and hash of each source, if the session records them.
    skipped : list of (str, mapping)
        Each folder of which files were skipped, with their number by kind.
    bytes, records, responses, tokens : int
    reasons : Counter of str
        Number of rejects by reason.
    examples : dict of str to str
        The first reject of each reason: its place, and what was found.
    formats, notes : Counter of str
        Number of responses by format and by note, while there are no tokens.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.faults: list[SourceError] = []
        self.fingerprints: list[dict[str, Any]] = []
        self.skipped: list[tuple[str, Mapping[str, int]]] = []
        self.bytes = self.records = self.responses = self.tokens = 0
        self.reasons: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.formats: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()

    def add_bytes(self, n: int) -> None:
        """Count bytes that were read."""
        self.bytes += n

    def add(self, batch: LogprobTables) -> None:
        """Count the responses, tokens and rejects of a batch."""
        self.responses += len(batch)
        self.tokens += batch.tokens.num_rows
        reasons = batch.rejects["reason"].to_pylist()
        self.reasons.update(reasons)
        for reason in set(reasons) - self.examples.keys():
            row = batch.rejects.slice(reasons.index(reason), 1).to_pylist()[0]
            self.examples[reason] = f"{row['source']}:{row['line']}: {row['message']}"
        if not self.tokens:
            self.formats.update(batch.responses["format"].to_pylist())
            self.notes.update(batch.responses["notes"].combine_chunks().flatten().to_pylist())

    def add_sources(self, reader: BatchReader) -> None:
        """Count the sources and records of a reader that has finished."""
        self.names += reader.names[: _MOST_NAMES - len(self.names)]
        self.records += reader.n_records
        self.faults += reader.faults
        self.fingerprints += reader.fingerprints
        self.skipped += reader.skipped
        self.reasons.update(reader.unlisted)

    def counts(self) -> dict[str, Any]:
        """Return all but the fingerprints as a dict for JSON."""
        numbers = {name: getattr(self, name) for name in _COUNTS}
        counters = {name: dict(getattr(self, name)) for name in _COUNTERS}
        return (
            numbers
            | counters
            | {
                "names": self.names,
                "examples": self.examples,
                "faults": [str(fault) for fault in self.faults],
                "skipped": [[name, dict(kinds)] for name, kinds in self.skipped],
            }
        )

    def add_counts(self, counts: dict[str, Any]) -> None:
        """Add counts that `counts` returned, for example those of another process."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + int(counts[name]))
        for name in _COUNTERS:
            getattr(self, name).update(counts[name])
        self.names += counts["names"][: _MOST_NAMES - len(self.names)]
        self.examples = counts["examples"] | self.examples
        self.faults += map(SourceError, counts["faults"])
        self.skipped += [(name, kinds) for name, kinds in counts["skipped"]]

    def require_records(self) -> None:
        """Raise `NoRecordsError`, or `SourceError` if a source failed, if no record was read."""
        if self.responses:
            return
        if self.records:
            raise NoRecordsError(f"no record could be read: {self._describe_rejects()}")
        if self.faults:
            more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
            raise SourceError(f"no source could be read: {self.faults[0]}{more}")
        names = ", ".join(self.names[:3]) + (", ..." if len(self.names) > 3 else "")
        raise NoRecordsError(
            f"no record in {names or 'no sources'}: expected JSON or SSE with model responses"
        )

    def warn(self) -> None:
        """Emit one warning about whatever was not read, missing logprobs and a missing scanner."""
        messages = []
        if self.reasons:
            messages.append(self._describe_rejects())
        messages += self._describe_missing()
        if self.bytes > _SLOW_BYTES and decoder() == "reference":
            messages.append(
                "the native scanner is missing, so this load was about 50 times slower than it "
                "could be: install the toolkit from a wheel, or where a C++ compiler is available"
            )
        if self.responses and not self.tokens:
            messages.append(f"no response has logprobs: {self._advise()}")
        if messages:
            warn("; ".join(messages))

    def _advise(self) -> str:
        """Return what to do if no response has logprobs; it depends on the usual format."""
        if self.notes["unread_logprobs"]:
            return "values that speak of them were not read; path= or shape= says where they are"
        usual = self.formats.most_common(1)[0][0] if self.formats else ""
        asking = schema.LOGPROBS_REQUESTS.get(usual, schema.LOGPROBS_REQUESTS["openai_chat"])
        if self.notes["mean_logprob_only"]:
            return f"only means were sent; those of tokens have to be requested ({asking})"
        return f"were they requested ({asking})?"

    def _describe_rejects(self) -> str:
        """Return how many records were rejected, and the first one of the commonest reason."""
        found = self.reasons.most_common()
        listed = ", ".join(f"{n} {reason}" for reason, n in found)
        rejected = self.reasons.total()
        text = f"{rejected} {'record was' if rejected == 1 else 'records were'} rejected ({listed})"
        example = self.examples.get(found[0][0])
        return text if example is None else f"{text}; {example}"

    def _describe_missing(self) -> Iterator[str]:
        """Yield what to say of sources that failed and of files that were skipped."""
        if self.faults:
            listed = "; ".join(map(str, self.faults[:_MOST_LISTED]))
            more = len(self.faults) - _MOST_LISTED
            yield f"not read to the end: {listed}" + (f" (and {more} more)" if more > 0 else "")
        for name, skipped in self.skipped[:_MOST_LISTED]:
            n = sum(skipped.values())
            if not set(skipped) <= set(OTHER_SUFFIXES):
                files = "1 file" if n == 1 else f"{n} files"
                were = "was" if n == 1 else "were"
                yield f"{files} of {name} {were} not read: {describe_skipped(skipped)}"


def stored_size(sources: Iterable[Source]) -> int | None:
    """Return the bytes of sources as they are stored; None if that of any is unknown."""
    total = 0
    for source in sources:
        if (size := source.size()) is None:
            return None
        total += size
    return total
