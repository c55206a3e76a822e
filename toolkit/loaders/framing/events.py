"""Frame server-sent events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from toolkit.loaders.framing.frames import (
    DONE,
    FIELD,
    SPACE,
    FrameBuilder,
    Frames,
    awaits_value,
    balance,
)
from toolkit.loaders.scanner import find_events

_LINE = re.compile(rb"[^\r\n]*+(?:\r?\n|\r(?!\Z))")  # a return may be followed by its newline
_TAIL = 1 << 10  # bytes that are kept of an event that is too long, to find its end


def frame_events(blocks: Iterator[bytes], skipped: int, max_bytes: int) -> Iterator[Frames]:
    """Frame the data of server-sent events.

    Parameters
    ----------
    blocks : iterator of bytes
    skipped : int
        Bytes of the source before the blocks.
    max_bytes : int
        Bytes of an event, or a line. Of a longer one, only what is needed to find its end is kept.
    """
    events = _Events(skipped, max_bytes)
    for block in blocks:
        events.builder.bytes += len(block)
        events.take(block)
        yield from events.builder.flush(events.end_line)
    events.finish()
    yield from events.builder.flush(events.end_line)


class _Events:
    """Turns the lines of an event stream into frames."""

    def __init__(self, skipped: int, max_bytes: int) -> None:
        self.builder = FrameBuilder(skipped)
        self.max_bytes = max_bytes
        self.held: list[bytes] = []  # pieces of the current line
        self.held_bytes = 0
        self.skipped = 0  # bytes of the current line, which is too long, that were skipped
        self.line = 0
        self.is_cut = False  # whether the source ended within a line
        self.offset = skipped
        self.parts: list[bytes] = []  # data lines of the open event, or lines of bare JSON
        self.bare = False
        self.has_blanks = False  # whether a blank line has ended an event
        # Where the open event may end: its parts before, line, offset, and the stop before that.
        self.splits: list[tuple[int, int, int, int]] = []
        self.start = self.stop = self.start_line = 0
        self.depth: int | None = 0  # open brackets after the first `measured` parts
        self.measured = 0

    @property
    def end_line(self) -> int:
        """The line after the last whole line."""
        return self.line + (not self.is_cut)

    def take(self, block: bytes) -> None:
        """Take the next block, of which the last line may continue in the block after it."""
        at = self._end_held(block) if self.held and block else 0
        while (at := self._take_simple(block, at)) < len(block):
            line = _LINE.match(block, at)
            if line is None:
                self._hold(block[at:])
                return
            self.add_line(line[0])
            at = line.end()

    def _take_simple(self, block: bytes, at: int) -> int:
        """Frame the simple events from a position on, and return the position after them."""
        if self.parts or self.skipped:
            return at
        found = find_events(block, at, self.line, self.max_bytes)
        if found is None:
            return at
        self.builder.add_parts(block, *found[:3], self.offset - at, found.breaks)
        self.builder.blank += found.blank
        self.builder.comments += found.comments
        self.builder.control += found.control
        self.has_blanks |= found.has_blanks
        self.line = found.line
        self.offset += found.at - at
        return found.at

    def _hold(self, piece: bytes) -> None:
        """Hold a piece of a line whose end is not known yet."""
        self.held.append(piece)
        self.held_bytes += len(piece)
        if self.held_bytes > self.max_bytes and not piece.endswith(b"\r"):
            self.skip(self._released())

    def _released(self) -> bytes:
        text = b"".join(self.held)
        self.held, self.held_bytes = [], 0
        return text

    def _end_held(self, block: bytes) -> int:
        """Add the line that is held, if it ends in the block, and return the position after it."""
        if self.held[-1].endswith(b"\r"):  # it may be followed by its newline
            end = int(block.startswith(b"\n"))
        else:
            line = _LINE.match(block)
            if line is None:
                self._hold(block)
                return len(block)
            end = line.end()
        self.add_line(self._released() + block[:end])
        return end

    def add_line(self, raw: bytes) -> None:
        """Add the next line with its line end."""
        self.line += 1
        if self.skipped:
            self._end_skipped(raw)
            return
        start = self.offset
        self.offset += len(raw)
        line = raw.rstrip(b"\r\n")
        if len(line) > self.max_bytes:
            self.dispatch()
            self.builder.add(b"", self.line, start, len(line))
        elif line.startswith(b"data:"):
            skip = 6 if line.startswith(b" ", 5) else 5
            self._data(line[skip:], start + skip, bare=False)
        elif not line:
            if self.parts:
                self.dispatch()
                self.has_blanks = True
            else:
                self.builder.blank += 1
        elif line.startswith(b":"):
            self.builder.comments += 1
        elif line.lstrip(SPACE).startswith((b"{", b"[")) or self._continues_bare(line):
            self._data(line, start, bare=True)
        else:
            self.builder.control += 1

    def skip(self, piece: bytes) -> None:
        """Skip a piece of a line that is too long to keep."""
        if not self.skipped:
            self.dispatch()
        self.skipped += len(piece)

    def _end_skipped(self, raw: bytes) -> None:
        """Frame a skipped line without its text, after its last piece."""
        length = self.skipped + len(raw)
        ending = len(raw) - len(raw.rstrip(b"\r\n"))
        self.builder.add(b"", self.line, self.offset, length - ending)
        self.offset += length
        self.skipped = 0

    def _data(self, payload: bytes, offset: int, *, bare: bool) -> None:
        text = payload.strip(SPACE)
        if text == DONE:
            self.dispatch()
            self.builder.add_done()
            return
        if not text:
            self.builder.control += 1
            return
        if self.parts and (bare != self.bare or self._ends_before(payload)):
            self.dispatch()
        elif self.parts and self._may_end_before(payload):
            self.splits.append((len(self.parts), self.line, offset, self.stop))
        if not self.parts:
            self.start, self.start_line, self.bare = offset, self.line, bare
        self.parts.append(payload)
        self.stop = offset + len(payload)
        if self.stop - self.start > self.max_bytes:
            self._pending_depth()
            self.parts = [self.parts[0].lstrip(SPACE)[:1], payload[-_TAIL:]]
            self.measured = 2
            self.splits = []
        if bare and self._pending_depth() == 0:
            self.dispatch()

    def _continues_bare(self, line: bytes) -> bool:
        """Return whether a line continues JSON that was written without ``data:``."""
        return self.bare and bool(self.parts and self._pending_depth()) and not FIELD.match(line)

    def _ends_before(self, payload: bytes) -> bool:
        """Return whether the open event ends before this data, without a blank line between."""
        depth = self._pending_depth()
        if depth is not None and depth <= 0:
            return self.parts[0].lstrip(SPACE).startswith((b"{", b"["))
        return payload.startswith(b"{") and (
            depth is None or not awaits_value(self.parts[-1].rstrip(SPACE))
        )

    def _may_end_before(self, payload: bytes) -> bool:
        """Return whether this data may be an event of its own, after one that was cut."""
        return not self.has_blanks and payload.startswith(b"{") and balance(payload) == 0

    def _pending_depth(self) -> int | None:
        """Return how many brackets the open event leaves open; None if a string is broken."""
        for part in self.parts[self.measured :]:
            more = balance(part)
            self.depth = None if more is None or self.depth is None else self.depth + more
        self.measured = len(self.parts)
        return self.depth

    def finish(self) -> None:
        """Frame the open event or line at the end of the source."""
        has_return = bool(self.held) and self.held[-1].endswith(b"\r")
        self.is_cut = bool(self.held or self.skipped) and not has_return
        if self.held:
            self.add_line(self._released())
        elif self.skipped:
            self.line += 1
            self._end_skipped(b"")
        self.dispatch()

    def dispatch(self) -> None:
        """Frame the open event, if there is one."""
        if self.parts:
            text = b"\n".join(self.parts)
            if not self.splits or _is_json(text):
                self.builder.add(text, self.start_line, self.start, self.stop - self.start)
            else:
                self._add_pieces()
        self.parts, self.splits = [], []
        self.depth, self.measured = 0, 0

    def _add_pieces(self) -> None:
        """Frame the pieces of data that is not one JSON value."""
        starts = [(0, self.start_line, self.start), *(split[:3] for split in self.splits)]
        ends = [*((split[0], split[3]) for split in self.splits), (len(self.parts), self.stop)]
        for (first, line, start), (last, stop) in zip(starts, ends, strict=True):
            self.builder.add(b"\n".join(self.parts[first:last]), line, start, stop - start)


def _is_json(text: bytes) -> bool:
    """Return whether a text is one JSON value."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
