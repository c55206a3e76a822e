"""Compute calibration errors of confidences, and the table of a reliability diagram."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit import arguments, schema
from toolkit.metrics._arrays.bootstrap import percentile_interval, resampled
from toolkit.metrics._arrays.calibration import (
    brier_parts,
    calibration_errors,
    log_losses,
    mass_offsets,
    simulated_ece,
    width_offsets,
)
from toolkit.metrics._arrays.proportions import wilson
from toolkit.metrics._arrays.segments import ratio, segment_sum
from toolkit.metrics._arrays.types import Array
from toolkit.metrics._bins import MOST_BINS, MOST_RESAMPLES
from toolkit.metrics._judged import Judged, SeriesBy, judged, judged_groups
from toolkit.metrics._results import result_frame

_COUNTS = ("n", "n_missing", "n_certain_wrong")


def calibration(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    *,
    bins: int = 10,
    by: SeriesBy = None,
    clip: float = 0.0,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute calibration errors: confidences against the share of right answers.

    Parameters
    ----------
    confidence : array_like of shape (n,)
        Probability that each answer is right, in [0, 1]; null for unknown. Convert a summed
        logprob with ``np.exp``.
    correct : array_like of shape (n,)
        Whether each answer is right: True/False or 1/0; null for unknown. Answers that lack
        either value are omitted and counted.
    bins : int
        Number of bins of equal width, and most bins of equal mass, up to 10,000.
    by : Series or sequence of them, optional
        Named columns to group by, with one value per answer. Null is a group too.
    clip : float
        For the log loss alone, confidences are clipped to [clip, 1 − clip]. From 0 (nothing is
        clipped, and a certain but wrong answer makes the loss infinite) to below 0.5.
    n_bootstrap : int
        Resamples for the intervals, and simulated samples for ``ece_if_calibrated``; 0: neither,
        which is much faster for many groups.
    level : float
        Probability of each interval, in (0, 1).
    seed : int
        Of the random numbers, 0 or more. The resamples of a group do not depend on other groups.

    Returns
    -------
    DataFrame
        The columns of `by`, then those of ``schema.CALIBRATION``; groups are sorted. Without `by`
        one row, even without answers. Counts are int64, all other columns float64, with NaN for
        null: errors without answers, intervals without resamples. All but ``brier_resolution`` are
        errors: lower is better.

    Raises
    ------
    ArgumentError
        If an argument has a wrong type, shape or range, or if Series differ in their index.

    Notes
    -----
    The ECE (Guo et al. 2017) of few answers is above 0 even for a perfect model, and so is the ECE
    of each resample. Percentile intervals (Efron 1979) of ``ece``, ``ace``, ``mce`` and
    ``smooth_ece`` are therefore too high for well-calibrated models. ``ece_if_calibrated`` and
    ``p_calibrated`` show the effect of chance alone (Bröcker and Smith 2007). Resamples keep the
    bins of the answers. The interval of the accuracy is Wilson's (1927). Rows are assumed to be
    independent; several answers to one question are not, and make intervals too narrow.

    Examples
    --------
    >>> row = calibration([0.9, 0.8, 0.7, 0.6, None], [1, 1, 1, 0, 1], n_bootstrap=0).iloc[0]
    >>> [round(float(row[name]), 3) for name in ("n", "n_missing", "ece", "brier")]
    [4.0, 1.0, 0.3, 0.125]
    """
    bins = arguments.whole("bins", bins, 1, MOST_BINS)
    n_bootstrap = arguments.whole("n_bootstrap", n_bootstrap, 0, MOST_RESAMPLES)
    level, seed = arguments.level("level", level), arguments.whole("seed", seed, 0)
    clip = arguments.within("clip", clip, 0.0, 0.5)
    keys, groups = judged_groups(confidence, correct, by, schema.CALIBRATION.names)
    rows = [
        _scored(group, bins=bins, clip=clip, n_bootstrap=n_bootstrap, level=level, seed=seed)
        for group in groups
    ]
    columns = {
        name: np.array(
            [row.get(name, np.nan) for row in rows], np.int64 if name in _COUNTS else np.float64
        )
        for name in schema.CALIBRATION.names
    }
    return pd.concat([keys, result_frame(schema.CALIBRATION, columns)], axis=1)


