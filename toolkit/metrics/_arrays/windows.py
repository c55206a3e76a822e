"""Compute means over sliding windows."""

from __future__ import annotations

import numpy as np

from toolkit.metrics._arrays.types import Array


def means(values: Array, window: int) -> Array:
    """Return the mean of every `window` consecutive values.

    Sums start at the borders of blocks of `window` values and run to the left and to the right.
    No sum is a difference of long sums, so rounding errors do not grow with the number of values
    (van Herk 1992).

    Parameters
    ----------
    values : ndarray of shape (n,)
        Without NaN.
    window : int
        From 1 to n.

    Returns
    -------
    ndarray of shape (n - window + 1,)

    Examples
    --------
    >>> means(np.array([1.0, 3.0, 5.0, 7.0]), 2).tolist()
    [2.0, 4.0, 6.0]
    """
    n_blocks = -(-len(values) // window)
    blocks = np.zeros((n_blocks, window))
    blocks.ravel()[: len(values)] = values
    forward = blocks.cumsum(axis=1).ravel()
    backward = blocks[:, ::-1].cumsum(axis=1)[:, ::-1].ravel()
    starts = np.arange(len(values) - window + 1)
    inside = starts % window == 0
    sums = backward[starts] + np.where(inside, 0.0, forward[starts + window - 1])
    return sums / window
