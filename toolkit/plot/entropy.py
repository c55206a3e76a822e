"""Entropy along the tokens of one answer, or of many."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from toolkit.metrics import position_metrics, sequence_metrics, token_metrics
from toolkit.plot._axes import new_axes, one_choice, title_of
from toolkit.tables import LogprobTables, Selector

_DARK, _LIGHT, _SECOND = "#00224e", "#7d7c78", "#b58b00"  # of cividis


def entropy_by_position(
    lp: LogprobTables,
    *,
    response: Selector | None = None,
    choice: int = 0,
    channel: str = "content",
    vocab_size: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the entropy at each token position, in nats; lower is more certain.

    A server sends the top of each distribution only, so the entropy is an interval. Its lower end
    is a line; with `vocab_size` the interval is a band. For one answer the entropy of the
    renormalised top list is drawn too; for all answers, the median and the quartiles.

    Parameters
    ----------
    lp : LogprobTables
    response : int or str, optional
        Row number, ``response_id`` or ``custom_id``. Default: all answers.
    choice : int
        Index of the choice of that response.
    channel : {"content", "refusal", "reasoning"}
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
    toolkit.token_metrics, toolkit.metrics.position_metrics : give what is drawn.

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
        metrics = position_metrics(lp, channel=channel, vocab_size=vocab_size)
        ax = ax if ax is not None else new_axes(9, 3.6)
        _draw_many(ax, metrics, vocab_size)
        n = int(metrics["n_tokens"].max()) if len(metrics) else 0
        title = f"entropy by position · {channel} · {n} answers"
    else:
        alone, row = one_choice(lp, response, choice, channel)
        metrics = token_metrics(alone, vocab_size=vocab_size)
        metrics = metrics[metrics["channel"] == channel]
        ax = ax if ax is not None else new_axes(9, 3.6)
        _draw_one(ax, metrics, vocab_size)
        title = title_of(row, choice, channel, sequence_metrics(alone))
    ax.set_title(title, loc="left", fontsize=11, parse_math=False)
    ax.set_xlabel("position of the token")
    ax.set_ylabel("entropy in nats (lower: more certain)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.spines[["top", "right"]].set_visible(False)
    if metrics["entropy_lower_median" if response is None else "entropy_lower"].notna().any():
        ax.set_ylim(bottom=0)
        ax.legend(frameon=False, fontsize=9)
    else:
        ax.text(0.5, 0.5, "no tokens with logprobs", ha="center", transform=ax.transAxes)
    return ax


def _draw_one(ax: Axes, metrics: pd.DataFrame, vocab_size: int | None) -> None:
    x = metrics["position"].to_numpy()
    lower, upper, listed = (
        metrics[name].to_numpy() for name in ("entropy_lower", "entropy_upper", "entropy_topk")
    )
    if vocab_size is not None:
        ax.fill_between(x, lower, upper, color=_LIGHT, alpha=0.3, lw=0, label="possible values")
    label = "lower bound" if vocab_size is not None else "lower bound (upper needs vocab_size)"
    ax.plot(x, lower, color=_DARK, lw=1.3, marker="o", ms=2.5, label=label)
    if np.isfinite(listed).any():
        ax.plot(x, listed, color=_SECOND, lw=1, ls="--", label="of the listed tokens, renormalised")


def _draw_many(ax: Axes, metrics: pd.DataFrame, vocab_size: int | None) -> None:
    x = metrics["position"].to_numpy()
    low, middle, high = (
        metrics[f"entropy_lower_{name}"].to_numpy() for name in ("q25", "median", "q75")
    )
    ax.fill_between(x, low, high, color=_DARK, alpha=0.2, lw=0, label="middle half of the answers")
    ax.plot(x, middle, color=_DARK, lw=1.3, label="lower bound, median")
    if vocab_size is not None:
        upper = metrics["entropy_upper_median"].to_numpy()
        ax.plot(x, upper, color=_LIGHT, lw=1.3, ls="--", label="upper bound, median")
