"""Plot the risk of the answers that a confidence threshold accepts."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from toolkit.metrics import risk_coverage as curve_of
from toolkit.metrics import selective
from toolkit.plot._drawing import Drawing, documented
from toolkit.plot._style import axis_labels


@documented("the curve")
def risk_coverage(
    confidence: Any,
    correct: Any,
    *,
    clusters: Any = None,
    level: float = 0.95,
    ax: Axes | None = None,
    title: str | None = None,
    label: str | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw which share of the answers is wrong when only the surest ones are kept.

    Parameters
    ----------
    confidence : array-like of float
        Any score; higher is more certain.
    correct : array-like of bool
        Whether each answer is right.
    clusters : array-like, optional
        As in `toolkit.metrics.risk_coverage`.
    level : float
        Confidence level of the intervals.

    Returns
    -------
    Axes
        The curve with the interval of each point. The dashed line is the share of all
        answers that is wrong, which an uninformative confidence would give.

    Raises
    ------
    ArgumentError
        As `toolkit.metrics.risk_coverage`.

    See Also
    --------
    toolkit.metrics.risk_coverage, toolkit.selective : the tables that are drawn.

    Examples
    --------
    >>> ax = risk_coverage([0.2, 0.8, 0.9], [False, True, True])
    >>> ax.lines[0].get_ydata().round(3).tolist()
    [0.0, 0.0, 0.333]
    """
    drawing = Drawing(ax, title, label, kwargs)
    curve: pd.DataFrame = curve_of(confidence, correct, clusters=clusters, level=level)
    found = selective(confidence, correct, level=level, n_bootstrap=0).iloc[0]
    scores = [f"{name.upper()} {found[name]:.3f}" for name in ("aurc", "auroc") if found["n"]]
    ax = drawing.begin(7, 4, ["risk and coverage", f"{found['n']:,.0f} answers", *scores])
    if curve.empty:
        return drawing.say("no answers with a confidence and a label")
    x = curve["coverage"].to_numpy(float)
    colour = drawing.colour
    line = ax.plot(
        x, curve["risk"], drawstyle="steps-pre", color=colour, lw=1.6,
        label=drawing.name("wrong among the kept"),
    )  # fmt: skip
    drawing.main(line)
    ax.fill_between(
        x, curve["risk_lower"], curve["risk_upper"], step="pre", color=colour, alpha=0.15, lw=0,
        label=f"{100 * level:g} % interval",
    )  # fmt: skip
    second = drawing.colours.second if drawing.is_first else colour
    ax.axhline(1 - found["accuracy"], color=second, ls="--", lw=1.2, label="wrong among all")
    ax.set(xlim=(0, 1.01), ylim=(0, 1.02))
    axis_labels(
        ax, "share of the answers that is kept (the surest first)", "share wrong (lower: better)"
    )
    return drawing.end()
