"""Compute calibration errors: ECE, ACE, MCE, smooth ECE, Brier score, log loss, and their bins.

Answers are *sorted* by confidence, then by correctness. A bin is therefore a run of answers, and
results do not depend on the order in which answers came.
"""

from __future__ import annotations

import numpy as np

from toolkit.metrics._arrays.bootstrap import CELLS
from toolkit.metrics._arrays.segments import segment_sum
from toolkit.metrics._arrays.types import Array, Counts

_GRID = 1024  # steps of the grid on [0, 1] on which gaps are smoothed
_HALVINGS = 16  # of the bandwidth, so it is exact to 2^-17


def width_edges(bins: int) -> Array:
    """Return the edges of bins of equal width: k / bins, so that a confidence k / bins is an edge.

    Examples
    --------
    >>> bool(5 / 49 <= width_edges(49)[5] < np.linspace(0, 1, 50)[6])
    True
    """
    return np.arange(bins + 1, dtype=np.float64) / bins


def width_offsets(confidence: Array, bins: int) -> Counts:
    """Return the offsets of bins (low, high] of equal width; the first bin includes 0.

    Examples
    --------
    >>> width_offsets(np.array([0.0, 0.5, 0.5, 0.9]), 2).tolist()
    [0, 3, 4]
    """
    inner = np.searchsorted(confidence, width_edges(bins)[1:-1], side="right")
    return np.concatenate([[0], inner, [len(confidence)]]).astype(np.int64)


def mass_offsets(confidence: Array, bins: int) -> Counts:
    """Return the offsets of at most `bins` bins of about equally many answers.

    Equal confidences are never split: a cut between them moves to the nearer end of their run (to
    the upper end if both are equally near). There may be fewer bins, and none is empty.

    Examples
    --------
    >>> mass_offsets(np.array([0.1, 0.2, 0.2, 0.2, 0.9]), 2).tolist()
    [0, 1, 5]
    """
    n = len(confidence)
    wanted = np.rint(np.arange(1, bins) * (n / bins)).astype(np.int64)
    wanted = wanted[(wanted > 0) & (wanted < n)]
    low = np.searchsorted(confidence, confidence[wanted], side="left")
    high = np.searchsorted(confidence, confidence[wanted], side="right")
    cuts = np.where(wanted - low < high - wanted, low, high)
    return np.unique(np.concatenate([[0], cuts, [n]])).astype(np.int64)


def filled_starts(offsets: Counts) -> Counts:
    """Return where the bins that are not empty begin."""
    return offsets[:-1][np.diff(offsets) > 0]


def bin_errors(gap: Array, offsets: Counts) -> tuple[float, float]:
    """Return the mean and the largest absolute gap of the bins that are not empty.

    Parameters
    ----------
    gap : ndarray of shape (n,)
        Confidence less correctness of each answer; `n` must not be 0.
    offsets : ndarray
        Of the bins; a bin counts by its answers.
    """
    sums = np.abs(segment_sum(gap, offsets))
    return float(sums.sum() / len(gap)), float((sums / np.maximum(np.diff(offsets), 1)).max())


def log_losses(confidence: Array, correct: Array, clip: float) -> Array:
    """Return −ln of the confidence in the outcome; infinite if certain and wrong."""
    clipped = np.clip(confidence, clip, 1.0 - clip)
    with np.errstate(divide="ignore"):
        return np.where(correct > 0, -np.log(clipped), -np.log1p(-clipped)) + 0.0


def brier_parts(confidence: Array, correct: Array, offsets: Counts) -> dict[str, float]:
    """Decompose the Brier score over bins.

    Notes
    -----
    The score is reliability − resolution + uncertainty + within.
    The first three are Murphy's (1973). The fourth is the variation inside the bins (Stephenson,
    Coelho and Jolliffe 2008): the mean of (f − f̄)² − 2 (f − f̄)(o − ō).
    """
    n, starts = len(confidence), filled_starts(offsets)
    counts = np.diff(np.append(starts, n))
    mean_f = np.add.reduceat(confidence, starts) / counts
    mean_o = np.add.reduceat(correct, starts) / counts
    rate = correct.sum() / n
    f = confidence - np.repeat(mean_f, counts)
    o = correct - np.repeat(mean_o, counts)
    return {
        "brier_reliability": float(counts @ (mean_f - mean_o) ** 2 / n),
        "brier_resolution": float(counts @ (mean_o - rate) ** 2 / n),
        "brier_uncertainty": float(rate * (1 - rate)),
        "brier_within": float((f * f - 2 * f * o).sum() / n),
    }