def _scored(
    group: Judged, *, bins: int, clip: float, n_bootstrap: int, level: float, seed: int
) -> dict[str, float]:
    """Return the row of one group; columns that it lacks are null."""
    sure, right, n_missing = group
    n = len(sure)
    row: dict[str, float] = {
        "n": n,
        "n_missing": n_missing,
        "n_certain_wrong": int(np.isinf(log_losses(sure, right, 0.0)).sum()),
    }
    if not n:
        return row
    offsets = width_offsets(sure, bins), mass_offsets(sure, bins)

    def statistics(weights: Array) -> dict[str, Array]:
        return calibration_errors(weights, sure, right, offsets, clip)

    found = {name: float(values[0]) for name, values in statistics(np.ones((1, n))).items()}
    low, high = wilson(right.sum(), n, level)
    row |= found | brier_parts(sure, right, offsets[0])
    row |= {
        "accuracy": math.fsum(right) / n,
        "accuracy_lower": float(low),
        "accuracy_upper": float(high),
        "mean_confidence": math.fsum(sure) / n,
    }
    for name, values in resampled(statistics, n, n_bootstrap, seed).items():
        row[f"{name}_lower"], row[f"{name}_upper"] = percentile_interval(values, level)
    if n_bootstrap:
        chance = simulated_ece(sure, offsets[0], n_bootstrap, seed)
        as_large = int((chance >= found["ece"] - 1e-12).sum())
        row["ece_if_calibrated"] = float(chance.mean())
        row["p_calibrated"] = (1 + as_large) / (1 + n_bootstrap)
    return row


def reliability(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    *,
    bins: int = 10,
    strategy: str = "width",
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare confidence with accuracy in bins, as a reliability diagram does.

    Parameters
    ----------
    confidence, correct : array_like of shape (n,)
        As in `calibration`.
    bins : int
        Number of bins, up to 10,000; with equal mass, the most bins.
    strategy : {"width", "mass"}
        Bins of equal width over [0, 1], or of about equally many answers. Equal confidences are
        always in the same bin.
    level : float
        Probability of the interval of the accuracy, in (0, 1).

    Returns
    -------
    DataFrame
        One row per bin, in the columns of ``schema.RELIABILITY``. Counts are int64, all other
        columns float64. A bin of equal width without answers has n 0 and NaN. Without answers
        there are no bins of equal mass.

    Raises
    ------
    ArgumentError
        If an argument has a wrong type, shape or range.

    Notes
    -----
    Bins of equal width are (low, high]; the first includes 0 (Guo et al. 2017). The interval is
    Wilson's (1927): if it includes the mean confidence, the bin does not contradict calibration.

    Examples
    --------
    >>> table = reliability([0.2, 0.9, 0.8, 0.7], [0, 1, 1, 0], bins=2)
    >>> table[["low", "high", "n", "mean_confidence", "accuracy"]].round(3).values.tolist()
    [[0.0, 0.5, 1.0, 0.2, 0.0], [0.5, 1.0, 3.0, 0.8, 0.667]]
    """
    bins = arguments.whole("bins", bins, 1, MOST_BINS)
    level = arguments.level("level", level)
    arguments.one_of("strategy", strategy, ("width", "mass"))
    sure, right, n_missing = judged(confidence, correct)
    if strategy == "width":
        offsets = width_offsets(sure, bins)
        edges = np.linspace(0.0, 1.0, bins + 1)
        low, high = edges[:-1], edges[1:]
    else:
        offsets = mass_offsets(sure, bins)
        low, high = sure[offsets[:-1]], sure[offsets[1:] - 1]
    n = np.diff(offsets)
    n_right = segment_sum(right, offsets)
    mean_confidence = ratio(segment_sum(sure, offsets), n)
    accuracy = ratio(n_right, n)
    accuracy_lower, accuracy_upper = wilson(n_right, n, level)
    columns = {
        "bin": np.arange(len(n)),
        "low": low,
        "high": high,
        "n": n,
        "mean_confidence": mean_confidence,
        "accuracy": accuracy,
        "gap": mean_confidence - accuracy,
        "accuracy_lower": accuracy_lower,
        "accuracy_upper": accuracy_upper,
        "n_missing": np.full(len(n), n_missing),
    }
    return result_frame(schema.RELIABILITY, columns)
