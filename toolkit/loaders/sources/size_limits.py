"""Enforce the limits on the size and the decompression ratio of a source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from toolkit.errors import SourceError
from toolkit.limits import Limits

FREE_BYTES = 64 << 20
"""Bytes that any compressed source may expand to, whatever its ratio."""


class OverLimitError(SourceError):
    """A source has more bytes, or expands more, than the limits of the load allow."""

    reason: ClassVar[str] = "source_over_limit"


def limit_bytes(blocks: Iterable[bytes], limits: Limits) -> Iterator[bytes]:
    """Yield blocks up to `Limits.source_bytes`; the last one is cut there.

    Raises
    ------
    OverLimitError
        If there are more bytes.
    """
    left = limits.source_bytes
    if left is None:
        yield from blocks
        return
    for block in blocks:
        if len(block) > left:
            if left:
                yield block[:left]
            raise OverLimitError(
                f"the source has more than {limits.source_bytes:,} bytes (Limits.source_bytes); "
                "what came before was read"
            )
        left -= len(block)
        yield block


class Expansion:
    """Compares the decompressed bytes of a source with its compressed bytes.

    Parameters
    ----------
    max_ratio : int
        Largest number of decompressed bytes per compressed byte.
    compressed : int
        Compressed bytes that need not be counted.
    """

    def __init__(self, max_ratio: int, compressed: int = 0) -> None:
        self._max_ratio = max_ratio
        self._compressed, self._decompressed = compressed, 0  # bytes so far

    def count_compressed(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield compressed chunks and count their bytes."""
        for chunk in chunks:
            self._compressed += len(chunk)
            yield chunk

    def check_decompressed(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield decompressed pieces; raise `OverLimitError` when they exceed the ratio."""
        for piece in pieces:
            self._decompressed += len(piece)
            if self._decompressed > max(FREE_BYTES, self._max_ratio * self._compressed):
                raise OverLimitError(
                    f"{self._compressed:,} compressed bytes expand to more than "
                    f"{self._decompressed:,} (Limits.expansion is {self._max_ratio:,}); "
                    "what came before was read"
                )
            yield piece
