"""Plot the confidence of the fields of JSON answers."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from toolkit import arguments
from toolkit.metrics import field_metrics
from toolkit.plot._axes import axes
from toolkit.plot._style import DARK, LIGHT, SECOND, axis_labels, bare, say, ticks, title
from toolkit.tables import LogprobTables


def field_confidence(
    lp: LogprobTables, *, max_paths: int = 30, ax: Axes | None = None, **options: Any
) -> Axes:
    """Draw how probable the values of each JSON field were.

    Parameters
    ----------
    lp : LogprobTables
    max_paths : int
        At most this many paths are drawn, the most frequent ones; the title counts the others.
    ax : Axes, optional
        Where to draw. Default: a new figure.
    **options
        Further options of `toolkit.field_metrics`.

    Returns
    -------
    Axes
        A dot per value, in the row of its path; the bar is the median of the values that have a
        probability, ``n`` counts the values. All items of an array share a row.

    Raises
    ------
    ArgumentError
        As `toolkit.field_metrics`, or if `max_paths` is not a positive integer.

    Examples
    --------
    >>> import toolkit
    >>> ax = field_confidence(toolkit.read("data/structured.jsonl"))
    >>> len(ax.get_yticks())
    4
    """
    max_paths = arguments.whole("max_paths", max_paths)
    fields = field_metrics(lp, **options)
    fields["row"] = fields["path"].str.replace(r"\[\d+\]", "[*]", regex=True)
    frequent = fields["row"].value_counts().head(max_paths).index
    paths = [path for path in fields["row"].drop_duplicates() if path in frequent]
    ax = axes(ax, 8, 1.6 + 0.34 * max(len(paths), 1))
    omitted = fields["row"].nunique() - len(paths)
    n = len(fields[["response_key", "choice"]].drop_duplicates())
    title(
        ax,
        ["JSON values", f"{n:,} answers", f"{omitted:,} more paths omitted" if omitted else None],
    )
    if not paths:
        return say(ax, "no JSON in the answers")
    medians = fields.groupby("row")["probability"].median()
    for row, path in enumerate(paths):
        own = fields.loc[fields["row"] == path, "probability"]
        ax.plot(own, [row] * len(own), "o", ms=5, color=LIGHT, alpha=0.8, mec="none")
        if pd.notna(medians[path]):
            ax.plot([medians[path]] * 2, [row - 0.3, row + 0.3], color=DARK, lw=2)
        text = f"n={own.notna().sum()} of {len(own)}" if own.isna().any() else f"n={len(own)}"
        ax.text(1.03, row, text, va="center", fontsize=9, color=SECOND)
    ticks(ax.yaxis, paths, most=36)
    ax.invert_yaxis()
    ax.set_xlim(-0.02, 1.02)
    axis_labels(ax, "probability of the whole value (higher: more certain; bar: median)")
    bare(ax)
    return ax
