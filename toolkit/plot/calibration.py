"""Whether confidence is right to trust: reliability, and risk against coverage."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from toolkit.metrics import calibration
from toolkit.metrics import reliability as table_of
from toolkit.plot._axes import new_axes
from toolkit.plot._style import DARK, LIGHT, bare, say, title


def reliability(
    confidence: Any,
    correct: Any,
    *,
    bins: int = 10,
    strategy: str = "width",
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
        How many.
    strategy : {"width", "mass"}
        Bins of equal width, or of equally many answers.
    level : float
        Of the intervals.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        A dot per filled bin with its Wilson interval; on the dashed diagonal confidence comes true,
        above it the model is underconfident. Below, how many answers are in each bin.

    Raises
    ------
    ArgumentError
        As `toolkit.reliability`.

    See Also
    --------
    toolkit.reliability, toolkit.calibration : give what is drawn.

    Examples
    --------
    >>> ax = reliability([0.2, 0.8, 0.9], [False, True, True], bins=2)
    >>> ax.lines[1].get_ydata().tolist()
    [0.0, 1.0]
    """
    table = table_of(confidence, correct, bins=bins, strategy=strategy, level=level)
    found = calibration(confidence, correct, bins=bins, level=level, n_bootstrap=0).iloc[0]
    filled = table[table["n"] > 0]
    ax = ax if ax is not None else new_axes(5.6, 5.8)
    parts = [f"reliability of {found['n']:,.0f} answers"]
    if found["n"]:
        parts += [f"ECE {found['ece']:.3f}", f"right {found['accuracy']:.3f}"]
    title(ax, parts)
    if filled.empty:
        return say(ax, "no answers with confidence and truth")
    ax.plot([0, 1], [0, 1], ls="--", lw=1, color="#777777")
    x, y = filled["mean_confidence"].to_numpy(float), filled["accuracy"].to_numpy(float)
    reach = np.array([y - filled["accuracy_lower"], filled["accuracy_upper"] - y]).clip(0)
    ax.plot(x, y, "o", ms=6, color=DARK)
    ax.errorbar(x, y, yerr=reach, fmt="none", color=DARK, lw=1.2, capsize=3)
    ax.text(0.02, 0.98, "underconfident", va="top", fontsize=9, color="#555555")
    ax.text(0.98, 0.02, "overconfident", ha="right", fontsize=9, color="#555555")
    strip = ax.inset_axes((0, -0.32, 1, 0.14), sharex=ax)
    width = (table["high"] - table["low"]).to_numpy(float)
    if strategy == "mass":
        width = np.maximum(width, 0.004)
    strip.bar(table["low"], table["n"], width=width, align="edge", color=LIGHT, ec="white", lw=0.5)
    strip.set_ylabel("answers", fontsize=8)
    strip.tick_params(labelsize=8)
    bare(strip)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
    ax.set_xlabel("mean confidence of the bin")
    ax.set_ylabel(f"share that is right (Wilson interval, {100 * level:g} %)")
    bare(ax)
    return ax
