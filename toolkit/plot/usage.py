"""Plot token usage over time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import dates
from matplotlib.axes import Axes

from toolkit.metrics import usage_over_time as table_of
from toolkit.plot._axes import axes
from toolkit.plot._style import SERIES, STROKES, bare, legend_below, say, title
from toolkit.tables import LogprobTables


def usage_over_time(lp: LogprobTables, *, span: str = "1min", ax: Axes | None = None) -> Axes:
    """Draw how many tokens were used in each span of time.

    Parameters
    ----------
    lp : LogprobTables
    span : str
        As in `toolkit.usage_over_time`: ``"10s"``, ``"1min"``, ``"1h"``, ``"1D"``.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        Steps of prompt and completion tokens, time in UTC; a gap where responses report no usage.

    Raises
    ------
    ArgumentError
        As `toolkit.usage_over_time`.

    See Also
    --------
    toolkit.usage_over_time : the table that is drawn.

    Examples
    --------
    >>> import toolkit
    >>> ax = usage_over_time(toolkit.read("data/capitals_batch.jsonl"), span="1s")
    >>> [line.get_label() for line in ax.lines]
    ['prompt tokens', 'completion tokens']
    """
    table = table_of(lp, span=span)
    ax = axes(ax, 9, 3.4)
    n = int(table["n_responses"].sum())
    title(ax, [f"tokens used per {span}", f"{n:,} responses with a time"])
    if not n:
        return say(ax, "no response has a time")
    length = pd.Timedelta(pd.tseries.frequencies.to_offset(span))
    starts = table["start"].dt.tz_localize(None).to_numpy()
    edges = np.append(starts, starts[-1] + length.to_timedelta64())
    for name, colour, stroke in zip(
        ("prompt_tokens", "completion_tokens"), SERIES, STROKES, strict=False
    ):
        values = table[name].to_numpy(float, na_value=np.nan)
        silent = np.isnan(values) & (table["n_responses"].to_numpy() > 0)
        values = np.where(np.isnan(values) & ~silent, 0.0, values)
        ax.plot(
            edges, np.append(values, values[-1]), drawstyle="steps-post", color=colour, ls=stroke,
            lw=1.6, label=name.replace("_", " "),
        )  # fmt: skip
    ax.set_ylim(bottom=0)
    ax.set_ylabel("tokens")
    ax.set_xlabel("time (UTC)", loc="left")  # the axis writes the date on the right
    locator = dates.AutoDateLocator(maxticks=8)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    ax.yaxis.set_major_formatter("{x:,.0f}")
    bare(ax)
    legend_below(ax)
    return ax
