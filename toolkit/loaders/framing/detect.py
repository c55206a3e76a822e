"""Split byte blocks into framed records, after detecting the container from the first 64 KiB.

A container is JSON lines, JSON documents and arrays, server-sent events, or a cassette in YAML. A
frame is the text of (normally) one JSON value with its position in the source. Framing parses
nothing, rejects nothing and drops nothing: text that it cannot interpret becomes a frame, so that
the decoder rejects it with its position. Every byte is in a frame, in a line that is counted by
class, or is whitespace or a separator. The result does not depend on how the blocks are cut.
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
    MOST_FRAMES,
    SPACE,
    Frames,
    awaits_value,
    balance,
    without_long,
)
from toolkit.loaders.framing.lines import frame_lines
from toolkit.loaders.scanner import count_line_ends

HEAD_BYTES = 1 << 16
"""Bytes of a source from which its container is detected."""

BOM = b"\xef\xbb\xbf"
"""Byte order mark of UTF-8, which may precede a source."""
_LEAD = re.compile(rb"(?:[ \t\r\n]*\[DONE\](?=[ \t\r\n]|\Z))*[ \t\r\n]*")
_HTTP = re.compile(rb"HTTP/[^\r\n]*[\r\n](?:.*[\r\n])?(?:data|event|id|retry):", re.S)
_KEY_ON_NEXT_LINE = re.compile(rb'^\{[ \t\r]*\n[ \t\r\n]*"', re.M)

_Framer = Callable[[Iterator[bytes], int, int], Iterator[Frames]]


def frame(blocks: Iterable[bytes], max_bytes: int = LIMITS.record_bytes) -> Iterator[Frames]:
    r"""Split a source into frames, normally one per JSON value.

    The container is detected from the first 64 KiB:

    - *events* (SSE) if the first line is a field or a comment. Lines end in ``\n``, ``\r\n`` or
      ``\r``; the data lines of an event are joined with ``\n``; an event that is open at the end of
      the source counts too. For dumps without blank lines, an event ends before a data line if the
      event is complete, or if the line begins with ``{`` where no JSON value can begin (in a stream
      without any blank line: if the line is a complete object). Bare JSON is a frame.
    - *documents* if JSON values span lines, one after the other, and for top-level arrays, of which
      each element is a frame. An array that is never closed ends in a frame without text, so that
      the cut is reported.
    - *cassettes* (YAML of VCR) if the first key is ``interactions``.
    - *lines* (JSONL) otherwise: one frame per line, whatever its content.

    A document that is never closed includes all text after it, unless something proves that it is
    broken: a newline inside a string, or a line that begins with ``{`` in column 0 where no JSON
    value can begin. Framing then resumes at the next line that begins with ``{``, in column 0 or
    with the indentation of the broken document.

    Parameters
    ----------
    blocks : iterable of bytes
        The decompressed source, cut anywhere.
    max_bytes : int
        Bytes of the source from the first to the last byte of a frame; longer frames have no text.

    Yields
    ------
    Frames
        A few per block, and more of a block of very many frames. Memory is bounded by the size of
        a few frames, and by about `MOST_FRAMES` frames.

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
    skipped = len(BOM) if head.startswith(BOM) else 0
    framer = _container(head[skipped:HEAD_BYTES], whole)
    if head:
        parts: Iterator[bytes] = chain([head[skipped:]], feed)
        if framer is not frame_documents:  # whose values have many lines
            parts = (piece for block in parts for piece in _pieces(block))
        for frames in framer(parts, skipped, max_bytes):
            yield without_long(frames, max_bytes)
    if feed.fault is not None:
        raise feed.fault


def is_lines(head: bytes, whole: bool) -> bool:
    """Return whether the first bytes of a source are of JSON lines; `whole`: they are all."""
    return _container(head.removeprefix(BOM)[:HEAD_BYTES], whole) is frame_lines


class _Feed:
    """Iterates over blocks up to an error of the source, which is kept in `fault`."""

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
        """Return at least `HEAD_BYTES` bytes and False, or all bytes of the source and True."""
        held: list[bytes] = []
        size = 0
        for block in self:
            held.append(block)
            size += len(block)
            if size >= HEAD_BYTES:
                return b"".join(held), False
        return b"".join(held), True


def _pieces(block: bytes) -> Iterator[bytes]:
    """Cut a block of very many lines, because a frame takes a hundred bytes and more."""
    if count_line_ends(block) <= MOST_FRAMES:
        yield block
        return
    half = block.rfind(b"\n", 0, len(block) // 2) + 1 or len(block) // 2
    yield from _pieces(block[:half])
    yield from _pieces(block[half:])


# Which container


def _container(head: bytes, whole: bool) -> _Framer:
    """Return the framer for the container that the head shows; `whole`: it is the whole source."""
    lead = _LEAD.match(head)
    at = lead.end() if lead else 0
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
    """Return whether objects span lines; otherwise there is one per line, and some are broken."""
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
    # The first object is broken, or longer than the head: the other lines decide.
    if not whole and lines[-1].startswith(b"{"):
        return False
    others = [line for line in full[1:] if line.strip(SPACE)]
    return bool(others) and not any(line.startswith(b"{") and balance(line) == 0 for line in others)
