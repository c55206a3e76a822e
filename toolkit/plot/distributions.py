"""How logprobs, perplexities and finish reasons are spread, model by model."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from toolkit.errors import ArgumentError
from toolkit.metrics import ecdf, token_histogram
from toolkit.metrics import finish_reasons as count_reasons
from toolkit.plot._axes import new_axes
from toolkit.plot._style import (
    HATCHES,
    MOST_SERIES,
    SERIES,
    STROKES,
    bare,
    legend_below,
    say,
    ticks,
    title,
)
from toolkit.tables import LogprobTables


def logprob_histogram(
    lp: LogprobTables,
    *,
    by: str | None = None,
    bins: int | Sequence[float] = 50,
    channel: str = "content",
    log: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw how the logprobs of the sampled tokens are spread.

    Parameters
    ----------
    lp : LogprobTables
    by : str, optional
        A column that tells answers apart, such as ``"model"``; at most six values.
    bins : int or sequence of float
        As in `toolkit.metrics.token_histogram`.
    channel : {"content", "refusal", "reasoning"}
    log : bool
        Shares on a logarithmic axis, since most logprobs are close to 0.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        Logprobs in nats; higher is more certain.

    Raises
    ------
    ArgumentError
        If an option is out of range, or `by` has more than six values.

    See Also
    --------
    toolkit.metrics.token_histogram : gives what is drawn.

    Examples
    --------
    >>> import toolkit
    >>> lp = toolkit.read("data/pairs_whole.jsonl")
    >>> ax = logprob_histogram(lp, bins=10)
    >>> float(sum(ax.patches[0].get_data().values).round(6))
    1.0
    """
    table = token_histogram(lp, "logprob", bins=bins, by=by, channel=channel)
    groups = _groups(table, by)
    ax = ax if ax is not None else new_axes(9, 3.6)
    n = sum(int(own["n"].iloc[0]) for _, own in groups if len(own))
    title(ax, ["logprobs of the sampled tokens", channel, f"{n:,} tokens"])
    if not n:
        return say(ax, "no tokens with usable logprobs")
    for (name, own), colour, stroke in zip(groups, SERIES, STROKES, strict=False):
        edges = [*own["low"], own["high"].iloc[-1]]
        ax.stairs(
            own["share"].fillna(0.0), edges, color=colour, ls=stroke, lw=1.5,
            fill=len(groups) == 1, alpha=0.85, label=f"{name} ({int(own['n'].iloc[0]):,} tokens)",
        )  # fmt: skip
    if log:
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter("")
    ax.set_xlabel("logprob in nats (higher: more certain)")
    ax.set_ylabel("share of the tokens")
    bare(ax)
    if len(groups) > 1:
        legend_below(ax, columns=2)
    return ax


def perplexity_ecdf(
    lp: LogprobTables, *, by: str | None = "model", channel: str = "content", ax: Axes | None = None
) -> Axes:
    """Draw which share of the answers has at most so much perplexity.

    Parameters
    ----------
    lp : LogprobTables
    by : str, optional
        A column that tells answers apart; at most six values.
    channel : {"content", "refusal", "reasoning"}
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        Perplexity on a logarithmic axis; a curve further left is more certain.

    Raises
    ------
    ArgumentError
        If `by` is no such column, or has more than six values.

    See Also
    --------
    toolkit.metrics.ecdf : gives what is drawn.

    Examples
    --------
    >>> import toolkit
    >>> ax = perplexity_ecdf(toolkit.read("data/pairs_whole.jsonl"))
    >>> float(ax.lines[0].get_ydata()[-1])
    1.0
    """
    table = ecdf(lp, "perplexity", by=by, channel=channel)
    groups = _groups(table, by)
    ax = ax if ax is not None else new_axes(9, 3.6)
    n = sum(int(own["n"].iloc[0]) for _, own in groups if len(own))
    title(ax, ["perplexity of answers", channel, f"{n:,} answers"])
    if not n:
        return say(ax, "no answers with usable logprobs")
    for (name, own), colour, stroke in zip(groups, SERIES, STROKES, strict=False):
        # A step at every value, from the share before it.
        ax.step(
            [own["value"].iloc[0], *own["value"]], [0.0, *own["share"]], where="post",
            color=colour, ls=stroke, lw=1.6, label=f"{name} ({int(own['n'].iloc[0]):,})",
        )  # fmt: skip
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("{x:g}")
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("perplexity of the answer (lower: more certain)")
    ax.set_ylabel("share with at most that")
    bare(ax)
    legend_below(ax, columns=2)
    return ax


def finish_reasons(lp: LogprobTables, *, by: str = "model", ax: Axes | None = None) -> Axes:
    """Draw why answers ended, as shares of the choices of each group.

    Parameters
    ----------
    lp : LogprobTables
    by : str
        A column that tells answers apart.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        One bar per group; counts stand in its parts.

    Raises
    ------
    ArgumentError
        If `by` is no such column.

    See Also
    --------
    toolkit.metrics.finish_reasons : gives what is drawn.

    Examples
    --------
    >>> import toolkit
    >>> ax = finish_reasons(toolkit.read("data/pairs_whole.jsonl"))
    >>> [float(bar.get_width()) for bar in ax.patches]
    [1.0]
    """
    table = count_reasons(lp, by=by)
    groups = _split(table, by)
    ax = ax if ax is not None else new_axes(9, 1.7 + 0.45 * max(len(groups), 1))
    title(ax, ["why answers ended", f"{int(table['count'].sum()):,} choices"])
    if table.empty:
        return say(ax, "no choices")
    table["reason"] = table["finish_reason"].astype(object).fillna("none sent")
    reasons = table.groupby("reason")["count"].sum().sort_values(ascending=False).index
    left = [0.0] * len(groups)
    for i, reason in enumerate(reasons):
        for row, (_, own) in enumerate(_split(table, by)):
            for share, count in own.loc[own["reason"] == reason, ["share", "count"]].to_numpy():
                _part(ax, row, left[row], share, int(count), i, reason)
                left[row] += share
    ticks(ax.yaxis, range(len(groups)), [name for name, _ in groups])
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of the choices")
    bare(ax)
    legend_below(ax, columns=4, drop=-0.75 / (0.45 * len(groups) + 0.4))
    return ax


def _part(
    ax: Axes, row: int, left: float, share: float, count: int, number: int, reason: str
) -> None:
    """Draw one part of a bar, with its count where there is room."""
    named = reason in ax.get_legend_handles_labels()[1]
    ax.barh(
        row, share, 0.62, left=left, color=SERIES[number % MOST_SERIES], alpha=0.75, lw=0.5,
        hatch=HATCHES[number % len(HATCHES)], edgecolor="white",
        label="_nolegend_" if named else reason,
    )  # fmt: skip
    if share > 0.05:
        ax.text(
            left + share / 2, row, f"{count:,}", ha="center", va="center", fontsize=9,
            bbox={"facecolor": "white", "lw": 0, "pad": 1.2},
        )  # fmt: skip


def _split(table: pd.DataFrame, by: str | None) -> list[tuple[str, pd.DataFrame]]:
    if by is None:
        return [("all", table)]
    groups = table.groupby(by, dropna=False, sort=False)
    return [("none" if pd.isna(name) else str(name), own) for name, own in groups]


def _groups(table: pd.DataFrame, by: str | None) -> list[tuple[str, pd.DataFrame]]:
    groups = _split(table, by)
    if len(groups) > MOST_SERIES:
        raise ArgumentError(
            f"by={by!r} has {len(groups)} values, more than {MOST_SERIES} can be told apart: "
            "filter before you draw"
        )
    return groups
