"""Plot probability and entropy along the tokens of one answer, or of all answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from toolkit import arguments
from toolkit.metrics import position_metrics, sequence_metrics, token_metrics
from toolkit.metrics.positions import windowed_probability
from toolkit.plot._axes import answer_title, one_choice
from toolkit.plot._drawing import Drawing, documented
from toolkit.plot._style import axis_labels
from toolkit.tables import LogprobTables, Selector


@documented("the line of means, or of the median,")
def confidence_over_position(
    lp: LogprobTables,
    *,
    response: Selector | None = None,
    choice: int | None = None,
    channel: str | None = None,
    window: int = 16,
    ax: Axes | None = None,
    title: str | None = None,
    label: str | None = None,
    **kwargs: Any,
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
    drawing = Drawing(ax, title, label, kwargs)
    window = arguments.whole("window", window)
    if response is None:
        channel = "content" if channel is None else channel
        metrics = position_metrics(lp, channel=channel)
        drawing.begin(9, 3.6, ["probability by position", channel, _count(metrics)])
        drawn = _draw_probabilities(drawing, metrics)
    else:
        metrics, parts = _one_answer(lp, response, choice, channel)
        drawing.begin(9, 3.6, parts)
        drawn = _draw_probability(drawing, metrics, window)
    if not drawn:
        return drawing.say("no tokens with usable logprobs")
    drawing.ax.set_ylim(-0.02, 1.02)
    return _finished(drawing, "probability (higher: more certain)")


@documented("the line of the lower bound")
def entropy_by_position(
    lp: LogprobTables,
    *,
    response: Selector | None = None,
    choice: int | None = None,
    channel: str | None = None,
    vocab_size: int | None = None,
    ax: Axes | None = None,
    title: str | None = None,
    label: str | None = None,
    **kwargs: Any,
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
    drawing = Drawing(ax, title, label, kwargs)
    if response is None:
        channel = "content" if channel is None else channel
        metrics = position_metrics(lp, channel=channel, vocab_size=vocab_size)
        drawing.begin(9, 3.6, ["entropy by position", channel, _count(metrics)])
        drawn = _draw_entropies(drawing, metrics, vocab_size)
    else:
        metrics, parts = _one_answer(lp, response, choice, channel, vocab_size)
        drawing.begin(9, 3.6, parts)
        drawn = _draw_entropy(drawing, metrics, vocab_size)
    if not drawn:
        return drawing.say("no tokens with logprobs")
    drawing.ax.set_ylim(bottom=0, auto=None)  # grows with later drawings
    return _finished(drawing, "entropy in nats (lower: more certain)")


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


def _finished(drawing: Drawing, y_label: str) -> Axes:
    ax = drawing.ax
    axis_labels(ax, "position of the token", y_label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return drawing.end()


def _draw_probability(drawing: Drawing, metrics: pd.DataFrame, window: int) -> bool:
    """Draw one answer; return whether it has a usable logprob."""
    x, y = (metrics[name].to_numpy(float) for name in ("position", "probability"))
    known = ~np.isnan(y)
    if not known.any():
        return False
    ax, style = drawing.ax, drawing.colours
    weak = {"color": style.light} if drawing.is_first else {"color": drawing.colour, "alpha": 0.3}
    dots = ax.plot(x[known], y[known], "o", ms=3, **weak, label="a token")
    means = windowed_probability(metrics, window).to_numpy(float)
    full = ~np.isnan(means)
    if full.any():
        name = drawing.name(f"mean of the last {window} tokens")
        drawing.main(ax.plot(x[full], means[full], color=drawing.colour, lw=1.6, label=name))
    else:
        for dot in dots:
            dot.set(color=drawing.colour, label=drawing.name("a token"))
        drawing.main(dots)
    if not known.all():
        low = np.zeros(np.count_nonzero(~known))
        ax.plot(x[~known], low, "x", ms=4, color=style.alert, label="no usable logprob")
    return True


def _draw_probabilities(drawing: Drawing, metrics: pd.DataFrame) -> bool:
    """Draw all answers; return whether any has a usable logprob."""
    if metrics["probability_median"].isna().all():
        return False
    ax, style = drawing.ax, drawing.colours
    _draw_quartiles(drawing, metrics, "probability", "median")
    x = metrics["position"].to_numpy(float)
    share = metrics["n_tokens"].to_numpy(float) / metrics["n_tokens"].max()
    weak = style.light if drawing.is_first else drawing.colour
    ax.plot(x, share, color=weak, lw=1.2, ls="--", label="share of the answers that go so far")
    return True


def _draw_entropy(drawing: Drawing, metrics: pd.DataFrame, vocab_size: int | None) -> bool:
    """Draw one answer; return whether any of its tokens has an entropy."""
    x, lower, upper, listed = (
        metrics[name].to_numpy(float)
        for name in ("position", "entropy_lower", "entropy_upper", "entropy_topk")
    )
    if np.isnan(lower).all():
        return False
    ax, style = drawing.ax, drawing.colours
    weak, second = (
        (style.light, style.second) if drawing.is_first else (drawing.colour, drawing.colour)
    )
    if vocab_size is not None:
        ax.fill_between(x, lower, upper, color=weak, alpha=0.35, lw=0, label="possible values")
    name = "lower bound" if vocab_size is not None else "lower bound (upper needs vocab_size)"
    curve = ax.plot(
        x, lower, color=drawing.colour, lw=1.3, marker="o", ms=2.5, label=drawing.name(name)
    )
    drawing.main(curve)
    if np.isfinite(listed).any():
        ax.plot(x, listed, color=second, lw=1, ls="--", label="of the listed tokens, renormalised")
    return True


def _draw_entropies(drawing: Drawing, metrics: pd.DataFrame, vocab_size: int | None) -> bool:
    """Draw all answers; return whether any token has an entropy."""
    if metrics["entropy_lower_median"].isna().all():
        return False
    _draw_quartiles(drawing, metrics, "entropy_lower", "lower bound, median")
    if vocab_size is not None:
        upper = metrics["entropy_upper_median"].to_numpy(float)
        x = metrics["position"].to_numpy(float)
        weak = drawing.colours.light if drawing.is_first else drawing.colour
        drawing.ax.plot(x, upper, color=weak, lw=1.3, ls="--", label="upper bound, median")
    return True


def _draw_quartiles(drawing: Drawing, metrics: pd.DataFrame, name: str, label: str) -> None:
    low, middle, high = (
        metrics[f"{name}_{quantile}"].to_numpy(float) for quantile in ("q25", "median", "q75")
    )
    x = metrics["position"].to_numpy(float)
    ax, colour = drawing.ax, drawing.colour
    ax.fill_between(x, low, high, color=colour, alpha=0.2, lw=0, label="middle half of the answers")
    drawing.main(ax.plot(x, middle, color=colour, lw=1.3, label=drawing.name(label)))
