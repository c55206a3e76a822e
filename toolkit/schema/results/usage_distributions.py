"""Columns of `toolkit.metrics.usage_over_time` and `usage_histogram`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import Column, Table, metric, tokens_column, total

USAGE_OVER_TIME = Table(
    "usage_over_time",
    "One row per span of time and group; columns of `by` stand in front.",
    ("start",),
    (
        Column(
            "start", pa.timestamp("ms", tz="UTC"), "Begin of the span, included.", required=True
        ),
        total("n_responses", "Responses created in the span.", "responses"),
        total("n_with_usage", "Those of them that report any of these counts.", "responses"),
        *(
            tokens_column(name, f"Sum of {name} over those that report it; null: none.")
            for name in ("prompt_tokens", "completion_tokens", "total_tokens")
        ),
        *(
            metric(
                f"{name}_per_minute",
                "tokens/minute",
                "",
                f"{name} / the span in minutes; 0 where there is no response.",
            )
            for name in ("completion_tokens", "total_tokens")
        ),
    ),
)
USAGE_HISTOGRAM = Table(
    "usage_histogram",
    "One row per bin and group, empty bins included; columns of `by` stand in front.",
    ("low",),
    (
        metric("low", "tokens", "", "Lower edge of the bin, included."),
        metric("high", "tokens", "", "Upper edge, included in the last bin alone."),
        total("n_responses", "Responses in the bin.", "responses"),
        metric("share", "1", "", "n_responses / those of the group that report the count."),
    ),
)
