"""Plot how logprobs, perplexities and finish reasons are distributed, by model or other groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from toolkit import arguments
from toolkit.metrics import ecdf, token_histogram
from toolkit.metrics import finish_reasons as count_reasons
from toolkit.plot._drawing import Drawing, documented
from toolkit.plot._style import HATCHES, MOST_SERIES, STROKES, axis_labels, ticks
from toolkit.tables import LogprobTables


class _Group(NamedTuple):
    """The rows of one value of `by`, and what they are called in the legend."""

    name: str
    rows: pd.DataFrame


@documented("the lines")
def logprob_histogram(
    lp: LogprobTables,
    *,
    by: str | None = None,
    bins: int | Sequence[float] = 50,
    channel: str = "content",
    log: bool = True,
    ax: Axes | None = None,
    title: str | None = None,
    label: str | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw a histogram of the logprobs of the sampled tokens.

    Parameters
    ----------
    lp : LogprobTables
    by : str, optional
        A column of responses or choices to group by, such as ``"model"``; at most six groups.
    bins : int or sequence of float
        As in `toolkit.metrics.token_histogram`.
    channel : {"content", "prompt", "reasoning", "refusal"}
    log : bool
        Shares on a logarithmic axis, since most logprobs are close to 0.

    Returns
    -------
    Axes
        Logprobs in nats; higher is more certain. Groups without a usable logprob are omitted.

    Raises
    ------
    ArgumentError
        If an option is out of range, or there are more than six groups.

    See Also
    --------
    toolkit.metrics.token_histogram : the table that is drawn.

    Examples
    --------
    >>> import toolkit
    >>> lp = toolkit.read("data/pairs_whole.jsonl")
    >>> ax = logprob_histogram(lp, bins=10)
    >>> float(sum(ax.patches[0].get_data().values).round(6))
    1.0
    """
    drawing = Drawing(ax, title, label, kwargs)
    log = arguments.flag("log", log)
    table = token_histogram(lp, "logprob", bins=bins, by=_column(by), channel=channel)
    groups = _curves(table, by)
    n = sum(int(rows["n"].iloc[0]) for _, rows in groups)
    ax = drawing.begin(9, 3.6, ["logprobs of the sampled tokens", channel, f"{n:,} tokens"])
    if not n:
        return drawing.say("no tokens with usable logprobs")
    is_alone = len(groups) == 1 and drawing.is_first
    for number, (name, rows) in enumerate(groups):
        edges = [*rows["low"], rows["high"].iloc[-1]]
        stairs = ax.stairs(
            rows["share"], edges, color=drawing.series(number), ls=STROKES[drawing.place(number)],
            lw=1.5, fill=is_alone, alpha=0.85,
            label=_entry(drawing, groups, name, f" ({int(rows['n'].iloc[0]):,} tokens)"),
        )  # fmt: skip
        drawing.main(stairs, number)
    if log:
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter("")
    axis_labels(ax, "logprob in nats (higher: more certain)", "share of the tokens")
    return drawing.end()


