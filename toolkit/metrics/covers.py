"""Which tokens wrote a span of text, and what they amount to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from toolkit import schema
from toolkit.metrics import core, frames
from toolkit.metrics.tokens import token_metrics

if TYPE_CHECKING:
    from toolkit.metrics.alignment import Text
    from toolkit.tables import LogprobTables


class Cover(NamedTuple):
    """The tokens that wrote some spans of one text.

    Attributes
    ----------
    at : ndarray of int64, shape (n_spans,)
        What each span is called: a number from 0 on, each given once in all covers together.
    sizes : ndarray of int64, shape (n_spans,)
        Tokens of each span.
    rows : ndarray of int64
        Their rows in ``lp.tokens``, span after span.
    is_covered : ndarray of bool, shape (n_spans,)
    is_aligned : ndarray of bool, shape (n_spans,)
    n_partial : ndarray of int64, shape (n_spans,)
    text_of : str or None
    """

    at: core.Counts
    sizes: core.Counts
    rows: core.Counts
    is_covered: core.Flags
    is_aligned: core.Flags
    n_partial: core.Counts
    text_of: str | None


def cover(text: Text, at: core.Counts, low: core.Counts, high: core.Counts) -> Cover:
    """Find the tokens that wrote spans of bytes.

    Parameters
    ----------
    text : Text
    at : ndarray of int64
        What each span is called.
    low, high : ndarray of int64
        First byte of each span, and the one after its last.
    """
    aligned = ~(_inside(text.gaps, low) | _inside(text.gaps, high)) | (low == high)
    wrote = np.flatnonzero(text.token_ends > text.token_starts[:-1])
    if not len(wrote):
        none = no_cover(at)
        return none._replace(text_of=text.text_of, is_covered=low == high, is_aligned=aligned)
    begin, end, blanks = (
        text.token_starts[wrote],
        text.token_ends[wrote],
        text.n_blanks[wrote],
    )
    first = np.searchsorted(end, low, "right")
    sizes = np.maximum(np.searchsorted(begin, high, "left") - first, 0)
    sizes[(low == high) | ~aligned] = 0
    some = sizes > 0
    head, tail = np.where(some, first, 0), np.where(some, first + sizes - 1, 0)
    reaches_back = (begin[head] < low) & (low - begin[head] > blanks[head])
    reaches_on = end[tail] > high
    both = np.where(sizes == 1, reaches_back | reaches_on, reaches_back.astype(int) + reaches_on)
    return Cover(
        at,
        sizes,
        text.first_row + wrote[ranges(first, sizes)],
        np.where(some, (begin[head] <= low) & (end[tail] >= high), low == high),
        aligned,
        np.where(some, both, 0),
        text.text_of,
    )


def _inside(gaps: core.Counts, places: core.Counts) -> core.Flags:
    """Say which places lie within a gap, so that it is not known what was written up to there."""
    at = np.searchsorted(gaps[:, 0], places, "left") - 1
    return (at >= 0) & (places < np.append(gaps[:, 1], 0)[at])


def no_cover(at: core.Counts) -> Cover:
    """Return spans without a token, in an answer without text."""
    none = np.zeros(len(at), np.int64)
    false = np.zeros(len(at), np.bool_)
    return Cover(at, none, none[:0], false, ~false, none, None)


def ranges(starts: core.Counts, sizes: core.Counts) -> core.Counts:
    """Return the numbers of ranges, one after the other."""
    before = np.cumsum(sizes) - sizes
    return np.arange(int(sizes.sum())) + np.repeat(starts - before, sizes)


def covered_columns(lp: LogprobTables, found: list[Cover]) -> dict[str, Any]:
    """Reduce the tokens of each span to its metrics, in the order of what the spans are called."""
    empty = no_cover(np.empty(0, np.int64))
    at, sizes, rows, is_covered, is_aligned, n_partial = (
        np.concatenate([part[i] for part in (empty, *found)]) for i in range(6)
    )
    text_of = np.repeat(
        np.array([part.text_of for part in found], object), [len(part.at) for part in found]
    )
    order = np.argsort(at)
    values = reduced(lp, rows, sizes) | {
        "is_covered": is_covered,
        "is_aligned": is_aligned,
        "n_partial": n_partial,
    }
    columns = {name: value[order] for name, value in values.items()}
    return columns | {"text_of": pd.Series(text_of[order], dtype=text_type())}


def reduced(lp: LogprobTables, rows: core.Counts, sizes: core.Counts) -> dict[str, Any]:
    """Return counts and metrics of runs of token rows, one value for each run."""
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    metrics = token_metrics(lp)
    status = metrics["status"].cat.codes.to_numpy()[rows]
    position = metrics["position"].to_numpy()[rows].astype(np.float64)
    logprob = 0.0 - metrics["surprisal"].to_numpy()[rows]
    ok = status == schema.STATUSES.index("ok")
    counts = {
        f"n_{name}": core.segment_count(status == code, offsets)
        for code, name in enumerate(schema.STATUSES)
    }
    known = counts["n_ok"] > 0
    total = core.segment_nansum(logprob, offsets)
    mean = core.ratio(total, counts["n_ok"])
    lowest = core.segment_min(np.where(ok, logprob, np.inf), offsets)
    lowest = np.where(known, lowest, np.nan)
    at_lowest = ok & (logprob == lowest[core.segment_ids(offsets)])
    weakest = core.segment_min(np.where(at_lowest, position, np.inf), offsets)
    return counts | {
        "n_tokens": sizes,
        "first_position": _positions(core.segment_min(position, offsets), sizes > 0),
        "last_position": _positions(core.segment_max(position, offsets), sizes > 0),
        "sum_logprob": total,
        "mean_logprob": mean,
        "probability": np.exp(total),
        "mean_probability": np.exp(mean),
        "min_logprob": lowest,
        "min_probability": np.exp(lowest),
        "weakest_position": _positions(weakest, known),
        "surprisal": 0.0 - total,
        "surprisal_lower": core.segment_nansum(
            metrics["surprisal_lower"].to_numpy()[rows], offsets
        ),
    }


def _positions(values: core.Array, known: core.Flags) -> Any:
    return frames.integers(np.where(known, values, 0.0).astype(np.int64), known)


def text_type() -> Any:
    """Return pandas' default type of texts."""
    return pd.Series(["a"]).dtype
