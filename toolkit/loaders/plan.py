"""Plan what is read: each source begins, has blocks or ranges of bytes, and ends.

A plain file of JSON lines is cut into ranges, which any thread can read; of any other source the
blocks come one after the other, and are framed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from toolkit.errors import SourceError
from toolkit.limits import Limits
from toolkit.loaders.framing.detect import BOM, frame, is_lines
from toolkit.loaders.framing.frames import Frames
from toolkit.loaders.framing.line_ranges import LineRange
from toolkit.loaders.sources.fingerprint import Fingerprint, FingerprintRecord
from toolkit.loaders.sources.ranges import RangeFile
from toolkit.loaders.sources.source import Source, Span, StoredBytes


class CannotCutError(Exception):
    """A part of a file cannot be read alone, so the file has to be read whole."""


class Begin(NamedTuple):
    """A source begins."""

    name: str
    ordinal: int
    skipped: Mapping[str, int] = {}  # of a folder: the files that were not taken, by kind
    document: tuple[int, str] | None = None  # of a file that may be one document: size, name
    file: RangeFile | None = None  # what its ranges are read from
    span: Span | None = None  # the part of it that is read


class End(NamedTuple):
    """A source has been read to its end, or up to a fault."""

    fault: SourceError | None = None
    fingerprint: FingerprintRecord | None = None
    hashing: Future[FingerprintRecord | None] | None = None  # of a file that is read by ranges


Step = Begin | Frames | LineRange | End


class Plan:
    """Divide sources into steps.

    Parameters
    ----------
    block_bytes : int
        Bytes of a block or range.
    limits : Limits
    fingerprints : bool
        Whether to record the size and SHA-256 of each source, as it is stored.
    """

    def __init__(self, block_bytes: int, limits: Limits, *, fingerprints: bool) -> None:
        self._block_bytes = block_bytes
        self._limits = limits
        self._hashing = ThreadPoolExecutor(1) if fingerprints else None
        self._files: set[RangeFile] = set()

    def steps(self, sources: Iterable[tuple[int, Source]]) -> Iterator[Step]:
        """Yield the steps of sources, each given with its ordinal among all sources.

        Raises
        ------
        CannotCutError
            If a source is a part of a file that is not as it was when it was cut.
        """
        for ordinal, source in sources:
            file = self._range_file(source)
            document, span = source.document(), source.span
            yield Begin(source.name, ordinal, source.skipped, document, file, span)
            if file is None:
                yield from self._blocks(source)
                continue
            of = None if self._hashing is None else self._hashing.submit(source.fingerprint)
            yield from ranges(file, self._block_bytes, span)
            yield End(hashing=of)

    def close_file(self, file: RangeFile) -> None:
        """Close a file of which all ranges have been read."""
        file.close()
        self._files.discard(file)

    def close(self) -> None:
        """Close all files."""
        if self._hashing is not None:
            self._hashing.shutdown(cancel_futures=True)
        for file in list(self._files):
            self.close_file(file)

    def _range_file(self, source: Source) -> RangeFile | None:
        """Open a file of JSON lines that is larger than a block, or of which a part is read."""
        span = source.span
        file = open_lines(source, self._block_bytes + 1 if span is None else 0, self._limits)
        if file is not None:
            self._files.add(file)
        found = None if file is None else (file.size, file.modified_ns)
        if span is not None and found != (span.size, span.modified_ns):
            raise CannotCutError("the file was changed after it was cut")
        return file

    def _blocks(self, source: Source) -> Iterator[Step]:
        fault = None
        fingerprint = None if self._hashing is None else Fingerprint()
        stored, before = StoredBytes(), 0
        try:
            blocks = source.blocks(self._block_bytes, self._limits, fingerprint, stored)
            for frames in frame(blocks, self._limits.record_bytes):
                yield frames._replace(stored=stored.read - before)
                before = stored.read
        except SourceError as error:
            fault = error
        yield End(fault, None if fingerprint is None else fingerprint.finish())


def open_lines(source: Source, least_bytes: int, limits: Limits) -> RangeFile | None:
    """Open a plain file of JSON lines of at least so many bytes; None if a source is another."""
    file = RangeFile.open(source, least_bytes, limits)
    if file is not None and not is_lines(file.head, len(file.head) == file.size):
        file.close()
        return None
    return file


def ranges(file: RangeFile, block_bytes: int, span: Span | None = None) -> Iterator[LineRange]:
    """Yield the ranges of a file of JSON lines, or of a part of it, each of a block at most."""
    first = len(BOM) if file.head.startswith(BOM) else 0
    start, stop = (0, file.size) if span is None else (span.start, span.stop)
    for at in range(max(first, start), stop, block_bytes):
        yield LineRange(file, first, at, min(at + block_bytes, stop))
