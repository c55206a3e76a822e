"""Plot how two runs of the same requests differ."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from toolkit.metrics import compare as table_of
from toolkit.metrics import compare_summary
from toolkit.plot._drawing import Drawing, documented
from toolkit.plot._style import axis_labels
from toolkit.tables import LogprobTables


@documented("the dots")
def compare(
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
    """Draw how much surer one run is than another, answer by answer.

    Parameters
    ----------
    a, b, on, channel
        As in `toolkit.compare`.
    level : float
        Confidence level of the interval of the mean.

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
    drawing = Drawing(ax, title, label, kwargs)
    pairs = table_of(a, b, on=on, channel=channel)
    summary = compare_summary(pairs, level=level).iloc[0]
    alone = int(summary["n_only_a"] + summary["n_only_b"])
    parts = ["second run minus first", f"{int(summary['n_scored']):,} pairs"]
    parts += [f"{alone:,} answers without a pair"] if alone else []
    ax, style = drawing.begin(9, 3.6, parts), drawing.colours
    second = style.second if drawing.is_first else drawing.colour
    scored = pairs[pairs["delta_nll"].notna()].sort_values("delta_nll", kind="stable")
    if scored.empty:
        return drawing.say("no pair has usable logprobs in both runs")
    ax.axhline(0.0, color=style.guide, lw=1)
    ax.axhline(summary["delta_nll"], color=second, lw=1.3, ls="--", label="mean over answers")
    if pd.notna(summary["delta_nll_lower"]):
        ax.axhspan(
            summary["delta_nll_lower"], summary["delta_nll_upper"], color=second, alpha=0.2, lw=0,
            label=f"{100 * level:g} % interval of the mean",
        )  # fmt: skip
    place = pd.Series(range(len(scored)), scored.index)
    same = scored["same_text"].astype("boolean").fillna(False).astype(bool)
    names = {"different texts": ~same, "same text": same}
    present = [name for name, mask in names.items() if mask.any()]
    for name in present:
        mask = names[name]
        face = style.ground if name == "same text" else drawing.colour
        series = None if len(present) == 1 and label is not None else name
        artists = ax.plot(
            place[mask], scored.loc[mask, "delta_nll"], "o", ms=5, mfc=face, mec=drawing.colour,
            color=drawing.colour, mew=1, ls="none", label=drawing.name(series=series),
        )  # fmt: skip
        drawing.main(artists)
    ax.set_xticks([])
    axis_labels(ax, "pairs of answers, sorted", "nats per token (above 0: the first is surer)")
    return drawing.end()
