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
            "Seen probability of true, of that of both; null: neither was seen.",
            formula="p(true) / (p(true) + p(false))",
            source="Kadavath et al. 2022",
            caveat="whether the statement is true, or how much of the probability was seen: see "
            "coverage.",
        ),
        metric(
            "p_true_lower",
            "1",
            "higher",
            "Lower bound of p_true, whatever the unseen mass holds.",
            formula="p_true with all unseen mass on false",
            source="derived",
            caveat="where p_true lies between the bounds.",
        ),
        metric(
            "p_true_upper",
            "1",
            "higher",
            "Upper bound of p_true, whatever the unseen mass holds.",
            formula="p_true with all unseen mass on true",
            source="derived",
            caveat="where p_true lies between the bounds.",
        ),
        Column("answer", TEXT, "true or false, as the answer states; null: it states neither."),
        metric(
            "coverage",
            "1",
            "higher",
            "Seen probability of true and false together.",
            formula="sum of seen p",
            caveat="what the rest of the probability says.",
        ),
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
            formula="sum(score p) / sum(p)",
            source="Liu et al. 2023 (G-Eval)",
            caveat="whether the judge is right, or how far its scores spread.",
        ),
        metric(
            "score_lower",
            "1",
            "",
            "Lower bound of the mean.",
            formula="score with all unseen mass on the lowest score",
            source="derived",
            caveat="where the mean lies between the bounds.",
        ),
        metric(
            "score_upper",
            "1",
            "",
            "Upper bound of the mean.",
            formula="score with all unseen mass on the highest score",
            source="derived",
            caveat="where the mean lies between the bounds.",
        ),
        metric(
            "answer",
            "1",
            "",
            "Score that the answer states; null: it states none.",
            formula="the number in the text of the answer",
            caveat="how certain the judge was of it.",
        ),
        metric(
            "coverage",
            "1",
            "higher",
            "Seen probability of all scores together.",
            formula="sum of seen p",
            caveat="what the rest of the probability says.",
        ),
        PLACE,
        *REST,
        REASON,
    ),
)
