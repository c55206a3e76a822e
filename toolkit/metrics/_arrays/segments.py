"""Reduce segments of arrays: sums, means, extremes, counts, runs.

Rows of a group lie next to each other, so a group is a *segment*: segment ``i`` of ``values`` is
``values[offsets[i]:offsets[i + 1]]``, and ``offsets`` runs from 0 to ``len(values)``.
Segments may be empty. The functions over segments take ``values`` of shape ``(n_values,)`` and
``offsets`` of shape ``(n_segments + 1,)`` and return shape ``(n_segments,)``.

Logprobs are natural logarithms at or below 0, entropies are in nats, and NaN means that a value
does not exist.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from toolkit.metrics._arrays.types import Array, Counts, Flags

_SHORT = 8  # values; NumPy sums shorter segments one value after the other


def segment_ids(offsets: Counts) -> Counts:
    """Return the number of the segment that each value lies in.

    Examples
    --------
    >>> segment_ids(np.array([0, 2, 2, 3])).tolist()
    [0, 0, 2]
    """
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def _reduce(
    ufunc: np.ufunc, values: Array, offsets: Counts, empty: float, dtype: npt.DTypeLike
) -> Array:
    # reduceat gives an empty segment the value at its start, which belongs to a neighbour. Over
    # the starts of filled segments alone it is right, because empty segments have no values.
    starts, ends = offsets[:-1], offsets[1:]
    filled = starts < ends
    if len(starts) and filled.all():
        width = int(ends[0])
        # Short segments of one length are reduced as columns, in the order of reduceat: the first
        # value last.
        if width < _SHORT and (ends - starts == width).all():
            rows = values.reshape(-1, width)
            out = rows[:, -1 if width == 1 else 1].astype(dtype)
            for column in (*range(2, width), *[0] * (width > 1)):
                ufunc(rows[:, column], out, out=out)
            return out
        return ufunc.reduceat(values, starts, dtype=dtype)
    out = np.full(len(starts), empty, dtype)
    if filled.any():
        out[filled] = ufunc.reduceat(values, starts[filled], dtype=dtype)
    return out


def segment_sum(values: Array, offsets: Counts) -> Array:
    """Sum each segment: 0 for an empty one, NaN for one that holds a NaN.

    Examples
    --------
    >>> segment_sum(np.array([1.0, 2.0, 4.0]), np.array([0, 2, 2, 3])).tolist()
    [3.0, 0.0, 4.0]
    """
    return _reduce(np.add, values, offsets, 0.0, np.float64)


def segment_count(flags: Flags, offsets: Counts) -> Counts:
    """Count the true values of each segment.

    Examples
    --------
    >>> segment_count(np.array([True, False, True]), np.array([0, 2, 2, 3])).tolist()
    [1, 0, 1]
    """
    # Most flags are equal, so it is faster to count the rarer value.
    mostly = 2 * np.count_nonzero(flags) > len(flags)
    rare = np.flatnonzero(~flags if mostly else flags)
    found = np.diff(np.searchsorted(rare, offsets))
    return np.diff(offsets) - found if mostly else found


def segment_min(values: Array, offsets: Counts, *, empty: float = np.nan) -> Array:
    """Return the least value of each segment, `empty` for a segment without values.

    Examples
    --------
    >>> segment_min(np.array([1.0, 2.0, 4.0]), np.array([0, 2, 2, 3])).tolist()
    [1.0, nan, 4.0]
    """
    return _reduce(np.minimum, values, offsets, empty, np.float64)


def segment_max(values: Array, offsets: Counts, *, empty: float = np.nan) -> Array:
    """Return the greatest value of each segment, `empty` for a segment without values.

    Examples
    --------
    >>> segment_max(np.array([1.0, 2.0, 4.0]), np.array([0, 2, 2, 3])).tolist()
    [2.0, nan, 4.0]
    """
    return _reduce(np.maximum, values, offsets, empty, np.float64)


def segment_mean(values: Array, offsets: Counts) -> Array:
    """Average the values of each segment; NaN is ignored, and the result where nothing remains.

    Examples
    --------
    >>> segment_mean(np.array([1.0, 2.0, np.nan]), np.array([0, 2, 2, 3])).tolist()
    [1.5, nan, nan]
    """
    return ratio(segment_nansum(values, offsets), segment_count(~np.isnan(values), offsets))


def segment_nansum(values: Array, offsets: Counts) -> Array:
    """Sum the values of each segment; NaN is ignored, and the result where nothing remains.

    Examples
    --------
    >>> segment_nansum(np.array([1.0, 2.0, np.nan]), np.array([0, 2, 2, 3])).tolist()
    [3.0, nan, nan]
    """
    known = ~np.isnan(values)
    total = segment_sum(np.where(known, values, 0.0), offsets)
    return np.where(segment_count(known, offsets) > 0, total, np.nan)


def longest_run(flags: Flags, offsets: Counts) -> Counts:
    """Return the length of the longest run of true values within each segment.

    0 where there is none. A run never reaches into the next segment.

    Examples
    --------
    >>> longest_run(np.array([True, True, True, False, True]), np.array([0, 2, 5])).tolist()
    [2, 1]
    """
    continued = np.zeros(len(flags) + 1, np.bool_)  # continued[i]: i - 1 and i belong to one run
    continued[1:-1] = flags[1:] & flags[:-1]
    continued[offsets] = False
    starts = np.flatnonzero(flags & ~continued[:-1])
    ends = np.flatnonzero(flags & ~continued[1:])
    longest = np.zeros(len(offsets) - 1, np.int64)
    np.maximum.at(longest, np.searchsorted(offsets, starts, side="right") - 1, ends - starts + 1)
    return longest


def worst_mean(values: Array, offsets: Counts, *, share: float = 0.1) -> Array:
    """Average the lowest values of each segment.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        NaN is ignored.
    offsets : ndarray of shape (n_segments + 1,)
    share : float
        Of ``n`` values, the ``max(1, floor(share * n))`` lowest are taken.

    Returns
    -------
    ndarray of shape (n_segments,)
        NaN where there is no value.

    Notes
    -----
    The number of values is that of the bottom-10 % group confidence in DeepConf (Fu et al. 2025),
    with tokens instead of windows.

    Examples
    --------
    >>> worst_mean(np.array([-1.0, -5.0, -2.0]), np.array([0, 3])).tolist()
    [-5.0]
    """
    ordered = values.copy()
    for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        ordered[start:stop].sort()  # NaN comes last
    known = segment_count(~np.isnan(values), offsets)
    # The small addend keeps 0.1 * 30 at 3, however the product is rounded.
    taken = np.minimum(known, np.maximum(1, np.floor(share * known + 1e-9).astype(np.int64)))
    place = np.arange(len(values)) - np.repeat(offsets[:-1], np.diff(offsets))
    lowest = np.where(place < np.repeat(taken, np.diff(offsets)), ordered, 0.0)
    return ratio(segment_sum(lowest, offsets), taken)


def ratio(total: npt.ArrayLike, count: npt.ArrayLike) -> Array:
    """Divide totals by counts; NaN where the count is 0.

    Examples
    --------
    >>> ratio(np.array([3.0, 0.0]), np.array([2, 0])).tolist()
    [1.5, nan]
    """
    total, count = np.asarray(total, np.float64), np.asarray(count)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
