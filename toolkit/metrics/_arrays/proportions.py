"""Compute intervals of a proportion: of Wilson, Agresti and Coull, and Clopper and Pearson."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from toolkit.metrics._arrays.types import Array

_HALVINGS = 100  # most steps of the bisection; it ends when no number lies in between


def wilson(successes: npt.ArrayLike, n: npt.ArrayLike, level: float) -> tuple[Array, Array]:
    """Return the two-sided score interval of a proportion; NaN where `n` is 0.

    Notes
    -----
    Wilson (1927). Unlike the interval of the normal approximation, it keeps a width where all or
    none succeed, and it never leaves [0, 1].

    Examples
    --------
    >>> [round(float(x), 3) for x in wilson(9, 10, 0.95)]
    [0.596, 0.982]
    """
    successes, n = np.asarray(successes, np.float64), np.asarray(n, np.float64)
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        share = successes / n
        centre = (share + z2 / (2 * n)) / (1 + z2 / n)
        half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
        # Rounding must not put the bound beyond the observed proportion, nor beyond 0 or 1.
        lower = np.where(successes == 0, 0.0, np.minimum(centre - half, share))
        upper = np.where(successes == n, 1.0, np.maximum(centre + half, share))
    return np.where(n > 0, lower, np.nan), np.where(n > 0, upper, np.nan)


def agresti_coull(share: Array, n: Array, level: float) -> tuple[Array, Array]:
    """Return the two-sided interval of an observed share of `n` trials, which need not be whole.

    Notes
    -----
    Agresti and Coull (1998): it has the centre of Wilson's interval and holds it. Where one trial
    of a few fails and the truth is nearly 1, Wilson's interval ends below the truth.

    Examples
    --------
    >>> [round(float(x), 3) for x in agresti_coull(np.array(0.9), np.array(10.0), 0.95)]
    [0.574, 1.0]
    """
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = (share * n + z2 / 2) / (n + z2)
        half = np.sqrt(z2 * centre * (1 - centre) / (n + z2))
        lower, upper = np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)
        lower, upper = np.minimum(lower, share), np.maximum(upper, share)
    return np.where(n > 0, lower, np.nan), np.where(n > 0, upper, np.nan)


def newcombe(both: int, first: int, second: int, neither: int, level: float) -> tuple[float, float]:
    """Return the score interval of the second proportion less the first one, of paired answers.

    Parameters
    ----------
    both, first, second, neither : int
        Pairs that are right in both, in the first alone, in the second alone, in neither.
    level : float

    Notes
    -----
    Method 10 of Newcombe (1998, Statistics in Medicine 17, 2635): Wilson's intervals of both
    proportions, combined with their correlation φ, which is corrected for continuity.

    Examples
    --------
    >>> [round(x, 4) for x in newcombe(36, 2, 12, 0, 0.95)]
    [0.0569, 0.3404]
    """
    n = both + first + second + neither
    if not n:
        return math.nan, math.nan
    p, q = (both + second) / n, (both + first) / n
    (low_p, high_p), (low_q, high_q) = (
        (float(x), float(y)) for x, y in (wilson(share * n, n, level) for share in (p, q))
    )
    cross: float = both * neither - first * second
    cross = max(cross - n / 2, 0) if cross > 0 else cross
    sides = (both + second) * (first + neither) * (both + first) * (second + neither)
    phi = cross / math.sqrt(sides) if sides else 0.0

    def reach(one: float, other: float) -> float:
        return math.sqrt(max(one * one - 2 * phi * one * other + other * other, 0.0))

    lower = p - q - reach(p - low_p, high_q - q)
    return lower, p - q + reach(high_p - p, q - low_q)


def mcnemar(first: int, second: int) -> float:
    """Return the exact two-sided p value of so many pairs that differ either way (McNemar 1947).

    Examples
    --------
    >>> round(mcnemar(2, 12), 4), mcnemar(0, 0)
    (0.0129, 1.0)
    """
    n = first + second
    return min(1.0, 2.0 * binomial_tail(max(first, second), n, 0.5))


def binomial_tail(successes: int, n: int, chance: float) -> float:
    """Return the probability of `successes` or more in `n` trials.

    Examples
    --------
    >>> round(binomial_tail(2, 3, 0.5), 9)
    0.5
    """
    if successes <= 0:
        return 1.0
    if successes > n or chance <= 0.0:
        return 0.0
    if chance >= 1.0:
        return 1.0
    if successes > n * chance:  # the terms decrease from here, so nothing cancels
        return min(1.0, _run(successes, n, chance))
    return max(0.0, 1.0 - _run(n - successes + 1, n, 1.0 - chance))


def _run(first: int, n: int, chance: float) -> float:
    """Sum the probabilities of `first` to `n` successes, each computed from the one before."""
    log_first = (
        math.lgamma(n + 1)
        - math.lgamma(first + 1)
        - math.lgamma(n - first + 1)
        + first * math.log(chance)
        + (n - first) * math.log1p(-chance)
    )
    k = np.arange(first, n, dtype=np.float64)
    ratios = (n - k) / (k + 1) * (chance / (1 - chance))
    return math.exp(log_first) * (1.0 + float(np.cumprod(ratios).sum()))


def exact_lower(successes: int, n: int, level: float) -> float:
    """Return the one-sided lower bound of a proportion that holds with probability `level` ≥ 0.5.

    Notes
    -----
    Clopper and Pearson (1934): the chance at which `successes` or more have the probability
    1 − level. NaN without trials.

    Examples
    --------
    >>> round(exact_lower(59, 59, 0.95), 4)  # 59 of 59 are the fewest that show 95 %
    0.9505
    """
    if n == 0:
        return math.nan
    if successes == 0:
        return 0.0
    low, high = 0.0, successes / n
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if binomial_tail(successes, n, middle) <= 1.0 - level:
            low = middle
        else:
            high = middle
    return low


def exact_upper(successes: int, n: int, level: float) -> float:
    """Return the one-sided upper bound of a proportion; see `exact_lower`.

    Examples
    --------
    >>> exact_upper(3, 3, 0.95)
    1.0
    """
    return 1.0 - exact_lower(n - successes, n, level)
