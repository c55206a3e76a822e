"""Plot how far the distributions of two runs lie apart, over positions."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from toolkit.metrics import compare_tokens
from toolkit.metrics import divergence as report_of
from toolkit.plot._axes import axes
from toolkit.plot._style import DARK, GUIDE, SECOND, axis_labels, bare, legend_below, say, title
from toolkit.tables import LogprobTables

_LEAST = 1e-6  # nats; below it a bound shows nothing


def divergence(
    a: LogprobTables,
    b: LogprobTables,
    *,
    on: str | None = None,
    channel: str = "content",
    ax: Axes | None = None,
) -> Axes:
    """Draw at which share of the positions two runs diverge by how much.

    Parameters
    ----------
    a, b : LogprobTables
    on : {"custom_id", "position"}, optional
        As in `toolkit.compare`.
    channel : {"content", "prompt", "reasoning", "refusal"}
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        The share of the positions whose KL divergence is at least each value, both axes
        logarithmic. The values are lower bounds, because lists are cut. Vertical lines: the median
        and the 99 % percentile, where they are above 0.

    Raises
    ------
    ArgumentError
        As `toolkit.compare`.

    See Also
    --------
    toolkit.metrics.divergence, toolkit.compare_tokens : the tables that are drawn.

    Examples
    --------
    >>> import toolkit
    >>> lp = toolkit.read("data/pairs_whole.jsonl")
    >>> divergence(lp, lp).get_title()
    'KL divergence of the second run from the first · content · 576 positions'
    """
    report = report_of(a, b, on=on, channel=channel).set_index("measure").loc["kl_lower"]
    ax = axes(ax, 9, 3.6)
    n = int(report["n_positions"])
    title(ax, ["KL divergence of the second run from the first", channel, f"{n:,} positions"])
    values = compare_tokens(a, b, on=on, channel=channel)["kl_lower"].dropna().to_numpy(float)
    values = np.sort(values)
    shown = np.flatnonzero(values > _LEAST)
    if not len(shown):
        return say(ax, "no positions with lists in both runs" if not n else "no difference shows")
    ax.step(
        values[shown], (n - shown) / n, where="pre", color=DARK, lw=1.6,
        label="share of positions with at least that",
    )  # fmt: skip
    for name, shown_as, colour in (("median", "median", GUIDE), ("p99", "99 %", SECOND)):
        if report[name] > _LEAST:
            ax.axvline(report[name], color=colour, ls="--", lw=1.2, label=shown_as)
    ax.set(xscale="log", yscale="log", ylim=(0.5 / n, 1.5))
    ax.set_xlim(values[shown[0]] / 1.5, values[-1] * 1.5)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    axis_labels(ax, "KL divergence, at least (nats)", "share of positions")
    bare(ax)
    legend_below(ax)
    return ax
