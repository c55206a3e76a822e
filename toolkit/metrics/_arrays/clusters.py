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
_EXACT_DF = 1000  # degrees of freedom up to which the distribution of t is summed exactly
_HALVINGS = 60
_GREATEST_POWER = 600.0  # of e; a product with it is still a finite number


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

    The influence of an answer is how much it moves the statistic: (x_i − x̄)/n for a mean.
    """
    return _clustered(cluster_sums(influence, codes))


def ratio_error(codes: Counts, *ratios: tuple[Array, Array]) -> float:
    """Return the standard error of Σy/Σx of clustered answers, or of one such ratio less another.

    Parameters
    ----------
    codes : ndarray of int64
    *ratios : tuple of ndarray
        One or two pairs (y, x); x is not negative.

    Notes
    -----
    The jackknife over clusters (Quenouille 1956; Tukey 1958): without a cluster, a ratio moves by
    its influence over 1 less its share of Σx. With equal x it is the error of a mean.

    Examples
    --------
    >>> y, x, codes = np.array([1.0, 0.0, 2.0]), np.array([1.0, 1.0, 2.0]), np.arange(3)
    >>> round(ratio_error(codes, (y, x)), 4)
    0.2966
    """
    moves = []
    for y, x in ratios:
        total = float(x.sum())
        influence = cluster_sums((y - y.sum() / total * x) / total, codes)
        moves.append(influence / (1 - np.minimum(cluster_sums(x, codes) / total, 1 - 1e-12)))
    moved = moves[0] if len(moves) == 1 else moves[0] - moves[1]
    n_clusters = len(moved)
    return _clustered(moved) * (n_clusters - 1) / max(n_clusters, 1)


def _clustered(sums: Array) -> float:
    """Return √(G/(G − 1) · Σ sums²) for G clusters; NaN with fewer than 2."""
    if len(sums) < 2:
        return math.nan
    return math.sqrt(len(sums) / (len(sums) - 1) * math.fsum(sums * sums))


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


def bounded_t_interval(
    value: float,
    error: float,
    n_clusters: int,
    level: float,
    bounds: tuple[float, float] = (0.0, math.inf),
) -> tuple[float, float]:
    """Return the t interval of a statistic that has bounds, found on a scale without them.

    The scale is the logarithm of the distance from the bound, or the logit between two; an error is
    carried over by its slope. The interval is wider on the side where there is more room, as the
    statistic of few answers is. Where the error exceeds 1 on that scale, because the value is too
    near a bound, it is the t interval itself, cut at the bounds. NaN if the value is a bound.

    Examples
    --------
    >>> [round(end, 3) for end in bounded_t_interval(0.5, 0.1, 11, 0.95)]
    [0.32, 0.781]
    >>> [round(end, 3) for end in bounded_t_interval(0.9, 0.05, 11, 0.95, (0.0, 1.0))]
    [0.723, 0.969]
    """
    least, most = bounds
    below, above = value - least, most - value
    if not (below > 0 and above > 0):
        return math.nan, math.nan
    # The slope of ln(x - least) - ln(most - x); an infinite bound adds nothing.
    slope = 1 / below + 1 / above
    if slope == 0 or error * slope > 1:
        low, high = t_interval(value, error, n_clusters, level)
        return max(low, least), min(high, most)
    down, up = map(_factor, t_interval(0.0, error * slope, n_clusters, level))
    if math.isinf(most):
        return least + below * down, least + below * up
    if math.isinf(least):
        return most - above * up, most - above * down
    low, high = (below * each / above for each in (down, up))
    return (least + most * low) / (1 + low), (least + most * high) / (1 + high)


def _factor(power: float) -> float:
    """Return e to a power, and a finite number also of the t of 2 clusters at a level near 1."""
    return math.exp(power) if math.isnan(power) else math.exp(min(power, _GREATEST_POWER))


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
        return float(expanded_quantile(share, np.array(float(df))))
    low, high = 0.0, math.pi / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, df) < 2 * share - 1 else (low, middle)
    return math.sqrt(df) * math.tan((low + high) / 2)


def expanded_quantile(share: float, df: Array) -> Array:
    """Return the quantile of Student's t for many degrees of freedom, 1 in 10⁶ exact from 30.

    Examples
    --------
    >>> expanded_quantile(0.975, np.array([30.0, 1000.0])).round(5).tolist()
    [2.04227, 1.96234]
    """
    z = NormalDist().inv_cdf(share)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + (first + (second + third / df) / df) / df


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


def t_p_value(t: float, df: int) -> float:
    """Return the probability that Student's t is as far from 0 as `t`, on either side.

    Examples
    --------
    >>> round(t_p_value(2.228139, 10), 5)
    0.05
    """
    return max(0.0, 1.0 - _within(math.atan(abs(t) / math.sqrt(df)), df))
