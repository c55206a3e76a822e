"""Plot how far several answers to each question agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from toolkit import arguments
from toolkit.metrics import agreement as table_of
from toolkit.metrics import votes
from toolkit.plot._drawing import Drawing, documented, split_options
from toolkit.plot._style import axis_labels, colour_map
from toolkit.tables import LogprobTables


@documented("the bars of the majority")
def agreement(
    lp: LogprobTables,
    *,
    answer: Callable[[str], Any] | None = None,
    max_questions: int = 60,
    ax: Axes | None = None,
    title: str | None = None,
    label: str | None = None,
    **kwargs: Any,
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
    **kwargs
        Further options of `toolkit.agreement`.

    Returns
    -------
    Axes
        One bar per question, sorted by the share of the majority. The other answers are above it,
        in the colours of doubt, the most frequent first. On axes that have bars already, a
        line shows the share of the majority.

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
    options, keywords = split_options(table_of, kwargs)
    drawing = Drawing(ax, title, label, keywords)
    questions = table_of(lp, answer=answer, **options)
    ballots = votes(lp, answer=answer, **options)
    questions = questions[questions["n_answered"] > 0]
    ranked = questions.sort_values("majority_share", ascending=False, kind="stable")
    shown = ranked.head(max_questions)
    more = f"{len(ranked) - len(shown):,} more omitted" if len(ranked) > len(shown) else None
    ax = drawing.begin(9, 3.6, ["agreement", f"{len(shown):,} questions", more])
    if shown.empty:
        return drawing.say("no answers")
    name = drawing.name("most frequent answer")
    if drawing.is_first:
        counts = ballots.dropna(subset="cluster").groupby(["group", "cluster"]).size()
        _draw_bars(drawing, shown, counts, name)
    else:
        majority = shown["majority_share"].to_numpy(float)
        edges = np.arange(len(shown) + 1) - 0.5
        drawing.main(
            ax.stairs(majority, edges, baseline=None, color=drawing.colour, lw=2, label=name)
        )
    ax.set(
        xlim=(-0.6, max(len(shown) - 0.4, ax.get_xlim()[1] * (not drawing.is_first))), ylim=(0, 1.0)
    )
    ax.set_xticks([])
    axis_labels(ax, "questions, most agreement first", "share of the answers")
    return drawing.end()


def _draw_bars(drawing: Drawing, shown: pd.DataFrame, counts: pd.Series, name: str) -> None:
    """Draw the shares of the answers to each question, the most frequent one lowest."""
    ax, ground = drawing.ax, drawing.colours.ground
    tones = colour_map("oranges", is_dark=drawing.colours.is_dark)
    for place, row in enumerate(shown.itertuples()):
        base = 0.0
        for number, size in enumerate(sorted(counts.loc[row.group], reverse=True)):
            share = size / row.n_answered
            colour = drawing.colour if number == 0 else tones(min(0.2 + 0.1 * number, 0.7))
            bars = ax.bar(
                place, share, 0.82, bottom=base, color=colour, ec=ground, lw=0.6,
                label=name if place == number == 0 else "_nolegend_",
            )  # fmt: skip
            if number == 0:
                drawing.main(bars)
            base += share
    ax.plot([], [], "s", color=tones(0.3), label="other answers")
