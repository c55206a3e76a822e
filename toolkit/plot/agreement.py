"""How several answers to one request agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes

from toolkit.metrics import agreement as table_of
from toolkit.metrics import votes
from toolkit.plot._axes import new_axes
from toolkit.plot._style import DARK, bare, legend_below, say, title
from toolkit.plot.labels import check_most
from toolkit.tables import LogprobTables


def agreement(
    lp: LogprobTables,
    *,
    answer: Callable[[str], Any] | None = None,
    max_questions: int = 60,
    ax: Axes | None = None,
    **options: Any,
) -> Axes:
    """Draw how the answers to each question are shared out over meanings.

    Parameters
    ----------
    lp : LogprobTables
    answer : callable, optional
        As in `toolkit.agreement`.
    max_questions : int
        Questions after so many are left out, those of most agreement first, and counted.
    ax : Axes, optional
        Where to draw. Default: a new figure.
    **options
        Further options of `toolkit.agreement`.

    Returns
    -------
    Axes
        One bar per question, sorted by the share of the majority, which is dark; the other answers
        stand above it, lighter, in the order of their size.

    Raises
    ------
    ArgumentError
        As `toolkit.agreement`, or if `max_questions` is no positive integer.

    Examples
    --------
    >>> import toolkit
    >>> ax = agreement(toolkit.read("data/arithmetic_n5.jsonl"))
    >>> ax.get_ylabel()
    'share of the answers'
    """
    check_most("max_questions", max_questions)
    questions = table_of(lp, answer=answer, **options)
    ballots = votes(lp, answer=answer, **options)
    questions = questions[questions["n_answered"] > 0]
    ranked = questions.sort_values("majority_share", ascending=False, kind="stable")
    shown = ranked.head(max_questions)
    ax = ax if ax is not None else new_axes(9, 3.6)
    left_out = len(ranked) - len(shown)
    title(
        ax,
        [f"agreement of answers to {len(shown):,} questions",
         f"{left_out:,} more left out" if left_out else None],
    )  # fmt: skip
    if shown.empty:
        return say(ax, "no answers")
    counts = ballots.dropna(subset="cluster").groupby(["group", "cluster"]).size()
    tones = mpl.colormaps["cividis"]
    for place, row in enumerate(shown.itertuples()):
        base = 0.0
        for number, size in enumerate(sorted(counts.loc[row.group], reverse=True)):
            share = size / row.n_answered
            colour = DARK if number == 0 else tones(min(0.45 + 0.12 * number, 0.95))
            ax.bar(place, share, 0.82, bottom=base, color=colour, ec="white", lw=0.6)
            base += share
    ax.plot([], [], "s", color=DARK, label="the majority's answer")
    ax.plot([], [], "s", color=tones(0.6), label="other answers")
    ax.set(xlim=(-0.6, len(shown) - 0.4), ylim=(0, 1.0))
    ax.set_xticks([])
    ax.set_xlabel("questions, the most agreed on first")
    ax.set_ylabel("share of the answers")
    bare(ax)
    legend_below(ax, drop=-0.12)
    return ax
