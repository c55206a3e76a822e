"""Make axes, measure them, and choose the answer that is drawn."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from toolkit import arguments
from toolkit.tables import LogprobTables, Selector, require_tables
from toolkit.tables.rows import pick

_GROUNDS = ("figure.facecolor", "axes.facecolor", "savefig.facecolor")
INKS = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")


def dark_page(ground: str = "#161616") -> dict[Any, Any]:
    """Return the settings of matplotlib for a dark page; the ground is that of the toolkit's."""
    return dict.fromkeys(_GROUNDS, ground) | dict.fromkeys(INKS, "#ececec")


class Extent(NamedTuple):
    """Width and height, in points."""

    width: float
    height: float


def new_axes(width: float, height: float, *, layout: str | None = "constrained") -> Axes:
    """Make a figure with one axes, through pyplot; sizes in inches."""
    from matplotlib import pyplot

    _, ax = pyplot.subplots(figsize=(width, height), layout=layout)
    return ax


def axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the axes of the caller; without them, those of a new figure."""
    return new_axes(width, height) if ax is None else given_axes(ax)


def given_axes(ax: Axes) -> Axes:
    """Return the axes of the caller, after a check that they are axes."""
    expected = "Axes of matplotlib: plt.subplots() returns them"
    return arguments.instance("ax", ax, Axes, expected)


def extent(ax: Axes) -> Extent:
    """Return the size of the axes, before their figure is laid out."""
    box = ax.get_window_extent()
    scale = 72 / ax.figure.dpi
    return Extent(box.width * scale, box.height * scale)


class Asked(NamedTuple):
    """The channel, and the position in it, that a plot of one answer shows."""

    channel: str
    position: int | None


def one_choice(
    lp: LogprobTables, response: Selector, choice: int | None, channel: str | None
) -> tuple[Asked, LogprobTables]:
    """Return what is asked for of one choice, by the caller or by the row, and its tables."""
    asked = pick(response, choice, channel)
    channel = arguments.channel("content" if asked.channel is None else asked.channel)
    return Asked(channel, asked.position), require_tables(lp).only(asked.response, asked.choice)


def answer_title(alone: LogprobTables, channel: str, sequences: pd.DataFrame) -> list[str]:
    """Return the parts of the title of an answer: model, id, choice, channel and perplexity."""
    response = alone.responses.to_pylist()[0]
    choice = alone.choices["choice"][0].as_py()
    parts = [
        response["model"],
        response["custom_id"] or response["response_id"],
        f"choice {choice}" if response["n_choices"] > 1 else None,
        channel if channel != "content" else None,
    ]
    known = sequences.loc[sequences["channel"] == channel, "perplexity"].dropna()
    parts += [f"perplexity {perplexity:.3g}" for perplexity in known]
    return [part for part in parts if part]
