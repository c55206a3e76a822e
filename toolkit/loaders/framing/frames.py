"""What the framers share: frames, their collection, and a look at JSON text."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WINDOW = 1 << 16
"""Bytes that are scanned at a time: they fit the cache, and may be scanned again."""
SPACE = b" \t\r\n"
DONE = b"[DONE]"
NEWLINE = b"\n"[0]
FIELD = re.compile(rb"data:|event:|id:|retry:|:")


class Counts(NamedTuple):
    """What was seen in a block and is in no frame, and how many bytes there were.

    Attributes
    ----------
    blank : int
        Lines with nothing on them; in events, only those that end no event.
    done : int
        ``[DONE]`` markers.
    comments : int
        Lines that begin with a colon.
    control : int
        Other lines of an event stream that bring no data: ``event:``, ``id:``, ``retry:``, an
        empty ``data:``, HTTP headers.
    bytes : int
        Bytes of the source.
    """

    blank: int
    done: int
    comments: int
    control: int
    bytes: int


class Frames(NamedTuple):
    """The frames that a block brought.

    Attributes
    ----------
    data : bytes
        Holds the text of every frame.
    starts, stops : ndarray of int64, shape (n_frames,)
        Frame ``i`` is ``data[starts[i]:stops[i]]``.
    lines : ndarray of int64, shape (n_frames,)
        1-based line of the source on which the text of the frame starts.
    offsets : ndarray of int64, shape (n_frames,)
        Offset of its first byte in the (decompressed) source.
    lengths : ndarray of int64, shape (n_frames,)
        Bytes of the source from its first to its last; more than its text has where an event
        spreads over several lines.
    breaks : ndarray of int64, shape (n_done,)
        For each ``[DONE]``, the number of frames of this block before it; never decreasing.
    counts : Counts
    """

    data: bytes
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    lines: NDArray[np.int64]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    breaks: NDArray[np.int64]
    counts: Counts


def passed_over(line: int, offset: int, length: int, seen: int) -> Frames:
    """Return the frame of a record that is too long: without its text."""
    none = np.empty(0, np.int64)
    zero, *place = (np.array([value], np.int64) for value in (0, line, offset, length))
    return Frames(b"", zero, zero, *place, none, Counts(0, 0, 0, 0, seen))


def without_long(frames: Frames, most: int) -> Frames:
    """Empty the frames of more than `most` bytes, so that nobody reads them."""
    is_long = frames.lengths > most
    if not is_long.any():
        return frames
    return frames._replace(stops=np.where(is_long, frames.starts, frames.stops))


class Batch:
    """Frames that are copied together, for containers whose frames are not in one piece."""

    def __init__(self, skipped: int) -> None:
        self.bytes = skipped
        self._clear()

    def _clear(self) -> None:
        self.texts: list[bytes] = []
        self.places: list[tuple[int, int, int]] = []
        self.breaks: list[int] = []
        self.blank = self.comments = self.control = 0

    def add(self, text: bytes, line: int, offset: int, length: int) -> None:
        """Add a frame and its place."""
        self.texts.append(text)
        self.places.append((line, offset, length))

    def mark(self) -> None:
        """Note a ``[DONE]``."""
        self.breaks.append(len(self.texts))

    def flush(self) -> Frames:
        """Return what was added, and begin anew."""
        stops = np.cumsum([0, *map(len, self.texts)], dtype=np.int64)
        lines, offsets, lengths = np.array(self.places, np.int64).reshape(-1, 3).T.copy()
        counts = Counts(self.blank, len(self.breaks), self.comments, self.control, self.bytes)
        breaks = np.array(self.breaks, np.int64)
        data = b"".join(self.texts)
        self._clear()
        self.bytes = 0
        return Frames(data, stops[:-1], stops[1:], lines, offsets, lengths, breaks, counts)


def awaits_value(text: bytes) -> bool:
    """Tell if, in JSON, an object can follow this text inside another one."""
    return text[-1:] in (b"[", b",", b":")


def masked(text: bytes) -> bytes:
    """Return the text with escaped quotes and backslashes overwritten, byte for byte."""
    if b"\\" not in text:
        return text
    return text.replace(b"\\\\", b"__").replace(b'\\"', b"__")


def balance(line: bytes) -> int | None:
    """Return how many more brackets a line opens than it closes; None if a string stays open."""
    segments = masked(line).split(b'"')
    if len(segments) % 2 == 0:
        return None
    text = b"".join(segments[::2])
    return text.count(b"{") + text.count(b"[") - text.count(b"}") - text.count(b"]")
