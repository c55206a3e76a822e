"""Style that all plots share: colours, titles, labels, legends, and plots without data."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager
from matplotlib.axis import YAxis
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_hex, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.transforms import ScaledTranslation, Transform

from toolkit import arguments
from toolkit.palettes import ON_DARK, PALETTES, Shares, contrast, legible, readable_on
from toolkit.plot._axes import extent
from toolkit.plot._glyphs import font_file, text_width
from toolkit.visible_text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import SubFigure
    from matplotlib.text import Text

_ROLES = ("main", "light", "second", "guide", "faint", "alert")
_ON_LIGHT = ("#00224e", "#a59c74", "#b58b00", "#777777", "#555555", "#8a1538")
_ON_DARK = ("#7fb2ff", "#a59c74", "#e1cc55", "#999999", "#b4b4b4", "#ff8ab0")
_SERIES_ON_LIGHT = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000")
_SERIES_ON_DARK = ("#56b4e9", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#ffffff")
"""Okabe and Ito's colours without those that are too light, or too dark, for the ground."""
STROKES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
HATCHES = ("", "//", "..", "xx", "\\\\", "++")
MOST_SERIES = len(_SERIES_ON_LIGHT)
_TITLE_SIZE = 11.0  # points, unless a style sets another size
_TEXT, _SHAPE = 4.5, 3.0  # least contrast with the ground (WCAG 2)
_LEGEND_SIZE = 9.0  # points
_HANDLE = 5 * _LEGEND_SIZE  # points: the handle of a legend's entry, and the gaps around it
_JOINT = " · "  # between the parts of a title
_GAP = 6.0  # points between the label of the x axis and what is drawn below it


class Colours(NamedTuple):
    """Colours that have contrast on the ground of some axes, as hexadecimal.

    Attributes
    ----------
    ground, ink : str
        Of the axes, and of texts on it.
    main, light, second : str
        Of what is drawn, of what is drawn with less weight, and of what it is compared with.
    guide, faint, alert : str
        Of reference lines, notes and unusable values.
    series : tuple of str
        Of lines that are distinguished, at most six.
    is_dark : bool
    """

    ground: str
    ink: str
    main: str
    light: str
    second: str
    guide: str
    faint: str
    alert: str
    series: tuple[str, ...]
    is_dark: bool


def colours(ax: Axes) -> Colours:
    """Return the colours for some axes: those of the style sheet, if it has a cycle of its own."""
    ground = ground_of(ax)
    is_dark = readable_on(ground) == "white"
    roles = dict(zip(_ROLES, _ON_DARK if is_dark else _ON_LIGHT, strict=True))
    series: Sequence[str] = _SERIES_ON_DARK if is_dark else _SERIES_ON_LIGHT
    cycle = mpl.rcParams["axes.prop_cycle"]
    if cycle != mpl.rcParamsDefault["axes.prop_cycle"] and "color" in cycle.keys:
        series = cycle.by_key()["color"]
        roles |= zip(("main", "second", "light"), itertools.cycle(series), strict=False)

    def readable(colour: Any, least: float) -> str:
        return to_hex(legible(to_rgb(colour), ground, least))

    least = dict.fromkeys(roles, _SHAPE) | {"faint": _TEXT}
    return Colours(
        to_hex(ground),
        readable(mpl.rcParams["text.color"], _TEXT),
        **{name: readable(colour, least[name]) for name, colour in roles.items()},
        series=tuple(
            readable(colour, _SHAPE)
            for colour in itertools.islice(itertools.cycle(series), MOST_SERIES)
        ),
        is_dark=is_dark,
    )


def colour_map(given: object, *, is_dark: bool) -> Colormap:
    """Return a palette of `toolkit.show` from doubtful (0) to certain (1), or another map."""
    if isinstance(given, Colormap):
        return given
    if isinstance(given, str) and given in (palettes := ON_DARK if is_dark else PALETTES):
        return LinearSegmentedColormap.from_list(given, palettes[given])
    if not isinstance(given, str) or given not in mpl.colormaps:
        expected = f"a colour map, its name in matplotlib, or one of {', '.join(PALETTES)}"
        raise arguments.invalid("cmap", given, expected)
    return mpl.colormaps[given]


def ground_of(ax: Axes | Figure | SubFigure) -> Shares:
    """Return the colour behind axes or a figure; a transparent figure is white or black."""
    red, green, blue, alpha = to_rgba(ax.get_facecolor())
    if alpha >= 0.5:
        return red, green, blue
    if not isinstance(ax, Figure):
        return ground_of(ax.figure)
    is_light = readable_on(to_rgb(mpl.rcParams["text.color"])) == "white"
    return (1.0, 1.0, 1.0) if is_light else (0.0, 0.0, 0.0)


def text_colour(colour: Any, ax: Axes) -> Shares:
    """Return a colour, made darker or lighter until a text in it is legible on the axes."""
    return legible(to_rgb(colour), ground_of(ax), _TEXT)


