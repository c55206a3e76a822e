"""Bootstrap: resampling weights and percentile intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from toolkit.metrics._arrays.types import Array

CELLS = 1 << 21
"""Cells of the arrays that are worked on at a time, so that memory stays small."""
_FEWEST = 4096  # answers that a sample is taken to have at least when the parts are cut
"""Answers times samples that are worked on at a time."""


def resamples(n: int, n_bootstrap: int, seed: int) -> Iterator[Array]:
    """Yield the weights of samples of `n` answers drawn with replacement, some at a time."""
    random = np.random.default_rng(seed)
    # The size of the parts depends on n alone, so that the draws do too.
    step = max(1, CELLS // max(n, _FEWEST))
    for done in range(0, n_bootstrap, step):
        size = min(step, n_bootstrap - done)
        drawn = random.integers(0, n, (size, n)) + np.arange(size)[:, None] * n
        counts = np.bincount(drawn.ravel(), minlength=size * n)
        yield counts.reshape(size, n).astype(np.float64)


def bootstrap(
    statistics: Callable[[Array], dict[str, Array]],
    n: int,
    *,
    n_bootstrap: int,
    level: float,
    seed: int,
) -> dict[str, tuple[float, float]]:
    """Return the percentile interval of each statistic over resamples (Efron 1979).

    Resamples in which a statistic does not exist (NaN) are left out of its interval.
    """
    parts = [statistics(weights) for weights in resamples(n, n_bootstrap, seed)]
    return {
        name: percentiles(np.concatenate([part[name] for part in parts]), level)
        for name in (parts[0] if parts else ())
    }


def percentiles(values: Array, level: float) -> tuple[float, float]:
    """Return the outer of the neighbouring order statistics at both ends; NaN of no value.

    Examples
    --------
    >>> percentiles(np.arange(101.0), 0.9)
    (5.0, 95.0)
    """
    values = np.sort(values[~np.isnan(values)])
    if not len(values):
        return np.nan, np.nan
    # Half of 1 - level is not exact; a billionth of a step is no step.
    at = (1 - level) / 2 * (len(values) - 1) + 1e-9
    first = int(at)
    return float(values[first]), float(values[len(values) - 1 - first])
