"""Summarise the comparison of two runs in one row, with intervals over requests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from toolkit import arguments, schema
from toolkit.errors import SchemaError
from toolkit.metrics._arrays import effective
from toolkit.metrics._arrays.bootstrap import resampled
from toolkit.metrics._arrays.clusters import (
    bounded_t_interval,
    cluster_sums,
    mean_error,
    ratio_error,
    t_interval,
)
from toolkit.metrics._arrays.proportions import agresti_coull
from toolkit.metrics._arrays.segments import ratio
from toolkit.metrics._arrays.types import Array, Counts
from toolkit.metrics._bins import MOST_RESAMPLES
from toolkit.metrics._clusters import (
    ClusterLabels,
    clusters_of,
    renumbered,
    request_labels,
    warn_if_few,
)
from toolkit.metrics._judged import judged_frame
from toolkit.metrics._results import wide_frame

_FEW = 5  # clusters that differ, which the interval of a mean difference needs
_FEW_FLIPS = 10  # clusters with a flip, which the t interval of their rate needs


def compare_summary(
    pairs: pd.DataFrame,
    *,
    clusters: ClusterLabels = None,
    n_bootstrap: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Summarise the comparison of two runs in one row, with intervals.

    Parameters
    ----------
    pairs : DataFrame
        The result of `compare`.
    clusters : array_like, optional
        What each row of `pairs` belongs to, such as its topic: pairs of one cluster may depend on
        each other. Null: a cluster of its own. Default: the request, so the choices of a response
        are one cluster; requests of one ``custom_id`` are one too.
    n_bootstrap : int
        Resamples of the clusters for ``share_above_0``; 0: none.
    level : float
        Probability of the intervals, above 0 and below 1.
    seed : int
        Of the resamples, 0 or more.

    Returns
    -------
    DataFrame
        One row, in the columns of ``schema.COMPARE_SUMMARY``; nats per token. NaN where no pair
        has the values, or where ``no_interval`` gives a reason.

    Raises
    ------
    SchemaError
        If `pairs` lacks a column.
    ArgumentError
        If an option is out of range, or there is not one label per row.

    Warns
    -----
    ToolkitWarning
        If pairs share fewer than 20 clusters.

    Notes
    -----
    Both answers of a pair are taken together. Intervals of means and ratios are of Student's t with
    the standard error over clusters (Liang and Zeger 1986; Miller 2024) and one degree of freedom
    less than clusters. Runs that are equal, or nearly, have no interval of a mean difference,
    because how large a rare difference can be is not seen.

    Examples
    --------
    >>> import toolkit
    >>> lp = toolkit.read("data/pairs_whole.jsonl")
    >>> row = toolkit.compare_summary(toolkit.compare(lp, lp)).iloc[0]
    >>> int(row["n_pairs"]), float(row["delta_nll"]), float(row["same_text_share"])
    (12, 0.0, 1.0)
    >>> row["cluster"], int(row["n_clusters"]), row["no_interval"]
    ('response_key', 12, 'few_different')
    """
    _check_pairs(pairs)
    n_bootstrap = arguments.whole("n_bootstrap", n_bootstrap, 0, MOST_RESAMPLES)
    level, seed = arguments.level("level", level), arguments.whole("seed", seed, 0)
    labels = request_labels(pairs, "_a") if clusters is None else clusters
    found = clusters_of(labels, len(pairs))
    is_paired = pairs["is_paired"].to_numpy(bool)
    paired, codes = pairs[is_paired], renumbered(found.codes[is_paired])
    n_clusters = int(codes.max(initial=-1)) + 1
    warn_if_few(n_clusters, len(paired), found.name, stacklevel=3)
    row = {
        "n_pairs": len(paired),
        "n_only_a": int(pairs["response_key_b"].isna().sum()),
        "n_only_b": int(pairs["response_key_a"].isna().sum()),
        "cluster": found.name,
        "n_clusters": n_clusters,
        "median_first_divergence": paired["first_divergence"].dropna().astype("float64").median(),
        **_same_text(paired, codes, level),
        **_difference(paired, codes, n_bootstrap, level, seed),
        **_positions(paired, codes, level),
    }
    return wide_frame(schema.COMPARE_SUMMARY, judged_frame(schema.COMPARE_SUMMARY, [row]))


