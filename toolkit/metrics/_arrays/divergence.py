"""Compute bounds on the divergence of two distributions whose likeliest entries alone are known."""

from __future__ import annotations

from collections.abc import Callable
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
    upper bound is reached if the rests have nothing in common. Both hold for whatever the logprobs
    were before they were rounded.

    Returns
    -------
    lower, upper : ndarray of float64, shape (n,)
        From 0 to ln 2.
    """
    a, b, total = entries.a, entries.b, entries.total
    both = entries.in_a & entries.in_b
    p, q = _ends(entries, entries.p, a), _ends(entries, entries.q, b)
    rests, missing, own = [], [], []
    for side, listed in ((p, entries.in_a), (q, entries.in_b)):
        rests.append(_left(side, total, both))
        missing.append(_left(side, total, listed))
        own.append(_Range(*(total(end, listed & ~both) for end in side)))
    ones = np.ones(len(entries.owner))
    caps = [known.cap * np.exp(known.spread) for known in (a, b)]
    most_q = np.minimum(missing[1].high, total(ones, entries.in_a & ~both) * caps[1])
    most_p = np.minimum(missing[0].high, total(ones, entries.in_b & ~both) * caps[0])
    lower = np.maximum.reduce(
        [
            _least(rests[0], rests[1]),
            _apart(own[0], missing[0], rests[1], most_q),
            _apart(own[1], missing[1], rests[0], most_p),
        ]
    )
    upper = np.maximum(jensen_shannon(p.low, q.high), jensen_shannon(p.high, q.low))
    upper = total(upper, both) + 0.5 * np.log(2.0) * (rests[0].high + rests[1].high)
    lower = total(_least(p, q), both) + lower
    return np.minimum(lower, np.log(2.0)), np.minimum(upper, np.log(2.0))


class _Range(NamedTuple):
    """The least and the greatest value that probabilities may have had before rounding."""

    low: Array
    high: Array


def _ends(entries: Matched, p: Array, known: Known) -> _Range:
    factor = np.exp(np.broadcast_to(known.spread, known.cap.shape))[entries.owner]
    return _Range(p / factor, np.minimum(p * factor, 1.0))


def _left(side: _Range, total: Callable[[Array, Flags], Array], where: Flags) -> _Range:
    """Return what some entries leave of 1."""
    high, low = (np.maximum(1.0 - total(end, where), 0.0) for end in side)
    return _Range(low, high)


def _least(p: _Range, q: _Range) -> Array:
    """Return the least term of an outcome, where both probabilities are as close as they may be."""
    near_p = np.clip(q.low, p.low, p.high)
    return jensen_shannon(near_p, np.clip(near_p, q.low, q.high))


def _apart(own: _Range, missing: _Range, other_rest: _Range, most: Array) -> Array:
    """Return a lower bound on the term of the rest: entries of one list alone, and all else.

    The divergence is least if the other distribution gives these entries their share of its rest,
    but no more than `most`. It is 0 where it may give them their share.
    """
    rest = own.low + missing.high
    share = np.divide(own.low, rest, out=np.zeros_like(rest), where=rest > 0)
    left = _Range(*(np.maximum(end - most, 0.0) for end in other_rest))
    apart = _least(own, _Range(most, most)) + _least(missing, left)
    return np.where(share * other_rest.low > most, apart, 0.0)
