"""Declare the tables `usage_over_time` and `usage_histogram`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import Column, Table, metric, setting, tokens_column, total
from toolkit.schema.results.usage import USAGE

USAGE_OVER_TIME = Table(
    "usage_over_time",
    "One row per span of time and group: tokens used in it. Columns of `by` come first.",
    ("start",),
    (
        Column(
            "start", pa.timestamp("ms", tz="UTC"), "Start of the span, included.", required=True
        ),
        total("n_responses", "Responses created in the span.", "responses"),
        total("n_with_usage", "Of these, responses that report any token count.", "responses"),
        *(
            tokens_column(name, f"Sum of {name} over the responses that report it; null: none.")
            for name in ("prompt_tokens", "completion_tokens", "total_tokens")
        ),
        *(
            metric(
                f"{name}_per_minute",
                "tokens/minute",
                "",
                "0 where there is no response.",
                formula=f"{name} / minutes of the span",
                caveat="how fast the server was: answers overlap, and the span includes idle time.",
            )
            for name in ("completion_tokens", "total_tokens")
        ),
        *(USAGE[name] for name in ("n_priced", "cost", "unpriced_models")),
    ),
)
USAGE_HISTOGRAM = Table(
    "usage_histogram",
    "One row per bin and group, empty bins included: responses by a token count. Columns of `by` "
    "come first.",
    ("low",),
    (
        setting("low", "tokens", "Lower edge of the bin, included."),
        setting("high", "tokens", "Upper edge; included only in the last bin."),
        total("n_responses", "Responses in the bin.", "responses"),
        metric(
            "share",
            "1",
            "",
            "Share of the group that is in the bin.",
            formula="n_responses / responses of the group that report the count",
            caveat="how large the responses in the bin are.",
        ),
    ),
)
