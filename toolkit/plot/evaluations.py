"""Plot by how much one run of an evaluation is better than another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from toolkit.metrics import compare_evaluations as table_of
from toolkit.plot._drawing import Drawing, documented
from toolkit.plot._style import axis_labels, ticks

_MOST = 40  # groups that are drawn


@documented("the dots")
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
    title: str | None = None,
    label: str | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw by how much the second run of an evaluation is better than the first, with intervals.

    Parameters
    ----------
    a, b, on, score, by, clusters
        As in `toolkit.compare_evaluations`.
    level : float
        Confidence level of the intervals.

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
    drawing = Drawing(ax, title, label, kwargs)
    table = table_of(a, b, on=on, score=score, by=by, clusters=clusters, level=level)
    keys = list(table.columns[: table.columns.get_loc("n_pairs")])
    drawn = table[table["n_pairs"] > 0].head(_MOST)
    n = int(table["n_pairs"].sum())
    hidden = int((table["n_pairs"] > 0).sum()) - len(drawn)
    parts = ["second run minus first", score, f"{n:,} questions"]
    parts += [f"{hidden:,} more groups"] if hidden else []
    ax = drawing.begin(7, 1.6 + 0.35 * max(len(drawn), 1), parts)
    if drawn.empty:
        return drawing.say("no question has a score in both runs")
    ends = [
        drawn[f"newcombe_{end}"].fillna(drawn[f"difference_{end}"]).to_numpy(float)
        for end in ("lower", "upper")
    ]
    names = [" · ".join(map(str, row)) for row in drawn[keys].to_numpy(object)] if keys else ["all"]
    place, all_names = drawing.rows(names)
    if drawing.is_first:
        ax.axvline(0.0, color=drawing.colours.guide, lw=1)
    colour = drawing.colour
    dots = ax.plot(
        drawn["difference"].to_numpy(float), place, "o", ms=5, color=colour, ls="none",
        label=drawing.name(None if drawing.is_first else "difference"),
    )  # fmt: skip
    drawing.main(dots)
    ax.hlines(place, *ends, color=colour, lw=1.4, label=f"{100 * level:g} % interval")
    ticks(ax.yaxis, all_names)
    ax.set_ylim(len(all_names) - 0.5, -0.5)
    axis_labels(ax, "difference of the mean score (above 0: the second is better)")
    return drawing.end()