def _difference(
    paired: pd.DataFrame, codes: Counts, n_bootstrap: int, level: float, seed: int
) -> dict[str, Any]:
    """Return the difference of surprisal, and its intervals."""
    scored = paired["delta_nll"].notna().to_numpy()
    codes = renumbered(codes[scored])
    delta, nll_a, n_a, nll_b, n_b = (
        paired[name].to_numpy(float)[scored] * sign
        for name, sign in (
            ("delta_nll", 1),
            ("sum_logprob_a", -1),
            ("n_ok_a", 1),
            ("sum_logprob_b", -1),
            ("n_ok_b", 1),
        )
    )
    n = len(delta)
    if not n:
        return {"n_scored": 0, "no_interval": "no_answers"}
    mean, sums = float(delta.mean()), cluster_sums(delta, codes)
    rates = nll_a.sum() / n_a.sum(), nll_b.sum() / n_b.sum()
    pooled = float(rates[1] - rates[0])
    row: dict[str, Any] = {"n_scored": n, "delta_nll": mean, "delta_nll_pooled": pooled}
    samples = resampled(lambda drawn: {"sum": drawn @ sums}, len(sums), n_bootstrap, seed)
    if samples:
        row["share_above_0"] = float((samples["sum"] > 0).mean())
    if len(sums) < 2:
        return row | {"no_interval": "one_cluster"}
    if (cluster_sums(np.abs(delta), codes) > 0).sum() < _FEW:
        return row | {"no_interval": "few_different"}
    errors = {
        "delta_nll": mean_error(delta, codes),
        "delta_nll_pooled": ratio_error(codes, (nll_b, n_b), (nll_a, n_a)),
    }
    for name, error in errors.items():
        if error > 0:
            ends = t_interval(row[name], error, len(sums), level)
            row[f"{name}_lower"], row[f"{name}_upper"] = ends
    return row


def _same_text(paired: pd.DataFrame, codes: Counts, level: float) -> dict[str, float]:
    """Return the share of pairs with equal texts, and its interval."""
    same = paired["same_text"].astype("boolean")
    known = same.notna().to_numpy()
    values = same.to_numpy(float, na_value=0.0)[known]
    tallies = effective.of_answers(values, renumbered(codes[known]))
    low, high = effective.clustered_interval(tallies, level)
    share = float(values.mean()) if len(values) else math.nan
    names = ("same_text_share", "same_text_share_lower", "same_text_share_upper")
    return dict(zip(names, (share, float(low), float(high)), strict=True))


def _positions(paired: pd.DataFrame, codes: Counts, level: float) -> dict[str, Any]:
    """Return the rate of flips and the mean divergence over compared positions."""
    compared = paired["n_compared"].to_numpy(float)
    has_any = compared > 0
    codes, compared = renumbered(codes[has_any]), compared[has_any]
    n = compared.sum()
    row: dict[str, Any] = {"n_compared": int(n)}
    totals = {
        "flip_rate": paired["n_flips"].to_numpy(float)[has_any],
        "js_lower": paired["js_lower"].to_numpy(float)[has_any] * compared,
        "js_upper": paired["js_upper"].to_numpy(float)[has_any] * compared,
    }
    row |= {name: float(ratio(values.sum(), n)) for name, values in totals.items()}
    if not n:
        return row
    sums = {name: cluster_sums(values, codes) for name, values in totals.items()}
    ends = {
        name: _rate_interval(row[name], values, compared, codes, level)
        for name, values in totals.items()
    }
    low, high = ends["flip_rate"]
    if (sums["flip_rate"] > 0).sum() < _FEW_FLIPS:
        rare = _rare_interval(sums["flip_rate"], row, level)
        low, high = float(np.fmin(low, rare[0])), float(np.fmax(high, rare[1]))
    row |= {"flip_rate_lower": low, "flip_rate_upper": high}
    for i, end in enumerate(("lower", "upper")):
        if (sums[f"js_{end}"] > 0).sum() >= _FEW:
            row[f"js_interval_{end}"] = ends[f"js_{end}"][i]
    return row


def _rate_interval(
    rate: float, values: Array, sizes: Array, codes: Counts, level: float
) -> tuple[float, float]:
    """Return the interval of Σ values / Σ sizes, by Student's t of its logarithm over clusters."""
    error = ratio_error(codes, (values, sizes))
    return bounded_t_interval(rate, error, int(codes.max()) + 1, level)


def _rare_interval(flips: Array, row: Mapping[str, Any], level: float) -> tuple[float, float]:
    """Return the interval of a rate of which few clusters have any.

    The share of clusters that have a flip has the interval of Agresti and Coull (1998). A cluster
    that has flips is taken to have as many as those seen, or one, and as many positions as the
    mean.
    """
    n_with = int((flips > 0).sum())
    share = np.array(n_with / len(flips))
    low, high = agresti_coull(share, np.array(float(len(flips))), level)
    each = flips.sum() / n_with if n_with else 1.0
    scale = each * len(flips) / row["n_compared"]
    return float(low) * scale, min(float(high) * scale, 1.0)


def _check_pairs(pairs: pd.DataFrame) -> None:
    """Raise unless the table is one that `compare` returned."""
    arguments.instance("pairs", pairs, pd.DataFrame, "the DataFrame that compare returns")
    if missing := [name for name in schema.COMPARE.names if name not in pairs]:
        raise SchemaError(f"pairs lacks column {missing[0]!r}; it has {list(pairs.columns)}")
