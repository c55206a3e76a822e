"""Risk of the answers that a threshold accepts."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from toolkit.metrics import risk_coverage as curve_of
from toolkit.metrics import selective
from toolkit.plot._axes import new_axes
from toolkit.plot._style import DARK, SECOND, bare, legend_below, say, title


def risk_coverage(
    confidence: Any, correct: Any, *, level: float = 0.95, ax: Axes | None = None
) -> Axes:
    """Draw which share of the answers is wrong if only the surest are kept.

    Parameters
    ----------
    confidence : array-like of float
        Any score; higher is surer.
    correct : array-like of bool
        Whether each answer is right.
    level : float
        Of the intervals.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        The curve with its Wilson intervals, one by one; the dashed line is the share of all that
        is wrong, which a confidence that knows nothing would give.

    Raises
    ------
    ArgumentError
        As `toolkit.metrics.risk_coverage`.

    See Also
    --------
    toolkit.metrics.risk_coverage, toolkit.selective : give what is drawn.

    Examples
    --------
    >>> ax = risk_coverage([0.2, 0.8, 0.9], [False, True, True])
    >>> ax.lines[0].get_ydata().round(3).tolist()
    [0.0, 0.0, 0.333]
    """
    curve: pd.DataFrame = curve_of(confidence, correct, level=level)
    found = selective(confidence, correct, level=level, n_bootstrap=0).iloc[0]
    ax = ax if ax is not None else new_axes(7, 4)
    scores = [f"{name.upper()} {found[name]:.3f}" for name in ("aurc", "auroc") if found["n"]]
    title(ax, [f"risk and coverage of {found['n']:,.0f} answers", *scores])
    if curve.empty:
        return say(ax, "no answers with confidence and truth")
    x = curve["coverage"].to_numpy(float)
    ax.plot(
        x, curve["risk"], drawstyle="steps-pre", color=DARK, lw=1.6, label="wrong among the kept"
    )
    ax.fill_between(
        x, curve["risk_lower"], curve["risk_upper"], step="pre", color=DARK, alpha=0.15, lw=0,
        label=f"Wilson interval, {100 * level:g} %",
    )  # fmt: skip
    ax.axhline(1 - found["accuracy"], color=SECOND, ls="--", lw=1.2, label="wrong among all")
    ax.set(xlim=(0, 1.01), ylim=(0, 1.02))
    ax.set_xlabel("share of the answers that is kept, the surest first")
    ax.set_ylabel("share that is wrong (lower: better)")
    bare(ax)
    legend_below(ax, columns=3)
    return ax
