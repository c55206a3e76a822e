"""Plot the calibration of a confidence: how often answers of each confidence are right."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from toolkit import arguments
from toolkit.metrics import calibration
from toolkit.metrics import reliability as table_of
from toolkit.plot._drawing import Drawing, documented
from toolkit.plot._style import axis_labels, bare, below

_STRIP = 0.14  # height of the strip of counts, as a share of the axes


@documented("the dots")
def reliability(
    confidence: Any,
    correct: Any,
    *,
    bins: int = 10,
    strategy: str = "width",
    clusters: Any = None,
    level: float = 0.95,
    threshold: float | pd.DataFrame | None = None,
    ax: Axes | None = None,
    title: str | None = None,
    label: str | None = None,
    **kwargs: Any,
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
    threshold : float or DataFrame, optional
        A confidence, or a result of `toolkit.threshold_for`, that is marked by a vertical line.

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
    drawing = Drawing(ax, title, label, kwargs)
    at = _threshold(threshold)
    table = table_of(
        confidence, correct, bins=bins, strategy=strategy, clusters=clusters, level=level
    )
    found = calibration(confidence, correct, bins=bins, level=level, n_bootstrap=0).iloc[0]
    filled = table[table["n"] > 0]
    parts = ["reliability", f"{found['n']:,.0f} answers"]
    if found["n"]:
        parts += [f"ECE {found['ece']:.3f}", f"accuracy {found['accuracy']:.3f}"]
    ax, style = drawing.begin(5.6, 5.8, parts), drawing.colours
    if filled.empty:
        return drawing.say("no answers with a confidence and a label")
    if drawing.is_first:
        ax.plot([0, 1], [0, 1], ls="--", lw=1, color=style.guide)
        ax.text(0.02, 0.98, "underconfident", va="top", fontsize=9, color=style.faint)
        ax.text(0.98, 0.02, "overconfident", ha="right", fontsize=9, color=style.faint)
    x, y = filled["mean_confidence"].to_numpy(float), filled["accuracy"].to_numpy(float)
    reach = np.array([y - filled["accuracy_lower"], filled["accuracy_upper"] - y]).clip(0)
    drawing.main(ax.plot(x, y, "o", ms=6, color=drawing.colour, label=_name(drawing, at)))
    ax.errorbar(x, y, yerr=reach, fmt="none", color=drawing.colour, lw=1.2, capsize=3)
    if at is not None:
        colour = style.second if drawing.is_first else drawing.colour
        ax.axvline(at, color=colour, lw=1.4, ls="-.", label=f"threshold {at:.3g}")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
    axis_labels(ax, "mean confidence of the bin", f"share right ({100 * level:g} % interval)")
    _draw_counts(drawing, table, strategy)
    return drawing.end(_STRIP)


def _name(drawing: Drawing, at: float | None) -> str:
    """Return the entry in the legend of the dots; alone, they need none."""
    return drawing.name("bins" if at is not None or not drawing.is_first else None)


def _threshold(given: float | pd.DataFrame | None) -> float | None:
    """Return the threshold that is marked; None if none was found."""
    if isinstance(given, pd.DataFrame):
        if "threshold" not in given or len(given) != 1:
            expected = "a confidence or a result of toolkit.threshold_for"
            raise arguments.invalid("threshold", given, expected)
        given = None if pd.isna(found := given["threshold"].iloc[0]) else float(found)
    return given if given is None else arguments.share("threshold", given)


def _draw_counts(drawing: Drawing, table: pd.DataFrame, strategy: str) -> None:
    """Draw how many answers are in each bin, in a strip below the label of the x axis."""
    ax, style = drawing.ax, drawing.colours
    if not drawing.is_first and ax.child_axes:
        strip = cast("Axes", ax.child_axes[0])
        edges = [*table["low"], table["high"].iloc[-1]]
        strip.stairs(table["n"], edges, color=drawing.colour, lw=1.2)
        return
    strip = ax.inset_axes((0, -_STRIP, 1, _STRIP), transform=below(ax), sharex=ax)
    strip.set_facecolor(ax.get_facecolor())
    width = (table["high"] - table["low"]).to_numpy(float)
    if strategy == "mass":
        width = np.maximum(width, 0.004)  # bins of answers with equal confidence have no width
    strip.bar(
        table["low"], table["n"], width=width, align="edge", color=style.light, ec=style.ground,
        lw=0.5,
    )  # fmt: skip
    strip.set_ylabel("answers", fontsize=8)
    strip.tick_params(labelsize=8)
    bare(strip)
