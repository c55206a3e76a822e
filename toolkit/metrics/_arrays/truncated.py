"""Bound the KL divergence and the total variation of distributions whose top entries are known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from toolkit.metrics._arrays.divergence import Matched
from toolkit.metrics._arrays.logprobs import ROUNDING
from toolkit.metrics._arrays.types import Array

_TINY = 1e-300  # least probability whose logarithm is taken


class Bounded(NamedTuple):
    """Entries of pairs of lists, with bounds on their probabilities.

    Attributes
    ----------
    of : Matched
    most_p, most_q : ndarray of float64, shape (n_entries,)
        The most that the probability may be: more than sent by the rounding of the logprobs;
        outside the list no more than the least entry, and than what the list lacks.
    least_p, least_q : ndarray of float64, shape (n_entries,)
        The least that it may be; 0 outside the list.
    rest_p, rest_q : ndarray of float64, shape (n,)
        The most that may be outside the list, by pair.
    """

    of: Matched
    most_p: Array
    most_q: Array
    least_p: Array
    least_q: Array
    rest_p: Array
    rest_q: Array


def bounded(entries: Matched) -> Bounded:
    """Bound the probabilities of entries of both lists."""
    columns: list[tuple[Array, ...]] = []
    for p, listed, known in (
        (entries.p, entries.in_a, entries.a),
        (entries.q, entries.in_b, entries.b),
    ):
        factor = np.exp(np.broadcast_to(known.spread, known.cap.shape))
        least = p / factor[entries.owner]
        rest = _rest(entries.total(least))
        outside = np.minimum(known.cap * factor, rest)[entries.owner]
        most = np.where(listed, np.minimum(p * factor[entries.owner], 1.0), outside)
        columns.append((most, least, rest))
    return Bounded(entries, *(each for pair in zip(*columns, strict=True) for each in pair))


def acceptance(bounds: Bounded) -> tuple[Array, Array]:
    """Return bounds on Σ min(p, q), which is 1 less the total variation.

    The lower bound is reached if the rests have nothing in common. The upper one is the greatest
    overlap that the lists leave possible: each entry of one list alone has at most the cap of the
    other side, and both rests together no more than either of them.

    Returns
    -------
    lower, upper : ndarray of float64, shape (n,)
        From 0 to 1.
    """

    total, in_a, in_b = bounds.of.total, bounds.of.in_a, bounds.of.in_b
    most = np.minimum(bounds.most_p, bounds.most_q)
    lower = total(np.minimum(bounds.least_p, bounds.least_q), in_a & in_b)
    of_a = np.minimum(total(most, in_a & ~in_b), bounds.rest_q)
    of_b = np.minimum(total(most, in_b & ~in_a), bounds.rest_p)
    rest = np.minimum(bounds.rest_q - of_a, bounds.rest_p - of_b)
    upper = total(most, in_a & in_b) + of_a + of_b + rest
    upper = np.minimum(upper, 1.0)
    return np.minimum(lower, upper), upper


def kl_lower(bounds: Bounded) -> Array:
    """Return a lower bound on KL(P‖Q) = Σ p ln(p/q), in nats; no finite upper one exists.

    Notes
    -----
    KL(P‖Q) ≥ Σ p f − ln Σ q exp(f) for any f (Donsker and Varadhan 1975). With f = ln(p/q) for the
    entries of both lists, and ln of the ratio of the rests for all others, this is Σ p ln(p/q) +
    m_p ln(m_p/m_q), where m is what the shared entries lack. A second f also singles out the
    entries of one list alone, where the other side has at most its cap. Both are evaluated at the
    worst probabilities that the lists and the rounding of their logprobs allow.
    """

    entries = bounds.of
    owner, in_a, in_b, total = entries.owner, entries.in_a, entries.in_b, entries.total
    p, q, shared = entries.p, entries.q, in_a & in_b
    one = _certain(bounds, np.where(shared, p, 0.0), np.where(shared, q, 0.0))
    # What is unknown is taken in proportion to the other side, as far as the lists allow it.
    rest_p, rest_q = (_rest(total(x, shared)) for x in (p, q))
    own = total(p) - (1.0 - rest_p)
    share = np.minimum(rest_q / rest_p, _rest(total(q)) / np.maximum(own, ROUNDING))
    with_b = np.where(in_b, q, np.minimum(bounds.most_q, p * share[owner]))
    left = rest_q - total(with_b, ~in_b)
    share = _rest(total(p)) / np.maximum(left, ROUNDING)
    with_a = np.where(in_a, p, np.minimum(bounds.most_p, q * share[owner]))
    return np.maximum(np.maximum(one, _certain(bounds, with_a, with_b)), 0.0)


def _rest(mass: Array) -> Array:
    """Return what is left of 1; a little more, because a softmax in single precision is inexact."""
    return np.maximum(1.0 - mass, 0.0) + ROUNDING


def _certain(bounds: Bounded, p: Array, q: Array) -> Array:
    """Return what is certain of the divergence if f is ln(p/q); entries of 0 are in the rest."""
    entries, total = bounds.of, bounds.of.total
    rest = np.log(_rest(total(p)) / _rest(total(q)))
    ratio = np.log(np.maximum(p, _TINY) / np.maximum(q, _TINY))
    gain = np.where((p > 0) | (q > 0), ratio - rest[entries.owner], 0.0)
    # An entry that one side does not list must not gain from what is unknown there.
    gain = np.where(entries.in_a, gain, np.minimum(gain, 0.0))
    gain = np.where(entries.in_b, gain, np.maximum(gain, 0.0))
    up = gain > 0
    mean = rest + total(np.where(up, bounds.least_p, bounds.most_p) * gain)
    with np.errstate(over="ignore"):
        added = total(np.where(up, bounds.most_q, bounds.least_q) * np.expm1(gain))
    # Nothing is certain if the entries of a list add up to more than 1.
    return np.where(added > -1.0, mean - rest - np.log1p(np.maximum(added, ROUNDING - 1.0)), 0.0)
