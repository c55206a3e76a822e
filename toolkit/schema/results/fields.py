"""Declare the table `field_metrics`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import TEXT, Column, Table, known, metric, total
from toolkit.schema.results.spans import SPAN_COLUMNS, TEXT_OF
from toolkit.schema.tables import CHOICE, RESPONSE_KEY, RESPONSES

ALTERNATIVE = pa.struct([("token", TEXT), ("probability", pa.float64())])
FIELD_METRICS = Table(
    "field_metrics",
    "One row per value of the JSON in an answer: how certain the model was of it.",
    ("response_key", "choice", "tool_call", "document", "field"),
    (
        RESPONSE_KEY,
        CHOICE,
        RESPONSES["custom_id"],
        RESPONSES["model"],
        known(
            "tool_call", "", "", "0-based ordinal of the tool call; null: a value of the content."
        ),
        total("document", "0-based ordinal of the JSON text in the content or arguments.", ""),
        Column(
            "document_state",
            TEXT,
            "How that JSON text ended: closed; cut (the answer ended first, so fields may be "
            "missing); broken (it is not JSON from there on; the values before are kept).",
            required=True,
        ),
        total("field", "0-based ordinal of the value in its JSON text.", ""),
        Column("path", TEXT, 'JSON path, as $.a[0]["odd key"].', required=True),
        Column(
            "kind",
            TEXT,
            "string, number, boolean, null; object or array if it is empty, or nested deeper than "
            "64, where its values have no rows of their own.",
            required=True,
        ),
        Column("value", TEXT, "A string decoded; any other value as it is written.", required=True),
        Column(
            "is_complete",
            pa.bool_(),
            "Whether the value is complete: false if the text ends inside it, or right after a "
            "number.",
            required=True,
        ),
        total("start", "Offset of the first character of the value in its text.", "characters"),
        total("end", "Offset after its last character.", "characters"),
        TEXT_OF,
        *SPAN_COLUMNS,
        metric(
            "first_probability",
            "1",
            "higher",
            "Probability of the first token of the value, where the value is mostly decided.",
            formula="exp(logprob) of the first token",
            caveat="how probable the whole value is: values that begin alike share it.",
        ),
        metric(
            "first_margin",
            "1",
            "higher",
            "margin of the first token, as in token_metrics.",
            formula="p1 - p2 at the first token",
            caveat="whether the alternatives lead to other values.",
        ),
        metric(
            "first_entropy_lower",
            "nats",
            "lower",
            "As in token_metrics.",
            formula="entropy_lower of the first token",
            caveat="how uncertain the whole value is.",
        ),
        Column(
            "first_alternatives",
            pa.list_(ALTERNATIVE),
            "Usable alternatives of the first token with their probabilities, likeliest first.",
            required=True,
        ),
    ),
)
