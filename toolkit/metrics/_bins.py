"""Check bins of a histogram, and compute their edges."""

from __future__ import annotations

import numbers
from collections.abc import Sequence

import numpy as np

from toolkit import arguments
from toolkit.metrics._arrays.types import Array

MOST_BINS = 10_000
MOST_RESAMPLES = 1_000_000
"""Most resamples of a bootstrap: more would take hours and change no digit of an interval."""


def bin_edges(
    bins: int | Sequence[float], values: Array, limits: tuple[float, float] | None = None
) -> Array:
    """Return the edges of bins of equal width, or those that the caller gave.

    Parameters
    ----------
    bins : int or sequence of float
        Number of bins, or at least two increasing edges.
    values : ndarray
        What is counted; values that are not finite are ignored.
    limits : tuple of float, optional
        First and last edge of bins of equal width. Default: the least and the greatest value, each
        half a unit further out if they are equal.

    Returns
    -------
    ndarray of shape (n_bins + 1,)
        Empty if there are neither values nor limits nor edges.

    Raises
    ------
    ArgumentError
        If `bins` is neither a whole number from 1 to `MOST_BINS` nor increasing edges.

    Examples
    --------
    >>> bin_edges(2, np.array([1.0, 9.0])).tolist()
    [1.0, 5.0, 9.0]
    """
    if isinstance(bins, numbers.Number):
        n_bins = arguments.whole("bins", bins, 1, MOST_BINS)
        known = values[np.isfinite(values)]
        if limits is None and not len(known):
            return np.empty(0)
        return np.histogram_bin_edges(known, n_bins, limits)
    try:
        edges = np.array(bins, np.float64)
    except (TypeError, ValueError):
        edges = np.empty(0)
    if edges.ndim != 1 or len(edges) < 2 or not (edges[1:] > edges[:-1]).all():
        expected = f"a whole number from 1 to {MOST_BINS:,}, or at least two increasing edges"
        raise arguments.invalid("bins", bins, expected)
    return edges
