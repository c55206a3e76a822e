"""The text of an answer, each token on a ground of its probability."""

from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from toolkit.errors import ArgumentError
from toolkit.metrics import sequence_metrics, token_metrics
from toolkit.palettes import UNKNOWN, readable_on
from toolkit.plot._axes import new_axes, one_choice, title_of
from toolkit.plot._glyphs import runs
from toolkit.plot._layout import Box, flow
from toolkit.tables import LogprobTables, Selector
from toolkit.visible_text import token_texts

_LINE = 1.75  # height of a line, in font sizes
_LEGEND = 52.0  # points below the text
_WIDTH = 9.0  # inches of a figure of our own
_MARGIN = 12.0  # points around it
_TITLE = 24.0


def token_confidence(
    lp: LogprobTables,
    *,
    response: Selector = 0,
    choice: int = 0,
    channel: str = "content",
    ax: Axes | None = None,
    cmap: str = "cividis",
    fontsize: float = 11.0,
    max_tokens: int = 2000,
    legend: bool = True,
) -> Axes:
    """Draw the text of one answer, each token on a ground of its probability.

    Blanks, line ends and tabs are visible (``·``, ``↵``, ``⇥``); other characters that do not show
    are written as code points, and bytes that are part of a character as bytes: ``⟨f0 9f⟩``. A
    character stands in the token that completes it. Tokens without a usable logprob are grey and
    hatched. Text runs from left to right in the order of the tokens; right-to-left scripts are
    shown so too.

    Parameters
    ----------
    lp : LogprobTables
    response : int or str
        Row number, ``response_id`` or ``custom_id``.
    choice : int
        Index of the choice, as sent.
    channel : {"content", "refusal", "reasoning"}
    ax : Axes, optional
        Where to draw; text that does not fit is cut. Default: a new figure, as high as needed.
    cmap : str
        A colour map from 0 (left end) to 1.
    fontsize : float
        In points.
    max_tokens : int
        Longer answers are cut, and say so.
    legend : bool
        Draw the colour bar.

    Returns
    -------
    Axes
        Its data units are points. `Rectangle` patches with a ``gid`` of ``token-<position>`` are
        the grounds; a token that goes over a line end has several.

    Raises
    ------
    SelectionError
        If there is no such response or choice.
    ArgumentError
        If an option is out of range.

    See Also
    --------
    toolkit.token_metrics : gives ``probability``.

    Examples
    --------
    >>> import toolkit
    >>> entry = {"token": "Hello", "logprob": -0.5}
    >>> choice = {"message": {"content": "Hello"}, "logprobs": {"content": [entry]}}
    >>> ax = token_confidence(toolkit.from_responses({"choices": [choice]}))
    >>> [text.get_text() for text in ax.texts]
    ['Hello']
    """
    if not fontsize > 0 or max_tokens < 1:
        raise ArgumentError(
            f"fontsize={fontsize!r}, max_tokens={max_tokens!r}; both must be positive"
        )
    if cmap not in mpl.colormaps:
        raise ArgumentError(f"cmap={cmap!r} is no colour map of matplotlib")
    alone, row = one_choice(lp, response, choice, channel)
    metrics = token_metrics(alone)
    mine = np.asarray(metrics["channel"] == channel)
    probability = metrics["probability"].to_numpy()[mine]
    tokens = alone.tokens.filter(mine).select(["token", "bytes"]).to_pylist()
    texts = list(token_texts((token["token"], token["bytes"]) for token in tokens))[:max_tokens]

    own = ax is None
    width = _WIDTH * 72 - 2 * _MARGIN if own else _points(ax)[0]
    drawn = [(runs(text, rest, fontsize), text.endswith("\n")) for text, rest in texts]
    boxes = flow(drawn, width)
    below = _LEGEND if legend else 0.0
    height = (boxes[-1].line + 1 if boxes else 1) * _LINE * fontsize + below
    if own:
        ax = _own_axes(height)
    else:
        boxes = _fitting(boxes, _points(ax)[1] - below, fontsize)
        height = _points(ax)[1]
    ax.set(xlim=(0, width), ylim=(height, 0))
    ax.set_axis_off()
    ax.set_title(
        title_of(row, choice, channel, sequence_metrics(alone)),
        loc="left",
        fontsize=fontsize,
        parse_math=False,
    )
    _draw(ax, boxes, probability, mpl.colormaps[cmap], fontsize)
    left_out = len(tokens) - (boxes[-1].token + 1 if boxes else 0)
    notes = ["no tokens with logprobs"] if not tokens else []
    if np.isnan(probability).any():
        notes.append("grey: no usable logprob")
    if left_out:
        notes.append(f"… {left_out:,} more tokens")
    note = " · ".join(notes)
    if legend:
        _draw_legend(ax, mpl.colormaps[cmap], note, width, height)
    elif note:
        _say(ax, width, height - 2, note)
    return ax


def _own_axes(height: float) -> Axes:
    """Make a figure in whose axes a data unit is a point."""
    ax = new_axes(_WIDTH, (height + 2 * _MARGIN + _TITLE) / 72)
    figure = ax.figure
    figure.set_layout_engine("none")
    w, h = _WIDTH * 72, height + 2 * _MARGIN + _TITLE
    ax.set_position((_MARGIN / w, _MARGIN / h, 1 - 2 * _MARGIN / w, height / h))
    return ax


def _points(ax: Axes) -> tuple[float, float]:
    """Return width and height of the axes, in points."""
    extent = ax.get_window_extent()
    scale = 72 / ax.figure.dpi
    return extent.width * scale, extent.height * scale


def _fitting(boxes: list[Box], height: float, fontsize: float) -> list[Box]:
    """Leave out whole tokens that do not fit."""
    lines = max(int(height / (_LINE * fontsize)), 1)
    over = {box.token for box in boxes if box.line >= lines}
    return [box for box in boxes if box.token not in over]


def _draw(
    ax: Axes, boxes: list[Box], probability: np.ndarray, cmap: Colormap, fontsize: float
) -> None:
    for box in boxes:
        p = probability[box.token]
        ground = UNKNOWN if math.isnan(p) else cmap(p)
        top = box.line * _LINE * fontsize
        ax.add_patch(
            Rectangle(
                (box.x, top + 0.1 * fontsize),
                box.width,
                (_LINE - 0.2) * fontsize,
                facecolor=ground,
                edgecolor="#8a8a8a" if math.isnan(p) else "none",
                hatch="////" if math.isnan(p) else None,
                linewidth=0,
                gid=f"token-{box.token}",
            )
        )
        colour = readable_on(mpl.colors.to_rgb(ground))
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


def _draw_legend(ax: Axes, cmap: Colormap, note: str, width: float, height: float) -> None:
    bar = ax.inset_axes((0, height - 26, min(200, width), 8), transform=ax.transData)
    colours = ax.figure.colorbar(
        ScalarMappable(Normalize(0, 1), cmap), cax=bar, orientation="horizontal"
    )
    colours.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "¼", "½", "¾", "1"])
    colours.ax.tick_params(labelsize=8, length=2)
    colours.outline.set_visible(False)
    bar.set_title("probability of the token (higher: more certain)", fontsize=8, loc="left", pad=3)
    if note:
        _say(ax, width, height - 19, note)


def _say(ax: Axes, x: float, y: float, note: str) -> None:
    ax.text(x, y, note, fontsize=9, color="#555555", ha="right", va="baseline", parse_math=False)
