"""Plot how far the distributions of two runs lie apart, over positions."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from toolkit.metrics import compare_tokens
from toolkit.metrics import divergence as report_of
from toolkit.plot._drawing import Drawing, documented
from toolkit.plot._style import axis_labels
from toolkit.tables import LogprobTables

_LEAST = 1e-6  # nats; below it a bound shows nothing


@documented("the curve")
def divergence(
    a: LogprobTables,
    b: LogprobTables,
    *,
    on: str | None = None,
    channel: str = "content",
    ax: Axes | None = None,
    title: str | None = None,
    label: str | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw at which share of the positions two runs diverge by how much.

    Parameters
    ----------
    a, b, on, channel
        As in `toolkit.compare`.

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
    drawing = Drawing(ax, title, label, kwargs)
    report = report_of(a, b, on=on, channel=channel).set_index("measure").loc["kl_lower"]
    n = int(report["n_positions"])
    parts = ["KL divergence of the second run from the first", channel, f"{n:,} positions"]
    ax, style = drawing.begin(9, 3.6, parts), drawing.colours
    values = compare_tokens(a, b, on=on, channel=channel)["kl_lower"].dropna().to_numpy(float)
    values = np.sort(values)
    shown = np.flatnonzero(values > _LEAST)
    if not len(shown):
        return drawing.say(
            "no positions with lists in both runs" if not n else "no difference shows"
        )
    limits = [] if drawing.is_first else [*ax.get_xlim(), ax.get_ylim()[0]]
    low, high, least = values[shown[0]] / 1.5, values[-1] * 1.5, 0.5 / n
    if limits:
        low, high, least = min(low, limits[0]), max(high, limits[1]), min(least, limits[2])
    curve = ax.step(
        values[shown], (n - shown) / n, where="pre", color=drawing.colour, lw=1.6,
        label=drawing.name("share of positions with at least that"),
    )  # fmt: skip
    drawing.main(curve)
    for name, shown_as, role in (("median", "median", style.guide), ("p99", "99 %", style.second)):
        if report[name] > _LEAST:
            colour = role if drawing.is_first else drawing.colour
            ax.axvline(report[name], color=colour, ls="--", lw=1.2, label=shown_as)
    ax.set(xscale="log", yscale="log", xlim=(low, high), ylim=(least, 1.5))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    axis_labels(ax, "KL divergence, at least (nats)", "share of positions")
    return drawing.end()
