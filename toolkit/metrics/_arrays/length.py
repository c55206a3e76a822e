"""Measure how far a confidence only says how long the answer is."""

from __future__ import annotations

import numpy as np

from toolkit.metrics._arrays.segments import ratio
from toolkit.metrics._arrays.types import Array, Counts

N_STRATA = 5
"""Strata of answers by length: quintiles."""


def length_confounding(confidence: Array, correct: Array, length: Array) -> dict[str, float]:
    """Return the AUROC of length alone, the AUROC within strata of length, and their correlation.

    Parameters
    ----------
    confidence, correct, length : ndarray of shape (n,)
        Without NaN; `correct` is 0 or 1.

    Notes
    -----
    ``auroc_length`` ranks answers by their length, the shortest first. ``auroc_within_length``
    compares right and wrong answers of one quintile of length only, and adds up the pairs of all
    quintiles. ``length_correlation`` is Spearman's of confidence and length. Santilli et al. 2025:
    scores and labels that both depend on length agree for that reason alone.

    Examples
    --------
    >>> length, correct = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 0.0, 0.0])
    >>> length_confounding(-length, correct, length)["auroc_length"]
    1.0
    """
    everyone = np.zeros(len(length), np.int64)
    edges = np.quantile(length, np.arange(1, N_STRATA) / N_STRATA) if len(length) else ()
    strata = np.searchsorted(edges, length)
    return {
        "auroc_length": pooled_auroc(-length, correct, everyone),
        "auroc_within_length": pooled_auroc(confidence, correct, strata),
        "length_correlation": _spearman(confidence, length),
    }


def pooled_auroc(score: Array, correct: Array, strata: Counts) -> float:
    """Return the share of pairs of a right and a wrong answer of one stratum in the right order.

    A pair of equal scores counts half; NaN without pairs.

    Examples
    --------
    >>> score, correct = np.array([0.9, 0.1, 0.2, 0.1]), np.array([1.0, 0.0, 0.0, 1.0])
    >>> pooled_auroc(score, correct, np.array([0, 0, 1, 1]))
    0.5
    """
    if not len(score):
        return float("nan")
    order = np.lexsort((score, strata))
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (np.diff(score[order]) != 0) | (np.diff(strata[order]) != 0)
    starts = np.flatnonzero(begins)
    right = np.add.reduceat(correct[order], starts)
    wrong = np.add.reduceat(1.0 - correct[order], starts)
    of = strata[order][starts]
    first = np.searchsorted(of, of)
    total = np.cumsum(wrong) - wrong
    below = total - total[first]  # wrong answers of the stratum with a lower score
    n_right, n_wrong = (np.bincount(of, each) for each in (right, wrong))
    return float(ratio(right @ (below + wrong / 2), n_right @ n_wrong))


def _spearman(x: Array, y: Array) -> float:
    """Return the correlation of the ranks; NaN where one of them does not vary."""
    ranks = [_ranks(each) for each in (x, y)]
    left, right = (rank - rank.mean() if len(rank) else rank for rank in ranks)
    return float(ratio(left @ right, np.sqrt((left @ left) * (right @ right))))


def _ranks(values: Array) -> Array:
    """Return ranks from 0, equal values the mean of theirs."""
    _, at, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    middle: Array = ends - (sizes + 1) / 2
    return middle[at]
