"""Declare the tables `token_histogram`, `ecdf` and `finish_reasons`."""

from __future__ import annotations

from toolkit.schema.base import Column, Table, metric, setting, total
from toolkit.schema.tables import CHOICES

TOKEN_HISTOGRAM = Table(
    "token_histogram",
    "One row per bin: tokens counted by one of their metrics. Columns of `by` come first.",
    (),
    (
        setting("low", "", "Lower edge of the bin, in the unit of the column; included."),
        setting("high", "", "Upper edge; included only in the last bin."),
        total("count", "Tokens in the bin."),
        metric(
            "share",
            "1",
            "",
            "Share of the tokens that have a value; null if n is 0.",
            formula="count / n",
            caveat="where in the bin the values are.",
        ),
        total("n", "Tokens of the group that have a value."),
        total("n_outside", "Tokens below the first edge or above the last, so they are in no bin."),
        total("n_null", "Tokens of the group without a value."),
    ),
)

ECDF = Table(
    "ecdf",
    "One row per distinct value: empirical distribution function of a metric of answers. Columns "
    "of `by` come first.",
    (),
    (
        setting("value", "", "Value of the metric, in the unit of the column; increasing."),
        total("n_at_or_below", "Answers of the group with at most this value.", "answers"),
        metric(
            "share",
            "1",
            "",
            "Share of the answers with at most this value.",
            formula="n_at_or_below / n",
            caveat="whether higher or lower is better: see the column.",
        ),
        total("n", "Answers of the group that have a value.", "answers"),
    ),
)

FINISH_REASONS = Table(
    "finish_reasons",
    "One row per reason: choices counted by the reason why they ended. Columns of `by` come first.",
    (),
    (
        Column(
            "finish_reason",
            CHOICES["finish_reason"].type,
            "Why the choices ended, as sent; null: not sent.",
        ),
        total("count", "Choices of the group with this reason.", "choices"),
        metric(
            "share",
            "1",
            "",
            "Share of the choices of the group.",
            formula="count / choices of the group",
            caveat="whether the answers are complete: servers use these words differently.",
        ),
    ),
)
