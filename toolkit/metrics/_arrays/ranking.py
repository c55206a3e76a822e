"""Compute AURC, AUROC, average precision and accuracy at coverage from ranked answers.

Answers are sorted by confidence, highest first, and those of equal confidence are a *tie*: their
order is arbitrary, so each result is the mean over every order inside the ties.
``counts`` and ``errors`` of shape ``(n_samples, n_ties)`` hold the number of answers of each tie
and of the wrong ones among them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from toolkit.metrics._arrays.types import Array, Counts


def ranking_metrics(counts: Array, errors: Array) -> dict[str, Array]:
    """Return AURC, E-AURC, PRR, AUROC and average precisions, each of shape ``(n_samples,)``.

    Notes
    -----
    If `k` of `n` answers are accepted, risk(k) is the share of wrong ones among them; AURC is the
    mean of risk(k) over k = 1 … n. Inside a tie the expected number of errors grows evenly. A tie
    of c answers, e of them wrong, that follows N answers, E of them wrong, therefore adds
    e + (E − N e / c)(H(N + c) − H(N)), where H are harmonic numbers.
    """
    n, wrong = counts.sum(axis=1), errors.sum(axis=1)
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, n.max() + 1))])
    before, wrong_before = _before(counts), _before(errors)
    rate = _ratio(errors, counts, 0.0)
    steps = _harmonic(harmonic, before + counts) - _harmonic(harmonic, before)
    aurc = (errors + (wrong_before - before * rate) * steps).sum(axis=1) / n
    right = n - wrong
    best = (wrong - right * (_harmonic(harmonic, n) - _harmonic(harmonic, right))) / n
    risk = wrong / n
    mixed = (wrong > 0) & (right > 0)
    hits = counts - errors
    # Pairs of a right and a wrong answer in the right order; a tied pair counts half.
    ordered = (hits * (wrong[:, None] - wrong_before - errors / 2)).sum(axis=1)
    return {
        "aurc": aurc,
        "eaurc": np.maximum(aurc - best, 0.0),
        "prr": np.where(mixed, _ratio(risk - aurc, risk - best, np.nan), np.nan),
        "auroc": np.where(mixed, _ratio(ordered, wrong * right, np.nan), np.nan),
        "auprc": np.where(mixed, average_precision(counts, hits), np.nan),
        "auprc_errors": np.where(
            mixed, average_precision(counts[:, ::-1], errors[:, ::-1]), np.nan
        ),
    }


def average_precision(counts: Array, hits: Array) -> Array:
    """Return the mean precision over the hits; each tie is accepted as a whole.

    Notes
    -----
    Σ (R − R_before) P over the distinct thresholds, where R is recall and P precision, without
    interpolation.
    """
    precision = _ratio(np.cumsum(hits, axis=1), np.cumsum(counts, axis=1), 0.0)
    return _ratio((hits * precision).sum(axis=1), hits.sum(axis=1), np.nan)


def accuracies(counts: Array, errors: Array, coverages: Sequence[float]) -> Array:
    """Return the expected accuracy of the first ⌈coverage · n⌉ answers of each sample.

    The shape is ``(n_samples, n_coverages)``.
    """
    n = counts.sum(axis=1)
    ends, wrong = np.cumsum(counts, axis=1), np.cumsum(errors, axis=1)
    columns = []
    for accepted in accepted_numbers(n, coverages):
        tie = (ends < accepted[:, None]).sum(axis=1)[:, None]
        end, size, bad, total = (
            np.take_along_axis(of, tie, axis=1)[:, 0] for of in (ends, counts, errors, wrong)
        )
        columns.append(1.0 - (total - (end - accepted) * bad / size) / accepted)
    return np.stack(columns, axis=1) if columns else np.empty((len(n), 0))


def accepted_numbers(n: npt.ArrayLike, coverages: Sequence[float]) -> Array:
    """Return ⌈coverage · n⌉ for each coverage, at least 1, shape ``(n_coverages, *shape of n)``.

    Examples
    --------
    >>> accepted_numbers(10, [0.01, 0.3, 1.0]).tolist()
    [1.0, 3.0, 10.0]
    """
    n = np.asarray(n, np.float64)
    # A product that is a whole number apart from rounding counts as that number.
    found = [np.maximum(np.ceil(n * coverage - 1e-9 * n), 1.0) for coverage in coverages]
    return np.array(found).reshape(len(coverages), *n.shape)


def tie_starts(confidence: Array) -> Counts:
    """Return where each run of equal values begins.

    Examples
    --------
    >>> tie_starts(np.array([0.9, 0.5, 0.5])).tolist()
    [0, 1]
    """
    begins = np.ones(len(confidence), np.bool_)
    begins[1:] = confidence[1:] != confidence[:-1]
    return np.flatnonzero(begins)


def _before(values: Array) -> Array:
    return np.cumsum(values, axis=1) - values


def _harmonic(table: Array, n: Array) -> Array:
    return table[n.astype(np.int64)]


def _ratio(total: Array, count: Array, empty: float) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(count > 0, total / count, empty)
