"""From byte blocks to framed records: JSON lines, JSON documents and arrays, server-sent events.

A frame is the text of (normally) one JSON value with its place in the source. Framing parses
nothing, rejects nothing and drops nothing: what it cannot make sense of becomes a frame, so that
the decoder rejects it with its place. Every byte is in a frame, in a line that is counted by
class, or is whitespace or a separator. How the blocks are cut makes no difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import SourceError

HEAD_BYTES = 1 << 16
"""Bytes of a source that are looked at to tell its container."""

_WINDOW = 1 << 16  # scanned at a time: small enough for the cache, and to be scanned again
_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_DONE = b"[DONE]"
_NEWLINE, _QUOTE, _OPEN_BRACKET, _OPEN_BRACE = b'\n"[{'
_FIELD = re.compile(rb"data:|event:|id:|retry:|:")
_HTTP = re.compile(rb"HTTP/[^\r\n]*[\r\n](?:.*[\r\n])?(?:data|event|id|retry):", re.S)
_KEY_ON_NEXT_LINE = re.compile(rb'^\{[ \t\r]*\n[ \t\r\n]*"', re.M)


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


def frame(blocks: Iterable[bytes]) -> Iterator[Frames]:
    r"""Split a source into frames, one per JSON value as a rule.

    The container is told from the first 64 KiB:

    - *events* (SSE) if the first line is a field or a comment. Lines end in ``\n``, ``\r\n`` or
      ``\r``; the data lines of an event are joined with ``\n``; what is pending at the end is an
      event too. Dumps without blank lines: an event ends before a data line if it is complete,
      or if the line begins with ``{`` where no JSON value can. Bare JSON is a frame.
    - *documents* for JSON that spreads over lines, one document after the other, and for
      top-level arrays, which are opened: each element is a frame. An array that is never closed
      ends in a frame without text, so that the cut is told.
    - *lines* (JSONL) else: a frame a line, whatever is on it.

    A document that never closes swallows what follows, unless there is proof that it is broken: a
    newline inside a string, or a line that begins with ``{`` in column 0 where no JSON value can
    begin. Then framing takes up again at the next line that begins with ``{``, in column 0 or
    indented as the broken document was.

    Parameters
    ----------
    blocks : iterable of bytes
        The decompressed source, cut anywhere.

    Yields
    ------
    Frames
        One or none per block; in bounded memory, but for the longest frame.

    Raises
    ------
    SourceError
        When `blocks` raises it, after everything before it was yielded.

    Examples
    --------
    >>> [frames] = frame([b'{"a": 1}\n\n{"b"', b": 2}"])[:1] if False else [
    ...     frames for frames in frame([b'{"a": 1}\n\n{"b": 2}\n'])
    ... ]
    >>> frames.lines.tolist(), frames.offsets.tolist(), frames.counts.blank
    ([1, 3], [0, 10], 1)
    """
    feed = _Feed(blocks)
    head, whole = feed.head()
    skipped = len(_BOM) if head.startswith(_BOM) else 0
    framer = _container(head[skipped:HEAD_BYTES], whole)
    if head:
        yield from framer(chain([head[skipped:]], feed), skipped)
    if feed.fault is not None:
        raise feed.fault


class _Feed:
    """Blocks that end at an error, which is kept."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self.fault: SourceError | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._blocks
        except SourceError as error:
            self.fault = error

    def head(self) -> tuple[bytes, bool]:
        """Return at least `HEAD_BYTES`, or the whole source and True."""
        held: list[bytes] = []
        size = 0
        for block in self:
            held.append(block)
            size += len(block)
            if size >= HEAD_BYTES:
                return b"".join(held), False
        return b"".join(held), True


class _Batch:
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
        self.texts.append(text)
        self.places.append((line, offset, length))

    def mark(self) -> None:
        self.breaks.append(len(self.texts))

    def flush(self) -> Frames:
        stops = np.cumsum([0, *map(len, self.texts)], dtype=np.int64)
        lines, offsets, lengths = np.array(self.places, np.int64).reshape(-1, 3).T.copy()
        counts = Counts(self.blank, len(self.breaks), self.comments, self.control, self.bytes)
        breaks = np.array(self.breaks, np.int64)
        data = b"".join(self.texts)
        self._clear()
        self.bytes = 0
        return Frames(data, stops[:-1], stops[1:], lines, offsets, lengths, breaks, counts)


# Which container


def _container(head: bytes, whole: bool) -> type[_Lines] | type[_Events] | type[_Documents]:
    pass
