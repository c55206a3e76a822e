"""Compute calibration errors of confidences, and the table of a reliability diagram."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit import arguments, schema
from toolkit.metrics._arrays import effective
from toolkit.metrics._arrays.calibration import (
    bin_errors,
    brier_parts,
    clustered_ece,
    log_losses,
    mass_offsets,
    simulated_ece,
    smooth_error,
    width_edges,
    width_offsets,
)
from toolkit.metrics._arrays.clusters import bounded_t_interval, mean_error, t_interval
from toolkit.metrics._arrays.segments import ratio, segment_sum
from toolkit.metrics._arrays.types import Array
from toolkit.metrics._bins import MOST_BINS, MOST_RESAMPLES
from toolkit.metrics._clusters import ClusterLabels
from toolkit.metrics._judged import Judged, SeriesBy, judged, judged_frame, judged_groups
from toolkit.metrics._results import result_frame, wide_frame

_FEW = 5  # clusters with a wrong, and with a right answer, that the interval of a mean loss needs


def calibration(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    *,
    bins: int = 10,
    by: SeriesBy = None,
    clusters: ClusterLabels = None,
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
    clusters : array_like of shape (n,), optional
        What each answer belongs to, such as its question or its ``custom_id``: answers of one
        cluster may depend on each other. Null: a cluster of its own. Default: each answer is taken
        as independent, which makes intervals too narrow if several answer one question.
    clip : float
        For the log loss alone, confidences are clipped to [clip, 1 − clip]. From 0 (nothing is
        clipped, and a certain but wrong answer makes the loss infinite) to below 0.5.
    n_bootstrap : int
        Simulated samples for ``ece_if_calibrated`` and ``p_calibrated``; 0: neither, which is much
        faster for many groups.
    level : float
        Probability of each interval, in (0, 1).
    seed : int
        Of the random numbers, 0 or more. The samples of a group do not depend on other groups.

    Returns
    -------
    DataFrame
        The columns of `by`, then those of ``schema.CALIBRATION``; groups are sorted. Without `by`
        one row, even without answers. Counts are int64, ``cluster`` is text, ``no_interval`` a
        categorical, all other columns float64, with NaN for null: errors without answers, and
        intervals that ``no_interval`` gives a reason for. ``gap`` is best near 0; of the errors
        (``ece``, ``ace``, ``mce``, ``smooth_ece``, ``brier``, ``log_loss``) less is better.

    Raises
    ------
    ArgumentError
        If an argument has a wrong type, shape or range, or if Series differ in their index.

    Warns
    -----
    ToolkitWarning
        If answers share fewer than 20 clusters.

    Notes
    -----
    The ECE (Guo et al. 2017) of few answers is above 0 even for a perfect model, and so are
    ``ace``, ``mce`` and ``smooth_ece``. No resampling removes this bias, so they have no interval.
    ``ece_if_calibrated`` and ``p_calibrated`` show the effect of chance alone (Bröcker and Smith
    2007; with clusters, a wild bootstrap), and so do the intervals of ``gap`` and of `reliability`.

    The interval of the accuracy is that of Agresti and Coull (1998), which holds Wilson's, for as
    many answers as the clustered ones are worth (Korn and Graubard 1998). Those of ``gap``,
    ``brier`` and ``log_loss`` are of Student's t over clusters, of the losses on a logarithmic
    scale. If fewer than 5 clusters have a wrong answer, or a right one, the heaviest losses may be
    missing: the losses then have no interval, and that of ``gap`` joins those of the confidence and
    of the accuracy (Newcombe 1998).

    Examples
    --------
    >>> row = calibration([0.9, 0.8, 0.7, 0.6, None], [1, 1, 1, 0, 1], n_bootstrap=0).iloc[0]
    >>> [round(float(row[name]), 3) for name in ("n", "n_missing", "ece", "brier")]
    [4.0, 1.0, 0.3, 0.125]
    >>> row["cluster"], int(row["n_clusters"]), row["no_interval"]
    ('answer', 4, 'few_wrong')
    """
    bins = arguments.whole("bins", bins, 1, MOST_BINS)
    n_bootstrap = arguments.whole("n_bootstrap", n_bootstrap, 0, MOST_RESAMPLES)
    level, seed = arguments.level("level", level), arguments.whole("seed", seed, 0)
    clip = arguments.within("clip", clip, 0.0, 0.5)
    keys, groups = judged_groups(confidence, correct, by, schema.CALIBRATION.names, clusters)
    rows = [
        _scored(group, bins=bins, clip=clip, n_bootstrap=n_bootstrap, level=level, seed=seed)
        for group in groups
    ]
    return wide_frame(
        schema.CALIBRATION, pd.concat([keys, judged_frame(schema.CALIBRATION, rows)], axis=1)
    )


