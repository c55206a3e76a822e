"""Pool sequences into corpora: `corpus_metrics`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit import arguments, schema
from toolkit.errors import SchemaError
from toolkit.metrics._arrays.logprobs import perplexity
from toolkit.metrics._arrays.segments import ratio
from toolkit.metrics._groups import grouped
from toolkit.metrics._partial import Partial, sums
from toolkit.metrics._results import Columns, categorical, result_frame
from toolkit.metrics.sequences import COUNTS, ratios, sequence_metrics

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

REDUCERS = {"sums": sums()}
_POOLED = tuple(name for name in (*COUNTS, "n_scored") if name in schema.CORPUS_METRICS.names)
_WEIGHTED = ("mean_entropy_lower", "mean_entropy_upper", "mean_missing_mass")
_SUPPORT = {  # counts of the tokens, or sequences, that each sum is over
    "sum_logprob": ("n_ok",),
    "sum_surprisal_lower": ("n_ok", "n_censored"),
    "sum_logprob_bytes": ("n_bytes",),
    "mean_logprob": ("n_scored",),
    **dict.fromkeys(_WEIGHTED, ("n_entropy",)),
}


def corpus_metrics(
    lp: LogprobTables | pd.DataFrame,
    *,
    by: str | Sequence[str] | None = None,
    channel: str | None = "content",
) -> pd.DataFrame:
    """Pool sequences into corpora: compute one row for all, or one per group.

    Perplexities are never averaged: log likelihoods and token counts are summed, and the mean is
    exponentiated, so every token has the same weight. ``perplexity_geometric`` gives every sequence
    the same weight instead. Sums over sequences are exact (`math.fsum`), so the result does not
    depend on their order, nor on how they were split into files.

    Parameters
    ----------
    lp : LogprobTables or DataFrame
        A DataFrame must be the result of `sequence_metrics`, or several of them concatenated.
    by : str or sequence of str, optional
        Columns of the sequence table to group by, such as ``"model"``. Null is a group too.
    channel : str or None
        The channel to pool: content, reasoning or refusal. None: all channels, each separately, as
        with ``by="channel"``.

    Returns
    -------
    DataFrame
        The columns of `by`, then those of ``schema.CORPUS_METRICS``; groups are sorted. Without
        `by` there is one row, even if there is no sequence. Counts are int64; a metric without
        usable tokens is NaN.

    Raises
    ------
    ArgumentError
        If a column of `by` or the `channel` does not exist.
    SchemaError
        If a DataFrame lacks columns of `sequence_metrics`.

    Examples
    --------
    >>> import toolkit
    >>> entries = [{"token": "a", "logprob": l} for l in (-1.0, -1.0, -4.0)]
    >>> bodies = [
    ...     {"id": "x", "choices": [{"message": {}, "logprobs": {"content": entries[:2]}}]},
    ...     {"id": "y", "choices": [{"message": {}, "logprobs": {"content": entries[2:]}}]},
    ... ]
    >>> pooled = corpus_metrics(toolkit.from_responses(bodies)).iloc[0]
    >>> float(pooled["perplexity"].round(3)), float(pooled["perplexity_geometric"].round(3))
    (7.389, 12.182)
    """
    table = lp if isinstance(lp, pd.DataFrame) else sequence_metrics(lp)
    return pooled(corpus_partial(table, by=by, channel=channel), channel)


def corpus_partial(
    table: pd.DataFrame, *, by: str | Sequence[str] | None, channel: str | None
) -> Partial:
    """Return what `pooled` adds up, of the sequences of a table."""
    names = schema.SEQUENCE_METRICS.names
    if lacking := [name for name in names if name not in table.columns]:
        raise SchemaError(f"the sequence table lacks columns {lacking}; see sequence_metrics")
    if channel is not None:
        arguments.channel(channel)
    keys = arguments.columns("by", by, names)
    if channel is None or "channel" in keys:
        keys = [key for key in keys if key != "channel"] + ["channel"]
    else:
        table = table[table["channel"] == channel]
    groups = grouped(table, keys)
    return Partial(groups.keys, {"sums": _terms(table).assign(group=groups.numbers())})


def _terms(table: pd.DataFrame) -> pd.DataFrame:
    """Return the whole and real numbers that are added, of each sequence."""
    rows = {name: table[name].to_numpy() for name in schema.SEQUENCE_METRICS.names}
    rows["n_scored"] = rows["n_ok"] > 0
    for name in _WEIGHTED:
        rows[name] = rows[name] * rows["n_entropy"]
    terms: Columns = {name: rows[name].astype(np.int64) for name in _POOLED}
    terms["n_sequences"] = np.ones(len(table), np.int64)
    for name, support in _SUPPORT.items():
        # A sequence without such tokens adds 0; any other NaN makes the total unknown.
        bare = sum(rows[each] for each in support) == 0
        terms[name] = np.where(np.isnan(rows[name]) & bare, 0.0, rows[name])
    return pd.DataFrame(terms)


def pooled(partial: Partial, channel: str | None) -> pd.DataFrame:
    """Return the result of `corpus_metrics` from the terms of its sequences."""
    terms, groups = partial.tables["sums"], partial.groups("sums")
    sums: Columns = {
        name: groups.total(terms[name].to_numpy()) for name in (*_POOLED, "n_sequences")
    }
    for name, support in _SUPPORT.items():
        added = groups.exact_total(terms[name].to_numpy())
        sums[name] = np.where(sum(sums[each] for each in support) > 0, added, np.nan)
    for name in _WEIGHTED:
        sums[name] = ratio(sums[name], sums["n_entropy"])
    sums["perplexity_geometric"] = perplexity(0.0 - sums["mean_logprob"], sums["n_scored"])
    keys, columns = groups.keys.copy(), {**sums, **ratios(sums)}
    if "channel" in keys:
        columns["channel"] = keys.pop("channel")
    else:
        code = np.full(len(keys), schema.CHANNELS.index(str(channel)), np.int8)
        columns["channel"] = categorical(code, schema.CHANNELS)
    found = result_frame(schema.CORPUS_METRICS, columns)
    # A column that is a key and a result has one value per group: the key is kept.
    found = found.drop(columns=[key for key in keys if key in found])
    return pd.concat([keys, found], axis=1)
