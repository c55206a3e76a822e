"""Plot how long the answers of two runs stay equal."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from toolkit.metrics import prefix_survival as table_of
from toolkit.plot._axes import axes
from toolkit.plot._style import DARK, axis_labels, bare, legend_below, say, title
from toolkit.tables import LogprobTables


def prefix_survival(
    a: LogprobTables,
    b: LogprobTables,
    *,
    on: str | None = None,
    channel: str = "content",
    level: float = 0.95,
    ax: Axes | None = None,
) -> Axes:
    """Draw which share of the answers of two runs is still equal, token by token.

    Parameters
    ----------
    a, b : LogprobTables
    on : {"custom_id", "position"}, optional
        As in `toolkit.compare`.
    channel : {"content", "prompt", "reasoning", "refusal"}
    level : float
        Confidence level of the interval.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        The Kaplan-Meier curve of the common prefix, and its interval. Ticks mark where pairs end,
        still equal.

    Raises
    ------
    ArgumentError
        As `toolkit.metrics.prefix_survival`.

    See Also
    --------
    toolkit.metrics.prefix_survival : the table that is drawn.

    Examples
    --------
    >>> import toolkit
    >>> lp = toolkit.read("data/pairs_whole.jsonl")
    >>> float(prefix_survival(lp, lp).lines[0].get_ydata().min())
    1.0
    """
    found = table_of(a, b, on=on, channel=channel, level=level)
    ax = axes(ax, 7, 4)
    n_pairs = int(found["n_at_risk"].max()) if len(found) else 0
    title(ax, ["tokens until two runs differ", f"{n_pairs:,} pairs"])
    if not n_pairs:
        return say(ax, "no pair of answers with tokens")
    # Before the first token all pairs are equal.
    x = np.concatenate([[0], found["position"].to_numpy() + 1])
    curve, lower, upper = (
        np.concatenate([[1.0], found[name].to_numpy(float)])
        for name in ("survival", "survival_lower", "survival_upper")
    )
    ax.plot(x, curve, drawstyle="steps-post", color=DARK, lw=1.6, label="still equal")
    if not np.isnan(lower[1:]).all():
        ax.fill_between(
            x, lower, upper, step="post", color=DARK, alpha=0.15, lw=0,
            label=f"interval, {100 * level:g} %",
        )  # fmt: skip
    ended = np.flatnonzero(found["n_ended"].to_numpy() > 0) + 1
    if len(ended):
        ax.plot(x[ended], curve[ended], "|", color=DARK, ms=8, label="pairs end, still equal")
    ax.set(ylim=(-0.02, 1.04), xlim=(0, None))
    axis_labels(ax, "tokens of the answer", "share of the answers that is still equal")
    bare(ax)
    legend_below(ax)
    return ax