@documented("the lines")
def perplexity_ecdf(
    lp: LogprobTables,
    *,
    by: str | None = "model",
    channel: str = "content",
    ax: Axes | None = None,
    title: str | None = None,
    label: str | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw the cumulative distribution of the answers' perplexities.

    Parameters
    ----------
    lp : LogprobTables
    by : str, optional
        A column of responses or choices to group by; at most six groups.
    channel : {"content", "prompt", "reasoning", "refusal"}

    Returns
    -------
    Axes
        The share of the answers that have at most each perplexity, on a logarithmic axis; a curve
        further left is more certain.

    Raises
    ------
    ArgumentError
        If `by` is not such a column, or there are more than six groups.

    See Also
    --------
    toolkit.metrics.ecdf : the table that is drawn.

    Examples
    --------
    >>> import toolkit
    >>> ax = perplexity_ecdf(toolkit.read("data/pairs_whole.jsonl"))
    >>> float(ax.lines[0].get_ydata()[-1])
    1.0
    """
    drawing = Drawing(ax, title, label, kwargs)
    table = ecdf(lp, "perplexity", by=_column(by), channel=channel)
    groups = _curves(table, by)
    n = sum(int(rows["n"].iloc[0]) for _, rows in groups)
    ax = drawing.begin(9, 3.6, ["perplexity of answers", channel, f"{n:,} answers"])
    if not n:
        return drawing.say("no answers with usable logprobs")
    before = 1.0 if drawing.is_first else ax.get_xlim()[1]
    for number, (name, rows) in enumerate(groups):
        # A step at every value, from the share before it.
        steps = ax.step(
            [rows["value"].iloc[0], *rows["value"]], [0.0, *rows["share"]], where="post",
            color=drawing.series(number), ls=STROKES[drawing.place(number)], lw=1.6,
            label=_entry(drawing, groups, name, f" ({int(rows['n'].iloc[0]):,})"),
        )  # fmt: skip
        drawing.main(steps, number)
    _perplexity_ticks(ax, before)
    ax.set_ylim(0, 1.02)
    axis_labels(ax, "perplexity of the answer (lower: more certain)", "share with at most that")
    return drawing.end()


def _entry(drawing: Drawing, groups: Sequence[_Group], name: str, count: str) -> str:
    """Return the entry in the legend of a group; the label of the caller names an only group."""
    if drawing.has_label:
        return drawing.name(series=name + count if len(groups) > 1 else None)
    return drawing.name(name + count)


def _perplexity_ticks(ax: Axes, before: float) -> None:
    """Scale the x axis logarithmically from 1, with ticks whose labels keep apart."""
    ax.set_xscale("log")
    high = max(ax.get_xlim()[1], before, 1.02)
    ax.set_xlim(1.0, high, auto=None)  # grows with later drawings
    if high < 4:
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    else:
        ax.xaxis.set_major_locator(LogLocator(10, (1.0, 2.0, 5.0) if high < 200 else (1.0,)))
    ax.xaxis.set_major_formatter("{x:,.6g}")
    ax.xaxis.set_minor_formatter(NullFormatter())


@documented("the bars")
def finish_reasons(
    lp: LogprobTables,
    *,
    by: str = "model",
    ax: Axes | None = None,
    title: str | None = None,
    label: str | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw why answers ended, as shares of the choices of each group.

    Parameters
    ----------
    lp : LogprobTables
    by : str
        A column of responses or choices to group by.

    Returns
    -------
    Axes
        One bar per group, with the counts in its parts.

    Raises
    ------
    ArgumentError
        If `by` is not such a column.

    See Also
    --------
    toolkit.metrics.finish_reasons : the table that is drawn.

    Examples
    --------
    >>> import toolkit
    >>> ax = finish_reasons(toolkit.read("data/pairs_whole.jsonl"))
    >>> [float(bar.get_width()) for bar in ax.patches]
    [1.0]
    """
    drawing = Drawing(ax, title, label, kwargs)
    table = count_reasons(lp, by=_column(by))
    groups = _groups(table, by)
    parts = ["why answers ended", f"{int(table['count'].sum()):,} choices"]
    ax = drawing.begin(9, 1.7 + 0.45 * max(len(groups), 1), parts)
    if table.empty:
        return drawing.say("no choices")
    names = [] if drawing.is_first else [tick.get_text() for tick in ax.get_yticklabels()]
    known = ax.get_legend_handles_labels()[1]
    table["reason"] = table["finish_reason"].astype(object).fillna("none sent")
    reasons = table.groupby("reason")["count"].sum().sort_values(ascending=False).index
    known += [reason for reason in reasons if reason not in known]
    for row, (_, own) in enumerate(_groups(table, by), len(names)):
        left = 0.0
        for reason in known:
            for share, count in own.loc[own["reason"] == reason, ["share", "count"]].to_numpy():
                _draw_part(drawing, (left, row), share, int(count), known.index(reason), reason)
                left += share
    # The reasons are the entries of the legend; a label names the bars.
    names += [
        " · ".join(filter(None, [label, group.name if not label or len(groups) > 1 else None]))
        for group in groups
    ]
    ticks(ax.yaxis, names)
    ax.set(xlim=(0, 1), ylim=(len(names) - 0.5, -0.5))
    axis_labels(ax, "share of the choices")
    return drawing.end()


def _draw_part(
    drawing: Drawing, place: tuple[float, int], share: float, count: int, number: int, reason: str
) -> None:
    """Draw one part of a bar, with its count where there is room."""
    (left, row), ax, style = place, drawing.ax, drawing.colours
    is_named = reason in ax.get_legend_handles_labels()[1]
    colour = drawing.given_or(style.series[number % MOST_SERIES])
    part = ax.barh(
        row, share, 0.62, left=left, color=colour, alpha=0.75, lw=0.5,
        hatch=HATCHES[number % len(HATCHES)], edgecolor=style.ground,
        label="_nolegend_" if is_named else reason,
    )  # fmt: skip
    drawing.main(part)
    if share > 0.05:
        ax.text(
            left + share / 2, row, f"{count:,}", ha="center", va="center", fontsize=9,
            color=style.ink, bbox={"facecolor": style.ground, "lw": 0, "pad": 1.2},
        )  # fmt: skip


def _groups(table: pd.DataFrame, by: str | None) -> list[_Group]:
    """Split a table at the values of `by`, in the order of the table."""
    if by is None:
        return [_Group("all", table)]
    groups = table.groupby(by, dropna=False, sort=False)
    return [_Group("none" if pd.isna(name) else str(name), rows) for name, rows in groups]


def _column(by: str | None) -> str | None:
    """Return the option `by`, which is one column in a plot."""
    return by if by is None else arguments.text("by", by, "the name of one column")


def _curves(table: pd.DataFrame, by: str | None) -> list[_Group]:
    """Return the groups that have values; more than six cannot be distinguished."""
    groups = [group for group in _groups(table, by) if len(group.rows) and group.rows["n"].iloc[0]]
    if len(groups) > MOST_SERIES:
        expected = f"a column of at most {MOST_SERIES} values"
        raise arguments.invalid("by", by, f"{expected}, it has {len(groups)} values; filter first")
    return groups
