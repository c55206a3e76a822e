"""What the plots of tables share: foreign texts, empty pictures, colours and strokes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from matplotlib import font_manager

from toolkit.plot._glyphs import font_file
from toolkit.visible_text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.text import Text

DARK, MIDDLE, LIGHT, SECOND = "#00224e", "#575d6d", "#a59c74", "#b58b00"  # of cividis
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000")
"""Okabe and Ito's colours without the yellows, which vanish on white."""
STROKES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
HATCHES = ("", "//", "..", "xx", "\\\\", "++")
MOST_SERIES = len(SERIES)


def readable(content: str, most: int = 48) -> tuple[str, list[str]]:
    """Return a text of the data on one line, clipped, and the font families that have it.

    A character that no font has is written as its code point.
    """
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
    return shown, families


def write(text: Text, content: str, most: int = 48) -> None:
    """Set a text of the data; no formula is read in it."""
    shown, families = readable(content, most)
    text.set_parse_math(False)
    text.set_text(shown)
    text.set_fontfamily(families)


def title(ax: Axes, parts: Iterable[str | None]) -> None:
    """Say what is shown."""
    ax.set_title("", loc="left", fontsize=11)
    write(ax._left_title, " · ".join(part for part in parts if part), most=110)


def ticks(axis: Axis, places: Sequence[float], names: Sequence[str], most: int = 28) -> None:
    """Name places on an axis by texts of the data."""
    written = [readable(name, most) for name in names]
    axis.set_ticks(list(places), [shown for shown, _ in written], parse_math=False)
    for label, (_, families) in zip(axis.get_ticklabels(), written, strict=True):
        label.set_fontfamily(families)


def say(ax: Axes, sentence: str) -> Axes:
    """Put a sentence where there is nothing to draw."""
    ax.text(0.5, 0.5, sentence, ha="center", va="center", transform=ax.transAxes, color="#444444")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    return ax


def bare(ax: Axes) -> None:
    """Leave the frame out above and to the right."""
    ax.spines[["top", "right"]].set_visible(False)


def legend_below(ax: Axes, columns: int = 3, drop: float = -0.2) -> None:
    """Put the legend below the axes, where it covers no data."""
    legend = ax.legend(
        loc="upper center", bbox_to_anchor=(0.5, drop), ncols=columns, frameon=False, fontsize=9
    )
    for text in legend.get_texts():
        write(text, text.get_text())
