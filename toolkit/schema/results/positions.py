"""Declare the table `position_metrics`."""

from __future__ import annotations

from toolkit.schema.base import Table, metric, total
from toolkit.schema.tables import POSITION

_CAVEAT = "how one answer changes along its positions: fewer answers reach the later ones."
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
                "Over the answers; null: no value.",
                formula=f"{name} of entropy_{bound}",
                caveat=_CAVEAT,
            )
            for bound in ("lower", "upper")
            for name in ("q25", "median", "q75")
        ),
        *(
            metric(
                f"probability_{name}",
                "1",
                "higher",
                "Over the answers; null: no value.",
                formula=f"{name} of probability",
                caveat=_CAVEAT,
            )
            for name in ("q25", "median", "q75")
        ),
    ),
)
