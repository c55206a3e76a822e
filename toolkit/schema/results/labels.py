"""Declare the table `label_distribution`, and columns that the tables of judging share with it."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import TEXT, Column, Table, known, metric
from toolkit.schema.tables import CHANNEL, CHOICE, RESPONSE_KEY, RESPONSES

WHICH = (RESPONSE_KEY, CHOICE, CHANNEL, RESPONSES["custom_id"], RESPONSES["model"])
PLACE = known("position", "", "", "Position of the first token of the label; null: none.")
REST = (
    metric(
        "other",
        "1",
        "",
        "Observed probability of texts that are not labels.",
        formula="sum of p over other texts",
        caveat="what these texts mean.",
    ),
    metric(
        "ambiguous",
        "1",
        "lower",
        "Probability of texts that may become a label, because their continuation was not seen.",
        formula="sum of p over beginnings of labels",
        caveat="to which label it belongs.",
    ),
    metric(
        "unobserved",
        "1",
        "lower",
        "Probability outside the lists of alternatives: it may belong to any label, or to none.",
        formula="1 - sum of the listed p",
        caveat="to which label it belongs, if to any.",
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
            formula="sum of p over paths seen to end in the label",
            source="derived",
            caveat="where the probability of the label lies between the bounds.",
        ),
        metric(
            "probability_upper",
            "1",
            "",
            "Upper bound: also all mass that may lead to it, unseen or ambiguous.",
            formula="probability_lower + ambiguous + unobserved mass that can lead to the label",
            source="derived",
            caveat="where the probability of the label lies between the bounds.",
        ),
        metric(
            "share",
            "1",
            "",
            "Share of the label in what was seen. Seen is probability_lower, or the "
            "whole mass of its path for the label that the answer ends with. Null unless "
            "requested, or if no label was seen.",
            formula="seen p of the label / sum of seen p of all labels",
            caveat="how much of the probability was seen at all: see unobserved.",
        ),
        Column("is_answer", pa.bool_(), "Whether the answer states this label.", required=True),
        PLACE,
        *REST,
        REASON,
    ),
)
