"""Results of classifying and judging: the probabilities of labels and scores."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import TEXT, Column, Table, known, metric
from toolkit.schema.tables import CHANNEL, CHOICE, RESPONSE_KEY, RESPONSES

_WHICH = (RESPONSE_KEY, CHOICE, CHANNEL, RESPONSES["custom_id"], RESPONSES["model"])
_PLACE = known("position", "", "", "Position of the first token of the label; null without one.")
_REST = (
    metric("other", "1", "", "Probability of what was seen to lead to no label."),
    metric(
        "ambiguous",
        "1",
        "lower",
        "Probability of what begins a label and whose continuation was not seen.",
    ),
    metric(
        "unobserved",
        "1",
        "lower",
        "Probability of what is not among the alternatives: it could be any label, or none.",
    ),
)
_REASON = Column(
    "reason",
    TEXT,
    "Why there is nothing to tell: no_tokens (none at the position), no_place (the text behind "
    "which to look is not there, or no token begins behind it), no_probabilities (none that can be "
    "used), excess_mass (the list adds up to more than 1). Else null.",
)

LABEL_DISTRIBUTION = Table(
    "label_distribution",
    "How probable each label was, one row per answer and label.",
    ("response_key", "choice", "channel"),
    (
        *_WHICH,
        Column("label", TEXT, "As given, in that order.", required=True),
        metric(
            "probability_lower",
            "1",
            "",
            "Probability that was seen to lead to this label: what it has at least.",
        ),
        metric(
            "probability_upper",
            "1",
            "",
            "What it has at most: with all that may lead to it, unseen or ambiguous.",
        ),
        metric(
            "share",
            "1",
            "",
            "Seen probability / its sum over the labels: probability_lower, and for the label that "
            "the answer ends with all of it; null unless asked for, or if none was seen.",
        ),
        Column("is_answer", pa.bool_(), "Whether the answer states this label.", required=True),
        _PLACE,
        *_REST,
        _REASON,
    ),
)

P_TRUE = Table(
    "p_true",
    "How probable a yes was, one row per answer. Source: Kadavath et al. 2022.",
    ("response_key", "choice", "channel"),
    (
        *_WHICH,
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
        _PLACE,
        *_REST,
        _REASON,
    ),
)

EXPECTED_SCORE = Table(
    "expected_score",
    "The mean of the scores that a judge might have given, one row per answer. Source: Liu et al. "
    "2023 (G-Eval).",
    ("response_key", "choice", "channel"),
    (
        *_WHICH,
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
        _PLACE,
        *_REST,
        _REASON,
    ),
)
