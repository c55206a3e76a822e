"""Compute histograms of tokens, cumulative distributions of answers, and finish reasons."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit import arguments, schema
from toolkit.metrics._arrays.segments import ratio
from toolkit.metrics._arrays.types import Array
from toolkit.metrics._bins import bin_edges
from toolkit.metrics._groups import grouped, with_keys
from toolkit.metrics._partial import Partial, sums
from toolkit.metrics._results import result_frame
from toolkit.metrics.sequences import sequence_metrics
from toolkit.metrics.tokens import token_metrics

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_TOKEN = [c.name for c in schema.TOKEN_METRICS.columns if str(c.type) == "double"]
_ANSWER = [c.name for c in schema.SEQUENCE_METRICS.columns if c.unit]
_BY = ("source", "response_id", "custom_id", "model", "kind", "finish_reason")


def token_histogram(
    lp: LogprobTables,
    column: str = "probability",
    *,
    bins: int | Sequence[float] = 20,
    by: str | Sequence[str] | None = None,
    channel: str = "content",
) -> pd.DataFrame:
    """Count tokens in bins of a metric.

    Parameters
    ----------
    lp : LogprobTables
    column : str
        A real-valued column of `token_metrics`; ``"logprob"`` is that of tokens of status ok.
    bins : int or sequence of float
        Number of bins of equal width, up to 10,000, from the least value to the greatest (0 to 1
        for a column of unit 1); or increasing edges.
    by : str or sequence of str, optional
        Columns of `sequence_metrics` that describe an answer, such as ``"model"``. All groups have
        the same edges.
    channel : {"content", "prompt", "reasoning", "refusal"}

    Returns
    -------
    DataFrame
        The columns of `by`, then those of ``schema.TOKEN_HISTOGRAM``: one row per group and bin. A
        value on an edge belongs to the bin on its right; on the last edge, to the last bin.

    Raises
    ------
    ArgumentError
        If an option is invalid, or edges do not increase.

    Examples
    --------
    >>> import toolkit
    >>> entries = [{"token": "a", "logprob": p} for p in (-0.1, -0.2, -3.0)]
    >>> choice = {"message": {"content": "aaa"}, "logprobs": {"content": entries}}
    >>> lp = toolkit.from_responses({"choices": [choice]})
    >>> toolkit.metrics.token_histogram(lp, bins=2)[["low", "high", "count"]].values.tolist()
    [[0.0, 0.5, 1.0], [0.5, 1.0, 2.0]]
    """
    values = token_values(lp, column, by=by, channel=channel)
    edges = token_edges(column, bins, values[column].to_numpy(float))
    return histogram_table(histogram_partial(values, edges), edges)


def token_values(
    lp: LogprobTables, column: str, *, by: str | Sequence[str] | None, channel: str
) -> pd.DataFrame:
    """Return the columns to group by, and last the metric of each token of a channel."""
    arguments.one_of("column", column, _TOKEN)
    names = arguments.columns("by", by, _BY)
    metrics = token_metrics(lp)
    metrics = metrics[metrics["channel"] == arguments.channel(channel)]
    if column == "logprob":  # sentinels are not logprobs
        metrics = metrics.assign(logprob=0.0 - metrics["surprisal"])
    if names:
        keys = ["response_key", "choice", "channel"]
        answers = sequence_metrics(lp)[[*keys, *names]]
        metrics = metrics[[*keys, column]].merge(answers, on=keys, how="left")
    return metrics[[*names, column]]


def has_limits(column: str, bins: int | Sequence[float]) -> bool:
    """Return whether the edges of a histogram do not depend on the values."""
    is_share = column in _TOKEN and schema.TOKEN_METRICS[column].unit == "1"
    return is_share or not isinstance(bins, numbers.Number)


def token_edges(column: str, bins: int | Sequence[float], values: Array) -> Array:
    """Return the edges of a histogram of values; their least and greatest are enough."""
    is_fixed = has_limits(column, bins) or not np.isfinite(values).any()
    return bin_edges(bins, values, (0.0, 1.0) if is_fixed else None)


def histogram_partial(values: pd.DataFrame, edges: Array) -> Partial:
    """Return what `histogram_table` adds up, of some tokens."""
    *names, column = values.columns
    groups = grouped(values, names)
    each = groups.split(values[column].to_numpy(float))
    known = [own[~np.isnan(own)] for own in each]
    n_groups, n_bins = len(groups.keys), len(edges) - 1
    counts = np.array([np.histogram(own, edges)[0] for own in known], np.int64)
    group, place = np.divmod(np.arange(n_groups * n_bins), n_bins)
    n = np.array([len(own) for own in known], np.int64)
    n_null = np.array([len(own) for own in each], np.int64) - n
    tables = {
        "bins": pd.DataFrame({"group": group, "bin": place, "count": counts.ravel()}),
        "sums": pd.DataFrame({"group": np.arange(n_groups), "n": n, "n_null": n_null}),
    }
    return Partial(groups.keys, tables)


def histogram_table(partial: Partial, edges: Array) -> pd.DataFrame:
    """Return the result of `token_histogram` from what was added up."""
    groups, bins = partial.groups("sums"), partial.tables["bins"]
    n, n_null = (groups.total(partial.tables["sums"][name].to_numpy()) for name in ("n", "n_null"))
    n_groups, n_bins = len(groups.keys), len(edges) - 1
    counts = np.zeros((n_groups, n_bins), np.int64)
    np.add.at(counts, (bins["group"].to_numpy(), bins["bin"].to_numpy()), bins["count"].to_numpy())
    columns = {
        "low": np.tile(edges[:-1], n_groups),
        "high": np.tile(edges[1:], n_groups),
        "count": counts.ravel(),
        "share": ratio(counts, np.repeat(n[:, None], n_bins, axis=1)).ravel(),
        "n": np.repeat(n, n_bins),
        "n_outside": np.repeat(n - counts.sum(axis=1), n_bins),
        "n_null": np.repeat(n_null, n_bins),
    }
    return with_keys(groups, n_bins, result_frame(schema.TOKEN_HISTOGRAM, columns))


HISTOGRAM_REDUCERS = {"bins": sums("bin"), "sums": sums()}
"""How to reduce what several partials have."""


def ecdf(
    lp: LogprobTables,
    column: str = "perplexity",
    *,
    by: str | Sequence[str] | None = None,
    channel: str = "content",
) -> pd.DataFrame:
    """Compute the cumulative distribution of a metric: how many answers have at most each value.

    Parameters
    ----------
    lp : LogprobTables
    column : str
        A numeric column of `sequence_metrics`.
    by : str or sequence of str, optional
        As in `token_histogram`.
    channel : {"content", "prompt", "reasoning", "refusal"}

    Returns
    -------
    DataFrame
        The columns of `by`, then those of ``schema.ECDF``: one row per group and value that occurs.
        Answers without a value are omitted.

    Raises
    ------
    ArgumentError
        If an option is invalid.

    Examples
    --------
    >>> import toolkit
    >>> def body(logprob):
    ...     entry = {"token": "a", "logprob": logprob}
    ...     return {"choices": [{"message": {"content": "a"}, "logprobs": {"content": [entry]}}]}
    >>> lp = toolkit.from_responses([body(-1.0), body(-2.0), body(-1.0)])
    >>> toolkit.metrics.ecdf(lp, "sum_logprob")[["value", "n_at_or_below"]].values.tolist()
    [[-2.0, 1.0], [-1.0, 3.0]]
    """
    arguments.one_of("column", column, _ANSWER)
    names = arguments.columns("by", by, _BY)
    metrics = sequence_metrics(lp)
    metrics = metrics[metrics["channel"] == arguments.channel(channel)]
    metrics = metrics[metrics[column].notna()]
    groups = grouped(metrics, names)
    found = []
    for own in groups.split(metrics[column].to_numpy(float)):
        values, counts = np.unique(own, return_counts=True)
        found.append((values, counts.cumsum(), np.full(len(values), len(own))))
    sizes = [len(values) for values, _, _ in found]
    value, below, n = (np.concatenate([np.empty(0), *(own[i] for own in found)]) for i in range(3))
    columns = {
        "value": value,
        "n_at_or_below": below.astype(np.int64),
        "share": below / n,
        "n": n.astype(np.int64),
    }
    return with_keys(groups, sizes, result_frame(schema.ECDF, columns))


def finish_reasons(lp: LogprobTables, *, by: str | Sequence[str] | None = None) -> pd.DataFrame:
    """Count choices by finish reason.

    Parameters
    ----------
    lp : LogprobTables
    by : str or sequence of str, optional
        Columns of `sequence_metrics` that describe an answer, such as ``"model"``.

    Returns
    -------
    DataFrame
        The columns of `by`, then those of ``schema.FINISH_REASONS``: one row per group and reason
        that occurs in it, the most frequent first; null is a separate reason.

    Raises
    ------
    ArgumentError
        If `by` is not such a column.

    Examples
    --------
    >>> import toolkit
    >>> entry = {"token": "a", "logprob": -1.0}
    >>> choice = {"message": {"content": "a"}, "logprobs": {"content": [entry]}}
    >>> bodies = [{"choices": [{**choice, "finish_reason": r}]} for r in ("stop", "length", "stop")]
    >>> toolkit.metrics.finish_reasons(toolkit.from_responses(bodies))[["finish_reason", "count"]]
      finish_reason  count
    0          stop      2
    1        length      1
    """
    names = arguments.columns("by", by, [name for name in _BY if name != "finish_reason"])
    choices = sequence_metrics(lp).drop_duplicates(["response_key", "choice"])
    counts = (
        choices.groupby([*names, "finish_reason"], dropna=False, observed=True)
        .size()
        .rename("count")
        .reset_index()
    )
    counts = counts.sort_values([*names, "count"], ascending=[True] * len(names) + [False])
    total = counts.groupby(names, dropna=False)["count"].transform("sum") if names else len(choices)
    counts["share"] = counts["count"] / total if len(counts) else np.empty(0)
    return counts[[*names, *schema.FINISH_REASONS.names]].reset_index(drop=True)
