"""Compute calibration errors: ECE, ACE, MCE, smooth ECE, Brier score, log loss, and their bins.

Answers are *sorted* by confidence, then by correctness. A bin is therefore a run of answers, and
neither results nor resamples of a seed depend on the order in which answers came. ``weights`` of
shape ``(n_samples, n)`` say how often each answer occurs in each sample: a row of ones is the
answers themselves, and a resample has other counts.
"""

from __future__ import annotations

import numpy as np

from toolkit.metrics._arrays.bootstrap import CELLS
from toolkit.metrics._arrays.types import Array, Counts

_GRID = 1024  # steps of the grid on [0, 1] on which gaps are smoothed
_HALVINGS = 16  # of the bandwidth, so it is exact to 2^-17


def width_offsets(confidence: Array, bins: int) -> Counts:
    """Return the offsets of bins (low, high] of equal width; the first bin includes 0.

    Examples
    --------
    >>> width_offsets(np.array([0.0, 0.5, 0.5, 0.9]), 2).tolist()
    [0, 3, 4]
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    inner = np.searchsorted(confidence, edges[1:-1], side="right")
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


def bin_gaps(weights: Array, gap: Array, starts: Counts) -> tuple[Array, Array]:
    """Return per sample and bin the sum of confidence − correct, and the number of answers."""
    return (
        np.add.reduceat(weights * gap, starts, axis=1),
        np.add.reduceat(weights, starts, axis=1),
    )


def calibration_errors(
    weights: Array, confidence: Array, correct: Array, offsets: tuple[Counts, Counts], clip: float
) -> dict[str, Array]:
    """Return the errors of each sample, each of shape ``(n_samples,)``; `n` must not be 0.

    Parameters
    ----------
    weights : ndarray of shape (n_samples, n)
    confidence, correct : ndarray of shape (n,)
        Sorted.
    offsets : tuple
        Of the bins of equal width, and of those of equal mass.
    clip : float
        For the log loss, confidences are clipped to [clip, 1 − clip].
    """
    gap = confidence - correct
    n = weights.sum(axis=1)
    sums, counts = bin_gaps(weights, gap, filled_starts(offsets[0]))
    mass_sums, _ = bin_gaps(weights, gap, filled_starts(offsets[1]))
    with np.errstate(invalid="ignore"):
        # A bin that is empty in a resample has no gap.
        gaps = np.where(counts > 0, np.abs(sums) / counts, 0.0)
    losses = log_losses(confidence, correct, clip)
    endless = np.isinf(losses)
    return {
        "gap": weights @ gap / n,
        "ece": np.abs(sums).sum(axis=1) / n,
        "ace": np.abs(mass_sums).sum(axis=1) / n,
        "mce": gaps.max(axis=1),
        "smooth_ece": smooth_error(weights, confidence, gap),
        "brier": weights @ (gap * gap) / n,
        "log_loss": np.where(
            weights[:, endless].any(axis=1), np.inf, weights @ np.where(endless, 0.0, losses) / n
        ),
    }


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


def smooth_error(weights: Array, confidence: Array, gap: Array) -> Array:
    """Return the smooth calibration error of each sample.

    The gaps are smoothed with a Gaussian that is reflected at 0 and 1, and their absolute values
    are summed; the result is the one bandwidth that equals this sum. On [0, 1] such smoothing
    multiplies the k-th cosine by exp(−(σπk)²/2), so each step costs one Fourier transform.

    Notes
    -----
    smECE of Błasiok and Nakkiran (2023). The gap of a confidence between two points of a grid of
    step 1/1024 is divided between these points.
    """
    waves = np.fft.rfft(_mirrored(weights, confidence, gap), axis=1)
    decay = -0.5 * (np.pi * np.arange(waves.shape[1])) ** 2
    low, high = np.zeros(len(weights)), np.ones(len(weights))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        factor = np.exp(decay * middle[:, None] ** 2)
        sizes = np.abs(np.fft.irfft(waves * factor, axis=1)[:, : _GRID + 1])
        error = sizes.sum(axis=1) - (sizes[:, 0] + sizes[:, -1]) / 2
        larger = error > middle
        low, high = np.where(larger, middle, low), np.where(larger, high, middle)
    return np.where(low > 0, (low + high) / 2, 0.0)


def _mirrored(weights: Array, confidence: Array, gap: Array) -> Array:
    """Return each sample's mean gaps on the grid, followed by their mirror image."""
    at = confidence * _GRID
    cell = np.minimum(at.astype(np.int64), _GRID - 1)
    share = at - cell
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    filled = cell[starts]
    grid = np.zeros((len(weights), _GRID + 1))
    grid[:, filled] += np.add.reduceat(weights * (gap * (1 - share)), starts, axis=1)
    grid[:, filled + 1] += np.add.reduceat(weights * (gap * share), starts, axis=1)
    grid /= weights.sum(axis=1, keepdims=True)
    grid[:, [0, -1]] *= 2  # both ends are their own mirror image
    return np.concatenate([grid, grid[:, -2:0:-1]], axis=1)


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
