"""Compute bounds on the entropy of truncated top-k lists, and the renormalised value."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from toolkit.metrics._arrays.segments import ratio
from toolkit.metrics._arrays.types import Array

_SLACK = 1e-9  # relative, of a sum of probabilities


def entropy_terms(probabilities: Array, logprobs: Array) -> Array:
    """Return ``-p ln p`` of each entry, 0 where ``p`` is 0.

    Examples
    --------
    >>> entropy_terms(np.array([1.0, 0.0]), np.array([0.0, -800.0])).tolist()
    [0.0, 0.0]
    """
    return 0.0 - probabilities * logprobs


def _x_log_x(x: Array) -> Array:
    return x * np.log(x, out=np.zeros_like(x), where=x > 0)


def entropy_lower(partial: Array, missing: Array, log_cap: Array) -> Array:
    """Return the least entropy that a distribution with these known entries can have.

    Each token outside the list has at most the probability ``c`` of the last entry. Entropy is
    least if these tokens have as much as they may: ``j = floor(m / c)`` tokens of ``c`` and one of
    the remainder ``r = m - j c``, so ``H >= H_p - j c ln c - r ln r``. (The bound is reached
    because entropy is Schur-concave.)

    Parameters
    ----------
    partial : ndarray
        ``H_p``: the sum of ``-p ln p`` over the known entries.
    missing : ndarray
        ``m``: the probability mass outside of them, at least 0.
    log_cap : ndarray
        ``ln c``; 0 where no entry is known to outrank the rest.

    Returns
    -------
    ndarray
        In nats, lower is more certain.

    Examples
    --------
    A list of 0.5 and 0.25 leaves 0.25, which is at least one more token:

    >>> p = np.array([0.5, 0.25])
    >>> partial = np.array([-(p * np.log(p)).sum()])
    >>> entropy_lower(partial, np.array([0.25]), np.log([0.25])).round(6).tolist()
    [1.039721]
    """
    cap = np.exp(log_cap)
    rest = np.fmod(missing, cap, out=np.zeros_like(missing), where=cap > 0)
    return partial - (missing - rest) * log_cap - _x_log_x(rest) + 0.0


def entropy_upper(partial: Array, missing: Array, n_unseen: npt.ArrayLike) -> Array:
    """Return the greatest entropy that a distribution with these known entries can have.

    The bound ``H <= H_p - m ln(m / u)`` is reached if the mass outside the list is spread evenly.

    Parameters
    ----------
    partial, missing : ndarray
        As in `entropy_lower`.
    n_unseen : array_like
        ``u``: tokens of the vocabulary that are not in the list, at least 1.

    Returns
    -------
    ndarray
        In nats, lower is more certain.

    Examples
    --------
    >>> partial = np.array([0.5 * np.log(2)])
    >>> entropy_upper(partial, np.array([0.5]), 4).round(6).tolist()
    [1.386294]
    """
    return partial - _x_log_x(missing) + missing * np.log(n_unseen)


def term_bounds(logprobs: Array, half_unit: Array) -> tuple[Array, Array]:
    """Return the least and the greatest ``-p ln p`` of logprobs that were rounded.

    Parameters
    ----------
    logprobs : ndarray
        At most 0.
    half_unit : ndarray
        The most that rounding changed each of them.

    Examples
    --------
    >>> low, high = term_bounds(np.array([-1.0]), np.array([0.5]))
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.3033], [0.3679])
    """
    ends = (logprobs - half_unit, np.minimum(logprobs + half_unit, 0.0))
    at_ends = [entropy_terms(np.exp(end), end) for end in ends]
    peak = np.clip(-1.0, *ends)  # the term is greatest at p = 1/e
    return np.minimum(*at_ends), entropy_terms(np.exp(peak), peak)


def entropy_bounds(
    partial: tuple[Array, Array],
    missing: tuple[Array, Array],
    log_cap: Array,
    n_unseen: npt.ArrayLike,
) -> tuple[Array, Array]:
    """Return the least `entropy_lower` and the greatest `entropy_upper` of rounded lists.

    Parameters
    ----------
    partial, missing : (ndarray, ndarray)
        The least and the greatest value that the logprobs before rounding may give.
    log_cap, n_unseen
        As in `entropy_lower` and `entropy_upper`. Where so many tokens of the cap cannot have the
        missing mass, the list is not the top of a distribution, and has no cap.

    Returns
    -------
    lower, upper : ndarray
        In nats; the lower one never exceeds the upper one.

    Examples
    --------
    >>> none = np.zeros(1)
    >>> low, high = entropy_bounds((none, none), (none, none + 0.5), np.log([0.25]), 4)
    >>> low.tolist(), high.round(4).tolist()
    ([0.0], [1.0397])
    """
    low, high = missing
    n_unseen = np.asarray(n_unseen, np.float64)
    with np.errstate(divide="ignore"):
        too_many = np.log(low) > log_cap + np.log(n_unseen) + _SLACK
    log_cap = np.where(too_many, 0.0, log_cap)
    # Both are concave in the missing mass, the least between multiples of the cap.
    places = (low, high, np.clip(np.exp(log_cap), low, high))
    lower = np.minimum.reduce([entropy_lower(partial[0], each, log_cap) for each in places])
    upper = entropy_upper(partial[1], np.clip(n_unseen / np.e, low, high), n_unseen)
    return np.minimum(lower, upper), upper


def entropy_topk(partial: Array, mass: Array) -> Array:
    """Return the entropy of the known entries, renormalised to 1.

    It is ``H_p / s + ln s``. For the top entries of a distribution, with or without the sampled
    token as one more, it never exceeds the entropy of the whole distribution.

    Parameters
    ----------
    partial : ndarray
        ``H_p``, as in `entropy_lower`.
    mass : ndarray
        ``s``: the sum of the known probabilities.

    Returns
    -------
    ndarray
        In nats, lower is more certain; NaN where the mass is 0.

    Examples
    --------
    >>> entropy_topk(np.array([0.5 * np.log(4)]), np.array([0.5])).round(6).tolist()
    [0.693147]
    """
    known = mass > 0
    log_mass = np.log(mass, out=np.full_like(mass, np.nan), where=known)
    return np.maximum(0.0, ratio(partial, mass) + log_mass)
