"""Metrics over positions: how certainty runs through many answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from toolkit import arguments, schema
from toolkit.metrics.tokens import token_metrics

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_QUANTILES = {"q25": 0.25, "median": 0.5, "q75": 0.75}


def position_metrics(
    lp: LogprobTables, *, channel: str = "content", vocab_size: int | None = None
) -> pd.DataFrame:
    """Entropy and probability at each position over all answers: median and quartiles.

    Parameters
    ----------
    lp : LogprobTables
    channel : {"content", "refusal", "reasoning"}
    vocab_size : int, optional
        As in `token_metrics`; needed for the upper bound alone.

    Returns
    -------
    DataFrame
        One row per position that some answer has, in the columns of ``schema.POSITION_METRICS``.
        Quantiles are over the answers that have a value there (linear interpolation, as NumPy);
        NaN where none has.

    Raises
    ------
    ArgumentError
        If there is no such channel, or `vocab_size` is no positive integer.

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
