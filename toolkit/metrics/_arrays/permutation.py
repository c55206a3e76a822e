"""Compare two groups of rows by a permutation test, and adjust several p values (Holm 1979)."""

from __future__ import annotations

import math

import numpy as np

from toolkit.metrics._arrays.types import Array, Flags

CELLS = 1 << 21
"""Cells (permutations times rows or columns) of one batch, so that memory stays small."""


def mean_differences(
    values: Array, in_b: Flags, n_permutations: int, random: np.random.Generator
) -> Array:
    """Return the mean over columns of |mean of b - mean of a|: as it is, then permuted.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
    in_b : ndarray of bool, shape (n_rows,)
        Which rows are those of b; there are some of a and some of b.
    n_permutations : int
    random : Generator
        Assigns the rows to a and b anew, as many to each.

    Returns
    -------
    ndarray of shape (1 + n_permutations,)

    Examples
    --------
    >>> values, in_b = np.array([[0.0], [0.0], [1.0]]), np.array([False, False, True])
    >>> mean_differences(values, in_b, 3, np.random.default_rng(0)).tolist()
    [1.0, 0.5, 0.5, 0.5]
    """
    n, n_b = len(in_b), int(in_b.sum())
    total = values.sum(axis=0)
    step = max(1, CELLS // max(n, values.shape[1]))
    found = []
    for start in range(0, n_permutations + 1, step):
        size = min(step, n_permutations + 1 - start)
        labels = random.permuted(np.tile(in_b, (size, 1)), axis=1)
        if start == 0:
            labels[0] = in_b
        sums = labels.astype(np.float64) @ values
        found.append(np.abs(sums / n_b - (total - sums) / (n - n_b)).mean(axis=1))
    return np.concatenate(found)


def p_value(statistics: Array) -> float:
    """Return the share of statistics that are at least as large as the first, which counts too.

    Examples
    --------
    >>> p_value(np.array([1.0, 0.5, 1.0, 0.5]))
    0.5
    """
    slack = 1e-9 * abs(float(statistics[0]))  # equal statistics may differ by rounding
    return float((statistics >= statistics[0] - slack).mean())


def least_p_value(n_a: int, n_b: int, n_permutations: int) -> float:
    """Return the least p value that groups of these sizes can have.

    Examples
    --------
    >>> least_p_value(3, 3, 10_000)
    0.1
    """
    # Equal groups give the same statistic when they are exchanged.
    distinct = math.comb(n_a + n_b, n_a) / (2 if n_a == n_b else 1)
    return max(1.0 / distinct, 1.0 / (n_permutations + 1))


def holm(p_values: Array) -> Array:
    """Adjust p values, so that the chance of any false finding among them keeps the level.

    Notes
    -----
    Holm (1979): the i-th least of n is multiplied by n − i + 1, and never below the one before it.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    steps = p_values[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
