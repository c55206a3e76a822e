"""Plot how far several answers to each question agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes

from toolkit import arguments
from toolkit.metrics import agreement as table_of
from toolkit.metrics import votes
from toolkit.plot._axes import axes
from toolkit.plot._style import DARK, axis_labels, bare, legend_below, say, title
from toolkit.tables import LogprobTables


def agreement(
    lp: LogprobTables,
    *,
    answer: Callable[[str], Any] | None = None,
    max_questions: int = 60,
    ax: Axes | None = None,
    **options: Any,
) -> Axes:
    """Draw which share of the answers to each question has the same meaning.

    Parameters
    ----------
    lp : LogprobTables
    answer : callable, optional
        As in `toolkit.agreement`.
    max_questions : int
        At most this many questions are drawn, those of most agreement first; the title counts the
        others.
    ax : Axes, optional
        Where to draw. Default: a new figure.
    **options
        Further options of `toolkit.agreement`.

    Returns
    -------
    Axes
        One bar per question, sorted by the share of the majority, which is dark. The other answers
        are above it, lighter, the most frequent first.

    Raises
    ------
    ArgumentError
        As `toolkit.agreement`, or if `max_questions` is not a positive integer.

    Examples
    --------
    >>> import toolkit
    >>> ax = agreement(toolkit.read("data/arithmetic_n5.jsonl"))
    >>> ax.get_ylabel()
    'share of the answers'
    """
    max_questions = arguments.whole("max_questions", max_questions)
    questions = table_of(lp, answer=answer, **options)
    ballots = votes(lp, answer=answer, **options)
    questions = questions[questions["n_answered"] > 0]
    ranked = questions.sort_values("majority_share", ascending=False, kind="stable")
    shown = ranked.head(max_questions)
    ax = axes(ax, 9, 3.6)
    omitted = len(ranked) - len(shown)
    title(
        ax,
        ["agreement", f"{len(shown):,} questions",
         f"{omitted:,} more omitted" if omitted else None],
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
    ax.plot([], [], "s", color=DARK, label="most frequent answer")
    ax.plot([], [], "s", color=tones(0.6), label="other answers")
    ax.set(xlim=(-0.6, len(shown) - 0.4), ylim=(0, 1.0))
    ax.set_xticks([])
    axis_labels(ax, "questions, most agreement first", "share of the answers")
    bare(ax)
    legend_below(ax)
    return ax
