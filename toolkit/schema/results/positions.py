"""Declare the table `position_metrics`."""

from __future__ import annotations

from toolkit.schema.base import Table, metric, total
from toolkit.schema.tables import POSITION

POSITION_METRICS = Table(
    "position_metrics",
    "One row per token position: quantiles over all answers that have a token there.",
    ("position",),
    (
        POSITION,
        total("n_tokens", "Answers that have a token at the position."),
        *(
            metric(
                f"entropy_{bound}_{name}",
                "nats",
                "lower",
                f"{name.capitalize()} of entropy_{bound} over the answers; null: no value.",
            )
            for bound in ("lower", "upper")
            for name in ("q25", "median", "q75")
        ),
        *(
            metric(
                f"probability_{name}",
                "1",
                "higher",
                f"{name.capitalize()} of probability over the answers; null: no value.",
            )
            for name in ("q25", "median", "q75")
        ),
    ),
)
