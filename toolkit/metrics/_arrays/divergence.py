"""Compute bounds on the divergence of two distributions whose likeliest entries alone are known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from toolkit.metrics._arrays.types import Array, Counts


class Known(NamedTuple):
    """The known entries of some distributions.

    Attributes
    ----------
    ids : ndarray of int64, shape (n_entries,)
        The distribution that each entry belongs to.
    codes : ndarray of int64, shape (n_entries,)
        The outcome: entries of the same text have the same code, on both sides.
    p : ndarray of float64, shape (n_entries,)
        The probability.
    cap : ndarray of float64, shape (n,)
        The most that an unknown entry of each distribution may have.
    spread : float
        How far each logprob may lie from its true value, because it was rounded.
    """

    ids: Counts
    codes: Counts
    p: Array
    cap: Array
    spread: float = 0.0


def jensen_shannon(p: Array, q: Array) -> Array:
    """Return the term of one outcome in the Jensen-Shannon divergence (Lin 1991), in nats.

    Examples
    --------
    >>> jensen_shannon(np.array([0.5, 1.0]), np.array([0.5, 0.0])).round(4).tolist()
    [0.0, 0.3466]
    """
    total = p + q
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(p > 0, p * np.log(2.0 * p / total), 0.0)
        right = np.where(q > 0, q * np.log(2.0 * q / total), 0.0)
    return np.maximum(0.5 * (left + right), 0.0)


def bounds(a: Known, b: Known, n: int) -> tuple[Array, Array]:
    """Return the least and the greatest Jensen-Shannon divergence of `n` pairs of distributions.

    Outcomes in both lists are compared one by one. Merging outcomes never increases the divergence,
    so taking the rest as one outcome gives a lower bound. Another one comes from separating the
    entries that only one list has, with the most that the other distribution may give them. The
    upper bound is reached if the rests have nothing in common.

    Parameters
    ----------
    a, b : Known
        Entries of one distribution with the same code are added up.
    n : int
        Number of distributions on each side.

    Returns
    -------
    lower, upper : ndarray of float64, shape (n,)
        From 0 to ln 2.
    """
    (ids_a, p), (ids_b, q) = merged(a), merged(b)
    both, at_a, at_b = np.intersect1d(ids_a, ids_b, assume_unique=True, return_indices=True)
    owner = both >> 32
    shared = _sum(owner, jensen_shannon(p[at_a], q[at_b]), n)
    shared_p, shared_q = _sum(owner, p[at_a], n), _sum(owner, q[at_b], n)
    all_p, all_q = _sum(ids_a >> 32, p, n), _sum(ids_b >> 32, q, n)
    n_shared = np.bincount(owner, minlength=n)
    own_a = np.bincount(ids_a >> 32, minlength=n) - n_shared
    own_b = np.bincount(ids_b >> 32, minlength=n) - n_shared
    rest_p, rest_q = np.maximum(1.0 - shared_p, 0.0), np.maximum(1.0 - shared_q, 0.0)
    missing_p, missing_q = np.maximum(1.0 - all_p, 0.0), np.maximum(1.0 - all_q, 0.0)
    lower = np.maximum.reduce(
        [
            jensen_shannon(rest_p, rest_q),
            _apart(all_p - shared_p, rest_p, rest_q, np.minimum(missing_q, own_a * b.cap)),
            _apart(all_q - shared_q, rest_q, rest_p, np.minimum(missing_p, own_b * a.cap)),
        ]
    )
    upper = shared + 0.5 * np.log(2.0) * (rest_p + rest_q)
    return np.minimum(shared + lower, np.log(2.0)), np.minimum(upper, np.log(2.0))


def _apart(own: Array, rest: Array, other_rest: Array, most: Array) -> Array:
    """Return a lower bound on the term of the rest: entries of one list alone, and all else.

    The divergence is least if the other distribution gives these entries their share of its rest,
    but no more than `most`.
    """
    own = np.clip(own, 0.0, rest)
    share = np.divide(own, rest, out=np.zeros_like(own), where=rest > 0)
    given = np.minimum(share * other_rest, np.minimum(most, other_rest))
    return jensen_shannon(own, given) + jensen_shannon(rest - own, other_rest - given)


def merged(known: Known) -> tuple[Counts, Array]:
    """Add up equal entries of one distribution; return sorted keys and their sums."""
    keys, inverse = np.unique((known.ids << 32) + known.codes, return_inverse=True)
    return keys, _sum(inverse, known.p, len(keys))


def _sum(ids: Counts, values: Array, n: int) -> Array:
    return np.bincount(ids, values, minlength=n).astype(np.float64)
