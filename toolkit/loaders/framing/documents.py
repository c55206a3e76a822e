"""Frame JSON documents and the elements of top-level arrays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from toolkit.loaders.framing import frames
from toolkit.loaders.framing.brackets import (
    OPEN_BRACE,
    Structure,
    ends_in_escape,
    structure,
)
from toolkit.loaders.framing.frames import (
    NEWLINE,
    SPACE,
    FrameBuilder,
    Frames,
    Position,
    awaits_value,
    masked,
)
from toolkit.loaders.scanner import FoundDocuments, find_documents

_LITTLE = 256  # bytes that are consumed before simple values are looked for again
_AFTER_FAULT = 256  # bytes that are scanned after a fault, and twice as many each time without one


def frame_documents(blocks: Iterator[bytes], skipped: int, max_bytes: int) -> Iterator[Frames]:
    """Frame documents and the elements of top-level arrays.

    Parameters
    ----------
    blocks : iterator of bytes
    skipped : int
        Bytes of the source before the blocks.
    max_bytes : int
        Bytes of a value; the text of a longer one is not kept.
    """
    documents = _Documents(skipped, max_bytes)
    for block in blocks:
        documents.builder.bytes += len(block)
        yield from documents.take(block)
    documents.finish()
    yield from documents.builder.flush(documents.line)


class _Documents:
    """Turns JSON documents, and the elements of top-level arrays, into frames.

    Text is consumed piece by piece: `parts` has the open value or, between values, the gap since
    the last one. `level` is the depth at which values are frames: 1 in a top-level array.
    """

    def __init__(self, skipped: int, max_bytes: int) -> None:
        self.builder = FrameBuilder(skipped)
        self.max_bytes = max_bytes
        self.pending = b""  # text that can be scanned only together with the text after it
        self.line, self.offset = 1, skipped  # of the next byte to consume
        self.parts: list[bytes] = []
        self.start_line, self.start = 1, skipped  # line and offset of `parts`
        self.long_gap = frames.WINDOW  # bytes above which a gap is framed before it ends
        self.array: Position | None = None  # of the open top-level array
        self.depth = 0
        self.quoted = False  # inside a string
        self.is_open = False  # inside a value
        self.is_lost = False  # in broken text, until the next line that begins like the last value
        self.follows_value = False  # in an array: whether a value precedes the gap
        self.indent = b""  # whitespace before the value on its line
        self.last = b""  # last consumed byte that is not whitespace
        self.ends_line = True  # whether the last consumed byte is a newline

    @property
    def level(self) -> int:
        """Depth at which values are frames."""
        return 0 if self.array is None else 1

    def take(self, block: bytes) -> Iterator[Frames]:
        """Take the next block of the source, and yield its frames."""
        at, size = 0, _LITTLE
        while at < len(block) and (after := self._take_simple(block, at)) < len(block):
            # Where little is simple, more is scanned here before the simple is looked for again.
            size = _LITTLE if after - at > size else min(2 * size, frames.WINDOW)
            at = after + size
            self.consume(block[after:at])
            if self.builder.is_full:
                yield from self.builder.flush(self.line)
        yield from self.builder.flush(self.line)

    def _take_simple(self, block: bytes, at: int) -> int:
        """Frame the simple values from a position on, and return the position after them.

        The state there is inside a value, or where a gap begins.
        """
        is_inside_gap = not self.is_open and self.offset > self.start
        if self.is_lost or self.pending or is_inside_gap:
            return at
        found = find_documents(
            block, at, len(block) - ends_in_escape(block), line=self.line, depth=self.depth,
            in_array=self.array is not None, is_open=self.is_open, quoted=self.quoted,
            follows_value=self.follows_value, ends_line=self.ends_line, max_bytes=self.max_bytes,
            most=frames.MOST_FRAMES,
        )  # fmt: skip
        if found is None or found.end == at:
            return at
        origin = self.offset - at
        starts, stops, lines = found[:3]
        if self.is_open and len(stops):
            self._advance(block[at : stops[0]], 0)  # the line is that of `found`
            self._add_parts(b"")
            starts, stops, lines = starts[1:], stops[1:], lines[1:]
            self.is_open = False
        self.builder.add_parts(block, starts, stops, lines, origin)
        self._continue(block, found, origin)
        return found.end

    def _continue(self, block: bytes, found: FoundDocuments, origin: int) -> None:
        """Take over the state after simple values; `origin`: offset of the block."""
        self.depth, self.quoted = found.depth, found.quoted
        if found.indent >= 0:
            self.indent = block[found.indent : found.indent_stop]
        if not found.in_array:
            self.array = None
        elif found.array >= 0:
            line = found.line - block.count(b"\n", found.array, found.at)
            self.array = Position(line, origin + found.array)
        if not self.is_open:
            self.line, self.offset = found.line, origin + found.at
            self._begin()
            self.follows_value = found.follows_value
            self.last, self.ends_line = block[found.at - 1 : found.at], False
            self.is_open = found.is_open
        self._advance(block[found.at : found.end], found.end_line - found.line)

    def consume(self, text: bytes, *, final: bool = False) -> None:
        """Consume the next text of the source; `final`: it is the last."""
        text = self.pending + text
        start, size = 0, len(text)
        while start < len(text):
            piece = text[start : start + size]
            is_last = start + len(piece) == len(text)
            step = self._resync if self.is_lost else self._scan
            n = step(piece, final and is_last)
            if n is None and is_last:
                break
            # After a fault the rest is scanned again, so little at first: faults may be many.
            size = 2 * size if n is None or n == len(piece) else _AFTER_FAULT
            start += n or 0
        self.pending = text[start:]

    def finish(self) -> None:
        """Frame the rest at the end of the source."""
        self.consume(b"", final=True)
        if self.is_lost or self.is_open:
            self._cut_off()
        else:
            self._end_gap("source")

    def _advance(self, piece: bytes, n_lines: int | None = None) -> None:
        """Consume the next piece of the parts; `n_lines`: its newlines, if they were counted."""
        if piece:
            self.parts.append(piece)
            self.offset += len(piece)
            if self.is_long:
                self.parts = []
            self.line += piece.count(b"\n") if n_lines is None else n_lines
            self.ends_line = piece.endswith(b"\n")
            near = piece[-_LITTLE:].rstrip(SPACE) or piece.rstrip(SPACE)
            self.last = near[-1:] or self.last

    @property
    def is_long(self) -> bool:
        """Whether the parts are too long to be kept."""
        return self.offset - self.start > self.max_bytes

    def _begin(self) -> None:
        self.parts = []
        self.start_line, self.start = self.line, self.offset
        self.long_gap = frames.WINDOW

    def _scan(self, text: bytes, final: bool) -> int | None:
        """Consume text up to a fault or its end, and return its length; None if it is too short."""
        if not final and ends_in_escape(text):
            text = text[:-1]
            if not text:
                return None
        found = structure(text, self.depth, self.quoted)
        taken = 0
        for at, before, after in self._turns(text, found):
            if before > self.level + (after < before):
                if self._is_impossible(text, at, opens=after > before):
                    self._advance(text[taken:at])
                    self._cut_off()
                    self.indent = b""
                    return at
                continue
            if before == after:  # closes nothing: part of the gap
                continue
            self._advance(text[taken:at])
            self._turn(text[at : at + 1], opens=after > before, leaves=before == self.level)
            taken = at + 1
        self._advance(text[taken : found.broken])
        self.is_lost = found.broken < len(text)
        self.quoted = found.quoted
        if len(found.after):
            self.depth = int(found.after[-1])
        is_due = self.is_lost or self.offset - self.start > self.long_gap
        if self.array and not self.is_open and not self.is_long and is_due:
            self._drain_gap()
        return found.broken

    def _turns(self, text: bytes, found: Structure) -> Iterator[tuple[int, int, int]]:
        """Yield the brackets near depth 0, and those that begin a line, with their depths."""
        array = np.frombuffer(text, np.uint8)
        at = found.positions
        begins_line = np.where(at > 0, array[at - 1] == NEWLINE, self.ends_line)
        chosen = np.minimum(found.before, found.after) <= 1
        chosen |= begins_line & (array[at] == OPEN_BRACE)
        chosen &= at < found.broken
        columns = (at[chosen], found.before[chosen], found.after[chosen])
        return zip(*(column.tolist() for column in columns), strict=True)

    def _is_impossible(self, text: bytes, at: int, *, opens: bool) -> bool:
        """Return whether a bracket in a value begins an object in column 0 where none can be."""
        if not opens or text[at] != OPEN_BRACE:
            return False
        if not (text.startswith(b"\n", at - 1) if at else self.ends_line):
            return False
        near = text[max(at - _AFTER_FAULT, 0) : at].rstrip(SPACE)
        return not awaits_value(near or text[:at].rstrip(SPACE)[-1:] or self.last)

    def _turn(self, bracket: bytes, *, opens: bool, leaves: bool) -> None:
        """Consume a bracket that opens a value or array, closes a value, or leaves the array."""
        if opens:
            self._end_gap("value")
            self._begin()
            if bracket == b"[" and self.array is None:
                self.array = Position(self.line, self.offset)
                self._advance(bracket)
                self._begin_gap(follows_value=False)
            else:
                self.is_open = True
                self._advance(bracket)
        elif leaves and self.array is not None:
            gap = b"".join(self.parts)
            if not self.follows_value and not self.is_long and not gap.strip(SPACE):
                self._add(b"[" + gap + bracket, *self.array, b"")
            else:
                self._end_gap("array")
                if (
                    bracket != b"]"
                ):  # a surplus bracket of an earlier value, for the decoder to reject
                    self.builder.add(bracket, self.line, self.offset, 1)
            self.array = None
            self._advance(bracket)
            self._begin_gap(follows_value=False)
        else:
            self._advance(bracket)
            self._add_parts(b"")
            self.is_open = False
            self._begin_gap(follows_value=True)

    def _begin_gap(self, *, follows_value: bool) -> None:
        self._begin()
        self.follows_value = follows_value
        if not follows_value:
            self.indent = b""

    def _add_parts(self, strip: bytes) -> None:
        """Frame the parts, stripped of some bytes; without text if they are too long."""
        if self.is_long:
            self.builder.add(b"", self.start_line, self.start, self.offset - self.start)
        else:
            self._add(b"".join(self.parts), self.start_line, self.start, strip)

    def _add(self, text: bytes, line: int, offset: int, strip: bytes) -> None:
        """Frame a text that begins at a position, stripped of some bytes."""
        lead = len(text) - len(text.lstrip(strip))
        body = text.strip(strip)
        self.builder.add(body, line + text.count(b"\n", 0, lead), offset + lead, len(body))

    def _end_gap(self, ending: str) -> None:
        """Frame the text between values: scalars, garbage, and nothing between commas.

        The gap ends at a ``"value"``, or at the end of the ``"array"`` or of the ``"source"``.
        """
        if self.is_long:
            self._add_parts(SPACE)
            return
        text = b"".join(self.parts)
        bare = text.strip(SPACE)
        if ending == "value" and b"\n" in text:
            before = text[text.rindex(b"\n") + 1 :]
            self.indent = b"" if before.strip(SPACE) else before
        if self.array is None:
            if bare.strip(SPACE + b","):
                self._add(text, self.start_line, self.start, SPACE + b",")
        elif ending == "array" and text == b"DONE" and not self.follows_value:
            self.builder.add_done()
        elif ending != "value" or bare != (b"," if self.follows_value else b""):
            self._end_pieces(text, ending)

    def _end_pieces(self, text: bytes, ending: str) -> None:
        """Frame the pieces between the commas of a gap in an array."""
        pieces = _split_at_commas(text)
        line, offset = self.start_line, self.start
        for i, piece in enumerate(pieces):
            may_be_empty = i == len(pieces) - 1 and ending == "value"
            if i == 0 and self.follows_value and (len(pieces) > 1 or ending != "source"):
                may_be_empty = True
            if not may_be_empty or piece.strip(SPACE):
                self._add(piece, line, offset, SPACE)
            offset += len(piece) + 1
            line += piece.count(b"\n")

    def _drain_gap(self) -> None:
        """Frame the scalars of an unfinished gap up to its last comma."""
        text = b"".join(self.parts)
        rest = len(_split_at_commas(text)[-1]) + 1
        if rest <= len(text):
            self._end_pieces(text[:-rest], "comma")
            if b"\n" in text[:-rest]:
                self.indent = b""  # a value on this line would follow a comma
            self.parts = [text[-rest:]]
            self.start = self.offset - rest
            self.start_line = self.line - self.parts[0].count(b"\n")
            self.follows_value = True
        # The next time is later for a long scalar, so that it is not joined again at each window.
        self.long_gap = frames.WINDOW + 2 * rest

    def _resync(self, text: bytes, final: bool) -> int | None:
        """Consume broken text up to the next line that begins as its value did."""
        pattern = b"\n" + self.indent + b"{"
        found = text.find(pattern)
        if found < 0:
            n = len(text) if final else len(text) - len(pattern) + 1
            self._advance(text[: max(n, 0)])
            return n if n > 0 else None
        at = found + len(pattern) - 1
        self._advance(text[:at])
        self._cut_off()
        return at

    def _cut_off(self) -> None:
        """Frame a value that is not closed, and continue as after a value."""
        self._add_parts(SPACE + b",")
        self._begin()
        self.depth, self.quoted = self.level, False
        self.is_open = self.is_lost = self.follows_value = False


def _split_at_commas(text: bytes) -> list[bytes]:
    """Split a text at its commas outside strings."""
    segments = masked(text).split(b'"')
    segments[1::2] = [segment.replace(b",", b"_") for segment in segments[1::2]]
    commas = re.finditer(b",", b'"'.join(segments))
    bounds = [-1, *(comma.start() for comma in commas), len(text)]
    return [text[start + 1 : stop] for start, stop in pairwise(bounds)]
