"""Style that all plots share: colours, titles, labels, legends, and plots without data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib import font_manager
from matplotlib.axis import YAxis
from matplotlib.transforms import ScaledTranslation, Transform

from toolkit.plot._axes import extent
from toolkit.plot._glyphs import font_file, text_width
from toolkit.visible_text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.text import Text

DARK, LIGHT, SECOND = "#00224e", "#a59c74", "#b58b00"  # of cividis
GUIDE, FAINT, ALERT = "#777777", "#555555", "#8a1538"  # reference lines; notes; unusable values
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000")
"""Okabe and Ito's colours without the yellows, which are too light on white."""
STROKES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
HATCHES = ("", "//", "..", "xx", "\\\\", "++")
MOST_SERIES = len(SERIES)
TITLE_SIZE = 11.0  # points
_LEGEND_SIZE = 9.0  # points
_HANDLE = 5 * _LEGEND_SIZE  # points: the handle of a legend's entry, and the gaps around it
_GAP = 6.0  # points between the label of the x axis and what is drawn below it


class _Readable(NamedTuple):
    """A text that can be drawn, and the font families that have its characters."""

    text: str
    families: list[str]


def _readable(content: str, most: int = 48) -> _Readable:
    """Write a text of the data on one line, clipped; code points replace what no font has."""
    known = {entry.fname: entry.name for entry in font_manager.fontManager.ttflist}
    families = ["DejaVu Sans"]
    shown = ""
    for char in plain(content, most):
        family = known.get(font_file(char) or "")
        if family is None:
            shown += f"⟨U+{ord(char):04X}⟩"
            continue
        shown += char
        if family not in families:
            families.append(family)
    return _Readable(shown, families)


def _write(text: Text, lines: Iterable[str], families: Iterable[str]) -> None:
    """Set a text that holds texts of the data; no formula is read in it."""
    text.set_parse_math(False)
    text.set_text("\n".join(lines))
    text.set_fontfamily(list(dict.fromkeys(families)))


def folded(parts: Iterable[str], joint: str, room: float, size: float) -> list[str]:
    """Join parts to as few lines as fit into `room`, a width in points."""
    lines: list[str] = []
    for part in parts:
        if lines and text_width(longer := lines[-1] + joint + part, size) <= room:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def title(ax: Axes, parts: Iterable[str | None], size: float = TITLE_SIZE) -> int:
    """Set the title, folded between its parts; return the number of lines.

    It is the title that `ax.set_title` replaces.
    """
    room = extent(ax).width
    most = min(48, max(16, int(room / (0.6 * size))))
    written = [_readable(part, most) for part in parts if part]
    lines = folded((part.text for part in written), " · ", room, size)
    families = [family for part in written for family in part.families]
    _write(ax.set_title("", fontsize=size), lines, families)
    return len(lines)


def axis_labels(ax: Axes, x: str, y: str | None = None) -> None:
    """Name the axes; a label longer than its axis is folded, first in front of a parenthesis."""
    size = float(ax.xaxis.label.get_fontsize())
    ax.set_xlabel(_label(x, 0.9 * extent(ax).width, size))
    if y is not None:
        ax.set_ylabel(_label(y, 0.8 * extent(ax).height, size))


def _label(content: str, room: float, size: float) -> str:
    phrases = folded(re.split(r" (?=\()", content), " ", room, size)
    lines = (line for phrase in phrases for line in folded(phrase.split(), " ", room, size))
    return "\n".join(lines)


def ticks(axis: Axis, names: Sequence[str], most: int = 28) -> None:
    """Name the places 0, 1, … of an axis by texts of the data."""
    written = [_readable(name, most) for name in names]
    axis.set_ticks(range(len(names)), [shown for shown, _ in written], parse_math=False)
    for label, (_, families) in zip(axis.get_ticklabels(), written, strict=True):
        label.set_fontfamily(families)
        if isinstance(axis, YAxis):
            label.set_fontsize(row_size(axis.axes, len(names), float(label.get_fontsize())))


def row_size(ax: Axes, rows: int, most: float) -> float:
    """Return the font size, up to `most` points, at which so many rows keep apart."""
    return min(most, 0.6 * extent(ax).height / rows)


def say(ax: Axes, sentence: str) -> Axes:
    """Write a sentence on axes that have nothing to draw."""
    ax.text(0.5, 0.5, sentence, ha="center", va="center", transform=ax.transAxes, color="#444444")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    return ax


def bare(ax: Axes) -> None:
    """Hide the frame above and to the right of the axes."""
    ax.spines[["top", "right"]].set_visible(False)


def below(ax: Axes) -> Transform:
    """Return axes coordinates whose origin is moved below the ticks and label of the x axis."""
    box = ax.xaxis.get_tightbbox()
    height = 0.0 if box is None else (ax.get_window_extent().y0 - box.y0) / ax.figure.dpi
    return ax.transAxes + ScaledTranslation(0, -height - _GAP / 72, ax.figure.dpi_scale_trans)


def legend_below(ax: Axes) -> None:
    """Draw the legend below the label of the x axis, in as many columns as the axes are wide."""
    handles, labels = ax.get_legend_handles_labels()
    written = [_readable(label) for label in labels]
    if not written:
        return
    widths = [text_width(shown, _LEGEND_SIZE) + _HANDLE for shown, _ in written]
    room = extent(ax).width
    fitting = (n for n in range(len(widths), 1, -1) if _columns_width(widths, n) <= room)
    legend = ax.legend(
        handles, [shown for shown, _ in written], loc="upper center", bbox_to_anchor=(0.5, 0.0),
        bbox_transform=below(ax), borderaxespad=0.0, ncols=next(fitting, 1), frameon=False,
        fontsize=_LEGEND_SIZE,
    )  # fmt: skip
    for text, (shown, families) in zip(legend.get_texts(), written, strict=True):
        _write(text, [shown], families)


def _columns_width(widths: Sequence[float], n: int) -> float:
    return sum(float(max(column)) for column in np.array_split(widths, n))
