"""Bootstrap: resample clusters of answers with replacement; percentile intervals (Efron 1979)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from toolkit.metrics._arrays.clusters import bounded_t_interval
from toolkit.metrics._arrays.types import Array, Counts

CELLS = 1 << 19
"""Cells (samples times answers) of one batch, so that its arrays stay in the processor's cache."""
_FEWEST = 4096  # answers that a sample counts as, at least, when the size of a batch is chosen


def weights(n: int, n_samples: int, seed: int, codes: Counts | None = None) -> Iterator[Array]:
    """Yield the weights of samples of answers drawn with replacement, in batches.

    Parameters
    ----------
    n : int
        Number of answers, or of clusters with `codes`; no sample is drawn from 0 answers.
    n_samples : int
    seed : int
    codes : ndarray of int64, optional
        The cluster of each answer, from 0 to n - 1: clusters are drawn instead of answers.

    Yields
    ------
    ndarray of shape (batch_size, n_answers)
        How often each answer occurs in each sample.
    """
    random = np.random.default_rng(seed)
    # The draws are the same whatever the size of a batch.
    step = max(1, CELLS // max(n if codes is None else len(codes), _FEWEST))
    for done in range(0, n_samples if n else 0, step):
        size = min(step, n_samples - done)
        drawn = random.integers(0, n, (size, n)) + np.arange(size)[:, None] * n
        counts = np.bincount(drawn.ravel(), minlength=size * n)
        drawn_often = counts.reshape(size, n).astype(np.float64)
        yield drawn_often if codes is None else drawn_often[:, codes]


def resampled(
    statistics: Callable[[Array], dict[str, Array]],
    n: int,
    n_samples: int,
    seed: int,
    codes: Counts | None = None,
) -> dict[str, Array]:
    """Return each statistic of every resample, shape ``(n_samples,)``; nothing without resamples.

    Parameters
    ----------
    statistics : callable
        Takes weights of shape ``(batch_size, n_answers)``, returns arrays of shape
        ``(batch_size,)``.
    n : int
        Number of answers, or of clusters with `codes`.
    n_samples : int
    seed : int
        Of the draws: the same seed gives the same resamples.
    codes : ndarray of int64, optional
        The cluster of each answer; clusters are drawn whole.
    """
    batches = [statistics(batch) for batch in weights(n, n_samples, seed, codes)]
    names = batches[0] if batches else ()
    return {name: np.concatenate([batch[name] for batch in batches]) for name in names}


def widened(
    values: Array, estimate: float, n_effective: int, level: float, bounds: tuple[float, float]
) -> tuple[float, float]:
    """Return an interval of a statistic from its resampled values, wide enough for small samples.

    Parameters
    ----------
    values : ndarray
        NaN, where a resample has no such statistic, is omitted.
    estimate : float
        The statistic of the answers themselves.
    n_effective : int
        One more than the degrees of freedom of Student's t.
    level : float
    bounds : tuple of float
        The least and the greatest value of the statistic, or infinite.

    Returns
    -------
    tuple of float
        The outer ends of the percentile interval (Efron 1979; interpolated linearly, as all
        percentiles are) and of the t interval, on a scale without bounds, around the estimate less
        its bias, which the mean of the resamples shows. (NaN, NaN) without values, or if all are
        equal.

    Examples
    --------
    >>> widened(np.arange(101.0), 50.0, 1000, 0.9, (0.0, np.inf))[1] > 95.0
    True
    """
    values = values[~np.isnan(values)]
    spread = float(values.std()) if len(values) else 0.0
    if not spread > 0:
        return np.nan, np.nan
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    centre = 2 * estimate - float(values.mean())
    if not bounds[0] < centre < bounds[1]:
        centre = estimate
    around = bounded_t_interval(centre, spread, n_effective, level, bounds)
    return float(np.fmin(low, around[0])), float(np.fmax(high, around[1]))
