"""Plot the calibration of a confidence: how often answers of each confidence are right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from toolkit.metrics import calibration
from toolkit.metrics import reliability as table_of
from toolkit.plot._axes import axes
from toolkit.plot._style import DARK, FAINT, GUIDE, LIGHT, axis_labels, bare, below, say, title

_STRIP = 0.14  # height of the strip of counts, as a share of the axes


def reliability(
    confidence: Any,
    correct: Any,
    *,
    bins: int = 10,
    strategy: str = "width",
    clusters: Any = None,
    level: float = 0.95,
    ax: Axes | None = None,
) -> Axes:
    """Draw how often answers of each confidence are right.

    Parameters
    ----------
    confidence : array-like of float
        Probabilities.
    correct : array-like of bool
        Whether each answer is right.
    bins : int
        Number of bins.
    strategy : {"width", "mass"}
        Bins of equal width, or of equally many answers.
    clusters : array-like, optional
        As in `toolkit.reliability`.
    level : float
        Confidence level of the intervals.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        A dot per non-empty bin, with its interval. On the dashed diagonal, confidence equals
        accuracy; above it the model is underconfident. Bars below count the answers in each bin.

    Raises
    ------
    ArgumentError
        As `toolkit.reliability`.

    See Also
    --------
    toolkit.reliability, toolkit.calibration : the tables that are drawn.

    Examples
    --------
    >>> ax = reliability([0.2, 0.8, 0.9], [False, True, True], bins=2)
    >>> ax.lines[1].get_ydata().tolist()
    [0.0, 1.0]
    """
    table = table_of(
        confidence, correct, bins=bins, strategy=strategy, clusters=clusters, level=level
    )
    found = calibration(confidence, correct, bins=bins, level=level, n_bootstrap=0).iloc[0]
    filled = table[table["n"] > 0]
    ax = axes(ax, 5.6, 5.8)
    parts = ["reliability", f"{found['n']:,.0f} answers"]
    if found["n"]:
        parts += [f"ECE {found['ece']:.3f}", f"accuracy {found['accuracy']:.3f}"]
    title(ax, parts)
    if filled.empty:
        return say(ax, "no answers with a confidence and a label")
    ax.plot([0, 1], [0, 1], ls="--", lw=1, color=GUIDE)
    x, y = filled["mean_confidence"].to_numpy(float), filled["accuracy"].to_numpy(float)
    reach = np.array([y - filled["accuracy_lower"], filled["accuracy_upper"] - y]).clip(0)
    ax.plot(x, y, "o", ms=6, color=DARK)
    ax.errorbar(x, y, yerr=reach, fmt="none", color=DARK, lw=1.2, capsize=3)
    ax.text(0.02, 0.98, "underconfident", va="top", fontsize=9, color=FAINT)
    ax.text(0.98, 0.02, "overconfident", ha="right", fontsize=9, color=FAINT)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
    axis_labels(ax, "mean confidence of the bin", f"share right ({100 * level:g} % interval)")
    bare(ax)
    _draw_counts(ax, table, strategy)
    return ax


def _draw_counts(ax: Axes, table: pd.DataFrame, strategy: str) -> None:
    """Draw how many answers are in each bin, in a strip below the label of the x axis."""
    strip = ax.inset_axes((0, -_STRIP, 1, _STRIP), transform=below(ax), sharex=ax)
    width = (table["high"] - table["low"]).to_numpy(float)
    if strategy == "mass":
        width = np.maximum(width, 0.004)  # bins of answers with equal confidence have no width
    strip.bar(table["low"], table["n"], width=width, align="edge", color=LIGHT, ec="white", lw=0.5)
    strip.set_ylabel("answers", fontsize=8)
    strip.tick_params(labelsize=8)
    bare(strip)
