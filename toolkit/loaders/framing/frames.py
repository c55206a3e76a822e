"""Define frames, collect them, and inspect JSON text: what all framers share."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WINDOW = 1 << 16
"""Bytes that are scanned at a time: few enough for the cache, because some are scanned again."""
MOST_FRAMES = 1 << 15
"""Frames above which a block is divided, so that memory does not grow with their number."""
SPACE = b" \t\r\n"
DONE = b"[DONE]"
NEWLINE = b"\n"[0]
FIELD = re.compile(rb"data:|event:|id:|retry:|:")


class Position(NamedTuple):
    """A position in the (decompressed) source: 1-based line and byte offset."""

    line: int
    offset: int


class Counts(NamedTuple):
    """Counts of the lines of a block that are not in a frame, and of its bytes.

    Attributes
    ----------
    blank : int
        Empty lines; of an event stream, only those that do not end an event.
    done : int
        ``[DONE]`` markers.
    comments : int
        Lines that begin with a colon.
    control : int
        Other lines of an event stream without data: ``event:``, ``id:``, ``retry:``, an empty
        ``data:``, HTTP headers.
    bytes : int
        Bytes of the source.
    """

    blank: int
    done: int
    comments: int
    control: int
    bytes: int


class Frames(NamedTuple):
    """The frames of a block.

    Attributes
    ----------
    data : bytes
        Contains the text of every frame.
    starts, stops : ndarray of int64, shape (n_frames,)
        Frame ``i`` is ``data[starts[i]:stops[i]]``.
    lines : ndarray of int64, shape (n_frames,)
        1-based line of the source on which the text of the frame starts.
    offsets : ndarray of int64, shape (n_frames,)
        Offset of the frame's first byte in the (decompressed) source.
    lengths : ndarray of int64, shape (n_frames,)
        Bytes of the source from the first to the last byte of the frame; more than the length of
        its text if an event spans several lines.
    breaks : ndarray of int64, shape (n_done,)
        For each ``[DONE]``, the number of frames of this block before it; ascending.
    counts : Counts
    end_line : int
        Line of the source that framing has reached.
    stored : int
        Bytes of the source as it is stored that were read for the block; 0: unknown.
    """

    data: bytes
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    lines: NDArray[np.int64]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    breaks: NDArray[np.int64]
    counts: Counts
    end_line: int = 1
    stored: int = 0

    def markers_before(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of ``[DONE]`` markers between each of the rows and the one before."""
        return np.diff(np.searchsorted(self.breaks, rows, side="right"), prepend=0)


def too_long_frame(position: Position, length: int, n_bytes: int, end_line: int) -> Frames:
    """Return the frame of a record that is too long, without its text.

    Parameters
    ----------
    position : Position
    length : int
        Bytes of the record.
    n_bytes : int
        Bytes of the source to count.
    end_line : int
        Line of the source after the record.
    """
    none = np.empty(0, np.int64)
    zero, lines, offsets, lengths = np.array([0, *position, length], np.int64).reshape(-1, 1)
    counts = Counts(0, 0, 0, 0, n_bytes)
    return Frames(b"", zero, zero, lines, offsets, lengths, none, counts, end_line)


def without_long(frames: Frames, max_bytes: int) -> Frames:
    """Remove the text of frames of more than `max_bytes` bytes, so that they are not decoded."""
    is_long = frames.lengths > max_bytes
    if not is_long.any():
        return frames
    return frames._replace(stops=np.where(is_long, frames.starts, frames.stops))


class FrameBuilder:
    """Collects the frames of a block: those that lie in it, and copies of other texts.

    Parameters
    ----------
    skipped : int
        Bytes of the source before the first frame, to count.
    """

    def __init__(self, skipped: int) -> None:
        self.bytes = skipped
        self.blank = self.comments = self.control = 0
        self._ready: list[Frames] = []
        self._clear()

    def _clear(self) -> None:
        self._block = b""
        self._columns: list[NDArray[np.int64]] = []  # starts, stops, lines, offsets, lengths
        self._copied: list[bytes] = []  # texts
        self._copied_bytes = 0
        self._texts: list[bytes] = []  # those of them that are not in the columns yet
        self._spans: list[tuple[int, int, int]] = []  # line, offset, length
        self._breaks: list[int] = []
        self._n = 0

    def add(self, text: bytes, line: int, offset: int, length: int) -> None:
        """Add a frame with its line, offset and length in the source."""
        self._texts.append(text)
        self._spans.append((line, offset, length))
        self._n += 1

    def add_done(self) -> None:
        """Add a ``[DONE]``."""
        self._breaks.append(self._n)

    @property
    def is_full(self) -> bool:
        """Whether there are so many frames that they should be flushed."""
        return self._n >= MOST_FRAMES

    def add_parts(
        self,
        block: bytes,
        starts: NDArray[np.int64],
        stops: NDArray[np.int64],
        lines: NDArray[np.int64],
        offset: int,
        breaks: NDArray[np.int64] | None = None,
    ) -> None:
        """Add frames that are parts of the block, whose first byte has an offset in the source."""
        if not len(starts) and (breaks is None or not len(breaks)):
            return
        if not self._block and self._n:  # what was copied has the frames of its own text
            self._ready.append(self._taken())
        self._block = block
        self._end_copies()
        self._columns.append(np.stack([starts, stops, lines, starts + offset, stops - starts]))
        if breaks is not None:
            self._breaks += (breaks + self._n).tolist()
        self._n += len(starts)

    def _end_copies(self) -> None:
        """Move the copied texts, which are kept after the block, into the columns."""
        if self._texts:
            bounds = np.cumsum([0, *map(len, self._texts)], dtype=np.int64)
            bounds += len(self._block) + self._copied_bytes
            places = np.array(self._spans, np.int64).T
            self._columns.append(np.stack([bounds[:-1], bounds[1:], *places]))
            self._copied += self._texts
            self._copied_bytes += sum(map(len, self._texts))
            self._texts, self._spans = [], []

    def _taken(self) -> Frames:
        self._end_copies()
        # One text alone is not copied.
        data = b"".join(each for each in (self._block, *self._copied) if each)
        none = np.empty((5, 0), np.int64)
        starts, stops, lines, offsets, lengths = np.hstack([none, *self._columns])
        breaks = np.array(self._breaks, np.int64)
        counts = Counts(self.blank, len(self._breaks), self.comments, self.control, self.bytes)
        frames = Frames(data, starts, stops, lines, offsets, lengths, breaks, counts)
        self.blank = self.comments = self.control = self.bytes = 0
        self._clear()
        return frames

    def flush(self, end_line: int = 1) -> list[Frames]:
        """Return the frames since the last flush, those before the parts of a block apart.

        `end_line` is the line of the source that framing has reached.
        """
        ready, self._ready = self._ready, []
        return [*ready, self._taken()._replace(end_line=end_line)]


def awaits_value(text: bytes) -> bool:
    """Return whether, inside a JSON value, another value can follow this text."""
    return text[-1:] in (b"[", b",", b":")


def masked(text: bytes) -> bytes:
    """Return a text of equal length in which escaped quotes and backslashes are overwritten."""
    if b"\\" not in text:
        return text
    return text.replace(b"\\\\", b"__").replace(b'\\"', b"__")


def balance(line: bytes) -> int | None:
    """Return how many more brackets a line opens than it closes; None if a string is not closed."""
    segments = masked(line).split(b'"')
    if len(segments) % 2 == 0:
        return None
    text = b"".join(segments[::2])
    return text.count(b"{") + text.count(b"[") - text.count(b"}") - text.count(b"]")
