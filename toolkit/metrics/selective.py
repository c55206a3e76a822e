"""Answer or abstain: how well confidence ranks answers, and from where on to accept them."""

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
from toolkit.metrics._judged import By, Judged, judged, judged_groups
from toolkit.metrics._results import categorical, frame, integers

_COUNTS = ("n", "n_missing", "n_wrong")
_MAPS = ("accuracy_at_coverage", "accuracy_at_coverage_lower", "accuracy_at_coverage_upper")
_STARTS = 2
_PLENTY = 8  # so many times the least number of answers that can pass pay for both starts
_MOST_THRESHOLDS = 1000


def selective(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    *,
    coverages: Sequence[float] = (0.5, 0.8, 0.9, 1.0),
    by: By = None,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Score how well confidence tells right answers from wrong ones.

    Only the order of the confidences counts, so any score will do that is higher where the model
    is more certain: a logprob, a margin, a perplexity with its sign turned.

    Parameters
    ----------
    confidence : array_like of shape (n,)
        Any numbers, higher for more certain; null for unknown.
    correct : array_like of shape (n,)
        Whether each answer is right: True/False or 1/0; null for unknown. Answers that lack
        either are left out and counted.
    coverages : sequence of float
        Shares of answers, in (0, 1], for ``accuracy_at_coverage``: of so many the most confident
        ones, rounded up to whole answers.
    by : Series or sequence of them, optional
        Named columns to group by, a value for each answer. Null is a group too.
    n_bootstrap : int
        Resamples for the intervals; 0: none.
    level : float
        Probability of each interval, in (0, 1).
    seed : int
        Of the random numbers, 0 or more; each group draws the same as if it stood alone.

    Returns
    -------
    DataFrame
        The columns of `by`, then those of ``schema.SELECTIVE``; groups are sorted. Without `by`
        one row, even of no answer. Counts are int64, scores float64 with NaN for null: of no
        answer, and ``auroc``, ``auprc``, ``auprc_errors`` and ``prr`` also if all answers are
        right or all wrong (see ``n_wrong``). ``accuracy_at_coverage`` and its bounds hold a dict
        by coverage per row. Resamples in which a score is null are left out of its interval.

    Raises
    ------
    ArgumentError
        If an argument is of another type, shape or range, or Series of different index are mixed.

    Notes
    -----
    Answers of equal confidence are taken in every order: ``aurc``, ``eaurc`` (Geifman et al.
    2019), ``prr`` (Malinin and Gales 2021, as in lm-polygraph) and accuracies are means over
    these orders, ``auroc`` counts half a pair, ``auprc`` takes each distinct threshold once.

    Examples
    --------
    >>> row = selective([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1], n_bootstrap=0).iloc[0]
    >>> [round(float(row[name]), 3) for name in ("auroc", "aurc", "prr")]
    [0.667, 0.146, 0.556]
    >>> row["accuracy_at_coverage"]
    {0.5: 1.0, 0.8: 0.75, 0.9: 0.75, 1.0: 0.75}
    """
    wanted = _coverages(coverages)
    n_bootstrap = arguments.whole("n_bootstrap", n_bootstrap, 0)
    level, seed = arguments.level("level", level), arguments.whole("seed", seed, 0)
    keys, groups = judged_groups(confidence, correct, by, schema.SELECTIVE.names, scores=True)
    rows = [_ranked(group, wanted, n_bootstrap, level, seed) for group in groups]
    columns = {}
    for name in schema.SELECTIVE.names:
        values = [row.get(name, np.nan) for row in rows]
        if name in _MAPS:
            columns[name] = pd.Series(values, dtype=object)
        else:
            columns[name] = np.array(values, np.int64 if name in _COUNTS else np.float64)
    return pd.concat([keys, frame(schema.SELECTIVE, columns)], axis=1)


def _coverages(coverages: object) -> list[float]:
    if isinstance(coverages, str | bytes | Mapping) or not isinstance(coverages, Iterable):
        raise arguments.invalid("coverages", coverages, "numbers above 0 and at most 1")
    wanted = [arguments.share("coverages", each) for each in coverages]
    if len(set(wanted)) < len(wanted):
        raise arguments.invalid("coverages", wanted, "each coverage once")
    return wanted


def _ranked(
    group: Judged, wanted: list[float], n_bootstrap: int, level: float, seed: int
) -> dict[str, object]:
    """Return the row of one group; what is not in it is null."""
    sure, wrong = group.confidence[::-1], 1.0 - group.correct[::-1]
    n = len(sure)
    row: dict[str, object] = {"n": n, "n_missing": group.n_missing, "n_wrong": int(wrong.sum())}
    row |= {name: dict.fromkeys(wanted, np.nan) for name in _MAPS}
    if not n:
        return row
    starts = ranking.tie_starts(sure)
    at = {f"@{coverage!r}": coverage for coverage in wanted}

    def statistics(weights: Array) -> dict[str, Array]:
        counts = np.add.reduceat(weights, starts, axis=1)
        errors = np.add.reduceat(weights * wrong, starts, axis=1)
        accuracies = ranking.accuracies(counts, errors, wanted)
        return ranking.rank_scores(counts, errors) | dict(zip(at, accuracies.T, strict=True))

    found = {name: float(values[0]) for name, values in statistics(np.ones((1, n))).items()}
    row["accuracy"] = 1.0 - row["n_wrong"] / n
    row |= {name: value for name, value in found.items() if name not in at}
    row["accuracy_at_coverage"] = {coverage: found[name] for name, coverage in at.items()}
    samples = resampled(statistics, n, n_bootstrap, seed)
    ends = {name: percentile_interval(values, level) for name, values in samples.items()}
    for i, end in enumerate(("lower", "upper")):
        # A score that does not exist has no interval, though it may exist in some resample.
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
    """Tell for every threshold how many answers it accepts, and how many of these are wrong.

    Parameters
    ----------
    confidence, correct : array_like of shape (n,)
        As in `selective`.
    level : float
        Probability of the interval of the risk, in (0, 1), for one threshold chosen beforehand;
        to choose one by its risk, use `threshold_for`.

    Returns
    -------
    DataFrame
        One row per distinct confidence, highest first, in the columns of
        ``schema.RISK_COVERAGE``; counts are int64, all else float64. No answers make no rows.

    Raises
    ------
    ArgumentError
        If an argument is of another type, shape or range.

    Notes
    -----
    The curve of El-Yaniv and Wiener (2010), with the interval of Wilson (1927). Its points are
    the thresholds that can be used; ``aurc`` of `selective` also counts the steps inside ties.

    Examples
    --------
    >>> risk_coverage([0.9, 0.6, 0.6], [1, 0, 1])[["threshold", "coverage", "risk"]].round(3)
       threshold  coverage   risk
    0        0.9     0.333  0.000
    1        0.6     1.000  0.333
    """
    level = arguments.level("level", level)
    group = judged(confidence, correct, scores=True)
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
    return frame(schema.RISK_COVERAGE, columns)


def _steps(group: Judged) -> tuple[Array, Counts, Counts]:
    """Return the distinct confidences, highest first, and the answers and errors from there up."""
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
    """Find the lowest confidence from which answers are right as often as wanted.

    A threshold picked because it did well on these answers will do worse on others. This one
    keeps its promise: over repeated samples, the accuracy of what it accepts is below `accuracy`
    with a probability of at most 1 − `level`, whichever threshold comes out.

    Parameters
    ----------
    confidence, correct : array_like of shape (n,)
        As in `selective`; a held-out sample, of independent answers like those to come.
    accuracy : float
        Accuracy asked for, in (0, 1).
    level : float
        Certainty asked for, from 0.5 to below 1.

    Returns
    -------
    DataFrame
        One row, in the columns of ``schema.THRESHOLD_FOR``: accept answers whose confidence is at
        least ``threshold``. It is NaN where ``reason`` (a categorical) says why there is none.
        Counts are int64, ``n_accepted`` Int64, all else float64.

    Raises
    ------
    ArgumentError
        If an argument is of another type, shape or range.

    Notes
    -----
    Fixed-sequence testing from several starts (Bauer 1991; the "Learn then Test" of Angelopoulos
    et al. 2021). Of the thresholds that accept enough answers to pass at all, at most 1000 are
    lined up. One of them, or two where answers are plenty, are starts: from each, every next
    lower threshold is tested by the exact binomial tail at (1 − level) / starts until one fails.
    Which thresholds these are depends on the confidences alone, never on `correct`; this is what
    keeps the promise, and Geifman and El-Yaniv's (2017) binary search does not have it.
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
    group = judged(confidence, correct, scores=True)
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
    return frame(schema.THRESHOLD_FOR, plain)


def _tested(
    accepted: Counts, wrong: Counts, accuracy: float, level: float
) -> tuple[int | None, float, str | None]:
    """Return the step that accepts most and passes, the level of its test, or why none does."""
    if not len(accepted):
        return None, level, "no_answers"
    for n_starts in range(_STARTS, 0, -1):
        # Few answers are better spent on few starts. Their number depends on no label: it is free.
        error = (1 - level) / n_starts
        # So many answers, all right, are the least that pass at this level.
        able = np.flatnonzero(accepted * math.log(accuracy) <= math.log(error) + 1e-12)
        if len(able) >= n_starts and accepted[-1] >= _PLENTY * accepted[able[0]]:
            break
    if not len(able):
        return None, level, "too_few"
    if len(able) > _MOST_THRESHOLDS:
        able = able[np.linspace(0, len(able) - 1, _MOST_THRESHOLDS).round().astype(np.int64)]
    # One error among the surest few stops the first start, but not one that begins further down.
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
