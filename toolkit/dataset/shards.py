"""Divide the sources of an export into shards, each with its own files.

A shard is a run of consecutive sources. It is the unit of work that a resumed export reuses or
writes again (`toolkit.dataset.checkpoints`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from toolkit.loaders.sources.source import Source

SHARD_BYTES = 256 << 20
"""Stored bytes of sources after which a shard ends, at the end of a source."""
_UNKNOWN_BYTES = 1 << 20  # assumed size of a source whose size is unknown


class Shard(NamedTuple):
    """Sources that are exported together.

    Attributes
    ----------
    ordinal : int
    sources : list of (int, Source)
        Each source with its ordinal among all sources.
    """

    ordinal: int
    sources: list[tuple[int, Source]]


def shards(sources: list[Source]) -> Iterator[Shard]:
    """Divide sources into shards, at least one."""
    ordinal, size = 0, 0
    taken: list[tuple[int, Source]] = []
    for i, source in enumerate(sources):
        taken.append((i, source))
        known = source.size()
        size += _UNKNOWN_BYTES if known is None else known
        if size >= SHARD_BYTES:
            yield Shard(ordinal, taken)
            ordinal, size, taken = ordinal + 1, 0, []
    if taken or ordinal == 0:
        yield Shard(ordinal, taken)
