"""Columns of `toolkit.metrics.field_metrics`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import TEXT, Column, Table, known, metric, total
from toolkit.schema.results.spans import SPAN_COLUMNS, TEXT_OF
from toolkit.schema.tables import CHOICE, RESPONSE_KEY

ALTERNATIVE = pa.struct([("token", TEXT), ("probability", pa.float64())])
FIELD_METRICS = Table(
    "field_metrics",
    "How sure the model was of each value of the JSON in its answer.",
    ("response_key", "choice", "tool_call", "document", "field"),
    (
        RESPONSE_KEY,
        CHOICE,
        known("tool_call", "", "", "Ordinal of the tool call; null: a field of the content."),
        total("document", "0-based ordinal of the JSON text in the content or arguments.", ""),
        Column(
            "document_state",
            TEXT,
            "How that JSON text ended: closed; cut (the answer ended before it: fields may lack); "
            "broken (something stood there that is no JSON; what came before it is kept).",
            required=True,
        ),
        total("field", "0-based ordinal of the value in its JSON text.", ""),
        Column("path", TEXT, 'JSON path, as $.a[0]["odd key"].', required=True),
        Column(
            "kind",
            TEXT,
            "string, number, boolean, null; object or array for an empty one, or for one nested "
            "deeper than 64, whose values are not told apart.",
            required=True,
        ),
        Column("value", TEXT, "A string decoded, any other value as it stands.", required=True),
        Column(
            "is_complete",
            pa.bool_(),
            "False where the text ends inside the value, or right behind a number.",
            required=True,
        ),
        total("start", "First character of the value in its text.", "characters"),
        total("end", "The character after the last one.", "characters"),
        TEXT_OF,
        *SPAN_COLUMNS,
        metric(
            "first_probability",
            "1",
            "higher",
            "Probability of the first token of the value, where what it is gets decided.",
        ),
        metric("first_margin", "1", "higher", "margin of that token, as in token_metrics."),
        metric("first_entropy_lower", "nats", "lower", "entropy_lower of that token."),
        Column(
            "first_alternatives",
            pa.list_(ALTERNATIVE),
            "The usable alternatives of that token and their probabilities, likeliest first.",
            required=True,
        ),
    ),
)
