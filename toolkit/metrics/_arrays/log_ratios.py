"""Compute divergences and importance weights from log ratios of the same samples."""

from __future__ import annotations

import numpy as np

from toolkit.metrics._arrays.clusters import bounded_t_interval, linear_error
from toolkit.metrics._arrays.proportions import wilson
from toolkit.metrics._arrays.types import Array, Counts

SHARES = {"share_above_2": (2.0, 1), "share_above_3": (3.0, 1), "share_below_half": (0.5, -1)}
"""Share of ratios beyond a limit, and on which side."""
_ANY = (-np.inf, np.inf)
_NOT_NEGATIVE = (0.0, np.inf)
_SHARE = (0.0, 1.0)
_NOTHING = 1e-12  # a relative error that is rounding
Interval = tuple[float, float, float]
"""Value, lower and upper end; the ends are NaN where there is no interval."""


def terms(log_ratio: Array) -> dict[str, Array]:
    """Return the terms of the means at each log ratio r of the new policy to the sampling one.

    Notes
    -----
    Under the sampling policy, −r, r²/2 and eʳ − 1 − r have the mean KL(sampling ‖ new), the second
    one nearly (Schulman 2020); (eʳ − 1)² has the mean χ²(new ‖ sampling). So has e²ʳ − 1, which can
    be below 0 and varies much more where r is small: both differ by 2 (eʳ − 1), whose mean is 0.

    Examples
    --------
    >>> [each.round(3).tolist() for each in terms(np.array([0.1])).values()]
    [[0.1], [-0.1], [0.005], [0.005], [0.011]]
    """
    with np.errstate(over="ignore"):
        return {
            "mean_abs_log_ratio": np.abs(log_ratio),
            "k1": 0.0 - log_ratio,
            "k2": 0.5 * log_ratio**2,
            "k3": np.expm1(log_ratio) - log_ratio,
            "chi2": np.expm1(log_ratio) ** 2,
        }


def summary(log_ratio: Array, weights: Array, codes: Counts, level: float) -> dict[str, Interval]:
    """Return weighted means of `terms`, shares of `SHARES` and the effective sample size.

    Parameters
    ----------
    log_ratio : ndarray of shape (n,), n above 0
    weights : ndarray of shape (n,)
        How much each sample counts.
    codes : ndarray of int64, shape (n,)
        The cluster of each sample, from 0 without gaps.
    level : float
        Of the intervals.
    """
    share, n_clusters = weights / weights.sum(), int(codes.max()) + 1
    found = {}
    for name, values in terms(log_ratio).items():
        mean = float(share @ values)
        with np.errstate(invalid="ignore", over="ignore"):
            influence = share * (values - mean)
        bounds = _ANY if name == "k1" else _NOT_NEGATIVE
        found[name] = _interval(mean, influence, codes, level, bounds)
    for name, (limit, side) in SHARES.items():
        beyond = (side * log_ratio > side * np.log(limit)).astype(np.float64)
        mean = float(share @ beyond)
        error = linear_error(share * (beyond - mean), codes)
        # As many independent samples as give this error; without any, one of each cluster.
        n = min(mean * (1 - mean) / error**2, len(beyond)) if error > 0 else n_clusters
        ends = wilson(mean * n, n, level) if n_clusters > 1 else (np.nan, np.nan)
        found[name] = (mean, float(ends[0]), float(ends[1]))
    found["ess"] = _effective_size(log_ratio, share, codes, level)
    return found


def _effective_size(log_ratio: Array, share: Array, codes: Counts, level: float) -> Interval:
    """Return (Σ w)² / (n Σ w²) of the weights w = eʳ (Kong 1992); a common factor cancels."""
    weight = np.exp(log_ratio - log_ratio.max())
    first, second = float(share @ weight), float(share @ weight**2)
    size = min(first**2 / second, 1.0)
    influence = share * (2 * (weight - first) / first - (weight**2 - second) / second) * size
    return _interval(size, influence, codes, level, _SHARE)


def _interval(
    value: float, influence: Array, codes: Counts, level: float, bounds: tuple[float, float]
) -> Interval:
    """Return the interval of Student's t in bounds; NaN if nothing varies or a term overflows."""
    with np.errstate(invalid="ignore", over="ignore"):
        error = linear_error(influence, codes) if np.isfinite(influence).all() else np.nan
    if not error > _NOTHING * abs(value):
        return value, np.nan, np.nan
    return value, *bounded_t_interval(value, error, int(codes.max()) + 1, level, bounds)
