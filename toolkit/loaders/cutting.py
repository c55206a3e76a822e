"""Cut large files of JSON lines into parts that can be read apart: `cut`.

The records and lines before each part are counted, so that its rows get the keys that they have if
the file is read whole. Two things are not known before a part is decoded: whether a chunk belongs
to a stream that began before it, and whether a line holds several records. Whoever reads the part
finds out, and raises `toolkit.loaders.plan.CannotCutError`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

from toolkit.errors import SourceError
from toolkit.limits import Limits
from toolkit.loaders.framing.line_ranges import LineRange
from toolkit.loaders.plan import open_lines, ranges
from toolkit.loaders.prefetch import ordered_map
from toolkit.loaders.sources.ranges import RangeFile
from toolkit.loaders.sources.source import Source, Span

_BLOCK_BYTES = 8 << 20  # bytes that are counted at a time
_CHUNK = b'"delta"'  # a key of the chunks of streams, which may continue in the next part


class _HasChunksError(Exception):
    """The file may hold streams."""


def cut(source: Source, part_bytes: int, limits: Limits) -> list[Source]:
    """Cut a large plain file of JSON lines into parts of equal size.

    Parameters
    ----------
    source : Source
    part_bytes : int
        Least bytes of a part.
    limits : Limits

    Returns
    -------
    list of Source
        The parts; the source alone if it is smaller than two parts, is another kind of source, or
        may hold streams.
    """
    file = open_lines(source, 2 * part_bytes, limits)
    if file is None:
        return [source]
    try:
        n = file.size // part_bytes
        return cut_at(source, file, [file.size * i // n for i in range(n + 1)], limits)
    except (_HasChunksError, SourceError):
        return [source]
    finally:
        file.close()


def cut_at(source: Source, file: RangeFile, bounds: Sequence[int], limits: Limits) -> list[Source]:
    """Cut a file at some offsets; the first is 0, the last its size."""
    spans = [Span(*bound, 0, 0, 0, file.size, file.modified_ns) for bound in pairwise(bounds)]
    blocks = [(i, block) for i, span in enumerate(spans) for block in _blocks(file, span)]
    n_threads = os.cpu_count() or 1
    counts = [(0, 0)] * len(spans)
    with ThreadPoolExecutor(n_threads) as pool:
        found = ordered_map(
            lambda each: _count(each[1], limits.record_bytes), blocks, pool, 2 * n_threads
        )
        for (i, _), (n_records, n_lines) in found:
            counts[i] = counts[i][0] + n_records, counts[i][1] + n_lines
    parts, records, lines = [], 0, 0
    for span, (n_records, n_lines) in zip(spans, counts, strict=True):
        span = span._replace(records=records, lines=lines, n_records=n_records)
        parts.append(replace(source, span=span))
        records, lines = records + n_records, lines + n_lines
    return parts


def _blocks(file: RangeFile, span: Span) -> list[LineRange]:
    return list(ranges(file, _BLOCK_BYTES, span))


def _count(block: LineRange, max_bytes: int) -> tuple[int, int]:
    """Return the numbers of frames and of lines."""
    n_frames, end_line = 0, 1
    for frames in block.frame(max_bytes):
        n, end_line = len(frames.starts), max(end_line, frames.end_line)
        n_frames += n
        if n and frames.data.find(_CHUNK, int(frames.starts[0]), int(frames.stops[-1])) >= 0:
            raise _HasChunksError
    return n_frames, end_line - 1
