"""Declare the table `check`."""

from __future__ import annotations

from toolkit.schema.base import LABEL, TEXT, Column, Table, known, metric, total
from toolkit.schema.tables import RESPONSES

SEVERITIES = ("error", "warning", "info")
"""Severities of findings, the most severe first: error (data are lost, or metrics of these rows are
wrong), warning (some metrics are bounded or omitted), info (good to know)."""

CHECK = Table(
    "check",
    "One row per finding, model and format: oddities of a load, the most severe first.",
    (),
    (
        Column(
            "severity",
            LABEL,
            "error (data are lost, or metrics of these rows are wrong), warning (some metrics are "
            "bounded or omitted) or info (good to know).",
            required=True,
            labels=SEVERITIES,
        ),
        Column("code", TEXT, "Code of the finding.", required=True),
        RESPONSES["model"],
        Column(
            "format",
            TEXT,
            "Format of the responses; null: the finding is about all formats, or about records.",
        ),
        Column(
            "of", TEXT, "Unit of count and n: tokens, choices, responses or records.", required=True
        ),
        total("count", "Rows with this finding.", "rows"),
        total("n", "Rows that were examined.", "rows"),
        metric(
            "share",
            "1",
            "",
            "Share of the examined rows.",
            formula="count / n",
            caveat="how much the metrics change because of it.",
        ),
        known(
            "response_key",
            "",
            "",
            "Key of the first such row; null: the finding is not about single responses.",
        ),
        known("choice", "", "", "Choice of the first such row."),
        Column("channel", TEXT, "Channel of the first such row."),
        known("position", "", "", "Position of the first such row."),
        Column("source", TEXT, "Source of the first such row, or of the first such record."),
        known("line", "", "", "1-based line on which its record starts."),
        Column("custom_id", TEXT, "Identifier of its request."),
        Column("message", TEXT, "Consequence for the metrics, and what to do.", required=True),
    ),
)
