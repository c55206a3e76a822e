"""Compute standard errors, t intervals and resamples of answers that come in clusters.

Answers of one cluster, such as several answers to one question, depend on each other; clusters are
independent. A cluster is a *code* from 0 to the number of clusters less 1, one per answer.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from toolkit.metrics._arrays.types import Array, Counts

FEW = 20
"""Below so many clusters, intervals can be too narrow whatever the method."""
LARGE = 40
"""From so many clusters, the percentiles of resamples are taken; below, Student's t."""
_EXACT_DF = 1000  # degrees of freedom up to which the distribution of t is summed exactly
_HALVINGS = 60


def cluster_sums(values: Array, codes: Counts) -> Array:
    """Sum values over each cluster.

    Examples
    --------
    >>> cluster_sums(np.array([1.0, 2.0, 4.0]), np.array([0, 1, 0])).tolist()
    [5.0, 2.0]
    """
    return np.bincount(codes, values).astype(np.float64)


def mean_error(values: Array, codes: Counts) -> float:
    """Return the standard error of the mean of clustered values; NaN with fewer than 2 clusters.

    Notes
    -----
    SE² = G/(G − 1) · n⁻² · Σ_g (Σ_{i in g} (x_i − x̄))², for n values in G clusters (Liang and Zeger
    1986; Miller 2024). If each value is its own cluster, this is s/√n.

    Examples
    --------
    >>> round(mean_error(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0, 0, 1, 1])), 3)
    0.5
    """
    if not len(values):
        return math.nan
    return linear_error((values - values.mean()) / len(values), codes)


def linear_error(influence: Array, codes: Counts) -> float:
    """Return the standard error of a statistic from the influence of each answer, which sum to 0.

    The influence of an answer is how much it moves the statistic: (x_i − x̄)/n for a mean, and
    (y_i − r x_i)/Σx for a ratio r = Σy/Σx.
    """
    sums = cluster_sums(influence, codes)
    n_clusters = len(sums)
    if n_clusters < 2:
        return math.nan
    return math.sqrt(n_clusters / (n_clusters - 1) * math.fsum(sums * sums))


def t_interval(value: float, error: float, n_clusters: int, level: float) -> tuple[float, float]:
    """Return the interval of Student's t with one degree of freedom less than clusters.

    Examples
    --------
    >>> [round(end, 3) for end in t_interval(0.5, 0.1, 11, 0.95)]
    [0.277, 0.723]
    """
    if n_clusters < 2:
        return math.nan, math.nan
    half = t_quantile((1 + level) / 2, n_clusters - 1) * error
    return value - half, value + half


def t_quantile(share: float, df: int) -> float:
    """Return the value below which the share ≥ 0.5 of Student's t with `df` degrees of freedom is.

    Notes
    -----
    The distribution is a finite sum for whole degrees of freedom (Abramowitz and Stegun 26.7.3,
    26.7.4); above 1000 the expansion around the normal quantile is as exact (26.7.5).

    Examples
    --------
    >>> round(t_quantile(0.975, 10), 6), round(t_quantile(0.975, 100_000), 6)
    (2.228139, 1.959988)
    """
    if df > _EXACT_DF:
        z = NormalDist().inv_cdf(share)
        return (
            z
            + (z**3 + z) / (4 * df)
            + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
            + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * df**3)
        )
    low, high = 0.0, math.pi / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, df) < 2 * share - 1 else (low, middle)
    return math.sqrt(df) * math.tan((low + high) / 2)


def _within(angle: float, df: int) -> float:
    """Return the probability that |t| is below √df · tan(angle)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    first = 3 if df % 2 else 2
    k = np.arange(first, df, 2, dtype=np.float64)
    terms = np.cumprod((k - 1) / k * cosine * cosine)
    if df % 2 == 0:
        return sine * (1.0 + float(terms.sum()))
    odd = cosine * (1.0 + float(terms.sum())) if df > 1 else 0.0
    return 2 / math.pi * (angle + sine * odd)
