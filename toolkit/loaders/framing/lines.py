"""JSON lines to frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from toolkit.loaders.framing.frames import DONE, FIELD, NEWLINE, SPACE, Counts, Frames, passed_over
from toolkit.loaders.scanner import find_lines

_RETURN = b"\r"[0]
_OPEN_BRACKET, _BRACE = b"[{"


def frame_lines(blocks: Iterator[bytes], skipped: int, most: int) -> Iterator[Frames]:
    """Frame JSON lines; `skipped` bytes came before the blocks.

    Lines are framed where they stand; only one that goes over the end of a block is copied, if it
    has no more than `most` bytes.
    """
    held = _Held(most)
    line, offset, seen = 1, skipped, skipped
    for block in blocks:
        seen += len(block)
        end = block.rfind(b"\n") + 1
        if not end:
            held.add(block)
            continue
        start = block.index(b"\n") + 1 if held.bytes else 0
        if held.bytes:
            held.add(block[:start])
            yield held.framed(line, offset, 0)
            line, offset = line + 1, offset + held.bytes
            held = _Held(most)
        frames, n = _framed_lines(block, start, end, (line, offset), seen, most)
        yield frames
        line, offset, seen = line + n, offset + end - start, 0
        held.add(block[end:])
    if held.bytes or seen:
        yield held.framed(line, offset, seen)


class _Held:
    """A line that goes over the end of a block; of one that is too long only the length."""

    def __init__(self, most: int) -> None:
        self.bytes = 0
        self._most = most
        self._pieces: list[bytes] = []
        self._end = b""

    def add(self, piece: bytes) -> None:
        """Take more of the line."""
        self.bytes += len(piece)
        self._end = (self._end + piece[-2:])[-2:]
        self._pieces.append(piece)
        if self._is_too_long():
            self._pieces = []

    def _is_too_long(self) -> bool:
        return self.bytes - len(self._end) > self._most

    def framed(self, line: int, offset: int, seen: int) -> Frames:
        """Frame the line, with its end if it has one."""
        if self._is_too_long():
            ending = len(self._end) - len(self._end.rstrip(b"\r\n"))
            return passed_over(line, offset, self.bytes - ending, seen)
        text = b"".join(self._pieces)
        return _framed_lines(text, 0, len(text), (line, offset), seen, self._most)[0]


def _lines(text: bytes, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64], bool]:
    """Find the lines of a part of a text.

    Returns
    -------
    starts, stops : int64 array
        Of the lines, without their ends.
    usual : bool
        Whether each begins as JSON lines do.
    """
    found = find_lines(text, start, stop)
    return _lines_by_numpy(text, start, stop) if found is None else found


def _lines_by_numpy(
    text: bytes, start: int, stop: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], bool]:
    array = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(array[start:stop] == NEWLINE) + start
    if start < stop and text[stop - 1] != NEWLINE:
        ends = np.append(ends, stop)
    starts = np.concatenate([[start], ends[:-1] + 1])[: len(ends)]
    stops = ends - ((ends > starts) & (array[ends - 1] == _RETURN))
    return starts, stops, all(_are_usual(array, starts, stops))


def _are_usual(
    array: NDArray[np.uint8], starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tell which lines begin with an object, or an array that is no [DONE]."""
    first, second = array[starts % len(array)], array[(starts + 1) % len(array)]
    array_begins = (first == _OPEN_BRACKET) & ((stops - starts < 2) | (second != DONE[1]))
    return (starts < stops) & ((first == _BRACE) | array_begins)


def _framed_lines(
    text: bytes, start: int, stop: int, at: tuple[int, int], seen: int, most: int
) -> tuple[Frames, int]:
    """Frame the whole lines of a part of a text (the last may lack its end).

    Parameters
    ----------
    text : bytes
    start, stop : int
        The part.
    at : (int, int)
        Line and offset in the source at which the part begins.
    seen : int
        Bytes to be counted.
    most : int
        Bytes of a line that is looked at; a longer one is a frame, whatever is on it.

    Returns
    -------
    frames : Frames
    n_lines : int
    """
    line, offset = at
    starts, stops, usual = _lines(text, start, stop)
    n = len(starts)
    lines = np.arange(line, line + n)
    if usual:
        counts = Counts(0, 0, 0, 0, seen)
        none = np.empty(0, np.int64)
        spans = (lines, starts + (offset - start), stops - starts, none, counts)
        return Frames(text, starts, stops, *spans), n
    starts = starts.copy()
    keep = _are_usual(np.frombuffer(text, np.uint8), starts, stops) | (stops - starts > most)
    kinds: dict[str, list[int]] = {"blank": [], "done": [], "comment": [], "control": []}
    for i in np.flatnonzero(~keep).tolist():
        kind, skip = _classified(text[starts[i] : stops[i]])
        if kind == "frame":
            keep[i] = True
            starts[i] += skip
        else:
            kinds[kind].append(i)
    breaks = np.cumsum(keep)[np.array(kinds["done"], np.int64)]
    counts = Counts(*(len(found) for found in kinds.values()), seen)
    starts, stops, lines = starts[keep], stops[keep], lines[keep]
    spans = (lines, starts + (offset - start), stops - starts, breaks, counts)
    return Frames(text, starts, stops, *spans), n


def _classified(line: bytes) -> tuple[str, int]:
    """Return what a line among JSON lines is and, of a frame, how many bytes precede it."""
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
        return "comment", 0
    return ("control", 0) if FIELD.match(text) else ("frame", 0)
