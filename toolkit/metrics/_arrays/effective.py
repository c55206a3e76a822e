"""Compute how many independent answers clustered ones are worth, for intervals of a proportion.

The *design effect* of a proportion is its variance over that of as many independent answers (Kish
1965). An interval of a proportion takes the number of answers divided by it.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from toolkit.metrics._arrays.clusters import cluster_sums, expanded_quantile, t_quantile
from toolkit.metrics._arrays.proportions import agresti_coull
from toolkit.metrics._arrays.segments import segment_sum
from toolkit.metrics._arrays.types import Array, Counts

_EXPANDED = 30  # degrees of freedom from which the quantile of t is expanded
FEW_WRONG = 10
"""Below so many clusters with a wrong (or a right) answer, the dependence cannot be estimated."""


class Tallies(NamedTuple):
    """Sums over the clusters of some answers, g being a cluster with n_g answers, k_g of them hits.

    Attributes
    ----------
    n, hits : ndarray
        Σ n_g and Σ k_g.
    nn, kn, kk : ndarray
        Σ n_g², Σ k_g n_g and Σ k_g².
    clusters, with_hit, with_miss : ndarray
        Number of clusters, and of those that have a hit, or a miss.
    """

    n: Array
    hits: Array
    nn: Array
    kn: Array
    kk: Array
    clusters: Array
    with_hit: Array
    with_miss: Array


def running(hit: Array, codes: Counts) -> Tallies:
    """Return the tallies of the first answer, of the first two, and so on.

    Parameters
    ----------
    hit : ndarray of shape (n,)
        1 or 0 for each answer.
    codes : ndarray of shape (n,)
        Its cluster.
    """
    return Tallies(*(np.cumsum(each) for each in _steps(hit, codes)))


def of_segments(hit: Array, codes: Counts, offsets: Counts) -> Tallies:
    """Return the tallies of each segment of the answers; a cluster may have answers in several."""
    segment = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    pair = segment * (int(codes.max(initial=0)) + 1) + codes
    return Tallies(*(segment_sum(each, offsets) for each in _steps(hit, pair)))


def of_answers(hit: Array, codes: Counts) -> Tallies:
    """Return the tallies of all answers together."""
    return of_clusters(cluster_sums(hit, codes), cluster_sums(np.ones(len(hit)), codes))


def of_clusters(hits: Array, sizes: Array) -> Tallies:
    """Return the tallies of clusters of so many answers and hits."""
    k, n = hits[sizes > 0], sizes[sizes > 0]
    sums = (n, k, n * n, k * n, k * k, np.ones(len(n)), k > 0, k < n)
    return Tallies(*(np.asarray(each.sum(), np.float64) for each in sums))


def _steps(hit: Array, codes: Counts) -> tuple[Array, ...]:
    """Return how much each answer adds to each tally, in the order of the answers."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(codes)))
    before, hits_before = np.empty(len(codes)), np.empty(len(codes))
    before[order] = np.arange(len(codes)) - np.repeat(starts, sizes)
    total = np.cumsum(hit[order]) - hit[order]
    hits_before[order] = total - np.repeat(total[starts], sizes)
    return (
        np.ones(len(codes)),
        hit,
        2 * before + 1,
        hits_before + hit * (before + 1),
        hit * (2 * hits_before + 1),
        (before == 0).astype(np.float64),
        hit * (hits_before == 0),
        (1 - hit) * (before == hits_before),
    )


def effective_size(tallies: Tallies, level: float) -> Array:
    """Return how many independent answers the answers are worth, for an interval of their share.

    Notes
    -----
    The design effect is estimated from the clusters, at least 1, and multiplied by (t/z)² with
    Student's t of one degree of freedom less than clusters (Korn and Graubard 1998). If fewer than
    10 clusters have a hit, or a miss, that estimate means nothing, and answers of a cluster are
    taken as copies of each other: the design effect is Σ n_g² / n.
    """
    n, k, nn, kn, kk, clusters, with_hit, with_miss = tallies
    with np.errstate(divide="ignore", invalid="ignore"):
        share = k / n
        squares = kk - 2 * share * kn + share * share * nn
        effect = squares * clusters / (clusters - 1) / (n * share * (1 - share))
        copies = nn / n
    is_estimated = (copies > 1) & (np.minimum(with_hit, with_miss) >= FEW_WRONG)
    used = np.array(copies, np.float64)
    factor = _inflation(np.asarray(clusters)[is_estimated], level)
    used[is_estimated] = np.maximum(np.asarray(effect)[is_estimated], 1.0) * factor
    return np.divide(n, used, out=np.zeros(np.shape(n)), where=n > 0)


def _inflation(clusters: Array, level: float) -> Array:
    """Return (t/z)² for numbers of clusters."""
    share = (1 + level) / 2
    quantile = expanded_quantile(share, np.maximum(clusters - 1.0, _EXPANDED))
    for few in range(2, _EXPANDED + 1):
        if (clusters == few).any():
            quantile[clusters == few] = t_quantile(share, few - 1)
    return (quantile / NormalDist().inv_cdf(share)) ** 2


def clustered_interval(tallies: Tallies, level: float) -> tuple[Array, Array]:
    """Return the interval of the share of hits, for answers in clusters."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = tallies.hits / tallies.n
    return agresti_coull(share, effective_size(tallies, level), level)
