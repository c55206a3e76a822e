"""JSON lines to frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from toolkit.framing.base import DONE, FIELD, NEWLINE, SPACE, Counts, Frames

_RETURN = b"\r"[0]
_OPEN_BRACKET, _BRACE = b"[{"


def frame_lines(blocks: Iterator[bytes], skipped: int) -> Iterator[Frames]:
    """Frame JSON lines; `skipped` bytes came before the blocks."""
    held: list[bytes] = []
    line, offset, seen = 1, skipped, skipped
    for block in blocks:
        seen += len(block)
        end = block.rfind(b"\n") + 1
        if not end:
            held.append(block)
            continue
        text = b"".join([*held, memoryview(block)[:end]])
        held = [block[end:]]
        frames, n = _framed_lines(text, line, offset, seen)
        yield frames
        line, offset, seen = line + n, offset + len(text), 0
    rest = b"".join(held)
    if rest or seen:
        yield _framed_lines(rest, line, offset, seen)[0]


def _framed_lines(text: bytes, line: int, offset: int, seen: int) -> tuple[Frames, int]:
    """Frame whole lines (the last may lack its end); also return how many there are."""
    array = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(array == NEWLINE)
    if text and not text.endswith(b"\n"):
        ends = np.append(ends, len(text))
    starts = np.concatenate([[0], ends[:-1] + 1])[: len(ends)]
    stops = ends - ((ends > starts) & (array[ends - 1] == _RETURN))
    lines = np.arange(line, line + len(ends))
    first, second = array[starts], array[np.minimum(starts + 1, len(text) - 1)]
    usual = (first == _BRACE) | ((first == _OPEN_BRACKET) & (second != DONE[1]))
    if usual.all():
        counts = Counts(0, 0, 0, 0, seen)
        none = np.empty(0, np.int64)
        spans = (lines, starts + offset, stops - starts, none, counts)
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
    spans = (lines, starts + offset, stops - starts, breaks, counts)
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
