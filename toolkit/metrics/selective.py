"""Evaluate selective prediction: how well confidence ranks answers, and which to accept."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit import arguments, schema
from toolkit.metrics._arrays import ranking
from toolkit.metrics._arrays.bootstrap import percentile_interval, resampled
from toolkit.metrics._arrays.proportions import binomial_tail, exact_lower, exact_upper, wilson
from toolkit.metrics._arrays.segments import ratio
from toolkit.metrics._arrays.types import Array, Counts
from toolkit.metrics._bins import MOST_RESAMPLES
from toolkit.metrics._judged import Judged, SeriesBy, judged, judged_groups
from toolkit.metrics._results import categorical, integers, result_frame

_COUNTS = ("n", "n_missing", "n_wrong")
_MAPS = ("accuracy_at_coverage", "accuracy_at_coverage_lower", "accuracy_at_coverage_upper")
_STARTS = 2  # most sequences of tests
_PLENTY = 8  # two sequences are used from so many times the least number of answers that can pass
_MOST_THRESHOLDS = 1000  # tested in one sequence


def selective(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    *,
    coverages: Sequence[float] = (0.5, 0.8, 0.9, 1.0),
    by: SeriesBy = None,
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
    n_bootstrap : int
        Resamples for the intervals; 0: none.
    level : float
        Probability of each interval, in (0, 1).
    seed : int
        Of the random numbers, 0 or more. The resamples of a group do not depend on other groups.

    Returns
    -------
    DataFrame
        The columns of `by`, then those of ``schema.SELECTIVE``; groups are sorted. Without `by`
        one row, even without answers. Counts are int64, measures float64 with NaN for null:
        without answers, and ``auroc``, ``auprc``, ``auprc_errors`` and ``prr`` also if all answers
        are right or all are wrong (see ``n_wrong``). ``accuracy_at_coverage`` and its bounds hold a
        dict by coverage per row. The interval of a measure omits resamples in which it is null.

    Raises
    ------
    ArgumentError
        If an argument has a wrong type, shape or range, or if Series differ in their index.

    Notes
    -----
    Answers of equal confidence are considered in every order: ``aurc``, ``eaurc`` (Geifman et al.
    2019), ``prr`` (Malinin and Gales 2021, as in lm-polygraph) and accuracies are means over
    these orders; ``auroc`` counts a tied pair half; ``auprc`` uses each distinct threshold once.

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
        confidence, correct, by, schema.SELECTIVE.names, as_probability=False
    )
    rows = [_ranked(group, wanted, n_bootstrap, level, seed) for group in groups]
    columns = {}
    for name in schema.SELECTIVE.names:
        values = [row.get(name, np.nan) for row in rows]
        if name in _MAPS:
            columns[name] = pd.Series(values, dtype=object)
        else:
            columns[name] = np.array(values, np.int64 if name in _COUNTS else np.float64)
    return pd.concat([keys, result_frame(schema.SELECTIVE, columns)], axis=1)


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
) -> dict[str, object]:
    """Return the row of one group; columns that it lacks are null."""
    sure, wrong = group.confidence[::-1], 1.0 - group.correct[::-1]
    n = len(sure)
    n_wrong = int(wrong.sum())
    row: dict[str, object] = {"n": n, "n_missing": group.n_missing, "n_wrong": n_wrong}
    row |= {name: dict.fromkeys(wanted, np.nan) for name in _MAPS}
    if not n:
        return row
    starts = ranking.tie_starts(sure)
    at = {f"@{coverage!r}": coverage for coverage in wanted}

    def statistics(weights: Array) -> dict[str, Array]:
        counts = np.add.reduceat(weights, starts, axis=1)
        errors = np.add.reduceat(weights * wrong, starts, axis=1)
        accuracies = ranking.accuracies(counts, errors, wanted)
        return ranking.ranking_metrics(counts, errors) | dict(zip(at, accuracies.T, strict=True))

    found = {name: float(values[0]) for name, values in statistics(np.ones((1, n))).items()}
    row["accuracy"] = 1.0 - n_wrong / n
    row |= {name: value for name, value in found.items() if name not in at}
    row["accuracy_at_coverage"] = {coverage: found[name] for name, coverage in at.items()}
    samples = resampled(statistics, n, n_bootstrap, seed)
    ends = {name: percentile_interval(values, level) for name, values in samples.items()}
    for i, end in enumerate(("lower", "upper")):
        # A measure that is null has no interval, even if it is not null in some resamples.
        row |= {
            f"{name}_{end}": interval[i] if not math.isnan(found[name]) else np.nan
            for name, interval in ends.items()
            if name not in at
        }
        if ends:
            row[f"accuracy_at_coverage_{end}"] = {c: ends[name][i] for name, c in at.items()}
    return row


def risk_coverage(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, *, level: float = 0.95
) -> pd.DataFrame:
    """Compute coverage and risk at every threshold: which share is accepted, and is wrong.

    Parameters
    ----------
    confidence, correct : array_like of shape (n,)
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

    Notes
    -----
    The curve of El-Yaniv and Wiener (2010), with the interval of Wilson (1927). Its points are
    the possible thresholds; ``aurc`` of `selective` also includes the steps inside ties.

    Examples
    --------
    >>> risk_coverage([0.9, 0.6, 0.6], [1, 0, 1])[["threshold", "coverage", "risk"]].round(3)
       threshold  coverage   risk
    0        0.9     0.333  0.000
    1        0.6     1.000  0.333
    """
    level = arguments.level("level", level)
    group = judged(confidence, correct, as_probability=False)
    thresholds, accepted, wrong = _steps(group)
    low, high = wilson(wrong, accepted, level)
    columns = {
        "n_accepted": accepted,
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
    level: float = 0.95,
) -> pd.DataFrame:
    """Find the lowest confidence whose accepted answers reach an accuracy.

    A threshold that is chosen because it did well on these answers will do worse on others. This
    threshold has a guarantee: over repeated samples, the accuracy of the accepted answers is below
    `accuracy` with a probability of at most 1 − `level`, whichever threshold is found.

    Parameters
    ----------
    confidence, correct : array_like of shape (n,)
        As in `selective`; a held-out sample of independent answers like the future ones.
    accuracy : float
        The accuracy to reach, in (0, 1).
    level : float
        Probability of the guarantee, from 0.5 to below 1.

    Returns
    -------
    DataFrame
        One row, in the columns of ``schema.THRESHOLD_FOR``: accept answers whose confidence is at
        least ``threshold``. If there is no threshold, it is NaN, and ``reason`` (a categorical)
        says why. Counts are int64, ``n_accepted`` Int64, all other columns float64.

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
    group = judged(confidence, correct, as_probability=False)
    thresholds, accepted, wrong = _steps(group)
    n = len(group.confidence)
    chosen, certainty, reason = _tested(accepted, wrong, accuracy, level)
    observed = np.flatnonzero(accepted - wrong >= accuracy * accepted * (1 - 1e-12))
    row: dict[str, object] = dict.fromkeys(schema.THRESHOLD_FOR.names, np.nan)
    row |= {"target": accuracy, "level": level, "n": n, "n_missing": group.n_missing}
    row["reason"] = categorical(
        np.array([-1 if reason is None else schema.SHORTFALLS.index(reason)], np.int8),
        schema.SHORTFALLS,
    )
    row["n_accepted"] = integers(
        np.array([0 if chosen is None else accepted[chosen]]), np.array([chosen is not None])
    )
    if len(observed):
        row["observed_threshold"] = thresholds[observed[-1]]
        row["observed_coverage"] = accepted[observed[-1]] / n
    if chosen is not None:
        size = int(accepted[chosen])
        right = size - int(wrong[chosen])
        row |= {
            "threshold": thresholds[chosen],
            "coverage": size / n,
            "accuracy": right / size,
            "accuracy_lower": exact_lower(right, size, certainty),
            "accuracy_upper": exact_upper(right, size, certainty),
        }
    plain = {k: [v] if isinstance(v, numbers.Number) else v for k, v in row.items()}
    return result_frame(schema.THRESHOLD_FOR, plain)


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
