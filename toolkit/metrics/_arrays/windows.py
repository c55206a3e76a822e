"""Compute means over sliding windows."""

from __future__ import annotations

import numpy as np

from toolkit.metrics._arrays.types import Array, Counts


def means(values: Array, offsets: Counts, window: int) -> Array:
    """Return the mean of every `window` consecutive values of each segment.

    Sums start at the borders of blocks of `window` values and run to the left and to the right.
    No sum is a difference of long sums, so rounding errors do not grow with the number of values
    (van Herk 1992).

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Without NaN.
    offsets : ndarray of shape (n_segments + 1,)
        A segment that is shorter than the window has no mean.
    window : int
        At least 1.

    Returns
    -------
    ndarray
        Segment after segment; one of n values has n - window + 1.

    Examples
    --------
    >>> means(np.array([1.0, 3.0, 5.0, 7.0]), np.array([0, 3, 4]), 2).tolist()
    [2.0, 4.0]
    """
    sizes = np.diff(offsets)
    sizes, starts = sizes[sizes >= window], offsets[:-1][sizes >= window]
    if not len(sizes):
        return np.empty(0)
    n_blocks = -(-sizes // window)
    padded = np.cumsum(n_blocks * window) - n_blocks * window  # where each segment begins in blocks
    blocks = np.zeros((int(n_blocks.sum()), window))
    blocks.ravel()[_runs(padded, sizes)] = values[_runs(starts, sizes)]
    forward = blocks.cumsum(axis=1).ravel()
    backward = blocks[:, ::-1].cumsum(axis=1)[:, ::-1].ravel()
    first = _runs(padded, sizes - window + 1)
    inside = first % window == 0
    sums: Array = backward[first] + np.where(inside, 0.0, forward[first + window - 1])
    return sums / window


def _runs(starts: Counts, sizes: Counts) -> Counts:
    """Return the indices of runs that begin at some indices, one run after the other."""
    before = np.cumsum(sizes) - sizes
    return np.arange(int(sizes.sum())) + np.repeat(starts - before, sizes)