def _scored(
    group: Judged, *, bins: int, clip: float, n_bootstrap: int, level: float, seed: int
) -> dict[str, Any]:
    """Return the row of one group; columns that it lacks are null."""
    sure, right, codes = group.confidence, group.correct, group.codes
    n, gap = len(sure), group.confidence - group.correct
    losses = log_losses(sure, right, clip)
    row: dict[str, Any] = group.counts() | {
        "n_certain_wrong": int(np.isinf(log_losses(sure, right, 0.0)).sum())
    }
    row["no_interval"] = reason = group.no_interval(_FEW)
    if not n:
        return row
    width, mass = width_offsets(sure, bins), mass_offsets(sure, bins)
    ece, mce = bin_errors(gap, width)
    low, high = effective.clustered_interval(effective.of_answers(right, codes), level)
    row |= brier_parts(sure, right, width)
    row |= {
        "accuracy": math.fsum(right) / n,
        "accuracy_lower": float(low),
        "accuracy_upper": float(high),
        "mean_confidence": math.fsum(sure) / n,
        "gap": math.fsum(gap) / n,
        "ece": ece,
        "mce": mce,
        "ace": bin_errors(gap, mass)[0],
        "smooth_ece": smooth_error(sure, gap),
        "brier": math.fsum(gap * gap) / n,
        "log_loss": math.fsum(losses) / n,
    }
    row["gap_lower"], row["gap_upper"] = _gap_interval(row, group, level)
    for name, values in (("brier", gap * gap), ("log_loss", losses)):
        if reason is None or math.isinf(row[name]):
            row[f"{name}_lower"], row[f"{name}_upper"] = _mean_interval(values, group, level)
    if n_bootstrap:
        chance = (
            clustered_ece(gap, codes, width, n_bootstrap, seed)
            if group.n_clusters < n
            else simulated_ece(sure, width, n_bootstrap, seed)
        )
        as_large = int((chance >= ece - 1e-12).sum())
        row["ece_if_calibrated"] = float(chance.mean())
        row["p_calibrated"] = (1 + as_large) / (1 + n_bootstrap)
    return row


def _mean_interval(losses: Array, group: Judged, level: float) -> tuple[float, float]:
    """Return the interval of a mean loss; null if all losses are equal."""
    if np.isinf(losses).any():  # what occurred has a probability, so the mean is infinite
        return math.inf, math.inf
    error = mean_error(losses, group.codes)
    if not error > 0:
        return math.nan, math.nan
    return bounded_t_interval(float(losses.mean()), error, group.n_clusters, level)


def _gap_interval(row: dict[str, Any], group: Judged, level: float) -> tuple[float, float]:
    """Return the interval of mean confidence less accuracy."""
    error = mean_error(group.confidence - group.correct, group.codes)
    if group.no_interval(_FEW) is None and error > 0:
        low, high = t_interval(row["gap"], error, group.n_clusters, level)
    else:
        error = mean_error(group.confidence, group.codes)
        sure = t_interval(row["mean_confidence"], error, group.n_clusters, level)
        ends = ((0, "accuracy_upper", -1), (1, "accuracy_lower", 1))
        low, high = (
            row["gap"]
            + sign * math.hypot(sure[i] - row["mean_confidence"], row[end] - row["accuracy"])
            for i, end, sign in ends
        )
    return max(low, -1.0), min(high, 1.0)


def reliability(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    *,
    bins: int = 10,
    strategy: str = "width",
    clusters: ClusterLabels = None,
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
    clusters : array_like of shape (n,), optional
        As in `calibration`.
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

    Warns
    -----
    ToolkitWarning
        If answers share fewer than 20 clusters.

    Notes
    -----
    Bins of equal width are (low, high]; the first includes 0 (Guo et al. 2017). The interval is
    that of the accuracy in `calibration`: if it includes the mean confidence, the bin does not
    contradict calibration.

    Examples
    --------
    >>> table = reliability([0.2, 0.9, 0.8, 0.7], [0, 1, 1, 0], bins=2)
    >>> table[["low", "high", "n", "mean_confidence", "accuracy"]].round(3).values.tolist()
    [[0.0, 0.5, 1.0, 0.2, 0.0], [0.5, 1.0, 3.0, 0.8, 0.667]]
    """
    bins = arguments.whole("bins", bins, 1, MOST_BINS)
    level = arguments.level("level", level)
    arguments.one_of("strategy", strategy, ("width", "mass"))
    group = judged(confidence, correct, clusters)
    sure, right = group.confidence, group.correct
    if strategy == "width":
        offsets = width_offsets(sure, bins)
        edges = width_edges(bins)
        low, high = edges[:-1], edges[1:]
    else:
        offsets = mass_offsets(sure, bins)
        low, high = sure[offsets[:-1]], sure[offsets[1:] - 1]
    n = np.diff(offsets)
    n_right = segment_sum(right, offsets)
    mean_confidence = ratio(segment_sum(sure, offsets), n)
    accuracy = ratio(n_right, n)
    tallies = effective.of_segments(right, group.codes, offsets)
    accuracy_lower, accuracy_upper = effective.clustered_interval(tallies, level)
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
        "n_clusters": tallies.clusters.astype(np.int64),
        "n_missing": np.full(len(n), group.n_missing),
    }
    return result_frame(schema.RELIABILITY, columns)
