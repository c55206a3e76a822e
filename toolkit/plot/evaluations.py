"""Plot by how much one run of an evaluation is better than another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from toolkit.metrics import compare_evaluations as table_of
from toolkit.plot._axes import axes
from toolkit.plot._style import DARK, GUIDE, axis_labels, bare, legend_below, say, ticks, title

_MOST = 40  # groups that are drawn


def compare_evaluations(
    a: pd.DataFrame,
    b: pd.DataFrame,
    *,
    on: str | Sequence[str] = "custom_id",
    score: str = "correct",
    by: str | Sequence[str] | None = None,
    clusters: str | None = None,
    level: float = 0.95,
    ax: Axes | None = None,
) -> Axes:
    """Draw by how much the second run of an evaluation is better than the first, with intervals.

    Parameters
    ----------
    a, b, on, score, by, clusters
        As in `toolkit.compare_evaluations`.
    level : float
        Confidence level of the intervals.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        A dot per group, at most 40, with its interval: Newcombe's where scores are right and wrong,
        else that of the paired t. An interval that does not reach 0 shows a difference.

    Raises
    ------
    ArgumentError, SchemaError
        As `toolkit.compare_evaluations`.

    See Also
    --------
    toolkit.compare_evaluations : the table that is drawn.

    Examples
    --------
    >>> import pandas as pd
    >>> a = pd.DataFrame({"custom_id": list("abcd"), "correct": [1, 0, 0, 0]})
    >>> ax = compare_evaluations(a, a.assign(correct=[1, 1, 1, 0]))
    >>> ax.lines[1].get_xdata().tolist()
    [0.5]
    """
    table = table_of(a, b, on=on, score=score, by=by, clusters=clusters, level=level)
    keys = list(table.columns[: table.columns.get_loc("n_pairs")])
    drawn = table[table["n_pairs"] > 0].head(_MOST)
    ax = axes(ax, 7, 1.6 + 0.35 * max(len(drawn), 1))
    n = int(table["n_pairs"].sum())
    hidden = int((table["n_pairs"] > 0).sum()) - len(drawn)
    title(
        ax,
        ["second run minus first", score, f"{n:,} questions",
         f"{hidden:,} more groups" if hidden else None],
    )  # fmt: skip
    if drawn.empty:
        return say(ax, "no question has a score in both runs")
    ends = [
        drawn[f"newcombe_{end}"].fillna(drawn[f"difference_{end}"]).to_numpy(float)
        for end in ("lower", "upper")
    ]
    place = np.arange(len(drawn))
    ax.axvline(0.0, color=GUIDE, lw=1)
    ax.plot(drawn["difference"].to_numpy(float), place, "o", ms=5, color=DARK, ls="none")
    ax.hlines(place, *ends, color=DARK, lw=1.4, label=f"{100 * level:g} % interval")
    names = [" · ".join(map(str, row)) for row in drawn[keys].to_numpy(object)]
    ticks(ax.yaxis, names if keys else ["all"])
    ax.set_ylim(len(drawn) - 0.5, -0.5)
    axis_labels(ax, "difference of the mean score (above 0: the second is better)")
    bare(ax)
    legend_below(ax)
    return ax
