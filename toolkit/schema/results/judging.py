"""Declare the tables `p_true` and `expected_score`."""

from __future__ import annotations

from toolkit.schema.base import TEXT, Column, Table, metric
from toolkit.schema.results.labels import PLACE, REASON, REST, WHICH

P_TRUE = Table(
    "p_true",
    "One row per answer: the probability of true against false. Source: Kadavath et al. 2022.",
    ("response_key", "choice", "channel"),
    (
        *WHICH,
        metric(
            "p_true",
            "1",
            "higher",
            "Seen probability of true / (of true + of false); null: neither was seen.",
        ),
        metric(
            "p_true_lower", "1", "higher", "Lower bound of p_true, whatever the unseen mass holds."
        ),
        metric(
            "p_true_upper", "1", "higher", "Upper bound of p_true, whatever the unseen mass holds."
        ),
        Column("answer", TEXT, "true or false, as the answer states; null: it states neither."),
        metric("coverage", "1", "higher", "Seen probability of true and false together."),
        PLACE,
        *REST,
        REASON,
    ),
)
EXPECTED_SCORE = Table(
    "expected_score",
    "One row per answer of a judge: the expected value of its score. Source: Liu et al. 2023 "
    "(G-Eval).",
    ("response_key", "choice", "channel"),
    (
        *WHICH,
        metric(
            "score",
            "1",
            "",
            "Mean of the scores, weighted by their seen probabilities; null: none was seen.",
        ),
        metric(
            "score_lower",
            "1",
            "",
            "Lower bound of the mean: unseen mass counts for the lowest score.",
        ),
        metric(
            "score_upper",
            "1",
            "",
            "Upper bound of the mean: unseen mass counts for the highest score.",
        ),
        metric("answer", "1", "", "Score that the answer states; null: it states none."),
        metric("coverage", "1", "higher", "Seen probability of all scores together."),
        PLACE,
        *REST,
        REASON,
    ),
)
