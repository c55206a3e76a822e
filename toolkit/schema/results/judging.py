"""Columns of `toolkit.metrics.p_true` and `expected_score`."""

from __future__ import annotations

from toolkit.schema.base import TEXT, Column, Table, metric
from toolkit.schema.results.labels import PLACE, REASON, REST, WHICH

P_TRUE = Table(
    "p_true",
    "How probable a yes was, one row per answer. Source: Kadavath et al. 2022.",
    ("response_key", "choice", "channel"),
    (
        *WHICH,
        metric(
            "p_true",
            "1",
            "higher",
            "Seen probability of true / (of true + of false); null if neither was seen.",
        ),
        metric("p_true_lower", "1", "higher", "What the ratio is at least, unseen mass included."),
        metric("p_true_upper", "1", "higher", "What it is at most."),
        Column("answer", TEXT, "true or false, as the answer states; null: neither."),
        metric("coverage", "1", "higher", "Seen probability of true and false together."),
        PLACE,
        *REST,
        REASON,
    ),
)
EXPECTED_SCORE = Table(
    "expected_score",
    "The mean of the scores that a judge might have given, one row per answer. Source: Liu et al. "
    "2023 (G-Eval).",
    ("response_key", "choice", "channel"),
    (
        *WHICH,
        metric(
            "score",
            "1",
            "",
            "Mean of the scores, weighted by their seen probabilities; null if none was seen.",
        ),
        metric("score_lower", "1", "", "What the mean is at least: unseen mass at the low end."),
        metric("score_upper", "1", "", "What it is at most: unseen mass at the high end."),
        metric("answer", "1", "", "The score that the answer states; null: none."),
        metric("coverage", "1", "higher", "Seen probability of all scores together."),
        PLACE,
        *REST,
        REASON,
    ),
)
