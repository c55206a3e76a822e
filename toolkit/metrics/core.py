"""Pure array functions under the metrics: NumPy in, NumPy out.

Rows of a group lie next to each other, so a group is a *segment*: segment ``i`` of ``values`` is
``values[offsets[i]:offsets[i + 1]]``, and ``offsets`` runs from 0 to ``len(values)``.
Segments may be empty. The functions over segments take ``values`` of shape ``(n_values,)`` and
``offsets`` of shape ``(n_segments + 1,)`` and return shape ``(n_segments,)``.

Logprobs are natural logarithms at or below 0, entropies are in nats, and NaN stands for a value
that does not exist.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

ROUNDING = 1e-6
"""Mass that a softmax in single precision may gain or lose."""

_SHORT = 8  # below it NumPy sums one value after the other
_MOST_DECIMALS = 7  # half a unit in the seventh decimal is below ROUNDING


def segment_ids(offsets: Counts) -> Counts:
    """Return the number of the segment that each value lies in.

    Examples
    --------
    >>> segment_ids(np.array([0, 2, 2, 3])).tolist()
    [0, 0, 2]
    """
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def _reduce(
    ufunc: np.ufunc, values: npt.NDArray, offsets: Counts, empty: float, dtype: npt.DTypeLike
) -> npt.NDArray:
    # reduceat gives an empty segment the value at its start, which belongs to a neighbour; over
    # the other starts alone it is right, since empty segments hold nothing in between.
    starts, ends = offsets[:-1], offsets[1:]
    filled = starts < ends
    if len(starts) and filled.all():
        width = int(ends[0])
        # Short segments of one length are columns, reduced as reduceat does: the first value last.
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
    # Flags are mostly alike, and the places of the rarer kind are quickly counted.
    mostly = 2 * np.count_nonzero(flags) > len(flags)
    rare = np.flatnonzero(~flags if mostly else flags)
    found = np.diff(np.searchsorted(rare, offsets))
    return np.diff(offsets) - found if mostly else found


def segment_min(values: Array, offsets: Counts, *, empty: float = np.nan) -> Array:
    """Return the least value of each segment, `empty` for one without any.

    Examples
    --------
    >>> segment_min(np.array([1.0, 2.0, 4.0]), np.array([0, 2, 2, 3])).tolist()
    [1.0, nan, 4.0]
    """
    return _reduce(np.minimum, values, offsets, empty, np.float64)


def segment_max(values: Array, offsets: Counts, *, empty: float = np.nan) -> Array:
    """Return the greatest value of each segment, `empty` for one without any.

    Examples
    --------
    >>> segment_max(np.array([1.0, 2.0, 4.0]), np.array([0, 2, 2, 3])).tolist()
    [2.0, nan, 4.0]
    """
    return _reduce(np.maximum, values, offsets, empty, np.float64)


def segment_mean(values: Array, offsets: Counts) -> Array:
    """Average the values of each segment that exist.

    NaN entries are left out, of the count too; NaN where nothing is left.

    Examples
    --------
    >>> segment_mean(np.array([1.0, 2.0, np.nan]), np.array([0, 2, 2, 3])).tolist()
    [1.5, nan, nan]
    """
    return ratio(segment_nansum(values, offsets), segment_count(~np.isnan(values), offsets))


def segment_nansum(values: Array, offsets: Counts) -> Array:
    """Sum the values of each segment that exist.

    NaN entries are left out; NaN where nothing is left.

    Examples
    --------
    >>> segment_nansum(np.array([1.0, 2.0, np.nan]), np.array([0, 2, 2, 3])).tolist()
    [3.0, nan, nan]
    """
    known = ~np.isnan(values)
    total = segment_sum(np.where(known, values, 0.0), offsets)
    return np.where(segment_count(known, offsets) > 0, total, np.nan)


def clipped(logprobs: Array) -> Array:
    """Return logprobs with tiny positives, which are rounding, as 0; NaN stays.

    Examples
    --------
    >>> clipped(np.array([-1.0, 1e-9, np.nan])).tolist()
    [-1.0, 0.0, nan]
    """
    if np.fmax.reduce(logprobs, initial=-np.inf) <= 0.0:
        return logprobs
    return np.minimum(logprobs, 0.0)


def longest_run(flags: Flags, offsets: Counts) -> Counts:
    """Return the length of the longest run of true values within each segment.

    0 where there is none. Runs never reach from one segment into the next.

    Examples
    --------
    >>> longest_run(np.array([True, True, True, False, True]), np.array([0, 2, 5])).tolist()
    [2, 1]
    """
    continued = np.zeros(len(flags) + 1, np.bool_)  # continued[i]: i - 1 and i are of one run
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
        NaN entries are left out.
    offsets : ndarray of shape (n_segments + 1,)
    share : float
        Of ``n`` values, the ``max(1, floor(share * n))`` lowest are taken.

    Returns
    -------
    ndarray of shape (n_segments,)
        NaN where there is no value.

    Notes
    -----
    The count is that of the bottom-10 % group confidence in DeepConf (Fu et al. 2025), taken over
    tokens instead of windows.

    Examples
    --------
    >>> worst_mean(np.array([-1.0, -5.0, -2.0]), np.array([0, 3])).tolist()
    [-5.0]
    """
    ordered = values.copy()
    for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        ordered[start:stop].sort()  # NaN comes last
    known = segment_count(~np.isnan(values), offsets)
    # The nudge keeps 0.1 * 30 at 3 whatever the rounding of the product.
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


