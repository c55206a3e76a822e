"""Frame JSON lines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from toolkit.loaders.framing.frames import (
    DONE,
    FIELD,
    NEWLINE,
    SPACE,
    Counts,
    Frames,
    Position,
    too_long_frame,
)
from toolkit.loaders.scanner import find_lines

_RETURN = b"\r"[0]
_OPEN_BRACKET, _BRACE = b"[{"


def frame_lines(blocks: Iterator[bytes], skipped: int, max_bytes: int) -> Iterator[Frames]:
    """Frame JSON lines.

    Frames refer to the block that they are in; only a line that spans blocks is copied, if it has
    at most `max_bytes` bytes.

    Parameters
    ----------
    blocks : iterator of bytes
    skipped : int
        Bytes of the source before the blocks.
    max_bytes : int
        Bytes of a frame; longer ones have no text.
    """
    partial = PartialLine(max_bytes)
    position, n_bytes = Position(1, skipped), skipped
    for block in blocks:
        n_bytes += len(block)
        end = block.rfind(b"\n") + 1
        if not end:
            partial.add(block)
            continue
        start = block.index(b"\n") + 1 if partial.bytes else 0
        if partial.bytes:
            partial.add(block[:start])
            yield partial.framed(position, 0)
            position = Position(position.line + 1, position.offset + partial.bytes)
            partial = PartialLine(max_bytes)
        frames, n_lines = framed_lines(block, start, end, position, n_bytes, max_bytes)
        yield frames
        position = Position(position.line + n_lines, position.offset + end - start)
        n_bytes = 0
        partial.add(block[end:])
    if partial.bytes or n_bytes:
        yield partial.framed(position, n_bytes)


class PartialLine:
    """A line that spans blocks; if it is too long, only its length is kept."""

    def __init__(self, max_bytes: int) -> None:
        self.bytes = 0
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._end = b""

    def add(self, piece: bytes) -> None:
        """Add the next piece of the line."""
        self.bytes += len(piece)
        self._end = (self._end + piece[-2:])[-2:]
        self._pieces.append(piece)
        if self._is_too_long():
            self._pieces = []

    def _is_too_long(self) -> bool:
        return self.bytes - len(self._end) > self._max_bytes

    def framed(self, position: Position, n_bytes: int) -> Frames:
        """Frame the line, which may have a line end."""
        if self._is_too_long():
            ending = len(self._end) - len(self._end.rstrip(b"\r\n"))
            end_line = position.line + self._end.endswith(b"\n")
            return too_long_frame(position, self.bytes - ending, n_bytes, end_line)
        text = b"".join(self._pieces)
        return framed_lines(text, 0, len(text), position, n_bytes, self._max_bytes)[0]


# Starts and stops of lines, without their ends, and whether all of them begin as JSON lines do.
_Lines = tuple[NDArray[np.int64], NDArray[np.int64], bool]


def _lines(text: bytes, start: int, stop: int) -> _Lines:
    found = find_lines(text, start, stop)
    return _lines_by_numpy(text, start, stop) if found is None else found


def _lines_by_numpy(text: bytes, start: int, stop: int) -> _Lines:
    array = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(array[start:stop] == NEWLINE) + start
    if start < stop and text[stop - 1] != NEWLINE:
        ends = np.append(ends, stop)
    starts = np.concatenate([[start], ends[:-1] + 1])[: len(ends)]
    stops = ends - ((ends > starts) & (array[ends - 1] == _RETURN))
    return starts, stops, bool(_are_usual(array, starts, stops).all())


def _are_usual(
    array: NDArray[np.uint8], starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which lines begin with an object, or an array that is not [DONE]."""
    first, second = array[starts % len(array)], array[(starts + 1) % len(array)]
    array_begins = (first == _OPEN_BRACKET) & ((stops - starts < 2) | (second != DONE[1]))
    return (starts < stops) & ((first == _BRACE) | array_begins)


def framed_lines(
    text: bytes,
    start: int,
    stop: int,
    position: Position,
    n_bytes: int,
    max_bytes: int,
) -> tuple[Frames, int]:
    """Frame the lines of a part of a text; the last one may lack its line end.

    Parameters
    ----------
    text : bytes
    start, stop : int
        The part.
    position : Position
        Position in the source at which the part begins.
    n_bytes : int
        Bytes of the source to count.
    max_bytes : int
        A longer line becomes a frame whatever its content.

    Returns
    -------
    frames : Frames
    n_lines : int
    """
    starts, stops, usual = _lines(text, start, stop)
    n = len(starts)
    lines = np.arange(position.line, position.line + n, dtype=np.int64)
    end_line = position.line + n - (start < stop and text[stop - 1] != NEWLINE)
    moved = position.offset - start  # from the text to the source
    if usual:
        none, counts = np.empty(0, np.int64), Counts(0, 0, 0, 0, n_bytes)
        places = (lines, starts + moved, stops - starts)
        return Frames(text, starts, stops, *places, none, counts, end_line), n
    starts = starts.copy()
    keep = _are_usual(np.frombuffer(text, np.uint8), starts, stops) | (stops - starts > max_bytes)
    kinds: dict[str, list[int]] = {"blank": [], "done": [], "comments": [], "control": []}
    for i in np.flatnonzero(~keep).tolist():
        kind, skip = _classified(bytes(text[starts[i] : stops[i]]))
        if kind == "frame":
            keep[i] = True
            starts[i] += skip
        else:
            kinds[kind].append(i)
    breaks = np.cumsum(keep, dtype=np.int64)[np.array(kinds["done"], np.int64)]
    counts = Counts(**{kind: len(found) for kind, found in kinds.items()}, bytes=n_bytes)
    starts, stops, lines = starts[keep], stops[keep], lines[keep]
    places = (lines, starts + moved, stops - starts)
    return Frames(text, starts, stops, *places, breaks, counts, end_line), n


def _classified(line: bytes) -> tuple[str, int]:
    """Return the kind of a line among JSON lines and, of a frame, the bytes before its text."""
    text = line.strip(SPACE)
    if not text:
        return "blank", 0
    if text.startswith(b"data:"):
        payload = text[5:].strip(SPACE)
        if payload == DONE:
            return "done", 0
        colon = line.index(b":")
        skip = colon + 2 if line[colon + 1 : colon + 2] == b" " else colon + 1
        return ("frame", skip) if payload else ("control", 0)
    if text == DONE:
        return "done", 0
    if text.startswith(b":"):
        return "comments", 0
    return ("control", 0) if FIELD.match(text) else ("frame", 0)
