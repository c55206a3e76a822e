"""Compute the interval of an AUROC, which keeps a width where few answers are wrong."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from toolkit.metrics._arrays.clusters import cluster_sums, t_quantile
from toolkit.metrics._arrays.effective import FEW_WRONG
from toolkit.metrics._arrays.ranking import tie_starts
from toolkit.metrics._arrays.types import Array, Counts

_HALVINGS = 60


def newcombe(auroc: float, n_right: float, n_wrong: float, level: float) -> tuple[float, float]:
    """Return the score interval of an AUROC.

    Notes
    -----
    Method 5 of Newcombe (2006): the θ for which (auroc − θ)² = z² V(θ), where V is the variance of
    Hanley and McNeil (1982) with the mean of both numbers in place of each.

    Examples
    --------
    >>> [round(end, 3) for end in newcombe(1.0, 99, 1, 0.95)]
    [0.434, 1.0]
    """
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    mean = (n_right + n_wrong) / 2 - 1

    def excess(theta: float) -> float:
        spread = 1 + mean * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return (auroc - theta) ** 2 - z2 * theta * (1 - theta) * spread / (n_right * n_wrong)

    return _root(excess, 0.0, auroc), _root(excess, 1.0, auroc)


def _root(excess: Callable[[float], float], outer: float, inner: float) -> float:
    """Return where the excess, above 0 outside and below 0 at `inner`, is 0."""
    if outer == inner:
        return outer
    for _ in range(_HALVINGS):
        middle = (outer + inner) / 2
        outer, inner = (middle, inner) if excess(middle) > 0 else (outer, middle)
    return outer


def effective_numbers(
    confidence: Array, correct: Array, codes: Counts, level: float
) -> tuple[float, float]:
    """Return how many independent right and wrong answers clustered ones are worth for an AUROC.

    Parameters
    ----------
    confidence, correct : ndarray of shape (n,)
        Sorted by confidence, lowest first; both kinds must occur.
    codes : ndarray of shape (n,)
    level : float

    Notes
    -----
    The design effect is the variance of Obuchowski (1997) over that of DeLong et al. (1988), at
    least 1, times (t/z)². If fewer than 10 clusters have a wrong or a right answer, answers of one
    kind in a cluster are taken as copies of each other.
    """
    right = cluster_sums(correct, codes)
    wrong = cluster_sums(1.0 - correct, codes)
    numbers = float(right.sum()), float(wrong.sum())
    copies = tuple(float(of @ of) / n for of, n in zip((right, wrong), numbers, strict=True))
    if max(cluster_sums(np.ones(len(codes)), codes)) <= 1:
        return numbers
    if min((right > 0).sum(), (wrong > 0).sum()) < FEW_WRONG:
        return numbers[0] / copies[0], numbers[1] / copies[1]
    influence = _influence(confidence, correct)
    n_clusters = len(right)
    sums = cluster_sums(influence, codes)
    single = float(influence @ influence)
    effect = float(sums @ sums) * n_clusters / (n_clusters - 1) / single if single > 0 else 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    effect = max(effect, 1.0) * (t_quantile((1 + level) / 2, n_clusters - 1) / z) ** 2
    return numbers[0] / effect, numbers[1] / effect


def _influence(confidence: Array, correct: Array) -> Array:
    """Return how much each answer moves the AUROC; the sum is 0."""
    starts = tie_starts(confidence)
    sizes = np.diff(np.append(starts, len(confidence)))
    n_right = correct.sum()
    n_wrong = len(correct) - n_right
    ties = [np.add.reduceat(each, starts) for each in (correct, 1.0 - correct)]
    below = [np.repeat(np.cumsum(each) - each / 2, sizes) for each in ties]
    placed = np.where(correct > 0, below[1] / n_wrong, 1.0 - below[0] / n_right)
    auroc = float(correct @ placed) / n_right
    return (placed - auroc) / np.where(correct > 0, n_right, n_wrong)
