"""Evaluate selective prediction: how well confidence ranks answers, and which to accept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit import arguments, schema
from toolkit.metrics._arrays import ranking
from toolkit.metrics._arrays.auroc import effective_numbers, newcombe
from toolkit.metrics._arrays.bootstrap import resampled, widened
from toolkit.metrics._arrays.effective import Tallies, clustered_interval, effective_size, running
from toolkit.metrics._arrays.proportions import (
    agresti_coull,
    binomial_tail,
    exact_lower,
    exact_upper,
)
from toolkit.metrics._arrays.segments import ratio
from toolkit.metrics._arrays.types import Array, Counts
from toolkit.metrics._bins import MOST_RESAMPLES
from toolkit.metrics._clusters import ClusterLabels
from toolkit.metrics._judged import (
    Judged,
    SeriesBy,
    independent,
    judged,
    judged_frame,
    judged_groups,
)
from toolkit.metrics._results import result_frame, wide_frame

_MAPS = ("accuracy_at_coverage", "accuracy_at_coverage_lower", "accuracy_at_coverage_upper")
# Measures whose interval is a bootstrap's, with the least and the greatest value of each.
_BOOTSTRAPPED = {
    "auprc": (0.0, 1.0),
    "auprc_errors": (0.0, 1.0),
    "aurc": (0.0, 1.0),
    "eaurc": (0.0, 1.0),
    "prr": (-math.inf, 1.0),
}
_FEW = 10  # clusters with a wrong, and with a right answer, that such an interval needs
_STARTS = 2  # most sequences of tests
_PLENTY = 8  # two sequences are used from so many times the least number of answers that can pass
_MOST_THRESHOLDS = 1000  # tested in one sequence


def selective(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    *,
    coverages: Sequence[float] = (0.5, 0.8, 0.9, 1.0),
    by: SeriesBy = None,
    clusters: ClusterLabels = None,
    n_tokens: npt.ArrayLike | None = None,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute AURC, AUROC and others: how well confidence tells right from wrong.

    Only the order of the confidences matters, so any score works that is higher if the model is
    more certain: a logprob, a margin, a negated perplexity.

    Parameters
    ----------
    confidence : array_like of shape (n,)
        Any numbers, higher for more certain; null for unknown.
    correct : array_like of shape (n,)
        Whether each answer is right: True/False or 1/0; null for unknown. Answers that lack
        either value are omitted and counted.
    coverages : sequence of float
        Shares of answers, in (0, 1], for ``accuracy_at_coverage``: it is the accuracy of that share
        of the answers, the most confident ones, rounded up to whole answers.
    by : Series or sequence of them, optional
        Named columns to group by, with one value per answer. Null is a group too.
    clusters : array_like of shape (n,), optional
        What each answer belongs to, such as its question, as in `calibration`. Default: each answer
        is taken as independent.
    n_tokens : array_like of shape (n,), optional
        Length of each answer, to compare the confidence with it in ``auroc_length``,
        ``auroc_within_length`` and ``length_correlation``, as `toolkit.metrics.length_confounding`
        does. Null for unknown: these columns omit such answers. Default: they are NaN.
    n_bootstrap : int
        Resamples for the intervals of ``auprc``, ``auprc_errors``, ``aurc``, ``eaurc`` and ``prr``;
        0: these have none.
    level : float
        Probability of each interval, in (0, 1).
    seed : int
        Of the random numbers, 0 or more. The resamples of a group do not depend on other groups.

    Returns
    -------
    DataFrame
        The columns of `by`, then those of ``schema.SELECTIVE``; groups are sorted. Without `by`
        one row, even without answers. Counts are int64, ``cluster`` is text, ``no_interval`` a
        categorical, measures float64 with NaN for null: without answers, and ``auroc``, ``auprc``,
        ``auprc_errors`` and ``prr`` also if all answers are right or all are wrong (see
        ``n_wrong``). ``accuracy_at_coverage`` and its bounds hold a dict by coverage per row.

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
    Answers of equal confidence are considered in every order: ``aurc``, ``eaurc`` (Geifman et al.
    2019), ``prr`` (Malinin and Gales 2021, as in lm-polygraph) and accuracies are means over
    these orders; ``auroc`` counts a tied pair half; ``auprc`` uses each distinct threshold once.

    An accuracy has the interval of Agresti and Coull (1998) for the accepted answers, and ``auroc``
    that of Newcombe (2006, method 5): both keep a width if no answer is wrong. Clustered answers
    count as many as they are worth (Korn and Graubard 1998; Obuchowski 1997). The other measures
    have a bootstrap over clusters: the outer ends of its percentiles and of Student's t around the
    estimate less its bias, with one degree of freedom less than clusters that have a wrong (or, if
    these are fewer, a right) answer. With fewer than 10 such clusters they have no interval, and
    ``no_interval`` says so.

    Examples
    --------
    >>> row = selective([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1], n_bootstrap=0).iloc[0]
    >>> [round(float(row[name]), 3) for name in ("auroc", "aurc", "prr")]
    [0.667, 0.146, 0.556]
    >>> row["accuracy_at_coverage"]
    {0.5: 1.0, 0.8: 0.75, 0.9: 0.75, 1.0: 0.75}
    """
    wanted = _coverages(coverages)
    n_bootstrap = arguments.whole("n_bootstrap", n_bootstrap, 0, MOST_RESAMPLES)
    level, seed = arguments.level("level", level), arguments.whole("seed", seed, 0)
    keys, groups = judged_groups(
        confidence, correct, by, schema.SELECTIVE.names, clusters, n_tokens, as_probability=False
    )
    rows = [_ranked(group, wanted, n_bootstrap, level, seed) for group in groups]
    return wide_frame(
        schema.SELECTIVE, pd.concat([keys, judged_frame(schema.SELECTIVE, rows)], axis=1)
    )


