"""Results that pictures are made of: histograms, cumulative shares, reasons."""

from __future__ import annotations

from toolkit.schema.base import Column, Table, metric, total
from toolkit.schema.tables import CHOICES

TOKEN_HISTOGRAM = Table(
    "token_histogram",
    "Tokens counted by a metric of theirs; columns of `by` stand in front.",
    (),
    (
        metric("low", "", "", "Left edge of the bin, in the unit of the column; included."),
        metric("high", "", "", "Right edge; included in the last bin alone."),
        total("count", "Tokens in the bin."),
        metric("share", "1", "", "count / n; null if n is 0."),
        total("n", "Tokens of the group that have a value."),
        total("n_outside", "Those below the first edge or above the last: in no bin."),
        total("n_null", "Tokens of the group without a value."),
    ),
)

ECDF = Table(
    "ecdf",
    "Empirical distribution function of a metric of answers; columns of `by` stand in front.",
    (),
    (
        metric("value", "", "", "A value that occurs, in the unit of the column; increasing."),
        total("n_at_or_below", "Answers of the group with at most that.", "answers"),
        metric("share", "1", "", "n_at_or_below / n."),
        total("n", "Answers of the group that have a value.", "answers"),
    ),
)

FINISH_REASONS = Table(
    "finish_reasons",
    "Choices counted by why they ended; columns of `by` stand in front.",
    (),
    (
        Column(
            "finish_reason",
            CHOICES["finish_reason"].type,
            "As sent; null: none was sent.",
        ),
        total("count", "Choices of the group that ended so.", "choices"),
        metric("share", "1", "", "count / choices of the group."),
    ),
)
