"""Columns of `toolkit.metrics.position_metrics`."""

from __future__ import annotations

from toolkit.schema.base import Table, metric, total
from toolkit.schema.tables import (
    POSITION,
)

POSITION_METRICS = Table(
    "position_metrics",
    "One row per token position, over all answers that have it.",
    ("position",),
    (
        POSITION,
        total("n_tokens", "Answers that have a token there."),
        *(
            metric(
                f"entropy_{bound}_{name}",
                "nats",
                "lower",
                f"{name.capitalize()} of entropy_{bound} over the answers; null: none has one.",
            )
            for bound in ("lower", "upper")
            for name in ("q25", "median", "q75")
        ),
        *(
            metric(
                f"probability_{name}",
                "1",
                "higher",
                f"{name.capitalize()} of probability over the answers; null: none has one.",
            )
            for name in ("q25", "median", "q75")
        ),
    ),
)