def smooth_error(confidence: Array, gap: Array) -> float:
    """Return the smooth calibration error.

    The gaps are smoothed with a Gaussian that is reflected at 0 and 1, and their absolute values
    are summed; the result is the one bandwidth that equals this sum. On [0, 1] such smoothing
    multiplies the k-th cosine by exp(−(σπk)²/2), so each step costs one Fourier transform.

    Notes
    -----
    smECE of Błasiok and Nakkiran (2023). The gap of a confidence between two points of a grid of
    step 1/1024 is divided between these points.
    """
    waves = np.fft.rfft(_mirrored(confidence, gap))
    decay = -0.5 * (np.pi * np.arange(len(waves))) ** 2
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        sizes = np.abs(np.fft.irfft(waves * np.exp(decay * middle**2))[: _GRID + 1])
        error = sizes.sum() - (sizes[0] + sizes[-1]) / 2
        low, high = (middle, high) if error > middle else (low, middle)
    return (low + high) / 2 if low > 0 else 0.0


def _mirrored(confidence: Array, gap: Array) -> Array:
    """Return the mean gaps on the grid, followed by their mirror image."""
    at = confidence * _GRID
    cell = np.minimum(at.astype(np.int64), _GRID - 1)
    share = at - cell
    grid = np.zeros(_GRID + 1)
    grid += np.bincount(cell, gap * (1 - share), _GRID + 1)
    grid += np.bincount(cell + 1, gap * share, _GRID + 1)
    grid /= len(gap)
    grid[[0, -1]] *= 2  # both ends are their own mirror image
    return np.concatenate([grid, grid[-2:0:-1]])


def simulated_ece(confidence: Array, offsets: Counts, n_samples: int, seed: int) -> Array:
    """Return ECEs of simulated answers that are right exactly as often as their confidence says.

    Notes
    -----
    Consistency resampling (Bröcker and Smith 2007).
    """
    random = np.random.default_rng([seed, 1])
    n, starts = len(confidence), filled_starts(offsets)
    step, errors = max(1, CELLS // n), []
    for done in range(0, n_samples, step):
        size = min(step, n_samples - done)
        right = random.random((size, n)) < confidence
        sums = np.add.reduceat(confidence - right, starts, axis=1)
        errors.append(np.abs(sums).sum(axis=1) / n)
    return np.concatenate(errors) if errors else np.empty(0)


def clustered_ece(gap: Array, codes: Counts, offsets: Counts, n_samples: int, seed: int) -> Array:
    """Return ECEs of clustered answers whose gaps have 0 as mean: each cluster's keep or turn sign.

    How the answers of a cluster depend on each other is unknown, so they cannot be simulated from
    their confidences.

    Notes
    -----
    Wild cluster bootstrap with the signs of Rademacher (Cameron, Gelbach and Miller 2008).
    """
    random = np.random.default_rng([seed, 1])
    starts, n_clusters = filled_starts(offsets), int(codes.max()) + 1
    filled = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(gap))))
    place, cell = np.unique(codes * len(starts) + filled, return_inverse=True)
    sums = np.bincount(cell.reshape(-1), gap)
    order = np.argsort(place % len(starts), kind="stable")
    cluster, sums = place[order] // len(starts), sums[order]
    begins = np.flatnonzero(np.diff(place[order] % len(starts), prepend=-1))
    step, errors = max(1, CELLS // len(gap)), []
    for done in range(0, n_samples, step):
        signs = random.integers(0, 2, (min(step, n_samples - done), n_clusters)) * 2.0 - 1.0
        totals = np.add.reduceat(signs[:, cluster] * sums, begins, axis=1)
        errors.append(np.abs(totals).sum(axis=1) / len(gap))
    return np.concatenate(errors) if errors else np.empty(0)