def make_legible(ax: Axes) -> None:
    """Give title, labels, ticks and legend contrast on the figure, where a style leaves too little.

    A figure that was made in one style may be drawn on in another one.
    """
    ground = ground_of(ax.figure)
    legend = ax.get_legend()
    texts = [ax.title, *(legend.get_texts() if legend else ())]
    for axis in (ax.xaxis, ax.yaxis):
        texts += [axis.label, axis.get_offset_text()]
        for label in axis.get_ticklabels()[:1]:
            colour = to_rgb(label.get_color())
            if contrast(colour, ground) < _TEXT:
                axis.set_tick_params(labelcolor=legible(colour, ground, _TEXT))
    for text in texts:
        text.set_color(legible(to_rgb(text.get_color()), ground, _TEXT))
    for child in ax.child_axes:
        make_legible(cast("Axes", child))


class _Readable(NamedTuple):
    """A text that can be drawn, and the font families that have its characters."""

    text: str
    families: list[str]


def _readable(content: str, most: int = 48) -> _Readable:
    """Write a text of the data on one line, clipped; code points replace what no font has."""
    known = {entry.fname: entry.name for entry in font_manager.fontManager.ttflist}
    families = list(dict.fromkeys([*mpl.rcParams["font.family"], "DejaVu Sans"]))
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


def title(ax: Axes, parts: Iterable[str | None], size: float | None = None) -> int:
    """Set the title, folded between its parts; return the number of lines.

    It is the title that `ax.set_title` replaces.
    """
    size = size or _title_size()
    room = extent(ax).width
    most = min(48, max(16, int(room / (0.6 * size))))
    written = [_readable(part, most) for part in parts if part]
    lines = folded((part.text for part in written), _JOINT, room, size)
    families = [family for part in written for family in part.families]
    _write(ax.set_title("", fontsize=size), lines, families)
    return len(lines)


def title_of_all(ax: Axes, parts: Iterable[str | None]) -> None:
    """Keep the parts of the title that are true of one more drawing as well.

    A title that has none of them is the user's, and stays.
    """
    before = re.split(f"{re.escape(_JOINT)}|\n", ax.get_title())
    if common := [part for part in parts if part in before]:
        title(ax, common)


def given_title(ax: Axes, text: str) -> None:
    """Set a title of the caller, whole and literally."""
    written = [_readable(line, 10_000) if line else _Readable("", []) for line in text.split("\n")]
    families = [family for part in written for family in part.families]
    lines = (part.text for part in written)
    _write(ax.set_title("", fontsize=_title_size()), lines, families or ["sans-serif"])


def _title_size() -> float:
    size = mpl.rcParams["axes.titlesize"]
    if size == mpl.rcParamsDefault["axes.titlesize"]:
        return _TITLE_SIZE
    return float(FontProperties(size=size).get_size_in_points())


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


def tick_texts(names: Sequence[str], most: int = 28) -> list[str]:
    """Return texts of the data as `ticks` writes them."""
    return [_readable(name, most).text for name in names]


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
    ax.text(
        0.5,
        0.5,
        sentence,
        ha="center",
        va="center",
        transform=ax.transAxes,
        color=colours(ax).ink,
    )
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    return ax


def bare(ax: Axes) -> None:
    """Hide the frame above and to the right of the axes."""
    ax.spines[["top", "right"]].set_visible(False)


def below(ax: Axes, more: float = 0.0) -> Transform:
    """Return axes coordinates with the origin below the ticks and label of the x axis.

    It is lower by `more` points.
    """
    box = ax.xaxis.get_tightbbox()
    height = 0.0 if box is None else (ax.get_window_extent().y0 - box.y0) / ax.figure.dpi
    return ax.transAxes + ScaledTranslation(
        0, -height - (_GAP + more) / 72, ax.figure.dpi_scale_trans
    )


def legend_below(ax: Axes, drop: float = 0.0) -> None:
    """Draw the legend below the label of the x axis, in as many columns as the axes are wide.

    It is lower by `drop`, a share of the axes, where a strip and its ticks are drawn there.
    """
    named: dict[str, Any] = {}
    for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
        named.setdefault(label, handle)
    handles, labels = list(named.values()), list(named)
    written = [_readable(label) for label in labels]
    if not written:
        return
    widths = [text_width(shown, _LEGEND_SIZE) + _HANDLE for shown, _ in written]
    room = extent(ax).width
    fitting = (n for n in range(len(widths), 1, -1) if _columns_width(widths, n) <= room)
    place = below(ax, 2 * _LEGEND_SIZE if drop else 0.0)
    legend = ax.legend(
        handles, [shown for shown, _ in written], loc="upper center", bbox_to_anchor=(0.5, -drop),
        bbox_transform=place, borderaxespad=0.0, ncols=next(fitting, 1), frameon=False,
        fontsize=_LEGEND_SIZE,
    )  # fmt: skip
    for text, (shown, families) in zip(legend.get_texts(), written, strict=True):
        _write(text, [shown], families)


def _columns_width(widths: Sequence[float], n: int) -> float:
    return sum(float(max(column)) for column in np.array_split(widths, n))
