"""Lay out tokens as running text: boxes of runs, in lines of a given width."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from toolkit.plot._glyphs import Run, run_width

GAP = 1.0  # points between two tokens
PAD = 1.2  # points inside a box, left and right


class Box(NamedTuple):
    """A token, or the part of it that is on one line.

    Attributes
    ----------
    token : int
        Index among the tokens that were laid out.
    line : int
    x, width : float
        In points.
    runs : list of (Run, float)
        The runs with the x of each, in points.
    """

    token: int
    line: int
    x: float
    width: float
    runs: list[tuple[Run, float]]


def flow(tokens: Iterable[tuple[list[Run], bool]], width: float) -> list[Box]:
    """Place tokens from left to right, in as many lines as they need.

    Parameters
    ----------
    tokens : iterable of (list of Run, bool)
        The runs of each token, and whether it ends the line.
    width : float
        Width of a line, in points. A wider token is split.

    Returns
    -------
    list of Box
        In the order of the tokens; a token that is split has several.
    """
    boxes: list[Box] = []
    line, x = 0, 0.0
    for number, (token, ends_line) in enumerate(tokens):
        for part in _split(token, width - 2 * PAD):
            extent = sum(w for _, w in part) + 2 * PAD
            if x > 0 and x + extent > width:
                line, x = line + 1, 0.0
            placed, at = [], x + PAD
            for run, w in part:
                placed.append((run, at))
                at += w
            boxes.append(Box(number, line, x, extent, placed))
            x += extent + GAP
        if ends_line:
            line, x = line + 1, 0.0
    return boxes


def _split(token: list[Run], most: float) -> list[list[tuple[Run, float]]]:
    """Cut a token into parts that fit on a line, normally one."""
    measured = [(run, run_width(run)) for run in token]
    if sum(w for _, w in measured) <= most:
        return [measured]
    parts: list[list[tuple[Run, float]]] = [[]]
    room = most
    for run in token:
        for char in run.text:
            piece = run._replace(text=char)
            w = run_width(piece)
            if w > room and parts[-1]:
                parts.append([])
                room = most
            if parts[-1] and parts[-1][-1][0][1:] == piece[1:]:
                piece = piece._replace(text=parts[-1][-1][0].text + char)
                grown = run_width(piece)
                room -= grown - parts[-1][-1][1]
                parts[-1][-1] = (piece, grown)
            else:
                parts[-1].append((piece, w))
                room -= w
    return parts
