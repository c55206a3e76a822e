"""Plot the text of an answer, each token on a background coloured by its probability."""

from __future__ import annotations

import math
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.text import Text

from toolkit import arguments
from toolkit.metrics import sequence_metrics, token_metrics
from toolkit.palettes import UNKNOWN, readable_on
from toolkit.plot._axes import Extent, answer_title, extent, given_axes, new_axes, one_choice
from toolkit.plot._drawing import Drawing, documented
from toolkit.plot._glyphs import runs
from toolkit.plot._layout import Box, flow
from toolkit.plot._style import colour_map, make_legible
from toolkit.plot._style import colours as colours_of
from toolkit.plot._style import title as write_title
from toolkit.tables import LogprobTables, Selector, require_texts
from toolkit.visible_text import token_texts

_LINE = 1.75  # height of a line, in font sizes
_WIDTH = 9.0  # width of a figure of our own, in inches
_MARGIN = 12.0  # points around the axes of a figure of our own
_TITLE = 24.0  # points for the title above them
_LEGEND = 52.0  # points for the colour bar below the text
_NOTE = 16.0  # points for the note between text and colour bar


@documented("the backgrounds of the tokens", is_alone=True)
def token_confidence(
    lp: LogprobTables,
    *,
    response: Selector = 0,
    choice: int | None = None,
    channel: str | None = None,
    cmap: str | Colormap = "oranges",
    fontsize: float = 11.0,
    max_tokens: int = 2000,
    legend: bool = True,
    ax: Axes | None = None,
    title: str | None = None,
    label: str | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw the text of one answer, each token on a background coloured by its probability.

    Hidden characters are shown as `toolkit.show` shows them: blanks that would go unseen (``␣``),
    line ends (``↵``) and tabs (``⇥``), other characters as code points (``⟨U+001B⟩``), and bytes of
    an incomplete character in hexadecimal (``⟨f0 9f⟩``); a character is drawn in the token that
    completes it. Tokens without a usable logprob are grey and hatched. Tokens run from left to
    right in their order, in right-to-left scripts too.

    Parameters
    ----------
    lp : LogprobTables
    response : int, str or row
        As in `LogprobTables.locate`: a row number, an id, or a row of a table.
    choice : int, optional
        Index of the choice, as sent. Default: that of the row, else 0.
    channel : {"content", "prompt", "reasoning", "refusal"}, optional
        Default: that of the row, else content.
    cmap : str or Colormap
        ``"oranges"`` or ``"cividis"`` as in `toolkit.show`, or another map of matplotlib; its left
        end is probability 0, its right end 1.
    fontsize : float
        In points.
    max_tokens : int
        At most this many tokens are drawn; a note counts the others.
    legend : bool
        Draw the colour bar.

    Returns
    -------
    Axes
        Its data units are points. On given axes, tokens that do not fit are omitted and counted; a
        new figure is as high as needed. The backgrounds are `Rectangle` patches with the ``gid``
        ``token-<position>``; a token that continues on the next line has several.

    Raises
    ------
    SelectionError
        If there is no such response or choice.
    ArgumentError
        If an option is out of range.

    See Also
    --------
    toolkit.token_metrics : the table with the column ``probability``.
    toolkit.show : the same in HTML, with alternatives.

    Examples
    --------
    >>> import toolkit
    >>> entry = {"token": "Hello", "logprob": -0.5}
    >>> choice = {"message": {"content": "Hello"}, "logprobs": {"content": [entry]}}
    >>> ax = token_confidence(toolkit.from_responses({"choices": [choice]}))
    >>> [text.get_text() for text in ax.texts]
    ['Hello']
    """
    drawing = Drawing(ax, title, label, kwargs)
    drawing.require_alone("the text of another answer")
    fontsize = arguments.positive("fontsize", fontsize)
    max_tokens = arguments.whole("max_tokens", max_tokens)
    legend = arguments.flag("legend", legend)
    colour_map(cmap, is_dark=False)  # before any figure is made
    asked, alone = one_choice(lp, response, choice, channel)
    require_texts(alone)
    channel = asked.channel
    metrics = token_metrics(alone)
    mine = np.asarray(metrics["channel"] == channel)
    probability = metrics["probability"].to_numpy(float)[mine]
    tokens = alone.tokens.filter(mine).select(["token", "bytes"]).to_pylist()
    texts = list(token_texts((token["token"], token["bytes"]) for token in tokens))[:max_tokens]
    drawn = [(runs(text, rest, fontsize), text.endswith("\n")) for text, rest in texts]

    parts = answer_title(alone, channel, sequence_metrics(alone))
    is_cut = ax is not None or len(texts) < len(tokens)
    has_note = is_cut or not tokens or bool(np.isnan(probability).any())
    below = (_LEGEND if legend else 0.0) + (_NOTE if has_note else 0.0)
    line = _LINE * fontsize
    if ax is None:
        page = Extent(_WIDTH * 72 - 2 * _MARGIN, 0.0)
        boxes = flow(drawn, page.width)
        page = page._replace(height=(boxes[-1].line + 1 if boxes else 1) * line + below)
        ax = _own_axes(page.height, parts if title is None else title.split("\n"), fontsize)
    else:
        page = extent(given_axes(ax))
        boxes = _fitting(flow(drawn, page.width), max(int((page.height - below) / line), 1))
        write_title(ax, parts, fontsize)
    drawing.adopt(ax)
    ax.set(xlim=(0, page.width), ylim=(page.height, 0))
    ax.set_axis_off()
    style = drawing.colours
    colours = colour_map(cmap, is_dark=style.is_dark)
    drawing.main(_draw(ax, boxes, probability, colours, fontsize))
    n_omitted = len(tokens) - (boxes[-1].token + 1 if boxes else 0)
    if notes := _notes(probability, n_omitted):
        y = page.height - below + 11
        ax.text(0, y, " · ".join(notes), fontsize=9, color=style.faint, va="baseline")
    if legend:
        _draw_legend(ax, colours, page, label or "probability of the token (higher: more certain)")
    make_legible(ax)
    return ax


def _own_axes(height: float, parts: list[str], fontsize: float) -> Axes:
    """Make a figure of axes with a title; a data unit of the axes is a point."""
    ax = new_axes(_WIDTH, 1.0, layout=None)
    margin = _MARGIN / (_WIDTH * 72)
    ax.set_position((margin, 0.0, 1 - 2 * margin, 1.0))
    more_lines = write_title(ax, parts, fontsize) - 1
    total = height + 2 * _MARGIN + _TITLE + 1.2 * fontsize * more_lines
    assert isinstance(ax.figure, Figure)
    ax.figure.set_size_inches(_WIDTH, total / 72)
    ax.set_position((margin, _MARGIN / total, 1 - 2 * margin, height / total))
    return ax


def _fitting(boxes: list[Box], lines: int) -> list[Box]:
    """Omit the tokens that do not fit completely into so many lines."""
    over = {box.token for box in boxes if box.line >= lines}
    return [box for box in boxes if box.token not in over]


def _notes(probability: npt.NDArray[np.float64], n_omitted: int) -> list[str]:
    """Return what a reader has to know about the tokens."""
    if not len(probability):
        return ["no tokens with logprobs"]
    notes = ["grey: no usable logprob"] if np.isnan(probability).any() else []
    return [*notes, f"… {n_omitted:,} more tokens"] if n_omitted else notes


def _draw(
    ax: Axes,
    boxes: list[Box],
    probability: npt.NDArray[np.float64],
    cmap: Colormap,
    fontsize: float,
) -> list[Patch]:
    """Draw the background and the text of each box, and return the backgrounds."""
    grounds: list[Patch] = []
    for box in boxes:
        p = probability[box.token]
        ground = mpl.colors.to_rgb(UNKNOWN if math.isnan(p) else cmap(p))
        top = box.line * _LINE * fontsize
        rectangle = Rectangle(
            (box.x, top + 0.1 * fontsize),
            box.width,
            (_LINE - 0.2) * fontsize,
            facecolor=ground,
            edgecolor="#8a8a8a" if math.isnan(p) else "none",
            hatch="////" if math.isnan(p) else None,
            linewidth=0,
            gid=f"token-{box.token}",
        )
        grounds.append(ax.add_patch(rectangle))
        colour = readable_on(ground)
        for run, x in box.runs:
            text = Text(
                x,
                top + 1.2 * fontsize,
                run.text,
                color=colour,
                alpha=0.62 if run.faint else 1.0,
                fontproperties=run.font,
                verticalalignment="baseline",
                parse_math=False,
            )
            ax._add_text(text) if hasattr(ax, "_add_text") else ax.add_artist(text)
    return grounds


def _draw_legend(ax: Axes, cmap: Colormap, page: Extent, name: str) -> None:
    """Draw the colour bar at the bottom left."""
    place = (0, page.height - 26, min(200, page.width), 8)
    bar = ax.inset_axes(place, transform=ax.transData)
    colours = ax.figure.colorbar(
        ScalarMappable(Normalize(0, 1), cmap), cax=bar, orientation="horizontal"
    )
    colours.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "¼", "½", "¾", "1"])
    colours.ax.tick_params(labelsize=8, length=2)
    colours.outline.set_visible(False)
    named = bar.set_title(name, fontsize=8, loc="left", pad=3, color=colours_of(ax).ink)
    named.set_parse_math(False)