def perplexity(nll: npt.ArrayLike, count: npt.ArrayLike) -> Array:
    """Return ``exp(nll / count)``: the perplexity (Jelinek et al. 1977).

    Parameters
    ----------
    nll : array_like
        Summed negative log likelihood, in nats.
    count : array_like
        Number of tokens in the sum.

    Returns
    -------
    ndarray
        At least 1, lower is more certain; NaN where the count is 0, ``inf`` where ``exp`` overflows
        (from 709.8 nats a token).

    Examples
    --------
    >>> perplexity(np.array([0.0, 8000.0, 0.0]), np.array([4, 2, 0])).tolist()
    [1.0, inf, nan]
    """
    with np.errstate(over="ignore"):
        return np.exp(ratio(nll, count))


def bits_per_byte(nll: npt.ArrayLike, n_bytes: npt.ArrayLike) -> Array:
    """Return ``nll / (ln 2 * n_bytes)`` (Gao et al. 2020, The Pile); NaN where there is no byte.

    Parameters
    ----------
    nll : array_like
        Summed negative log likelihood, in nats, of the tokens that the bytes belong to.
    n_bytes : array_like
        Their UTF-8 bytes.

    Returns
    -------
    ndarray
        Lower is more certain.

    Examples
    --------
    >>> bits_per_byte(np.array([np.log(2) * 6]), np.array([3])).tolist()
    [2.0]
    """
    return ratio(nll, n_bytes) / np.log(2.0)


def entropy_terms(probabilities: Array, logprobs: Array) -> Array:
    """Return ``-p ln p`` of each entry, 0 where ``p`` is 0.

    Examples
    --------
    >>> entropy_terms(np.array([1.0, 0.0]), np.array([0.0, -800.0])).tolist()
    [0.0, 0.0]
    """
    return 0.0 - probabilities * logprobs


def _x_log_x(x: Array) -> Array:
    return x * np.log(x, out=np.zeros_like(x), where=x > 0)


