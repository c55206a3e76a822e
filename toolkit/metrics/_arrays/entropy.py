"""Compute bounds on the entropy of truncated top-k lists, and the renormalised value."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from toolkit.metrics._arrays.segments import ratio
from toolkit.metrics._arrays.types import Array


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
        In nats, lower is more certain; exact up to the rounding of the logprobs sent.

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
