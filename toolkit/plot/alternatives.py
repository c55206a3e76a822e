"""Plot the probabilities of the alternatives at one token position."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from toolkit import arguments
from toolkit.metrics import token_metrics
from toolkit.plot._axes import one_choice
from toolkit.plot._drawing import Drawing, documented
from toolkit.plot._style import axis_labels, row_size, text_colour, ticks
from toolkit.tables import LogprobTables, Selector, require_texts
from toolkit.visible_text import plain, spelled, spelled_token, token_texts

_BEFORE = 40  # characters of the text before the position, in the title
_NAME = 24  # characters of a token
_UNLISTED = "not listed"
_NUMBER = "toolkit.probability"  # marks the texts that are numbers
_WIDTH = 0.08  # of a number, where the axes show probabilities up to 1


class _Bar(NamedTuple):
    """A token and its probability."""

    name: str
    probability: float
    is_sampled: bool


@documented("the bars")
def alternatives(
    lp: LogprobTables,
    *,
    response: Selector = 0,
    choice: int | None = None,
    channel: str | None = None,
    position: int | None = None,
    ax: Axes | None = None,
    title: str | None = None,
    label: str | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw the probabilities of the alternatives at one token position.

    Parameters
    ----------
    lp : LogprobTables
    response : int, str or row
        As in `LogprobTables.locate`: a row number, an id, or a row of a table.
    choice : int, optional
        Index of the choice, as sent. Default: that of the row, else 0.
    channel : {"content", "prompt", "reasoning", "refusal"}, optional
        Default: that of the row, else content.
    position : int, optional
        Index of the token in its channel, from 0. Default: that of the row, else 0.

    Returns
    -------
    Axes
        One bar per usable alternative, the most probable on top; the sampled token is stronger and
        marked ``▸``. The hatched bar is the probability of all tokens that are not listed. On axes
        that have bars already, thinner ones are drawn on those of the same tokens, and their
        numbers follow in their colour.

    Raises
    ------
    SelectionError
        If there is no such response or choice.
    ArgumentError
        If the answer has no such position, or `channel` is not a channel.

    Examples
    --------
    >>> import toolkit
    >>> ax = alternatives(toolkit.read("data/pairs_whole.jsonl"), response=0)
    >>> bool(0 < sum(bar.get_width() for bar in ax.patches) <= 1.000001)
    True
    """
    drawing = Drawing(ax, title, label, kwargs)
    asked, alone = one_choice(lp, response, choice, channel)
    require_texts(alone)
    channel = asked.channel
    position = asked.position or 0 if position is None else position
    metrics = token_metrics(alone)
    mine = np.flatnonzero(metrics["channel"] == channel)
    if not len(mine):
        raise arguments.invalid("position", position, f"an answer with tokens of {channel}")
    position = arguments.whole("position", position, 0, len(mine) - 1)
    sent = alone.tokens.slice(int(mine[0]), position + 1).select(["token", "bytes"]).to_pylist()
    texts = list(token_texts((token["token"], token["bytes"]) for token in sent))
    row = int(mine[position])
    bars = _bars(alone, row, metrics, spelled(*texts[-1], _NAME))
    text = "".join(text for text, _ in texts[:-1])
    before = f"after “{plain(text[-_BEFORE:], _BEFORE)}”" if text else "at the beginning"
    drawing.begin(7, 1.3 + 0.3 * (len(bars) + 1), [f"position {position}", before])
    if not bars:
        return drawing.say("no usable alternatives")
    _draw(drawing, bars, float(metrics["missing_mass"].iloc[row]))
    return drawing.end()


def _bars(alone: LogprobTables, row: int, metrics: pd.DataFrame, name: str) -> list[_Bar]:
    """Return the usable alternatives of a token by rank, and the token if it is not among them."""
    counts = alone.tokens["n_alternatives"].to_numpy()
    entries = alone.alternatives.slice(int(counts[:row].sum()), int(counts[row])).to_pylist()
    bars = [
        _Bar(
            spelled_token(entry["token"], entry["bytes"], _NAME),
            math.exp(min(entry["logprob"], 0.0)),
            entry["is_sampled"],
        )
        for entry in sorted(
            (entry for entry in entries if entry["status"] == "ok"), key=lambda e: e["rank"]
        )
    ]
    own = float(metrics["probability"].iloc[row])
    if not any(bar.is_sampled for bar in bars) and not math.isnan(own):
        bars.append(_Bar(name, own, True))
    return bars


def _place_numbers(ax: Axes, size: float) -> int:
    """Write the numbers of each row side by side, after its longest bar; return how many at most.

    They are in the order of the drawings.
    """
    ends: dict[float, float] = {}
    for bar in _rectangles(ax):
        row = round(bar.get_y() + bar.get_height() / 2)
        ends[row] = max(ends.get(row, 0.0), bar.get_width())
    placed: Counter[float] = Counter()
    for text in ax.texts:
        if text.get_gid() == _NUMBER:
            place = text.get_position()[1]
            text.set(x=ends[place] + 0.01 + _WIDTH * placed[place], fontsize=size)
            placed[place] += 1
    return max(placed.values())


def _rectangles(ax: Axes) -> list[Rectangle]:
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


def _draw(drawing: Drawing, bars: list[_Bar], missing: float) -> None:
    """Draw the bars; a token that has a bar already keeps its row."""
    ax, style = drawing.ax, drawing.colours
    names = [] if drawing.is_first else [tick.get_text() for tick in ax.get_yticklabels()]
    own = [f"▸ {bar.name}" if bar.is_sampled else bar.name for bar in bars]
    values = [bar.probability for bar in bars]
    if missing > 0:  # not NaN
        own.append(_UNLISTED)
        values.append(missing)
    known = [name.removeprefix("▸ ") for name in names]
    height = 0.7 if drawing.is_first else 0.3
    label = drawing.name()
    for i, (name, p) in enumerate(zip(own, values, strict=True)):
        bare_name = name.removeprefix("▸ ")
        if drawing.is_first or bare_name not in known:
            names.append(name)
            known.append(bare_name)
        row = len(known) - 1 if drawing.is_first else known.index(bare_name)
        is_weak = drawing.is_first and not (i < len(bars) and bars[i].is_sampled)
        colour = style.light if is_weak and i < len(bars) else drawing.colour
        look: dict[str, Any] = {"color": colour}
        if i == len(bars):
            edge = style.light if drawing.is_first else drawing.colour
            look = {"facecolor": style.ground, "edgecolor": edge, "hatch": "////", "lw": 0.8}
        bar = ax.barh(row, p, height, label="_nolegend_" if is_weak else label, **look)
        if not is_weak:
            drawing.main(bar)
            label = "_nolegend_"
        ink = style.ink if drawing.is_first else text_colour(drawing.colour, ax)
        ax.text(p, row, f"{p:.3f}", va="center", color=ink, gid=_NUMBER)
    columns = _place_numbers(ax, row_size(ax, len(names), 9))
    ticks(ax.yaxis, names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    longest = max(1.0, *(bar.get_width() for bar in _rectangles(ax)))
    ax.set_xlim(0, longest * 1.01 + columns * _WIDTH)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axis_labels(ax, "probability (▸: sampled; hatched: not listed)")
