"""Plot how long the answers of two runs stay equal."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from toolkit.metrics import prefix_survival as table_of
from toolkit.plot._drawing import Drawing, documented
from toolkit.plot._style import axis_labels
from toolkit.tables import LogprobTables


@documented("the curve")
def prefix_survival(
    a: LogprobTables,
    b: LogprobTables,
    *,
    on: str | None = None,
    channel: str = "content",
    level: float = 0.95,
    ax: Axes | None = None,
    title: str | None = None,
    label: str | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw which share of the answers of two runs is still equal, token by token.

    Parameters
    ----------
    a, b, on, channel
        As in `toolkit.compare`.
    level : float
        Confidence level of the interval.

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
    drawing = Drawing(ax, title, label, kwargs)
    found = table_of(a, b, on=on, channel=channel, level=level)
    n_pairs = int(found["n_at_risk"].max()) if len(found) else 0
    ax = drawing.begin(7, 4, ["tokens until two runs differ", f"{n_pairs:,} pairs"])
    if not n_pairs:
        return drawing.say("no pair of answers with tokens")
    # Before the first token all pairs are equal.
    x = np.concatenate([[0], found["position"].to_numpy() + 1])
    curve, lower, upper = (
        np.concatenate([[1.0], found[name].to_numpy(float)])
        for name in ("survival", "survival_lower", "survival_upper")
    )
    colour, name = drawing.colour, drawing.name("still equal")
    drawing.main(ax.plot(x, curve, drawstyle="steps-post", color=colour, lw=1.6, label=name))
    if not np.isnan(lower[1:]).all():
        ax.fill_between(
            x, lower, upper, step="post", color=colour, alpha=0.15, lw=0,
            label=f"interval, {100 * level:g} %",
        )  # fmt: skip
    ended = np.flatnonzero(found["n_ended"].to_numpy() > 0) + 1
    if len(ended):
        ax.plot(x[ended], curve[ended], "|", color=colour, ms=8, label="pairs end, still equal")
    ax.set(ylim=(-0.02, 1.04))
    ax.set_xlim(left=0, auto=None)  # grows with later drawings
    axis_labels(ax, "tokens of the answer", "share of the answers that is still equal")
    return drawing.end()
