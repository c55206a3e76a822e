"""Convert logprobs and their sums: rounding, probability, perplexity, bits per byte."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from toolkit.metrics._arrays.segments import ratio
from toolkit.metrics._arrays.types import Array, Counts, Flags

ROUNDING = 1e-6
"""Probability mass that a softmax in single precision may gain or lose."""
_BINARY = 1024.0  # fractions with this denominator are those of numbers in half precision
_MOST_DECIMALS = 7  # half a unit in the seventh decimal is below ROUNDING


def clipped(logprobs: Array) -> Array:
    """Return logprobs with tiny positive values, which are rounding errors, as 0; NaN stays.

    Examples
    --------
    >>> clipped(np.array([-1.0, 1e-9, np.nan])).tolist()
    [-1.0, 0.0, nan]
    """
    if np.fmax.reduce(logprobs, initial=-np.inf) <= 0.0:
        return logprobs
    return np.minimum(logprobs, 0.0)


def probability(logprob: float) -> float:
    """Return the probability of one logprob; a tiny positive value, a rounding error, gives 1.

    Examples
    --------
    >>> probability(1e-9)
    1.0
    """
    return math.exp(min(logprob, 0.0))


def perplexity(nll: npt.ArrayLike, count: npt.ArrayLike) -> Array:
    """Return ``exp(nll / count)``: the perplexity (Jelinek et al. 1977).

    Parameters
    ----------
    nll : array_like
        Summed negative log likelihood, in nats.
    count : array_like
        Number of tokens in the sum.

    Returns
    -------
    ndarray
        At least 1, lower is more certain; NaN where the count is 0, ``inf`` where ``exp`` overflows
        (from 709.8 nats per token).

    Examples
    --------
    >>> perplexity(np.array([0.0, 8000.0, 0.0]), np.array([4, 2, 0])).tolist()
    [1.0, inf, nan]
    """
    with np.errstate(over="ignore"):
        return np.exp(ratio(nll, count))


def bits_per_byte(nll: npt.ArrayLike, n_bytes: npt.ArrayLike) -> Array:
    """Return ``nll / (ln 2 * n_bytes)`` (Gao et al. 2020, The Pile); NaN without bytes.

    Parameters
    ----------
    nll : array_like
        Summed negative log likelihood, in nats, of the tokens that the bytes belong to.
    n_bytes : array_like
        Their UTF-8 bytes.

    Returns
    -------
    ndarray
        Lower is more certain.

    Examples
    --------
    >>> bits_per_byte(np.array([np.log(2) * 6]), np.array([3])).tolist()
    [2.0]
    """
    return ratio(nll, n_bytes) / np.log(2.0)


def decimals(values: Array) -> Counts:
    """Return how many decimals numbers were written with: 1 to 6, or 7 for more than 6.

    Parameters
    ----------
    values : ndarray
        Finite. Trailing zeros are lost: -0.5 has one decimal, even if it was sent as -0.500.

    Returns
    -------
    ndarray of int64

    Examples
    --------
    >>> decimals(np.array([-2.0, -0.25, -0.1384, -0.13843293488025665])).tolist()
    [1, 2, 4, 7]
    """
    found = np.full(values.shape, _MOST_DECIMALS, np.int64)
    for digits in range(_MOST_DECIMALS - 1, 0, -1):
        found[np.round(values, digits) == values] = digits
    return found


def half_units(values: Array, ids: Counts, n: int) -> Array:
    """Return the most that rounding changed the numbers of each of `n` lists: half a unit.

    The unit is that of the number with the most decimals, because the others may have lost trailing
    zeros. It is 0, for numbers that were not rounded, if a number has more than 6 decimals, or if
    all are multiples of 1/1024, as are those of models in half precision. Each list has its own
    unit, because a recording may hold answers of several servers, which do not all round.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Finite.
    ids : ndarray of int64, shape (n_values,)
        The list that each number belongs to.
    n : int

    Returns
    -------
    ndarray of shape (n,)

    Examples
    --------
    >>> ids = np.array([0, 0, 1, 2, 2])
    >>> half_units(np.array([-0.01, -12.0, -0.1384329348, -0.5, -20.125]), ids, 3).tolist()
    [0.005, 0.0, 0.0]
    """
    is_exact = np.zeros(n, np.bool_)
    is_exact[ids[np.round(values, _MOST_DECIMALS - 1) != values]] = True
    rows = np.flatnonzero(~is_exact[ids])
    scaled = values[rows] * _BINARY
    rows = rows[scaled != np.floor(scaled)]
    digits = np.zeros(n, np.int64)
    np.maximum.at(digits, ids[rows], decimals(values[rows]))
    return np.where(digits > 0, 0.5 * 10.0 ** -digits.astype(np.float64), 0.0)


def mass_exceeds_one(mass: Array, digits: Counts) -> Flags:
    """Return which masses exceed 1 by more than rounding explains.

    Rounding to ``d`` decimals raises a logprob by at most ``0.5e-d``, so it raises the mass by at
    most the factor ``exp(0.5e-d)``. An excess of `ROUNDING` is always allowed.

    Parameters
    ----------
    mass : ndarray
        Sum of the probabilities of a list, above 0.
    digits : ndarray of int64
        Decimals of the entry of the list that has the most, because the other entries may have
        lost trailing zeros.

    Returns
    -------
    ndarray of bool

    Examples
    --------
    >>> mass_exceeds_one(np.array([1.004, 1.004]), np.array([2, 4])).tolist()
    [False, True]
    """
    return np.log(mass) > np.maximum(ROUNDING, 0.5 * 10.0 ** -digits.astype(np.float64))
