"""Plot the confidence of the fields of JSON answers."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from toolkit import arguments
from toolkit.metrics import field_metrics
from toolkit.plot._drawing import Drawing, documented, split_options
from toolkit.plot._style import axis_labels, ticks
from toolkit.tables import LogprobTables

_MOST = 36  # characters of a path


@documented("the dots")
def field_confidence(
    lp: LogprobTables,
    *,
    max_paths: int = 30,
    ax: Axes | None = None,
    title: str | None = None,
    label: str | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw how probable the values of each JSON field were.

    Parameters
    ----------
    lp : LogprobTables
    max_paths : int
        At most this many paths are drawn, the most frequent ones; the title counts the others.
    **kwargs
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
    options, keywords = split_options(field_metrics, kwargs)
    drawing = Drawing(ax, title, label, keywords)
    fields = field_metrics(lp, **options)
    fields["row"] = fields["path"].str.replace(r"\[\d+\]", "[*]", regex=True)
    frequent = fields["row"].value_counts().head(max_paths).index
    paths = [path for path in fields["row"].drop_duplicates() if path in frequent]
    omitted = fields["row"].nunique() - len(paths)
    n = len(fields[["response_key", "choice"]].drop_duplicates())
    parts = ["JSON values", f"{n:,} answers"]
    parts += [f"{omitted:,} more paths omitted"] if omitted else []
    ax, style = drawing.begin(8, 1.6 + 0.34 * max(len(paths), 1), parts), drawing.colours
    if not paths:
        return drawing.say("no JSON in the answers")
    places, names = drawing.rows(paths, _MOST)
    weak, strong = (style.light, drawing.colour) if drawing.is_first else (drawing.colour,) * 2
    name = drawing.name(None if drawing.is_first else "values")
    medians = fields.groupby("row")["probability"].median()
    for row, path in zip(places, paths, strict=True):
        own = fields.loc[fields["row"] == path, "probability"]
        dots = ax.plot(
            own, [row] * len(own), "o", ms=5, color=weak, alpha=0.8, mec="none", label=name
        )
        drawing.main(dots)
        name = "_nolegend_"
        if pd.notna(medians[path]):
            ax.plot([medians[path]] * 2, [row - 0.3, row + 0.3], color=strong, lw=2)
        if not drawing.is_first:
            continue
        text = f"n={own.notna().sum()} of {len(own)}" if own.isna().any() else f"n={len(own)}"
        ax.text(1.03, row, text, va="center", fontsize=9, color=style.faint)
    ticks(ax.yaxis, names, _MOST)
    ax.set(xlim=(-0.02, 1.02), ylim=(len(names) - 0.5, -0.5))
    axis_labels(ax, "probability of the whole value (higher: more certain; bar: median)")
    return drawing.end()
