"""Count responses and tokens over time, and responses by number of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import arguments, arrow, schema
from toolkit.metrics._arrays.segments import ratio, segment_ids
from toolkit.metrics._bins import bin_edges
from toolkit.metrics._groups import Groups, with_keys
from toolkit.metrics._prices import Price
from toolkit.metrics._results import integers, result_frame
from toolkit.metrics.usage import GroupBy, cost_columns, response_groups
from toolkit.tables import require_tables

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_SUMMED = ("prompt_tokens", "completion_tokens", "total_tokens")
_COUNTED = [column.name for column in schema.USAGE_COLUMNS]
_MOST_SPANS = 1_000_000  # rows of one group
_SPANS = ("1s", "10s", "1min", "10min", "1h", "6h", "1D")  # from which a span is picked
_FEW_SPANS = 300  # that a picked span divides the time into, if it is not the longest


def usage_over_time(
    lp: LogprobTables,
    *,
    span: str | None = None,
    by: GroupBy = None,
    prices: Mapping[str, Price] | str | None = None,
) -> pd.DataFrame:
    """Count responses, tokens and their cost per span of time.

    Parameters
    ----------
    lp : LogprobTables
    span : str, optional
        Length of a span in the notation of pandas: ``"10s"``, ``"1min"``, ``"1h"``, ``"1D"``. Spans
        begin at whole multiples of this length since 1970, UTC. Default: the shortest of 1 s, 10 s,
        1 min, 10 min, 1 h, 6 h and 1 day that gives at most 300 spans, else 1 day.
    by, prices : optional
        As in `toolkit.usage`.

    Returns
    -------
    DataFrame
        The columns of `by`, then those of ``schema.USAGE_OVER_TIME``. Each group has a row for
        every span from the first response of all groups to the last, so gaps are visible. Responses
        without ``created`` are omitted.

    Raises
    ------
    ArgumentError
        If `span` is not a fixed length of time, or so short that there would be more than a million
        spans; for `by` and `prices`, as in `toolkit.usage`.

    Examples
    --------
    >>> import toolkit
    >>> usage = {"prompt_tokens": 1, "completion_tokens": 30, "total_tokens": 31}
    >>> choice = {"message": {}, "logprobs": {"content": [{"token": "a", "logprob": -1}]}}
    >>> body = {"choices": [choice], "usage": usage}
    >>> bodies = [{**body, "created": 60 * t} for t in (0, 0, 2)]
    >>> spread = usage_over_time(toolkit.from_responses(bodies), span="1min")
    >>> spread[["n_responses", "completion_tokens_per_minute"]].values.tolist()
    [[2.0, 60.0], [0.0, 0.0], [1.0, 30.0]]
    """
    groups = response_groups(require_tables(lp).responses, by, schema.USAGE_OVER_TIME)
    length = _milliseconds(span_of(lp, span))
    created = lp.responses["created"].cast(pa.int64())
    timed = pc.is_valid(created).to_numpy()
    number = pc.fill_null(created, 0).to_numpy() // length
    first, last = (int(f(number[timed])) if timed.any() else 0 for f in (np.min, np.max))
    n_spans = last - first + 1 if timed.any() else 0
    if n_spans > _MOST_SPANS:
        raise arguments.invalid(
            "span", span, f"at most {_MOST_SPANS:,} spans: this one cuts the time into {n_spans:,}"
        )
    n_groups = len(groups.keys)
    cell = np.zeros(len(number), np.int64)
    cell[groups.order] = segment_ids(groups.offsets) * n_spans
    cell = (cell + number - first)[timed]
    n_cells = n_groups * n_spans
    columns = {
        "start": pd.to_datetime(
            np.tile(np.arange(first, first + n_spans) * length, n_groups), unit="ms", utc=True
        ).as_unit("ms"),
        "n_responses": np.bincount(cell, minlength=n_cells),
    }
    reported = np.zeros(len(cell), np.bool_)
    for name in _SUMMED:
        counts = arrow.floats(lp.responses[name])[timed]
        known = ~np.isnan(counts)
        reported |= known
        total = np.bincount(cell[known], counts[known], minlength=n_cells)
        found = np.bincount(cell[known], minlength=n_cells) > 0
        columns[name] = integers(total.astype(np.int64), found)
        # The rate of a span is unknown if it has responses, but none that reports the count.
        silent = ~found & (columns["n_responses"] > 0)
        columns[f"{name}_per_minute"] = np.where(silent, np.nan, total * (60_000 / length))
    columns["n_with_usage"] = np.bincount(cell[reported], minlength=n_cells)
    order = np.flatnonzero(timed)[np.argsort(cell, kind="stable")]
    cells = Groups(groups.keys, order, arrow.offsets(columns["n_responses"]))
    columns |= cost_columns(lp, cells, prices)
    return with_keys(groups, n_spans, result_frame(schema.USAGE_OVER_TIME, columns))


def usage_histogram(
    lp: LogprobTables,
    column: str = "completion_tokens",
    *,
    bins: int | Sequence[float] = 10,
    by: GroupBy = None,
) -> pd.DataFrame:
    """Count responses by the number of tokens that they used.

    Parameters
    ----------
    lp : LogprobTables
    column : str
        A count of tokens in ``lp.responses``.
    bins : int or sequence of float
        Number of bins of equal width, up to 10,000, from the least to the greatest count of all
        groups; or increasing edges, outside of which counts are in no bin.
    by : str, Series or sequence of them, optional
        As in `toolkit.usage`.

    Returns
    -------
    DataFrame
        The columns of `by`, then those of ``schema.USAGE_HISTOGRAM``; no rows if no response
        reports the count and no edges are given. ``share`` is NaN for a group in which no response
        reports the count.

    Raises
    ------
    ArgumentError
        If the count does not exist, or `bins` is neither a whole number from 1 to 10,000 nor
        increasing edges; for `by`, as in `toolkit.usage`.

    Examples
    --------
    >>> import toolkit
    >>> choice = {"message": {}, "logprobs": {"content": [{"token": "a", "logprob": -1}]}}
    >>> counts = ({"completion_tokens": n} for n in (1, 2, 2, 9))
    >>> bodies = [{"choices": [choice], "usage": usage} for usage in counts]
    >>> usage_histogram(toolkit.from_responses(bodies), bins=2)[["low", "high", "n_responses"]]
       low  high  n_responses
    0  1.0   5.0            3
    1  5.0   9.0            1
    """
    arguments.one_of("column", column, _COUNTED)
    groups = response_groups(require_tables(lp).responses, by, schema.USAGE_HISTOGRAM)
    values = arrow.floats(lp.responses[column])
    edges = bin_edges(bins, values)
    n_groups, n_bins = len(groups.keys), max(len(edges) - 1, 0)
    counts = np.zeros((n_groups, n_bins), np.int64)
    known = np.zeros(n_groups, np.int64)
    for i, own in enumerate(groups.split(values)):
        own = own[~np.isnan(own)]
        known[i] = len(own)
        if n_bins:
            counts[i] = np.histogram(own, edges)[0]
    columns = {
        "low": np.tile(edges[:-1], n_groups),
        "high": np.tile(edges[1:], n_groups),
        "n_responses": counts.ravel(),
        "share": ratio(counts, np.repeat(known[:, None], n_bins, axis=1)).ravel(),
    }
    return with_keys(groups, n_bins, result_frame(schema.USAGE_HISTOGRAM, columns))


def span_of(lp: LogprobTables, span: str | None) -> str:
    """Return the span of `usage_over_time` that is asked for, or that the times of a load need."""
    if span is not None:
        return span
    created = lp.responses["created"].cast(pa.int64()).drop_null().to_numpy()
    length = int(np.ptp(created)) if len(created) else 0
    few = (each for each in _SPANS if length // _milliseconds(each) < _FEW_SPANS)
    return next(few, _SPANS[-1])


def _milliseconds(span: str) -> int:
    """Return the length of a span, in milliseconds, or raise `ArgumentError`."""
    try:
        length = pd.Timedelta(pd.tseries.frequencies.to_offset(span)) / pd.Timedelta("1ms")
    except (ValueError, TypeError):
        length = 0.0
    if not isinstance(span, str) or length < 1 or length != int(length):
        raise arguments.invalid("span", span, "a length of time such as '1min' or '1h'")
    return int(length)
