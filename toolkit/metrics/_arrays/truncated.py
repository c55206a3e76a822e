"""Bound the KL divergence and the total variation of distributions whose top entries are known."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from toolkit.metrics._arrays.divergence import Known, merged
from toolkit.metrics._arrays.logprobs import ROUNDING
from toolkit.metrics._arrays.types import Array, Counts, Flags

_TINY = 1e-300  # least probability whose logarithm is taken


class Entries(NamedTuple):
    """The entries that either list of some pairs of distributions has, each once.

    Attributes
    ----------
    owner : ndarray of int64, shape (n_entries,)
        The pair that each entry belongs to.
    p, q : ndarray of float64, shape (n_entries,)
        Its probability on either side, as sent; 0 outside the list.
    in_a, in_b : ndarray of bool, shape (n_entries,)
        Whether either list has it.
    most_p, most_q : ndarray of float64, shape (n_entries,)
        The most that its probability may be: more than sent by the rounding of the logprobs;
        outside the list no more than the least entry, and than what the list lacks.
    least_p, least_q : ndarray of float64, shape (n_entries,)
        The least that it may be; 0 outside the list.
    rest_p, rest_q : ndarray of float64, shape (n,)
        The most that may be outside the list, by pair.
    """

    owner: Counts
    p: Array
    q: Array
    in_a: Flags
    in_b: Flags
    most_p: Array
    most_q: Array
    least_p: Array
    least_q: Array
    rest_p: Array
    rest_q: Array


def matched(a: Known, b: Known, n: int) -> Entries:
    """Match the entries of `n` pairs of lists, and bound their probabilities."""
    sides = [merged(a), merged(b)]
    keys = np.union1d(sides[0][0], sides[1][0])
    owner = keys >> 32
    columns: list[list[Any]] = []
    for (own, values), known in zip(sides, (a, b), strict=True):
        at = np.searchsorted(keys, own)
        p, listed = np.zeros(len(keys)), np.zeros(len(keys), np.bool_)
        p[at], listed[at] = values, True
        least = p * np.exp(-known.spread)
        rest = _rest(_sum(owner, least, n))
        outside = np.minimum(known.cap * np.exp(known.spread), rest)[owner]
        most = np.where(listed, np.minimum(p * np.exp(known.spread), 1.0), outside)
        columns.append([p, listed, most, least, rest])
    return Entries(owner, *(each for pair in zip(*columns, strict=True) for each in pair))


def acceptance(entries: Entries, n: int) -> tuple[Array, Array]:
    """Return bounds on Σ min(p, q), which is 1 less the total variation.

    The lower bound is reached if the rests have nothing in common. The upper one is the greatest
    overlap that the lists leave possible: each entry of one list alone has at most the cap of the
    other side, and both rests together no more than either of them.

    Returns
    -------
    lower, upper : ndarray of float64, shape (n,)
        From 0 to 1.
    """

    def total(values: Array, where: Flags) -> Array:
        return _sum(owner, np.where(where, values, 0.0), n)

    owner, in_a, in_b = entries.owner, entries.in_a, entries.in_b
    most = np.minimum(entries.most_p, entries.most_q)
    lower = total(np.minimum(entries.least_p, entries.least_q), in_a & in_b)
    of_a = np.minimum(total(most, in_a & ~in_b), entries.rest_q)
    of_b = np.minimum(total(most, in_b & ~in_a), entries.rest_p)
    rest = np.minimum(entries.rest_q - of_a, entries.rest_p - of_b)
    upper = total(most, in_a & in_b) + of_a + of_b + rest
    upper = np.minimum(upper, 1.0)
    return np.minimum(lower, upper), upper


def kl_lower(entries: Entries, n: int) -> Array:
    """Return a lower bound on KL(P‖Q) = Σ p ln(p/q), in nats; no finite upper one exists.

    Notes
    -----
    KL(P‖Q) ≥ Σ p f − ln Σ q exp(f) for any f (Donsker and Varadhan 1975). With f = ln(p/q) for the
    entries of both lists, and ln of the ratio of the rests for all others, this is Σ p ln(p/q) +
    m_p ln(m_p/m_q), where m is what the shared entries lack. A second f also singles out the
    entries of one list alone, where the other side has at most its cap. Both are evaluated at the
    worst probabilities that the lists and the rounding of their logprobs allow.
    """

    def total(values: Array) -> Array:
        return _sum(owner, values, n)

    owner, in_a, in_b = entries.owner, entries.in_a, entries.in_b
    p, q, shared = entries.p, entries.q, in_a & in_b
    one = _certain(entries, n, np.where(shared, p, 0.0), np.where(shared, q, 0.0))
    # What is unknown is taken in proportion to the other side, as far as the lists allow it.
    rest_p, rest_q = (_rest(total(np.where(shared, x, 0.0))) for x in (p, q))
    own = total(np.where(in_a, p, 0.0)) - (1.0 - rest_p)
    share = np.minimum(rest_q / rest_p, _rest(total(q)) / np.maximum(own, ROUNDING))
    with_b = np.where(in_b, q, np.minimum(entries.most_q, p * share[owner]))
    left = rest_q - total(np.where(in_b, 0.0, with_b))
    share = _rest(total(p)) / np.maximum(left, ROUNDING)
    with_a = np.where(in_a, p, np.minimum(entries.most_p, q * share[owner]))
    return np.maximum(np.maximum(one, _certain(entries, n, with_a, with_b)), 0.0)


def _rest(mass: Array) -> Array:
    """Return what is left of 1; a little more, because a softmax in single precision is inexact."""
    return np.maximum(1.0 - mass, 0.0) + ROUNDING


def _certain(entries: Entries, n: int, p: Array, q: Array) -> Array:
    """Return what is certain of the divergence if f is ln(p/q); entries of 0 are in the rest."""

    def total(values: Array) -> Array:
        return _sum(entries.owner, values, n)

    rest = np.log(_rest(total(p)) / _rest(total(q)))
    ratio = np.log(np.maximum(p, _TINY) / np.maximum(q, _TINY))
    gain = np.where((p > 0) | (q > 0), ratio - rest[entries.owner], 0.0)
    # An entry that one side does not list must not gain from what is unknown there.
    gain = np.where(entries.in_a, gain, np.minimum(gain, 0.0))
    gain = np.where(entries.in_b, gain, np.maximum(gain, 0.0))
    up = gain > 0
    mean = rest + total(np.where(up, entries.least_p, entries.most_p) * gain)
    with np.errstate(over="ignore"):
        added = total(np.where(up, entries.most_q, entries.least_q) * np.expm1(gain))
    # Nothing is certain if the entries of a list add up to more than 1.
    return np.where(added > -1.0, mean - rest - np.log1p(np.maximum(added, ROUNDING - 1.0)), 0.0)


def _sum(owner: Counts, values: Array, n: int) -> Array:
    return np.bincount(owner, values, minlength=n).astype(np.float64)
