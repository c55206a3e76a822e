"""Estimate survival from durations of which some were cut short (Kaplan and Meier 1958)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from toolkit.metrics._arrays.clusters import linear_error, t_quantile
from toolkit.metrics._arrays.types import Array, Counts, Flags


class Survival(NamedTuple):
    """The estimate after each time at which something ended or was cut, in order.

    Attributes
    ----------
    time : ndarray of int64
    n_at_risk, n_ended, n_cut : ndarray of int64
        Those that had lasted until then; of these, those that ended and those that were cut then.
    survival, lower, upper : ndarray of float64
        Share that lasts beyond this time, and its interval.
    """

    time: Counts
    n_at_risk: Counts
    n_ended: Counts
    n_cut: Counts
    survival: Array
    lower: Array
    upper: Array


def kaplan_meier(time: Counts, ended: Flags, codes: Counts, level: float) -> Survival:
    """Estimate the share that lasts beyond each time.

    Parameters
    ----------
    time : ndarray of int64
        When each ended or was cut.
    ended : ndarray of bool
        Whether it ended, and was not cut.
    codes : ndarray of int64
        The cluster of each.
    level : float
        Of the interval.

    Notes
    -----
    S(t) = Π (1 − d/n) over the times up to t, with d ends among n at risk. The variance of its
    logarithm is the sum of squares of the clusters' influences (without clusters: Greenwood's), and
    the interval is taken of ln(−ln S), so it lies within 0 and 1 (Kalbfleisch and Prentice). NaN
    where S is 0 or 1, or with fewer than 2 clusters.

    Examples
    --------
    >>> every = np.arange(3)
    >>> found = kaplan_meier(np.array([1, 2, 3]), np.array([True, False, True]), every, 0.95)
    >>> found.survival.round(3).tolist()
    [0.667, 0.667, 0.0]
    """
    times, at = np.unique(time, return_inverse=True)
    n_ended = np.bincount(at, ended, minlength=len(times)).astype(np.int64)
    n_here = np.bincount(at, minlength=len(times))
    n_at_risk = len(time) - (np.cumsum(n_here) - n_here)
    survival = np.cumprod(1.0 - n_ended / n_at_risk).astype(np.float64)
    hazard = np.cumsum(n_ended / n_at_risk**2)
    quantile = t_quantile((1 + level) / 2, max(int(codes.max(initial=0)), 1))
    ends = np.full((2, len(times)), np.nan)
    for i in np.flatnonzero((survival > 0) & (survival < 1)).tolist():
        influence = hazard[np.minimum(at, i)] - np.where(ended & (at <= i), 1 / n_at_risk[at], 0.0)
        error = linear_error(influence, codes)
        log = math.log(survival[i])
        for j, sign in enumerate((1, -1)):
            ends[j, i] = math.exp(log * math.exp(sign * quantile * error / -log))
    return Survival(times, n_at_risk, n_ended, n_here - n_ended, survival, ends[0], ends[1])
