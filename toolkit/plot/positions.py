"""Plot probability and entropy along the tokens of one answer, or of all answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from toolkit import arguments
from toolkit.metrics import position_metrics, sequence_metrics, token_metrics
from toolkit.metrics.positions import windowed_probability
from toolkit.plot._axes import answer_title, axes, one_choice
from toolkit.plot._style import (
    ALERT,
    DARK,
    LIGHT,
    SECOND,
    axis_labels,
    bare,
    legend_below,
    say,
    title,
)
from toolkit.tables import LogprobTables, Selector


def confidence_over_position(
    lp: LogprobTables,
    *,
    response: Selector | None = None,
    choice: int | None = None,
    channel: str | None = None,
    window: int = 16,
    ax: Axes | None = None,
) -> Axes:
    """Draw the probability of the tokens along one answer, or along all answers.

    For one answer, every token is a dot, and a line shows the mean over the window that ends at
    each token. For all answers: the median and the middle half of the answers at each position, and
    the share of the answers that are that long.

    Parameters
    ----------
    lp : LogprobTables
    response : int, str or row, optional
        As in `LogprobTables.locate`: a row number, an id, or a row of a table. Default: all
        answers.
    choice : int, optional
        Index of the choice of that response. Default: that of the row, else 0.
    channel : {"content", "prompt", "reasoning", "refusal"}, optional
        Default: that of the row, else content.
    window : int
        Number of tokens in each mean; tokens without a usable logprob are skipped.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        Probability on the y axis, from 0 to 1; higher is more certain.

    Raises
    ------
    SelectionError
        If there is no such response or choice.
    ArgumentError
        If an option is out of range.

    See Also
    --------
    toolkit.token_metrics, toolkit.metrics.position_metrics : the tables that are drawn.

    Examples
    --------
    >>> import toolkit
    >>> entries = [{"token": "a", "logprob": p} for p in (0.0, -0.5)]
    >>> choice = {"message": {"content": "aa"}, "logprobs": {"content": entries}}
    >>> lp = toolkit.from_responses({"choices": [choice]})
    >>> ax = confidence_over_position(lp, response=0, window=2)
    >>> ax.lines[1].get_ydata().round(3).tolist()
    [0.803]
    """
    window = arguments.whole("window", window)
    if response is None:
        channel = "content" if channel is None else channel
        metrics = position_metrics(lp, channel=channel)
        ax = axes(ax, 9, 3.6)
        title(ax, ["probability by position", channel, _count(metrics)])
        drawn = _draw_probabilities(ax, metrics)
    else:
        metrics, parts = _one_answer(lp, response, choice, channel)
        ax = axes(ax, 9, 3.6)
        title(ax, parts)
        drawn = _draw_probability(ax, metrics, window)
    if not drawn:
        return say(ax, "no tokens with usable logprobs")
    ax.set_ylim(-0.02, 1.02)
    return _finished(ax, "probability (higher: more certain)")


def entropy_by_position(
    lp: LogprobTables,
    *,
    response: Selector | None = None,
    choice: int | None = None,
    channel: str | None = None,
    vocab_size: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the entropy at each token position, in nats; lower is more certain.

    Servers send only the top of each distribution, so the entropy is an interval. Its lower bound
    is a line; with `vocab_size` the interval is a band. For one answer, the entropy of the
    renormalised list of alternatives is drawn too; for all answers, the median and the quartiles.

    Parameters
    ----------
    lp : LogprobTables
    response : int, str or row, optional
        As in `LogprobTables.locate`: a row number, an id, or a row of a table. Default: all
        answers.
    choice : int, optional
        Index of the choice of that response. Default: that of the row, else 0.
    channel : {"content", "prompt", "reasoning", "refusal"}, optional
        Default: that of the row, else content.
    vocab_size : int, optional
        Number of tokens that the model can choose from.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    SelectionError
        If there is no such response or choice.
    ArgumentError
        If an option is out of range.

    See Also
    --------
    toolkit.token_metrics, toolkit.metrics.position_metrics : the tables that are drawn.

    Examples
    --------
    >>> import toolkit
    >>> entry = {"token": "a", "logprob": 0.0, "top_logprobs": [{"token": "a", "logprob": 0.0}]}
    >>> choice = {"message": {"content": "a"}, "logprobs": {"content": [entry]}}
    >>> ax = entropy_by_position(toolkit.from_responses({"choices": [choice]}), response=0)
    >>> ax.lines[0].get_ydata().tolist()
    [0.0]
    """
    if response is None:
        channel = "content" if channel is None else channel
        metrics = position_metrics(lp, channel=channel, vocab_size=vocab_size)
        ax = axes(ax, 9, 3.6)
        title(ax, ["entropy by position", channel, _count(metrics)])
        drawn = _draw_entropies(ax, metrics, vocab_size)
    else:
        metrics, parts = _one_answer(lp, response, choice, channel, vocab_size)
        ax = axes(ax, 9, 3.6)
        title(ax, parts)
        drawn = _draw_entropy(ax, metrics, vocab_size)
    if not drawn:
        return say(ax, "no tokens with logprobs")
    ax.set_ylim(bottom=0)
    return _finished(ax, "entropy in nats (lower: more certain)")


