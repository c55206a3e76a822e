"""Many answers at a glance: labels, votes, values of JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from toolkit.errors import ArgumentError
from toolkit.metrics import agreement as table_of
from toolkit.metrics import field_metrics, label_distribution, votes
from toolkit.palettes import readable_on
from toolkit.plot.axes import new_axes
from toolkit.plot.marks import DARK, LIGHT, SECOND, bare, legend_below, say, ticks, title
from toolkit.tables import LogprobTables


def label_heatmap(
    lp: LogprobTables,
    labels: Sequence[str] | Mapping[str, str | Sequence[str]],
    *,
    max_answers: int = 40,
    ax: Axes | None = None,
    **options: Any,
) -> Axes:
    """Draw how probable each label was in each answer.

    Parameters
    ----------
    lp : LogprobTables
    labels : sequence of str, or mapping
        As in `toolkit.label_distribution`.
    max_answers : int
        Answers after so many are left out, and counted in the title.
    ax : Axes, optional
        Where to draw. Default: a new figure.
    **options
        Further options of `toolkit.label_distribution`.

    Returns
    -------
    Axes
        One row per answer, one column per label. The colour is ``probability_lower``; the number is
        that too, and behind ``–`` the upper bound where it differs. A frame marks the label that
        the answer states. Answers of which nothing is known are grey.

    Raises
    ------
    ArgumentError
        As `toolkit.label_distribution`, or if `max_answers` is no positive integer.

    Examples
    --------
    >>> import toolkit
    >>> ax = label_heatmap(toolkit.read("data/sentiment_k20.jsonl"), ["positive", "negative"])
    >>> len(ax.texts)
    40
    """
    _check_most("max_answers", max_answers)
    table = label_distribution(lp, labels, **options)
    names = list(dict.fromkeys(table["label"]))
    n = len(table) // max(len(names), 1)
    shown = table.head(max_answers * len(names))
    rows = len(shown) // max(len(names), 1)
    ax = ax if ax is not None else new_axes(2.8 + 1.3 * len(names), 1.5 + 0.26 * max(rows, 1))
    left_out = f"{n - rows:,} more left out" if n > rows else None
    title(ax, ["labels", f"{rows:,} answers", left_out])
    if not rows:
        return say(ax, "no answers")
    low, high = (
        shown[name].to_numpy(float).reshape(rows, -1)
        for name in ("probability_lower", "probability_upper")
    )
    stated = shown["is_answer"].to_numpy().reshape(rows, -1)
    colours = mpl.colormaps["cividis"].with_extremes(bad="#d9d9d9")
    image = ax.imshow(np.ma.masked_invalid(low), cmap=colours, vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(low.shape):
        _cell(ax, row, column, low[row, column], high[row, column], colours)
        if stated[row, column]:
            ax.add_patch(
                Rectangle((column - 0.47, row - 0.44), 0.94, 0.88, fill=False, ec="#d55e00", lw=2)
            )
    ticks(ax.xaxis, range(len(names)), names)
    first = shown.iloc[:: len(names)]
    ids = first["custom_id"].astype(object).where(first["custom_id"].notna(), None)
    marks = [each or f"answer {i}" for i, each in enumerate(ids)]
    ticks(ax.yaxis, range(rows), marks, most=20)
    ax.set_xlabel("probability at least – at most; framed: what the answer states", fontsize=9)
    ax.figure.colorbar(image, ax=ax, label="probability, lower bound", fraction=0.05, pad=0.03)
    return ax


def _cell(ax: Axes, row: int, column: int, low: float, high: float, colours: Any) -> None:
    if np.isnan(low):
        text, ink = "unknown", "black"
    else:
        text = f"{low:.2f}" if high - low < 0.005 else f"{low:.2f} – {high:.2f}"
        ink = readable_on(colours(low)[:3])
    ax.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)


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
    _check_most("max_questions", max_questions)
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


def field_confidence(
    lp: LogprobTables, *, max_paths: int = 30, ax: Axes | None = None, **options: Any
) -> Axes:
    """Draw how probable the values of each JSON field were.

    Parameters
    ----------
    lp : LogprobTables
    max_paths : int
        Paths after so many are left out, the most frequent first, and counted in the title.
    ax : Axes, optional
        Where to draw. Default: a new figure.
    **options
        Of `toolkit.field_metrics`.

    Returns
    -------
    Axes
        A dot per value, by its path; the bar is the median of those that have a probability. The
        number of values stands at the right. Array items of one array share a row.

    Raises
    ------
    ArgumentError
        As `toolkit.field_metrics`, or if `max_paths` is no positive integer.

    Examples
    --------
    >>> import toolkit
    >>> ax = field_confidence(toolkit.read("data/structured.jsonl"))
    >>> len(ax.get_yticks())
    4
    """
    _check_most("max_paths", max_paths)
    fields = field_metrics(lp, **options)
    fields["row"] = fields["path"].str.replace(r"\[\d+\]", "[*]", regex=True)
    frequent = fields["row"].value_counts().head(max_paths).index
    paths = [path for path in fields["row"].drop_duplicates() if path in frequent]
    ax = ax if ax is not None else new_axes(8, 1.6 + 0.34 * max(len(paths), 1))
    left_out = fields["row"].nunique() - len(paths)
    title(
        ax,
        [f"values of JSON in {fields[['response_key', 'choice']].drop_duplicates().shape[0]:,} "
         "answers", f"{left_out:,} more paths left out" if left_out else None],
    )  # fmt: skip
    if not paths:
        return say(ax, "no JSON in the answers")
    medians = fields.groupby("row")["probability"].median()
    for row, path in enumerate(paths):
        own = fields.loc[fields["row"] == path, "probability"]
        ax.plot(own, [row] * len(own), "o", ms=5, color=LIGHT, alpha=0.8, mec="none")
        if pd.notna(medians[path]):
            ax.plot([medians[path]] * 2, [row - 0.3, row + 0.3], color=DARK, lw=2)
        text = f"{own.notna().sum()} of {len(own)}" if own.isna().any() else f"{len(own)}"
        ax.text(1.03, row, text, va="center", fontsize=9, color=SECOND)
    ticks(ax.yaxis, range(len(paths)), paths, most=36)
    ax.invert_yaxis()
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel(
        "probability of the whole value (higher: more certain); bar: median; right: values"
    )
    bare(ax)
    return ax


def _check_most(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ArgumentError(f"{name}={value!r}; give a positive integer")
