"""JSON lines to frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from toolkit.framing.base import DONE, FIELD, NEWLINE, SPACE, Counts, Frames

try:
    from toolkit import _scan
except ImportError:  # no compiler was at hand
    _scan = None

_RETURN = b"\r"[0]
_OPEN_BRACKET, _BRACE = b"[{"


def frame_lines(blocks: Iterator[bytes], skipped: int) -> Iterator[Frames]:
    """Frame JSON lines; `skipped` bytes came before the blocks.

    Lines are framed where they stand; only one that goes over the end of a block is copied.
    """
    held: list[bytes] = []
    line, offset, seen = 1, skipped, skipped
    for block in blocks:
        seen += len(block)
        end = block.rfind(b"\n") + 1
        if not end:
            held.append(block)
            continue
        start = block.index(b"\n") + 1 if held else 0
        if held:
            text = b"".join([*held, block[:start]])
            frames, n = _framed_lines(text, 0, len(text), line, offset, 0)
            yield frames
            line, offset = line + n, offset + len(text)
        frames, n = _framed_lines(block, start, end, line, offset, seen)
        yield frames
        line, offset, seen = line + n, offset + end - start, 0
        held = [block[end:]] if end < len(block) else []
    rest = b"".join(held)
    if rest or seen:
        yield _framed_lines(rest, 0, len(rest), line, offset, seen)[0]


def _line_ends(text: bytes, start: int, stop: int) -> NDArray[np.int64]:
    if _scan is not None:
        return np.frombuffer(_scan.newlines(text, start, stop), np.int64)
    return np.flatnonzero(np.frombuffer(text, np.uint8)[start:stop] == NEWLINE) + start


def _framed_lines(
    text: bytes, start: int, stop: int, line: int, offset: int, seen: int
) -> tuple[Frames, int]:
    """Frame the whole lines of a part of a text (the last may lack its end).

    Parameters
    ----------
    text : bytes
    start, stop : int
        The part.
    line, offset : int
        Where the part begins in the source.
    seen : int
        Bytes to be counted.

    Returns
    -------
    frames : Frames
    n_lines : int
    """
    array = np.frombuffer(text, np.uint8)
    ends = _line_ends(text, start, stop)
    if start < stop and text[stop - 1] != NEWLINE:
        ends = np.append(ends, stop)
    starts = np.concatenate([[start], ends[:-1] + 1])[: len(ends)]
    stops = ends - ((ends > starts) & (array[ends - 1] == _RETURN))
    lines = np.arange(line, line + len(ends))
    first, second = array[starts], array[np.minimum(starts + 1, len(text) - 1)]
    usual = (first == _BRACE) | ((first == _OPEN_BRACKET) & (second != DONE[1]))
    if usual.all():
        counts = Counts(0, 0, 0, 0, seen)
        none = np.empty(0, np.int64)
        spans = (lines, starts + (offset - start), stops - starts, none, counts)
        return Frames(text, starts, stops, *spans), len(ends)
    keep = usual.copy()
    kinds: dict[str, list[int]] = {"blank": [], "done": [], "comment": [], "control": []}
    for i in np.flatnonzero(~usual).tolist():
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
    return Frames(text, starts, stops, *spans), len(ends)


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