def _one_answer(
    lp: LogprobTables,
    response: Selector,
    choice: int | None,
    channel: str | None,
    vocab_size: int | None = None,
) -> tuple[pd.DataFrame, list[str]]:
    """Return the token metrics of one answer, and the parts of its title."""
    asked, alone = one_choice(lp, response, choice, channel)
    metrics = token_metrics(alone, vocab_size=vocab_size)
    parts = answer_title(alone, asked.channel, sequence_metrics(alone))
    return metrics[metrics["channel"] == asked.channel], parts


def _count(metrics: pd.DataFrame) -> str:
    return f"{int(metrics['n_tokens'].max()) if len(metrics) else 0:,} answers"


def _finished(ax: Axes, y_label: str) -> Axes:
    axis_labels(ax, "position of the token", y_label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    bare(ax)
    legend_below(ax)
    return ax


def _draw_probability(ax: Axes, metrics: pd.DataFrame, window: int) -> bool:
    """Draw one answer; return whether it has a usable logprob."""
    x, y = (metrics[name].to_numpy(float) for name in ("position", "probability"))
    known = ~np.isnan(y)
    if not known.any():
        return False
    ax.plot(x[known], y[known], "o", ms=3, color=LIGHT, label="a token")
    means = windowed_probability(metrics, window).to_numpy(float)
    full = ~np.isnan(means)
    if full.any():
        label = f"mean of the last {window} tokens"
        ax.plot(x[full], means[full], color=DARK, lw=1.6, label=label)
    if not known.all():
        low = np.zeros(np.count_nonzero(~known))
        ax.plot(x[~known], low, "x", ms=4, color=ALERT, label="no usable logprob")
    return True


def _draw_probabilities(ax: Axes, metrics: pd.DataFrame) -> bool:
    """Draw all answers; return whether any has a usable logprob."""
    if metrics["probability_median"].isna().all():
        return False
    _draw_quartiles(ax, metrics, "probability", "median")
    x = metrics["position"].to_numpy(float)
    share = metrics["n_tokens"].to_numpy(float) / metrics["n_tokens"].max()
    ax.plot(x, share, color=LIGHT, lw=1.2, ls="--", label="share of the answers that go so far")
    return True


def _draw_entropy(ax: Axes, metrics: pd.DataFrame, vocab_size: int | None) -> bool:
    """Draw one answer; return whether any of its tokens has an entropy."""
    x, lower, upper, listed = (
        metrics[name].to_numpy(float)
        for name in ("position", "entropy_lower", "entropy_upper", "entropy_topk")
    )
    if np.isnan(lower).all():
        return False
    if vocab_size is not None:
        ax.fill_between(x, lower, upper, color=LIGHT, alpha=0.35, lw=0, label="possible values")
    label = "lower bound" if vocab_size is not None else "lower bound (upper needs vocab_size)"
    ax.plot(x, lower, color=DARK, lw=1.3, marker="o", ms=2.5, label=label)
    if np.isfinite(listed).any():
        ax.plot(x, listed, color=SECOND, lw=1, ls="--", label="of the listed tokens, renormalised")
    return True


def _draw_entropies(ax: Axes, metrics: pd.DataFrame, vocab_size: int | None) -> bool:
    """Draw all answers; return whether any token has an entropy."""
    if metrics["entropy_lower_median"].isna().all():
        return False
    _draw_quartiles(ax, metrics, "entropy_lower", "lower bound, median")
    if vocab_size is not None:
        upper = metrics["entropy_upper_median"].to_numpy(float)
        x = metrics["position"].to_numpy(float)
        ax.plot(x, upper, color=LIGHT, lw=1.3, ls="--", label="upper bound, median")
    return True


def _draw_quartiles(ax: Axes, metrics: pd.DataFrame, name: str, label: str) -> None:
    low, middle, high = (
        metrics[f"{name}_{quantile}"].to_numpy(float) for quantile in ("q25", "median", "q75")
    )
    x = metrics["position"].to_numpy(float)
    ax.fill_between(x, low, high, color=DARK, alpha=0.2, lw=0, label="middle half of the answers")
    ax.plot(x, middle, color=DARK, lw=1.3, label=label)
