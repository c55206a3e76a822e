"""Bootstrap: resample clusters of answers with replacement; percentile intervals (Efron 1979)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from toolkit.metrics._arrays.types import Array, Counts

CELLS = 1 << 21
"""Cells (samples times answers) of one batch, so that memory stays small."""
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


def percentile_interval(values: Array, level: float) -> tuple[float, float]:
    """Return the interval that holds the share `level` of resampled values; (NaN, NaN) without any.

    The ends are order statistics: of the two neighbours of each percentile, the outer one.
    NaN, where a resample has no such statistic, is omitted.

    Examples
    --------
    >>> percentile_interval(np.arange(101.0), 0.9)
    (5.0, 95.0)
    """
    values = np.sort(values[~np.isnan(values)])
    if not len(values):
        return np.nan, np.nan
    # Half of 1 - level is not exact, so a billionth is added before the place is rounded down.
    first = int((1 - level) / 2 * (len(values) - 1) + 1e-9)
    return float(values[first]), float(values[len(values) - 1 - first])