def entropy_lower(partial: Array, missing: Array, log_cap: Array) -> Array:
    """Return the least entropy that a distribution with these known entries can have.

    Tokens outside the list have at most the probability ``c`` of its last entry. Entropy is least
    when they have as much as they may: ``j = floor(m / c)`` tokens of ``c`` and one of the
    remainder ``r = m - j c``, so that ``H >= H_p - j c ln c - r ln r``. (Entropy is Schur-concave,
    hence the bound is reached.)

    Parameters
    ----------
    partial : ndarray
        ``H_p``: the sum of ``-p ln p`` over the known entries.
    missing : ndarray
        ``m``: the probability mass outside of them, at least 0.
    log_cap : ndarray
        ``ln c``; 0 where no entry is known to outrank the rest.

    Returns
    -------
    ndarray
        In nats, lower is more certain; exact up to the rounding of the logprobs that were sent.

    Examples
    --------
    A list that holds 0.5 and 0.25 leaves 0.25, at least one token's worth:

    >>> p = np.array([0.5, 0.25])
    >>> partial = np.array([-(p * np.log(p)).sum()])
    >>> entropy_lower(partial, np.array([0.25]), np.log([0.25])).round(6).tolist()
    [1.039721]
    """
    cap = np.exp(log_cap)
    rest = np.fmod(missing, cap, out=np.zeros_like(missing), where=cap > 0)
    return partial - (missing - rest) * log_cap - _x_log_x(rest) + 0.0


def entropy_upper(partial: Array, missing: Array, n_unseen: npt.ArrayLike) -> Array:
    """Return the greatest entropy that a distribution with these known entries can have.

    It is reached when the mass outside the list is spread evenly: ``H <= H_p - m ln(m / u)``.

    Parameters
    ----------
    partial, missing : ndarray
        As in `entropy_lower`.
    n_unseen : array_like
        ``u``: tokens of the vocabulary that are not in the list, at least 1.

    Returns
    -------
    ndarray
        In nats, lower is more certain.

    Examples
    --------
    >>> partial = np.array([0.5 * np.log(2)])
    >>> entropy_upper(partial, np.array([0.5]), 4).round(6).tolist()
    [1.386294]
    """
    return partial - _x_log_x(missing) + missing * np.log(n_unseen)


def entropy_topk(partial: Array, mass: Array) -> Array:
    """Return the entropy of the known entries, renormalised to 1.

    ``H_p / s + ln s``. For entries that are the top of the distribution, with or without the
    sampled token as one more, it never exceeds the entropy of the whole.

    Parameters
    ----------
    partial : ndarray
        ``H_p``, as in `entropy_lower`.
    mass : ndarray
        ``s``: the sum of the known probabilities.

    Returns
    -------
    ndarray
        In nats, lower is more certain; NaN where the mass is 0.

    Examples
    --------
    >>> entropy_topk(np.array([0.5 * np.log(4)]), np.array([0.5])).round(6).tolist()
    [0.693147]
    """
    known = mass > 0
    log_mass = np.log(mass, out=np.full_like(mass, np.nan), where=known)
    return np.maximum(0.0, ratio(partial, mass) + log_mass)


def decimals(values: Array) -> Counts:
    """Return how many decimals numbers were written with: 1 to 6, or 7 for any more.

    Parameters
    ----------
    values : ndarray
        Finite. Trailing zeros cannot be seen: -0.5 has one decimal, however it was sent.

    Returns
    -------
    ndarray of int64

    Examples
    --------
    >>> decimals(np.array([-2.0, -0.25, -0.1384, -0.13843293488025665])).tolist()
    [1, 2, 4, 7]
    """
    found = np.full(values.shape, _MOST_DECIMALS, np.int64)
    for digits in range(_MOST_DECIMALS - 1, 0, -1):
        found[np.round(values, digits) == values] = digits
    return found


def mass_exceeds_one(mass: Array, digits: Counts) -> Flags:
    """Tell which masses are above 1 by more than rounding explains.

    Rounding to ``d`` decimals raises a logprob by at most ``0.5e-d``, hence the mass by at most
    the factor ``exp(0.5e-d)``. `ROUNDING` is allowed in any case.

    Parameters
    ----------
    mass : ndarray
        Sum of the probabilities of a list, above 0.
    digits : ndarray of int64
        Decimals that the logprobs of the list were written with: those of the entry with the most,
        since the others may have lost their trailing zeros.

    Returns
    -------
    ndarray of bool

    Examples
    --------
    >>> mass_exceeds_one(np.array([1.004, 1.004]), np.array([2, 4])).tolist()
    [False, True]
    """
    return np.log(mass) > np.maximum(ROUNDING, 0.5 * 10.0 ** -digits.astype(np.float64))
