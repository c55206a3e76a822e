"""Measure the noise of requests that were sent twice: of logprobs, of tokens, of whole answers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit import arguments, arrow, schema
from toolkit.metrics._arrays.survival import kaplan_meier
from toolkit.metrics._arrays.types import Array, Flags
from toolkit.metrics._clusters import ClusterLabels, clusters_of, renumbered
from toolkit.metrics._lists import compare_lists, list_gaps
from toolkit.metrics._pairing import (
    Pairs,
    Positions,
    align,
    choice_requests,
    logprobs_at,
    pair,
)
from toolkit.metrics._results import result_frame

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_NORMAL = 1.4826  # standard deviation of a normal distribution over its median absolute deviation


def noise_floor(
    a: LogprobTables, b: LogprobTables, *, on: str | None = None, channel: str = "content"
) -> pd.DataFrame:
    """Measure how far the same requests differ when they are sent twice.

    Servers batch requests, and the order of additions depends on the batch, so the same request
    gives logprobs that differ a little, and another token where two are nearly as likely. This is
    the yardstick for every other difference of two runs.

    Parameters
    ----------
    a, b : LogprobTables
        The same requests, sent twice, at temperature 0 if flips matter.
    on, channel
        As in `toolkit.compare`.

    Returns
    -------
    DataFrame
        One row, in the columns of ``schema.NOISE_FLOOR``; nats. NaN where no token has the values.

    Raises
    ------
    ArgumentError
        As `toolkit.compare`.

    Notes
    -----
    σ = 1.4826 · median abs(a − b) / √2 over the tokens that both answers start with, because a
    difference of two noisy values has √2 times the noise of one.

    A token that is nearly certain hardly moves, however noisy its logit is, so σ is small where
    most tokens are. The gap between the two likeliest tokens is a difference of logits and shows
    the noise everywhere: a flip is a near tie if its gap is, in both runs, at most the gaps' own
    noise, the 99th percentile of their difference where the likeliest token is the same (3σ√2 if no
    gap is known).

    It does not say why runs differ. σ is 0 if more than half of the values are equal to the last
    digit, or were sent with few digits; ``p99_abs_difference`` then says more.

    See Also
    --------
    prefix_survival : how long answers stay equal.
    same_model : whether two sides differ by more than their noise.

    Examples
    --------
    >>> import toolkit
    >>> def run(logprob):
    ...     entry = {"token": "Hi", "logprob": logprob}
    ...     choice = {"message": {"content": "Hi"}, "logprobs": {"content": [entry]}}
    ...     return toolkit.from_responses({"choices": [choice]})
    >>> row = toolkit.metrics.noise_floor(run(-0.5), run(-0.502)).iloc[0]
    >>> round(float(row["sigma"]), 5), float(row["bit_equal_share"])
    (0.0021, 0.0)
    """
    pairs = pair(a, b, on, channel)
    found = align(a, b, pairs)
    n_pairs = int(pairs.is_paired.sum())
    values = [logprobs_at(side, found.rows[i]) for i, side in enumerate((a, b))]
    equal = _bit_equal(pairs, found, values)
    shared = found.is_same & (found.position < found.n_common[found.owner])
    difference = np.abs(values[0] - values[1])[shared]
    difference = difference[~np.isnan(difference)]
    sigma = _NORMAL * _percentile(difference, 50) / math.sqrt(2)
    lists = compare_lists(a, b, found, list_gaps)
    own = lists.is_compared
    both_gaps = np.array([lists.measures[name][own] for name in ("gap_a", "gap_b")])
    is_flip = lists.is_flip[own]
    gap_difference = np.abs(both_gaps[0] - both_gaps[1])[~is_flip]
    gap_noise = _percentile(gap_difference[~np.isnan(gap_difference)], 99)
    near_tie = 3 * sigma * math.sqrt(2) if math.isnan(gap_noise) else gap_noise
    gaps = both_gaps.max(axis=0)[is_flip]
    columns = {
        "n_pairs": n_pairs,
        "n_bit_equal": int(equal.sum()),
        "bit_equal_share": equal.sum() / n_pairs if n_pairs else np.nan,
        "n_tokens": len(difference),
        "sigma": sigma,
        "p90_abs_difference": _percentile(difference, 90),
        "p99_abs_difference": _percentile(difference, 99),
        "max_abs_difference": difference.max() if len(difference) else np.nan,
        "n_compared": int(own.sum()),
        "n_flips": len(gaps),
        "near_tie": near_tie,
        "n_near_ties": int((gaps <= near_tie).sum()),
        "n_changes": int((gaps > near_tie).sum()),
        "n_unknown": len(gaps) - int((gaps <= near_tie).sum() + (gaps > near_tie).sum()),
    }
    return result_frame(schema.NOISE_FLOOR, {name: [value] for name, value in columns.items()})


def prefix_survival(
    a: LogprobTables,
    b: LogprobTables,
    *,
    on: str | None = None,
    channel: str = "content",
    clusters: ClusterLabels = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Estimate how long the answers of two runs stay equal, token by token (Kaplan-Meier).

    Answers that are equal to their end say that they did not diverge until then, not that they
    never would: they are censored there, as is an answer that was cut at its limit of tokens.

    Parameters
    ----------
    a, b : LogprobTables
    on, channel
        As in `toolkit.compare`.
    clusters : array-like, optional
        A label for each row of ``a.choices``: answers of one label are not independent. Default:
        the request, which is the custom_id where it repeats, else the response.
    level : float
        Probability of the interval, above 0 and below 1.

    Returns
    -------
    DataFrame
        One row per position at which a pair diverged or ended, in the columns of
        ``schema.PREFIX_SURVIVAL``; no row without pairs.

    Raises
    ------
    ArgumentError
        As `toolkit.compare`; if there is not one label per answer, or `level` is out of range.

    Notes
    -----
    S(t) = Π (1 − d/n) over positions up to t, where d of n pairs that were equal before differ. The
    interval is that of ln(−ln S) with the variance of clusters and Student's t.

    It does not say how much later tokens differ: after the first difference, answers are different
    texts. It assumes that answers that end early diverge no more or less often than others.

    Examples
    --------
    >>> import toolkit
    >>> def run(*tokens):
    ...     entries = [{"token": token, "logprob": -0.5} for token in tokens]
    ...     message = {"content": "".join(tokens)}
    ...     choice = {"message": message, "logprobs": {"content": entries}}
    ...     return {"choices": [choice]}
    >>> a = toolkit.from_responses([run("a", "b"), run("c")])
    >>> b = toolkit.from_responses([run("a", "x"), run("c")])
    >>> found = toolkit.metrics.prefix_survival(a, b)
    >>> found[["position", "n_at_risk", "n_diverged", "survival"]].values.tolist()
    [[1.0, 2.0, 1.0, 0.5]]
    """
    level = arguments.level("level", level)
    pairs = pair(a, b, on, channel)
    found = align(a, b, pairs)
    labels = clusters if clusters is not None else choice_requests(a)
    codes = clusters_of(labels, a.choices.num_rows).codes
    # What an answer that reached its limit would have said next is unknown.
    is_cut = _is_cut(a, b, pairs, found)
    time = found.n_common - is_cut
    own = np.flatnonzero(pairs.is_paired & (np.maximum(*pairs.counts) > 0) & (time >= 0))
    own_codes = renumbered(codes[pairs.row_a[own]])
    curve = kaplan_meier(time[own], (found.diverges & ~is_cut)[own], own_codes, level)
    return result_frame(
        schema.PREFIX_SURVIVAL,
        {
            "position": curve.time,
            "n_at_risk": curve.n_at_risk,
            "n_diverged": curve.n_ended,
            "n_ended": curve.n_cut,
            "survival": curve.survival,
            "survival_lower": curve.lower,
            "survival_upper": curve.upper,
            "n_clusters": np.full(len(curve.time), own_codes.max(initial=-1) + 1),
        },
    )


def _bit_equal(pairs: Pairs, found: Positions, values: list[Array]) -> Flags:
    """Return which pairs have equal tokens and equal logprobs, null equal to null."""
    same = (values[0] == values[1]) | (np.isnan(values[0]) & np.isnan(values[1]))
    differs = np.bincount(found.owner, ~(found.is_same & same), minlength=len(pairs.row_a))
    flags: Flags = pairs.is_paired & (differs == 0)
    return flags


def _percentile(values: Array, share: float) -> float:
    return float(np.percentile(values, share)) if len(values) else np.nan


def _is_cut(a: LogprobTables, b: LogprobTables, pairs: Pairs, found: Positions) -> Flags:
    """Return which pairs are equal until one of them reached its limit of tokens."""
    cut = np.zeros(len(pairs.row_a), np.bool_)
    for i, side in enumerate((a, b)):
        at_limit = arrow.is_in(side.choices["finish_reason"], ["length"])
        rows = pairs.rows(i)
        own = np.flatnonzero(rows >= 0)
        cut[own] |= at_limit[rows[own]] & (found.n_common[own] == pairs.counts[i][own])
    return cut
