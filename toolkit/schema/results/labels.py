"""Results of classifying and judging: the probabilities of labels and scores."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import TEXT, Column, Table, known, metric
from toolkit.schema.tables import CHANNEL, CHOICE, RESPONSE_KEY, RESPONSES

WHICH = (RESPONSE_KEY, CHOICE, CHANNEL, RESPONSES["custom_id"], RESPONSES["model"])
PLACE = known("position", "", "", "Position of the first token of the label; null without one.")
REST = (
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
REASON = Column(
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
        *WHICH,
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
        PLACE,
        *REST,
        REASON,
    ),
)
