"""Declare the table `label_distribution`, and columns that the tables of judging share with it."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import TEXT, Column, Table, known, metric
from toolkit.schema.tables import CHANNEL, CHOICE, RESPONSE_KEY, RESPONSES

WHICH = (RESPONSE_KEY, CHOICE, CHANNEL, RESPONSES["custom_id"], RESPONSES["model"])
PLACE = known("position", "", "", "Position of the first token of the label; null: none.")
REST = (
    metric("other", "1", "", "Observed probability of texts that are not labels."),
    metric(
        "ambiguous",
        "1",
        "lower",
        "Probability of texts that may become a label, because their continuation was not seen.",
    ),
    metric(
        "unobserved",
        "1",
        "lower",
        "Probability outside the lists of alternatives: it may belong to any label, or to none.",
    ),
)
REASON = Column(
    "reason",
    TEXT,
    "Why the probabilities are null: no_tokens (no token at the position), no_place (the text "
    "after which to look does not occur, or no token starts after it), no_probabilities (none is "
    "usable), excess_mass (the list adds up to more than 1). Null: they are not.",
)
LABEL_DISTRIBUTION = Table(
    "label_distribution",
    "One row per answer and label: the probability of the label, as an interval.",
    ("response_key", "choice", "channel"),
    (
        *WHICH,
        Column("label", TEXT, "Label, as given, in the given order.", required=True),
        metric(
            "probability_lower",
            "1",
            "",
            "Lower bound: probability that was seen to lead to this label.",
        ),
        metric(
            "probability_upper",
            "1",
            "",
            "Upper bound: also all mass that may lead to it, unseen or ambiguous.",
        ),
        metric(
            "share",
            "1",
            "",
            "Seen probability / its sum over the labels. Seen is probability_lower, or the whole "
            "mass of its path for the label that the answer ends with. Null unless requested, or "
            "if no label was seen.",
        ),
        Column("is_answer", pa.bool_(), "Whether the answer states this label.", required=True),
        PLACE,
        *REST,
        REASON,
    ),
)
