"""Plot how two runs of the same requests differ."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from toolkit.metrics import compare as table_of
from toolkit.metrics import compare_summary
from toolkit.plot._axes import axes
from toolkit.plot._style import DARK, GUIDE, SECOND, axis_labels, bare, legend_below, say, title
from toolkit.tables import LogprobTables


def compare(
    a: LogprobTables,
    b: LogprobTables,
    *,
    on: str | None = None,
    channel: str = "content",
    level: float = 0.95,
    ax: Axes | None = None,
) -> Axes:
    """Draw how much surer one run is than another, answer by answer.

    Parameters
    ----------
    a, b : LogprobTables
    on : {"custom_id", "position"}, optional
        As in `toolkit.compare`.
    channel : {"content", "prompt", "reasoning", "refusal"}
    level : float
        Confidence level of the interval of the mean.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        A dot per pair of answers, sorted: mean surprisal in the second run minus that in the first,
        in nats per token; above 0 the first run is surer. Open dots: both runs have the same text.
        The band is the interval of the mean over requests, if there is one.

    Raises
    ------
    ArgumentError
        As `toolkit.compare`.

    See Also
    --------
    toolkit.compare, toolkit.compare_summary : the tables that are drawn.

    Examples
    --------
    >>> import toolkit
    >>> lp = toolkit.read("data/pairs_whole.jsonl")
    >>> compare(lp, lp).lines[0].get_ydata()
    [0.0, 0.0]
    """
    pairs = table_of(a, b, on=on, channel=channel)
    summary = compare_summary(pairs, level=level).iloc[0]
    ax = axes(ax, 9, 3.6)
    alone = int(summary["n_only_a"] + summary["n_only_b"])
    title(
        ax,
        ["second run minus first", f"{int(summary['n_scored']):,} pairs",
         f"{alone:,} answers without a pair" if alone else None],
    )  # fmt: skip
    scored = pairs[pairs["delta_nll"].notna()].sort_values("delta_nll", kind="stable")
    if scored.empty:
        return say(ax, "no pair has usable logprobs in both runs")
    ax.axhline(0.0, color=GUIDE, lw=1)
    ax.axhline(summary["delta_nll"], color=SECOND, lw=1.3, ls="--", label="mean over answers")
    if pd.notna(summary["delta_nll_lower"]):
        ax.axhspan(
            summary["delta_nll_lower"], summary["delta_nll_upper"], color=SECOND, alpha=0.2, lw=0,
            label=f"{100 * level:g} % interval of the mean",
        )  # fmt: skip
    place = pd.Series(range(len(scored)), scored.index)
    same = scored["same_text"].astype("boolean").fillna(False).astype(bool)
    for mask, face, name in ((~same, DARK, "different texts"), (same, "white", "same text")):
        if mask.any():
            ax.plot(
                place[mask], scored.loc[mask, "delta_nll"], "o", ms=5, mfc=face, mec=DARK, mew=1,
                ls="none", label=name,
            )  # fmt: skip
    ax.set_xticks([])
    axis_labels(ax, "pairs of answers, sorted", "nats per token (above 0: the first is surer)")
    bare(ax)
    legend_below(ax)
    return ax
