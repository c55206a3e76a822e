"""Cut large files of JSON lines into parts that can be read apart: `cut`.

The records and lines before each part are counted, so that its rows get the keys that they have if
the file is read whole. Two things are not known before a part is decoded: whether a chunk belongs
to a stream that began before it, and whether a line holds several records. Whoever reads the part
finds out, and raises `toolkit.loaders.plan.CannotCutError`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import accumulate, pairwise

from toolkit.errors import SourceError
from toolkit.limits import Limits
from toolkit.loaders.framing.line_ranges import LineRange, RangeBuffers
from toolkit.loaders.plan import open_lines, ranges
from toolkit.loaders.sources.ranges import RangeFile
from toolkit.loaders.sources.source import Source, Span
from toolkit.prefetch import ordered_map

_BLOCK_BYTES = 8 << 20  # bytes that are counted at a time
_CHUNK = b'"delta"'  # a key of the chunks of streams, which may continue in the next part


def cut(
    source: Source,
    part_bytes: int,
    limits: Limits,
    *,
    count: bool = True,
    on_bytes: Callable[[int], object] = lambda n: None,
) -> list[Source]:
    """Cut a large plain file of JSON lines into parts of equal size.

    Parameters
    ----------
    source : Source
    part_bytes : int
        Least bytes of a part.
    limits : Limits
    count : bool
        Whether to count what is before each part. Whoever reads the parts in order knows it.
    on_bytes : callable
        Called with the bytes that were read to count.

    Returns
    -------
    list of Source
        The parts; the source alone if it is smaller than two parts, is another kind of source, or
        begins with a chunk of a stream.
    """
    file = open_lines(source, 2 * part_bytes, limits)
    if file is None:
        return [source]
    try:
        if _CHUNK in file.head:
            return [source]
        n = file.size // part_bytes
        spans = spans_of(file, [file.size * i // n for i in range(n + 1)])
        if count:
            spans = counted(file, spans, limits, on_bytes)
        return [replace(source, span=span) for span in spans]
    except SourceError:  # whoever reads the whole file reports the error
        return [source]
    finally:
        file.close()


def spans_of(file: RangeFile, bounds: Sequence[int]) -> list[Span]:
    """Return the parts of a file between some offsets; the first is 0, the last its size."""
    return [Span(*bound, 0, 0, file.size, file.modified_ns) for bound in pairwise(bounds)]


def counted(
    file: RangeFile,
    spans: Sequence[Span],
    limits: Limits,
    on_bytes: Callable[[int], object] = lambda n: None,
) -> list[Span]:
    """Return the parts of a file with the records and lines before each."""
    blocks = [(i, block) for i, span in enumerate(spans) for block in _blocks(file, span)]
    buffers, n_threads = RangeBuffers(), os.cpu_count() or 1
    n_records, n_lines = [0] * len(spans), [0] * len(spans)
    with ThreadPoolExecutor(n_threads) as pool:
        found = ordered_map(
            lambda each: _count(each[1], buffers, limits.record_bytes), blocks, pool, 2 * n_threads
        )
        for (i, block), counts in found:
            n_records[i] += counts[0]
            n_lines[i] += counts[1]
            on_bytes(block.stored)
    before = zip(accumulate(n_records, initial=0), accumulate(n_lines, initial=0), strict=True)
    return [
        span._replace(records=records, lines=lines)
        for span, (records, lines) in zip(spans, before, strict=False)
    ]


def _blocks(file: RangeFile, span: Span) -> list[LineRange]:
    return list(ranges(file, _BLOCK_BYTES, span))


def _count(block: LineRange, buffers: RangeBuffers, max_bytes: int) -> tuple[int, int]:
    """Return the numbers of frames, which are records if each line holds one, and of lines."""
    data = buffers.take(block.room)
    found = block.frame(data, max_bytes)
    buffers.give_back(data)
    end_line = max((frames.end_line for frames in found), default=1)
    return sum(len(frames.starts) for frames in found), end_line - 1
