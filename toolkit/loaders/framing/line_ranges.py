"""Frame the JSON lines of a range of a file, on any thread: `LineRange`."""

from __future__ import annotations

from typing import NamedTuple, Protocol, cast

import numpy as np

from toolkit.loaders.framing.frames import WINDOW, Frames, Position, without_long
from toolkit.loaders.framing.lines import PartialLine, framed_lines

_REST = 1 << 18  # bytes after a range that are read with it, for the end of its last line
_MORE = 1 << 20  # bytes that are read at a time, if the last line is longer


class _File(Protocol):
    size: int

    def read_into(self, buffer: memoryview, offset: int) -> int: ...


class RangeBuffers:
    """Memory to read ranges into, used again because fresh memory costs as much as reading."""

    def __init__(self) -> None:
        self._free: list[memoryview] = []

    def take(self, size: int) -> memoryview:
        """Return a buffer of at least so many bytes."""
        try:
            buffer = self._free.pop()  # another thread may have taken the last one
        except IndexError:
            buffer = memoryview(b"")
        return buffer if len(buffer) >= size else np.empty(size, np.uint8).data

    def give_back(self, buffer: memoryview) -> None:
        """Let the buffer be used again."""
        self._free.append(buffer)


class LineRange(NamedTuple):
    """The lines of a file that begin within a range of its bytes.

    Attributes
    ----------
    file : object with `size` and `read_into`
    first, start, stop : int
        Offset of the first line of the file, and the range.
    """

    file: _File
    first: int
    start: int
    stop: int

    @property
    def stored(self) -> int:
        """Bytes of the range."""
        return self.stop - self.start

    @property
    def room(self) -> int:
        """Bytes of the buffer to read the range into."""
        return self.stop - self.start + 1 + _REST

    def frame(self, data: memoryview, max_bytes: int) -> list[Frames]:
        """Read the range, and frame its lines.

        Parameters
        ----------
        data : memoryview
            The buffer to read into.
        max_bytes : int
            Bytes of a frame; longer ones have no text.

        Returns
        -------
        list of Frames
            Their lines count from 1. Their text is in the buffer.
        """
        before = self.start - (self.start > self.first)  # the byte there may end a line
        n = self.file.read_into(data[: self.stop - before + _REST], before)
        last = min(self.stop - before, n) - 1  # the byte that may end the last line
        start = 0 if before == self.start else _after_first_line(data, 0, last)
        if n == 0 or (before < self.start and not start):  # no line begins here
            return []
        end = _after_first_line(data, last, n)
        if not end and before + n >= self.file.size:
            end = n
        whole = end or _last_line(data, start, last)
        n_bytes = self.first if self.start == self.first else 0
        at = Position(1, before + start)
        text = cast(bytes, data)  # framing and the scanner take any bytes that do not change
        frames, n_lines = framed_lines(text, start, whole, at, n_bytes + whole - start, max_bytes)
        found = [without_long(frames, max_bytes)]
        if not end:
            at = Position(1 + n_lines, before + whole)
            found.append(self._rest(bytes(data[whole:n]), at, max_bytes))
        return found

    def _rest(self, begun: bytes, at: Position, max_bytes: int) -> Frames:
        """Frame the last line, of which the buffer has the beginning."""
        line = PartialLine(max_bytes)
        line.add(begun)
        more = bytearray(_MORE)
        while n := self.file.read_into(memoryview(more), at.offset + line.bytes):
            end = more.find(b"\n", 0, n) + 1
            line.add(bytes(more[: end or n]))
            if end:
                break
        return without_long(line.framed(at, line.bytes), max_bytes)


def _after_first_line(data: memoryview, start: int, stop: int) -> int:
    """Return where the first line of a part ends; 0 if there is no newline."""
    for at in range(start, stop, WINDOW):
        end = bytes(data[at : min(at + WINDOW, stop)]).find(b"\n") + 1
        if end:
            return at + end
    return 0


def _last_line(data: memoryview, start: int, stop: int) -> int:
    """Return where the last line of a part begins."""
    while stop > start:
        at = max(stop - WINDOW, start)
        end = bytes(data[at:stop]).rfind(b"\n") + 1
        if end:
            return at + end
        stop = at
    return start
