"""Results of looking at what servers sent."""

from __future__ import annotations

from toolkit.schema.base import LABEL, TEXT, Column, Table, known, metric, total
from toolkit.schema.tables import RESPONSES

SEVERITIES = ("error", "warning", "info")
"""error: data are lost, or metrics of these rows are wrong; warning: they are bounded or left out;
info: to know."""

CHECK = Table(
    "check",
    "What is odd in a load, one row per finding, model and format, the gravest first.",
    (),
    (
        Column(
            "severity",
            LABEL,
            "error: data are lost, or metrics of these rows are wrong; warning: some are bounded "
            "or left out; info: to know.",
            required=True,
            labels=SEVERITIES,
        ),
        Column("code", TEXT, "What was found.", required=True),
        RESPONSES["model"],
        Column("format", TEXT, "Format of the responses; null: it is about all, or about records."),
        Column("of", TEXT, "What is counted: tokens, choices, responses, records.", required=True),
        total("count", "Rows that it is true of.", "rows"),
        total("n", "Rows that were looked at.", "rows"),
        metric("share", "1", "", "count / n."),
        known("response_key", "", "", "Of the first such row; null: it is about no one response."),
        known("choice", "", "", "Of the first such row."),
        Column("channel", TEXT, "Of the first such row."),
        known("position", "", "", "Of the first such row."),
        Column("message", TEXT, "What it means for the metrics, and what to do.", required=True),
    ),
)
