"""Compute quantiles of token metrics at each position over many answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit import arguments, schema
from toolkit.metrics._arrays import windows
from toolkit.metrics.tokens import token_metrics

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_QUANTILES = {"q25": 0.25, "median": 0.5, "q75": 0.75}


def position_metrics(
    lp: LogprobTables, *, channel: str = "content", vocab_size: int | None = None
) -> pd.DataFrame:
    """Compute median and quartiles of entropy and probability at each position.

    Parameters
    ----------
    lp : LogprobTables
    channel : {"content", "prompt", "reasoning", "refusal"}
    vocab_size : int, optional
        As in `token_metrics`; needed for the upper bound alone.

    Returns
    -------
    DataFrame
        One row per position that some answer has, in the columns of ``schema.POSITION_METRICS``.
        Quantiles are over the answers that have a value there (linear interpolation, NumPy's
        default); NaN where no answer has one.

    Raises
    ------
    ArgumentError
        If the channel does not exist, or `vocab_size` is not a whole number of at least 1.

    Examples
    --------
    >>> import toolkit
    >>> entry = {"token": "a", "logprob": 0.0, "top_logprobs": [{"token": "a", "logprob": 0.0}]}
    >>> choice = {"message": {"content": "a"}, "logprobs": {"content": [entry]}}
    >>> lp = toolkit.from_responses([{"choices": [choice]}] * 3)
    >>> position_metrics(lp)[["position", "n_tokens", "entropy_lower_median"]].values.tolist()
    [[0.0, 3.0, 0.0]]
    """
    arguments.channel(channel)
    tokens = token_metrics(lp, vocab_size=vocab_size)
    groups = tokens[tokens["channel"] == channel].groupby("position")
    columns = {"n_tokens": groups.size()}
    for name in ("entropy_lower", "entropy_upper", "probability"):
        for suffix, q in _QUANTILES.items():
            columns[f"{name}_{suffix}"] = groups[name].quantile(q)
    table = pd.DataFrame(columns).rename_axis("position").reset_index()
    return table[schema.POSITION_METRICS.names]


def windowed_probability(tokens: pd.DataFrame, window: int) -> pd.Series:
    """Average the probability over the last `window` usable tokens at each token of one answer.

    Parameters
    ----------
    tokens : DataFrame
        Rows of `token_metrics`, of one answer and channel.
    window : int
        Number of tokens in each mean.

    Returns
    -------
    Series of float
        One value per row; higher is more certain. NaN where the token has no usable logprob or
        fewer than `window` usable tokens end there.

    Examples
    --------
    >>> tokens = pd.DataFrame({"probability": [1.0, None, 0.5, 0.0]})
    >>> windowed_probability(tokens, 2).tolist()
    [nan, nan, 0.75, 0.25]
    """
    known = tokens["probability"].dropna()
    averaged = pd.Series(np.nan, tokens.index)
    if len(known) >= window:
        averaged[known.index[window - 1 :]] = windows.means(
            known.to_numpy(float), np.array([0, len(known)]), window
        )
    return averaged
