"""Compute the metrics of spans from their tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit import arrow, schema
from toolkit.metrics._arrays.segments import (
    ratio,
    segment_count,
    segment_ids,
    segment_max,
    segment_min,
    segment_nansum,
)
from toolkit.metrics._arrays.types import Array, Counts, Flags
from toolkit.metrics._results import integers, text_type
from toolkit.metrics.tokens import INVALID, OK, of_answers, token_metrics

if TYPE_CHECKING:
    from toolkit.metrics._alignment.spans import SpanTokens
    from toolkit.tables import LogprobTables


def span_columns(lp: LogprobTables, found: SpanTokens) -> dict[str, Any]:
    """Return the metrics of each span, sorted by the index of the span in the result."""
    order = np.argsort(found.ids)
    values = reduce_runs(lp, found.rows, found.sizes) | {
        "is_covered": found.is_covered,
        "is_aligned": found.is_aligned,
        "n_partial": found.n_partial,
    }
    columns = {name: value[order] for name, value in values.items()}
    return columns | {"text_of": pd.Series(found.text_of[order], dtype=text_type())}


def reduce_runs(lp: LogprobTables, rows: Counts, sizes: Counts) -> dict[str, Any]:
    """Return counts and metrics of runs of token rows, one value per run."""
    offsets = arrow.offsets(sizes)
    metrics = token_metrics(lp)
    status = of_answers(lp)[0][rows]
    position = metrics["position"].to_numpy()[rows].astype(np.float64)
    ok = status == OK
    logprob = np.where(ok, 0.0 - metrics["surprisal"].to_numpy()[rows], np.nan)
    lower = np.where(status == INVALID, np.nan, metrics["surprisal_lower"].to_numpy()[rows])
    counts = {
        f"n_{name}": segment_count(status == code, offsets)
        for code, name in enumerate(schema.STATUSES)
    }
    known = counts["n_ok"] > 0
    total = segment_nansum(logprob, offsets)
    mean = ratio(total, counts["n_ok"])
    lowest = segment_min(np.where(ok, logprob, np.inf), offsets)
    lowest = np.where(known, lowest, np.nan)
    at_lowest = ok & (logprob == lowest[segment_ids(offsets)])
    weakest = segment_min(np.where(at_lowest, position, np.inf), offsets)
    return counts | {
        "n_tokens": sizes,
        "first_position": _positions(segment_min(position, offsets), sizes > 0),
        "last_position": _positions(segment_max(position, offsets), sizes > 0),
        "sum_logprob": total,
        "mean_logprob": mean,
        "probability": np.exp(total),
        "mean_probability": np.exp(mean),
        "min_logprob": lowest,
        "min_probability": np.exp(lowest),
        "weakest_position": _positions(weakest, known),
        "surprisal": 0.0 - total,
        "surprisal_lower": segment_nansum(lower, offsets),
    }


def _positions(values: Array, known: Flags) -> Any:
    return integers(np.where(known, values, 0.0).astype(np.int64), known)
