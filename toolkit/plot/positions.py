"""Confidence along the tokens of one answer, or of many."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from toolkit.errors import ArgumentError
from toolkit.metrics import position_metrics, sequence_metrics, token_metrics
from toolkit.metrics._arrays import windows
from toolkit.plot._axes import new_axes, one_choice, title_of
from toolkit.plot._style import DARK, LIGHT, bare, legend_below, say, title
from toolkit.tables import LogprobTables, Selector


def confidence_over_position(
    lp: LogprobTables,
    *,
    response: Selector | None = None,
    choice: int = 0,
    channel: str = "content",
    window: int = 16,
    ax: Axes | None = None,
) -> Axes:
    """Draw the probability of the tokens along one answer, or along all.

    For one answer every token is a dot, and a line their mean over a window that ends there. For
    all, the median and the middle half of the answers at each position, and below how many answers
    are that long.

    Parameters
    ----------
    lp : LogprobTables
    response : int or str, optional
        Row number, ``response_id`` or ``custom_id``. Default: all answers.
    choice : int
        Index of the choice of that response.
    channel : {"content", "refusal", "reasoning"}
    window : int
        Tokens that the line is a mean of; those without a usable logprob are left out.
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
    toolkit.token_metrics, toolkit.metrics.position_metrics : give what is drawn.

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
    if isinstance(window, bool) or not isinstance(window, int) or window < 1:
        raise ArgumentError(f"window={window!r}; give a positive integer")
    if response is None:
        metrics = position_metrics(lp, channel=channel)
        ax = ax if ax is not None else new_axes(9, 3.6)
        n = int(metrics["n_tokens"].max()) if len(metrics) else 0
        title(ax, ["probability by position", channel, f"{n:,} answers"])
        drawn = _draw_many(ax, metrics)
    else:
        alone, row = one_choice(lp, response, choice, channel)
        metrics = token_metrics(alone)
        metrics = metrics[metrics["channel"] == channel]
        ax = ax if ax is not None else new_axes(9, 3.6)
        title(ax, [title_of(row, choice, channel, sequence_metrics(alone))])
        drawn = _draw_one(ax, metrics, window)
    if not drawn:
        return say(ax, "no tokens with usable logprobs")
    ax.set_ylim(-0.02, 1.02)
    ax.set_ylabel("probability (higher: more certain)")
    ax.set_xlabel("position of the token")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    bare(ax)
    legend_below(ax)
    return ax


def _draw_one(ax: Axes, metrics: object, window: int) -> bool:
    x, y = (metrics[name].to_numpy(float) for name in ("position", "probability"))
    known = ~np.isnan(y)
    if not known.any():
        return False
    ax.plot(x[known], y[known], "o", ms=3, color=LIGHT, label="a token")
    if known.sum() >= window:
        means = windows.means(y[known], window)
        label = f"mean of the last {window} tokens"
        ax.plot(x[known][window - 1 :], means, color=DARK, lw=1.6, label=label)
    if not known.all():
        low = np.full((~known).sum(), 0.0)
        ax.plot(x[~known], low, "x", ms=4, color="#8a1538", label="no usable logprob")
    return True


def _draw_many(ax: Axes, metrics: object) -> bool:
    low, middle, high = (
        metrics[f"probability_{name}"].to_numpy(float) for name in ("q25", "median", "q75")
    )
    if not (~np.isnan(middle)).any():
        return False
    x = metrics["position"].to_numpy(float)
    ax.fill_between(x, low, high, color=DARK, alpha=0.2, lw=0, label="middle half of the answers")
    ax.plot(x, middle, color=DARK, lw=1.3, label="median")
    share = metrics["n_tokens"].to_numpy(float) / metrics["n_tokens"].max()
    ax.plot(x, share, color=LIGHT, lw=1.2, ls="--", label="share of the answers that go so far")
    return True
