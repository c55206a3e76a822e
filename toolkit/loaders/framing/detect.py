"""From byte blocks to framed records: JSON lines, JSON documents and arrays, server-sent events.

A frame is the text of (normally) one JSON value with its place in the source. Framing parses
nothing, rejects nothing and drops nothing: what it cannot make sense of becomes a frame, so that
the decoder rejects it with its place. Every byte is in a frame, in a line that is counted by
class, or is whitespace or a separator. How the blocks are cut makes no difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from toolkit.errors import SourceError
from toolkit.limits import LIMITS
from toolkit.loaders.framing.cassettes import HEAD as CASSETTE
from toolkit.loaders.framing.cassettes import frame_cassette
from toolkit.loaders.framing.documents import frame_documents
from toolkit.loaders.framing.events import frame_events
from toolkit.loaders.framing.frames import (
    FIELD,
    SPACE,
    Frames,
    awaits_value,
    balance,
    without_long,
)
from toolkit.loaders.framing.lines import frame_lines

HEAD_BYTES = 1 << 16
"""Bytes of a source that are looked at to tell its container."""

_BOM = b"\xef\xbb\xbf"
_LEAD = re.compile(rb"(?:[ \t\r\n]*\[DONE\](?=[ \t\r\n]|\Z))*[ \t\r\n]*")
_HTTP = re.compile(rb"HTTP/[^\r\n]*[\r\n](?:.*[\r\n])?(?:data|event|id|retry):", re.S)
_KEY_ON_NEXT_LINE = re.compile(rb'^\{[ \t\r]*\n[ \t\r\n]*"', re.M)


_Framer = Callable[[Iterator[bytes], int, int], Iterator[Frames]]


def frame(blocks: Iterable[bytes], most: int = LIMITS.record_bytes) -> Iterator[Frames]:
    r"""Split a source into frames, one per JSON value as a rule.

    The container is told from the first 64 KiB:

    - *events* (SSE) if the first line is a field or a comment. Lines end in ``\n``, ``\r\n`` or
      ``\r``; the data lines of an event are joined with ``\n``; what is pending at the end is an
      event too. For dumps without blank lines, an event ends before a data line if it is
      complete, or if the line begins with ``{`` where no JSON value can (in a stream without any
      blank line: if it is a complete object). Bare JSON is a frame.
    - *documents* for JSON that spreads over lines, one document after the other, and for
      top-level arrays, which are opened: each element is a frame. An array that is never closed
      ends in a frame without text, so that the cut is told.
    - *cassettes* (YAML of VCR) if the first key is ``interactions``.
    - *lines* (JSONL) else: a frame a line, whatever is on it.

    A document that never closes swallows what follows, unless there is proof that it is broken: a
    newline inside a string, or a line that begins with ``{`` in column 0 where no JSON value can
    begin. Then framing takes up again at the next line that begins with ``{``, in column 0 or
    indented as the broken document was.

    Parameters
    ----------
    blocks : iterable of bytes
        The decompressed source, cut anywhere.
    most : int
        Bytes of a frame, from its first in the source to its last. Longer ones come without text.

    Yields
    ------
    Frames
        A few per block at most; in memory bounded by that of a few frames.

    Raises
    ------
    SourceError
        When `blocks` raises it, after everything before it was yielded.

    Examples
    --------
    >>> [frames] = frame([b'{"a": 1}\n\n{"b": 2}\n'])
    >>> frames.lines.tolist(), frames.offsets.tolist(), frames.counts.blank
    ([1, 3], [0, 10], 1)
    """
    feed = _Feed(blocks)
    head, whole = feed.head()
    skipped = len(_BOM) if head.startswith(_BOM) else 0
    framer = _container(head[skipped:HEAD_BYTES], whole)
    if head:
        for frames in framer(chain([head[skipped:]], feed), skipped, most):
            yield without_long(frames, most)
    if feed.fault is not None:
        raise feed.fault


class _Feed:
    """Blocks that end at an error, which is kept."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self.fault: SourceError | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._blocks)
        except SourceError as error:
            self.fault = error
            raise StopIteration from None

    def head(self) -> tuple[bytes, bool]:
        """Return at least `HEAD_BYTES`, or all there is and True."""
        held: list[bytes] = []
        size = 0
        for block in self:
            held.append(block)
            size += len(block)
            if size >= HEAD_BYTES:
                return b"".join(held), False
        return b"".join(held), True


# Which container


def _container(head: bytes, whole: bool) -> _Framer:
    """Tell the container from the head of a source; `whole` if there is no more of it."""
    at = _LEAD.match(head).end()
    text = head[at:]
    in_margin = at == 0 or head[at - 1] in b"\r\n"
    if (in_margin and FIELD.match(text)) or _HTTP.match(text):
        return frame_events
    if CASSETTE.match(text):
        return frame_cassette
    lines = text.split(b"\n")
    if text.startswith(b"{"):
        return frame_documents if _spread_objects(text, lines, whole) else frame_lines
    if text.startswith(b"["):
        following = b"\n".join(lines[1:]).lstrip(SPACE)
        opener = following.partition(b"\n")[0].rstrip(SPACE)
        array_per_line = following.startswith((b"[", b"{")) and opener not in (b"[", b"{")
        return frame_lines if array_per_line and balance(lines[0]) == 0 else frame_documents
    return frame_lines


def _spread_objects(text: bytes, lines: list[bytes], whole: bool) -> bool:
    """Tell if objects spread over lines; else there is one a line, of which some are broken."""
    if _KEY_ON_NEXT_LINE.search(text):
        return True
    full = lines if whole else lines[:-1]
    depth = 0
    before = b""
    for i, line in enumerate(full):
        more = balance(line)
        if more is None or (line.startswith(b"{") and before and not awaits_value(before)):
            break
        depth += more
        if depth <= 0:
            return i > 0
        before = line.rstrip(SPACE) or before
    # The first object is broken, or longer than the head. One a line shows in the next lines.
    if not whole and lines[-1].startswith(b"{"):
        return False
    others = [line for line in full[1:] if line.strip(SPACE)]
    return bool(others) and not any(line.startswith(b"{") and balance(line) == 0 for line in others)
