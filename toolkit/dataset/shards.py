"""An export in pieces that can be taken up again: shards, and notes on those that are finished.

A shard is some sources that follow each other, and the files that were made of them. When its files
are on the disk a note tells of them, of the sources as they were read, and of all that the files
depend on; only where nothing of this changed is a shard taken over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from toolkit.loaders.sources.source import Source

SHARD_BYTES = 256 << 20
"""Bytes of sources, as they are stored, after which a shard ends with the source."""
_UNKNOWN_BYTES = 1 << 20  # taken for the size of a source that does not tell it


class Shard(NamedTuple):
    """Sources that are exported together.

    Attributes
    ----------
    ordinal : int
    sources : list of (int, Source)
        Each with its place among all.
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
