"""Compute bounds on the divergence of two distributions whose likeliest entries alone are known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from toolkit.metrics._arrays.types import Array, Counts, Flags


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
    spread : float, or ndarray of float64, shape (n,)
        How far each logprob may lie from its true value, because it was rounded.
    """

    ids: Counts
    codes: Counts
    p: Array
    cap: Array
    spread: Array | float = 0.0


class Matched(NamedTuple):
    """The entries that either distribution of some pairs has, each once, in the order of pairs.

    Attributes
    ----------
    owner : ndarray of int64, shape (n_entries,)
        The pair that each entry belongs to.
    p, q : ndarray of float64, shape (n_entries,)
        Its probability on either side; 0 outside the list.
    in_a, in_b : ndarray of bool, shape (n_entries,)
        Whether either list has it.
    a, b : Known
    """

    owner: Counts
    p: Array
    q: Array
    in_a: Flags
    in_b: Flags
    a: Known
    b: Known

    def total(self, values: Array, where: Flags | None = None) -> Array:
        """Add up the values of each pair's entries; those where a flag is set, if given."""
        values = values if where is None else np.where(where, values, 0.0)
        return np.bincount(self.owner, values, minlength=len(self.a.cap)).astype(np.float64)


def matched(a: Known, b: Known) -> Matched:
    """Match the entries of pairs of distributions; equal ones of one distribution are added up."""
    keys, at = np.unique(
        (np.append(a.ids, b.ids) << 32) + np.append(a.codes, b.codes), return_inverse=True
    )
    sides = list(zip((a, b), np.split(at, [len(a.ids)]), strict=True))
    p, q = (
        np.bincount(own, known.p, minlength=len(keys)).astype(np.float64) for known, own in sides
    )
    in_a, in_b = (np.bincount(own, minlength=len(keys)) > 0 for _, own in sides)
    return Matched(keys >> 32, p, q, in_a, in_b, a, b)


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


def bounds(entries: Matched) -> tuple[Array, Array]:
    """Return the least and the greatest Jensen-Shannon divergence of pairs of distributions.

    Outcomes in both lists are compared one by one. Merging outcomes never increases the divergence,
    so taking the rest as one outcome gives a lower bound. Another one comes from separating the
    entries that only one list has, with the most that the other distribution may give them. The
    upper bound is reached if the rests have nothing in common.

    Returns
    -------
    lower, upper : ndarray of float64, shape (n,)
        From 0 to ln 2.
    """
    p, q, total = entries.p, entries.q, entries.total
    both = entries.in_a & entries.in_b
    shared = total(jensen_shannon(p, q), both)
    shared_p, shared_q, all_p, all_q = total(p, both), total(q, both), total(p), total(q)
    own_a, own_b = (total(np.ones(len(p)), own & ~both) for own in (entries.in_a, entries.in_b))
    rest_p, rest_q = np.maximum(1.0 - shared_p, 0.0), np.maximum(1.0 - shared_q, 0.0)
    missing_p, missing_q = np.maximum(1.0 - all_p, 0.0), np.maximum(1.0 - all_q, 0.0)
    lower = np.maximum.reduce(
        [
            jensen_shannon(rest_p, rest_q),
            _apart(all_p - shared_p, rest_p, rest_q, np.minimum(missing_q, own_a * entries.b.cap)),
            _apart(all_q - shared_q, rest_q, rest_p, np.minimum(missing_p, own_b * entries.a.cap)),
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
