"""Means over sliding windows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def means(values: npt.NDArray[np.float64], window: int) -> npt.NDArray[np.float64]:
    """Return the mean of every `window` neighbours.

    Sums run from the border of a block of `window` values to its left and to its right, so none is
    a difference of long ones, and rounding does not grow with the number of values (van Herk 1992).

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
