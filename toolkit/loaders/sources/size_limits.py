"""Sources that may not become larger than they are allowed to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from toolkit.errors import SourceError
from toolkit.limits import Limits

FREE_BYTES = 64 << 20
"""Bytes that may come out of any compressed source."""


class OverLimitError(SourceError):
    """A source becomes larger, or many times larger, than the limits of the load."""

    reason: ClassVar[str] = "source_over_limit"


def within(blocks: Iterable[bytes], limits: Limits) -> Iterator[bytes]:
    """Yield blocks up to the limit of a source's bytes, the last one cut there."""
    left = limits.source_bytes
    if left is None:
        yield from blocks
        return
    for block in blocks:
        if len(block) > left:
            if left:
                yield block[:left]
            raise OverLimitError(
                f"it has more than {limits.source_bytes:,} bytes (Limits.source_bytes); "
                "what came before was read"
            )
        left -= len(block)
        yield block


class Expansion:
    """Compares what comes out of compressed data with what went in.

    Parameters
    ----------
    most : int
        How many times more may come out.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._went_in = self._came_out = 0

    def counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Count what goes in."""
        for chunk in chunks:
            self._went_in += len(chunk)
            yield chunk

    def checked(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Count what comes out, and end where it is too much."""
        for piece in pieces:
            self._came_out += len(piece)
            if self._came_out > max(FREE_BYTES, self._most * self._went_in):
                raise OverLimitError(
                    f"{self._went_in:,} compressed bytes become more than {self._came_out:,} "
                    f"(Limits.expansion is {self._most:,}); what came before was read"
                )
            yield piece