def _coverages(coverages: object) -> list[float]:
    """Return checked coverages, each once."""
    if isinstance(coverages, str | bytes | Mapping) or not isinstance(coverages, Iterable):
        raise arguments.invalid("coverages", coverages, "numbers above 0 and at most 1")
    wanted = [arguments.share("coverages", each) for each in coverages]
    if len(set(wanted)) < len(wanted):
        raise arguments.invalid("coverages", wanted, "each coverage once")
    return wanted


def _ranked(
    group: Judged, wanted: list[float], n_bootstrap: int, level: float, seed: int
) -> dict[str, Any]:
    """Return the row of one group; columns that it lacks are null."""
    sure, wrong, codes = group.confidence[::-1], 1.0 - group.correct[::-1], group.codes[::-1]
    n, n_wrong = len(sure), int(wrong.sum())
    row: dict[str, Any] = group.counts() | group.length_columns() | {"n_wrong": n_wrong}
    row |= {name: dict.fromkeys(wanted, np.nan) for name in _MAPS}
    row["no_interval"] = reason = group.no_interval(_FEW)
    if not n:
        return row
    starts = ranking.tie_starts(sure)

    def statistics(weights: Array) -> dict[str, Array]:
        counts = np.add.reduceat(weights, starts, axis=1)
        return ranking.ranking_metrics(counts, np.add.reduceat(weights * wrong, starts, axis=1))

    row |= {name: float(values[0]) for name, values in statistics(np.ones((1, n))).items()}
    row["accuracy"] = 1.0 - n_wrong / n
    row |= dict(zip(_MAPS, _accuracies(group, starts, wanted, level), strict=True))
    if 0 < n_wrong < n:
        numbers = effective_numbers(group.confidence, group.correct, group.codes, level)
        row["auroc_lower"], row["auroc_upper"] = newcombe(row["auroc"], *numbers, level)
    if reason is None and not n_bootstrap:
        row["no_interval"] = "no_resamples"
    elif reason is None:
        samples = resampled(statistics, group.n_clusters, n_bootstrap, seed, codes)
        n_effective = min(group.n_minority())
        for name, bounds in _BOOTSTRAPPED.items():
            ends = widened(samples[name], row[name], n_effective, level, bounds)
            row[f"{name}_lower"], row[f"{name}_upper"] = ends
    return row


