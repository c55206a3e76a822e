"""Read a plain file at any offset, on any thread: `RangeFile`."""

from __future__ import annotations

import os
from typing import Self

from toolkit.limits import Limits
from toolkit.loaders.sources.locations import File, WatchedFile
from toolkit.loaders.sources.source import Source, faults_of

_HEAD_BYTES = 1 << 16
_TEXT_BYTES = 512  # first bytes that have no NUL, if a file is text
_FIRST = (b"{", b"\xef\xbb\xbf{")


class RangeFile:
    """A plain file that begins with a JSON object, and is open for reading.

    Attributes
    ----------
    size, modified_ns : int
        Bytes and time of its last change when it was opened; what is appended later is not read.
    head : bytes
        The first 64 KiB.
    """

    def __init__(self, name: str, file: WatchedFile, size: int, head: bytes) -> None:
        self._name = name
        self._file = file
        self.size = size
        self.modified_ns = os.fstat(file.fileno()).st_mtime_ns
        self.head = head

    @classmethod
    def open(cls, source: Source, least_bytes: int, limits: Limits) -> Self | None:
        """Open a source if it is such a file, of some size and within the limits."""
        if not isinstance(source.location, File) or not hasattr(os, "preadv"):
            return None
        try:
            size = source.location.size()
            if not least_bytes <= size <= (limits.source_bytes or size):
                return None
            file = source.location.open()
        except (OSError, ValueError):
            return None  # whoever reads it as a stream reports the error
        try:
            head = os.pread(file.fileno(), _HEAD_BYTES, 0)
        except OSError:
            head = b""
        if not head.startswith(_FIRST) or b"\0" in head[:_TEXT_BYTES]:
            file.close()
            return None
        return cls(source.name, file, size, head)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill a buffer with the bytes from an offset on; return how many there are."""
        buffer = buffer[: max(self.size - offset, 0)]
        n = 0
        with faults_of(self._name):
            while n < len(buffer):
                more = os.preadv(self._file.fileno(), [buffer[n:]], offset + n)
                if not more:  # the file was cut
                    break
                n += more
        return n

    def check_unchanged(self) -> None:
        """Raise `SourceError` if the file was written to since it was opened."""
        with faults_of(self._name):
            self._file.check_unchanged()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
