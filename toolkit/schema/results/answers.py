"""Declare the table `answers`."""

from __future__ import annotations

from toolkit.schema.base import TEXT, Column, Table, total
from toolkit.schema.results.confidence import CONFIDENCE_METRICS
from toolkit.schema.results.sequences import SEQUENCE_METRICS
from toolkit.schema.tables import CHANNEL, CHOICE, CHOICES, RESPONSE_KEY, RESPONSES

ANSWERS = Table(
    "answers",
    "One row per choice: whose answer it is, its text, and how certain the model was of it.",
    ("response_key", "choice"),
    (
        RESPONSE_KEY,
        CHOICE,
        CHANNEL,
        *(RESPONSES[name] for name in ("source", "line", "response_id", "custom_id", "model")),
        CHOICES["finish_reason"],
        Column("text", TEXT, "Text of that channel; null: neither text nor tokens were sent."),
        total("n_tokens", "Token rows of that channel; 0: the answer has no logprobs."),
        *(SEQUENCE_METRICS[name] for name in ("n_ok", "perplexity")),
        CONFIDENCE_METRICS["mean_probability"],
        SEQUENCE_METRICS["min_probability"],
        Column(
            "weakest_token",
            TEXT,
            "The (first) token with min_probability, as sent; null: no token has status ok.",
        ),
        SEQUENCE_METRICS["weakest_position"],
    ),
)