def _accuracies(
    group: Judged, starts: Counts, wanted: list[float], level: float
) -> list[dict[float, float]]:
    """Return the accuracy of each share of the answers, by share, and its bounds."""
    right, codes = group.correct[::-1], group.codes[::-1]
    n = len(right)
    counts, errors = (np.add.reduceat(each, starts) for each in (np.ones(n), 1.0 - right))
    accuracy = ranking.accuracies(counts[None], errors[None], wanted)[0]
    accepted = ranking.accepted_numbers(n, wanted)
    # The order inside a tie is arbitrary, so the clusters of the whole tie are taken.
    ends = np.append(starts[1:], n)
    last = ends[np.searchsorted(ends, accepted)] - 1
    tallies = Tallies(*(each[last] for each in running(right, codes)))
    size = effective_size(tallies, level) * accepted / (last + 1)
    bounds = agresti_coull(accuracy, size, level)
    return [dict(zip(wanted, map(float, each), strict=True)) for each in (accuracy, *bounds)]


def risk_coverage(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    *,
    clusters: ClusterLabels = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compute coverage and risk at every threshold: which share is accepted, and is wrong.

    Parameters
    ----------
    confidence, correct : array_like of shape (n,)
        As in `selective`.
    clusters : array_like of shape (n,), optional
        As in `selective`.
    level : float
        Probability of the interval of the risk, in (0, 1), for one threshold chosen in advance; to
        choose a threshold by its risk, use `threshold_for`.

    Returns
    -------
    DataFrame
        One row per distinct confidence, highest first, in the columns of
        ``schema.RISK_COVERAGE``; counts are int64, all other columns float64. Without answers
        there are no rows.

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
    The curve of El-Yaniv and Wiener (2010), with the interval of Agresti and Coull (1998). Its
    points are the possible thresholds; ``aurc`` of `selective` also includes the steps inside ties.

    Examples
    --------
    >>> risk_coverage([0.9, 0.6, 0.6], [1, 0, 1])[["threshold", "coverage", "risk"]].round(3)
       threshold  coverage   risk
    0        0.9     0.333  0.000
    1        0.6     1.000  0.333
    """
    level = arguments.level("level", level)
    group = judged(confidence, correct, clusters, as_probability=False)
    thresholds, accepted, wrong = _steps(group)
    tallies = running(1.0 - group.correct[::-1], group.codes[::-1])
    tallies = Tallies(*(each[accepted - 1] for each in tallies))
    low, high = clustered_interval(tallies, level)
    columns = {
        "n_accepted": accepted,
        "n_clusters": tallies.clusters.astype(np.int64),
        "coverage": accepted / max(len(group.confidence), 1),
        "threshold": thresholds,
        "n_wrong": wrong,
        "risk": ratio(wrong, accepted),
        "risk_lower": low,
        "risk_upper": high,
        "n_missing": np.full(len(accepted), group.n_missing),
    }
    return result_frame(schema.RISK_COVERAGE, columns)


def _steps(group: Judged) -> tuple[Array, Counts, Counts]:
    """Return the distinct confidences, highest first, with the answers and errors at or above."""
    sure, wrong = group.confidence[::-1], 1 - group.correct[::-1].astype(np.int64)
    starts = ranking.tie_starts(sure)
    accepted = np.append(starts[1:], len(sure))[: len(starts)].astype(np.int64)
    return sure[starts], accepted, np.cumsum(wrong)[accepted - 1]


def threshold_for(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    *,
    accuracy: float = 0.95,
    clusters: ClusterLabels = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Find the lowest confidence whose accepted answers reach an accuracy.

    A threshold that is chosen because it did well on these answers will do worse on others. This
    threshold has a guarantee: over repeated samples, the accuracy of the accepted answers is below
    `accuracy` with a probability of at most 1 − `level`, whichever threshold is found.

    Parameters
    ----------
    confidence, correct : array_like of shape (n,)
        As in `selective`; a held-out sample of answers like the future ones.
    accuracy : float
        The accuracy to reach, in (0, 1).
    clusters : array_like of shape (n,), optional
        What each answer belongs to, such as its question. The guarantee needs independent answers,
        so one of each cluster is tested; which one depends on its label and its place in the
        cluster alone, never on confidence or correctness. Default: each answer is taken as
        independent; several answers to one question then break the guarantee.
    level : float
        Probability of the guarantee, from 0.5 to below 1.

    Returns
    -------
    DataFrame
        One row, in the columns of ``schema.THRESHOLD_FOR``: accept answers whose confidence is at
        least ``threshold``. If there is no threshold, it is NaN, and ``reason`` (a categorical)
        says why. Counts are int64, ``n_accepted`` Int64, ``cluster`` is text, all other columns
        are float64.

    Raises
    ------
    ArgumentError
        If an argument has a wrong type, shape or range.

    Notes
    -----
    Fixed-sequence testing from several starts (Bauer 1991; the "Learn then Test" of Angelopoulos
    et al. 2021). At most 1000 thresholds are tested, of those that accept enough answers to pass
    at all. One of them is a start, or two if there are many answers: from each start, every next
    lower threshold is tested by the exact binomial tail at (1 − level) / starts until one fails.
    The choice of these thresholds depends on the confidences alone, never on `correct`. The
    guarantee needs this property; the binary search of Geifman and El-Yaniv (2017) lacks it.
    ``accuracy_lower`` is the bound of Clopper and Pearson (1934) at that level.

    Examples
    --------
    >>> confidence = [0.9] * 200 + [0.5] * 100
    >>> row = threshold_for(confidence, [1] * 200 + [1, 0] * 50, accuracy=0.9).iloc[0]
    >>> [round(float(row[name]), 3) for name in ("threshold", "coverage", "accuracy_lower")]
    [0.9, 0.667, 0.985]
    """
    accuracy = arguments.level("accuracy", accuracy)
    level = arguments.within("level", level, 0.5, 1.0)
    group, n_complete = independent(confidence, correct, clusters)
    thresholds, accepted, wrong = _steps(group)
    chosen, certainty, reason = _tested(accepted, wrong, accuracy, level)
    observed = np.flatnonzero(accepted - wrong >= accuracy * accepted * (1 - 1e-12))
    row = group.counts() | {"n": n_complete, "target": accuracy, "level": level, "reason": reason}
    if len(observed):
        row["observed_threshold"] = thresholds[observed[-1]]
        row["observed_coverage"] = accepted[observed[-1]] / group.n_clusters
    if chosen is not None:
        size = int(accepted[chosen])
        right = size - int(wrong[chosen])
        row |= {
            "threshold": thresholds[chosen],
            "n_accepted": size,
            "coverage": size / group.n_clusters,
            "accuracy": right / size,
            "accuracy_lower": exact_lower(right, size, certainty),
            "accuracy_upper": exact_upper(right, size, certainty),
        }
    return judged_frame(schema.THRESHOLD_FOR, [row])


def _tested(
    accepted: Counts, wrong: Counts, accuracy: float, level: float
) -> tuple[int | None, float, str | None]:
    """Return the passing step that accepts most or None, the level of its test, and a reason."""
    if not len(accepted):
        return None, level, "no_answers"
    for n_starts in range(_STARTS, 0, -1):
        # Few answers are better tested from one start. The number of starts does not depend on
        # labels, so the choice does not weaken the guarantee.
        error = (1 - level) / n_starts
        # Steps that would pass at this level if all of their answers were right.
        able = np.flatnonzero(accepted * math.log(accuracy) <= math.log(error) + 1e-12)
        if len(able) >= n_starts and accepted[-1] >= _PLENTY * accepted[able[0]]:
            break
    if not len(able):
        return None, level, "too_few"
    if len(able) > _MOST_THRESHOLDS:
        able = able[np.linspace(0, len(able) - 1, _MOST_THRESHOLDS).round().astype(np.int64)]
    # One error among the most confident few stops the first start, but not one further down.
    sizes = accepted[able]
    growth = (sizes[-1] / sizes[0]) ** (np.arange(n_starts) / n_starts)
    starts = np.searchsorted(sizes, sizes[0] * growth * (1 - 1e-12))
    best, tested = None, -1
    for start in starts.tolist():
        for i in range(max(start, tested), len(able)):
            size = int(accepted[able[i]])
            if binomial_tail(size - int(wrong[able[i]]), size, accuracy) > error:
                break
            best, tested = int(able[i]), i
    return best, 1 - error, None if best is not None else "not_reached"
