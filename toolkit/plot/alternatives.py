"""Plot the probabilities of the alternatives at one token position."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from toolkit import arguments
from toolkit.metrics import token_metrics
from toolkit.plot._axes import axes, one_choice
from toolkit.plot._style import DARK, LIGHT, axis_labels, bare, row_size, say, ticks, title
from toolkit.tables import LogprobTables, Selector
from toolkit.visible_text import plain, spelled, spelled_token, token_texts

_BEFORE = 40  # characters of the text before the position, in the title
_NAME = 24  # characters of a token


class _Bar(NamedTuple):
    """A token and its probability."""

    name: str
    probability: float
    is_sampled: bool


def alternatives(
    lp: LogprobTables,
    *,
    response: Selector = 0,
    choice: int | None = None,
    channel: str | None = None,
    position: int | None = None,
    ax: Axes | None = None,
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
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        One bar per usable alternative, the most probable on top; the sampled token is dark and
        marked ``▸``. The hatched bar is the probability of all tokens that are not listed.

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
    asked, alone = one_choice(lp, response, choice, channel)
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
    ax = axes(ax, 7, 1.3 + 0.3 * (len(bars) + 1))
    text = "".join(text for text, _ in texts[:-1])
    before = f"after “{plain(text[-_BEFORE:], _BEFORE)}”" if text else "at the beginning"
    title(ax, [f"position {position}", before])
    if not bars:
        return say(ax, "no usable alternatives")
    _draw(ax, bars, float(metrics["missing_mass"].iloc[row]))
    return ax


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


def _draw(ax: Axes, bars: list[_Bar], missing: float) -> None:
    for row, bar in enumerate(bars):
        ax.barh(row, bar.probability, 0.7, color=DARK if bar.is_sampled else LIGHT)
    names = [f"▸ {bar.name}" if bar.is_sampled else bar.name for bar in bars]
    values = [bar.probability for bar in bars]
    if missing > 0:  # not NaN
        ax.barh(len(bars), missing, 0.7, color="white", edgecolor=LIGHT, hatch="////", lw=0.8)
        names.append("not listed")
        values.append(missing)
    size = row_size(ax, len(values), 9)
    for row, p in enumerate(values):
        ax.text(p + 0.01, row, f"{p:.3f}", va="center", fontsize=size)
    ticks(ax.yaxis, names)
    ax.invert_yaxis()
    ax.set_xlim(0, max(1.0, max(values)) * 1.09)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axis_labels(ax, "probability (▸: sampled; hatched: not listed)")
    bare(ax)
