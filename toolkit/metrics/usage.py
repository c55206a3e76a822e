"""Count tokens, finish reasons and cost of responses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import arguments, arrow, schema
from toolkit.errors import ArgumentError
from toolkit.metrics._arrays.segments import ratio, segment_ids
from toolkit.metrics._arrays.types import Array, Counts
from toolkit.metrics._blocks import rows_of
from toolkit.metrics._groups import Groups, grouped
from toolkit.metrics._prices import Price, costs
from toolkit.metrics._results import integers, result_frame, wide_frame
from toolkit.tables import require_tables

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

GroupBy: TypeAlias = "str | pd.Series | Sequence[str | pd.Series] | None"
"""What responses can be grouped by."""

_TOKENS = (
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cached_tokens",
    "reasoning_tokens",
)
_DESCRIBED = _TOKENS[:3]
_GROUPABLE = [c.name for c in schema.RESPONSES.columns if not pa.types.is_list(c.type)]


def usage(
    lp: LogprobTables,
    *,
    by: GroupBy = None,
    prices: Mapping[str, Price] | str | None = None,
) -> pd.DataFrame:
    """Count tokens, finish reasons and cost, over all responses or per group.

    Token counts are those of the server. A count that a response does not report is omitted;
    ``n_with_usage`` is the number of responses that report any. Medians and 95th percentiles
    interpolate linearly (NumPy's default).

    Parameters
    ----------
    lp : LogprobTables
    by : str, Series or sequence of them, optional
        Columns of ``lp.responses`` to group by, such as ``"model"``, or a named Series with a value
        for each row of ``lp.responses``. Null is a group too.
    prices : mapping or "genai-prices", optional
        Price per million tokens by model, named exactly as in ``lp.responses``: a pair
        ``(input, output)``, or a mapping with the keys ``input``, ``output`` and, if cached tokens
        have another price, ``cached_input``. ``"genai-prices"`` takes the list prices (US dollars)
        of the package with this name, on the day of ``created``, or today if that is null; it needs
        the extra ``prices``.

    Returns
    -------
    DataFrame
        The columns of `by`, then those of ``schema.USAGE``; groups are sorted. Without `by` there
        is one row, even if there is no response. Counts are int64; sums of token counts are Int64
        with NA for unknown; means, percentiles, shares and ``cost`` are float64 with NaN;
        ``finish_reasons`` holds a dict per row and ``unpriced_models`` a list. ``cost`` covers the
        ``n_priced`` responses whose model has a price and that report prompt and completion
        tokens.

    Raises
    ------
    ArgumentError
        If a column of `by` does not exist, cannot be grouped by, or does not have one value per
        response; if a price is invalid, or genai-prices is not installed.

    Examples
    --------
    >>> import toolkit
    >>> entries = [{"token": "H", "logprob": -0.5}, {"token": "i", "logprob": -0.1}]
    >>> choice = {"message": {"content": "Hi"}, "finish_reason": "stop"}
    >>> body = {
    ...     "model": "m",
    ...     "choices": [{**choice, "logprobs": {"content": entries}}],
    ...     "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
    ... }
    >>> row = usage(toolkit.from_responses(body), prices={"m": (1.0, 4.0)}).iloc[0]
    >>> int(row["total_tokens"]), float(row["logprob_coverage"]), row["finish_reasons"]
    (13, 0.5, {'stop': 1})
    >>> f"{row['cost']:.6f}"
    '0.000025'
    """
    groups = response_groups(lp, by, schema.USAGE)
    tokens = {name: arrow.floats(lp.responses[name]) for name in _TOKENS}
    columns = {
        "n_responses": np.diff(groups.offsets),
        "n_errors": groups.total(pc.is_valid(lp.responses["error"]).to_numpy()),
        "n_finished": groups.total(arrow.flags(lp.responses["finished"])),
        "n_with_usage": groups.total(np.logical_or.reduce([~np.isnan(n) for n in tokens.values()])),
        **cost_columns(lp, groups, prices),
        **_token_columns(groups, tokens),
        "cached_share": _cached_share(groups, tokens["cached_tokens"], tokens["prompt_tokens"]),
        **_rates(groups, lp.responses["created"], tokens),
        **_choice_columns(lp, groups, tokens["completion_tokens"]),
    }
    found = pd.concat([groups.keys, result_frame(schema.USAGE, columns)], axis=1)
    return wide_frame(schema.USAGE, found)


def response_groups(lp: LogprobTables, by: GroupBy, declared: schema.Table) -> Groups:
    """Group the responses by some of their columns, or by Series of the same length.

    Raises
    ------
    ArgumentError
        If a column does not exist; if a Series has no name, the name of a `declared` column, or
        not one value per response; or if a name occurs twice.
    """
    require_tables(lp)
    wanted = [by] if isinstance(by, str | pd.Series) else _listed(by)
    own = [each for each in wanted if isinstance(each, pd.Series)]
    for each in own:
        if not isinstance(each.name, str) or each.name in declared.names:
            raise ArgumentError(
                f"by: a Series needs a name, none of the columns of {declared.name}; "
                f"found {each.name!r}"
            )
        if len(each) != lp.responses.num_rows:
            raise ArgumentError(
                f"by: Series {each.name!r} has {len(each)} values for "
                f"{lp.responses.num_rows} responses"
            )
    series = {each.name: each.array for each in own}
    names = [each.name if isinstance(each, pd.Series) else each for each in wanted]
    names = arguments.columns("by", names, [*_GROUPABLE, *series])
    keys = {n: series[n] if n in series else lp.responses[n].to_pandas() for n in names}
    return grouped(pd.DataFrame(keys, index=range(lp.responses.num_rows)), names)


def _listed(by: object) -> list[str | pd.Series]:
    found = list(by) if isinstance(by, Iterable) and not isinstance(by, pd.DataFrame) else [by]
    if by is None:
        return []
    for each in found:
        if not isinstance(each, str | pd.Series):
            raise arguments.invalid("by", each, "a column of responses, a Series, or several")
    return found


def _cached_share(groups: Groups, cached: Array, prompt: Array) -> Array:
    known = ~np.isnan(cached) & ~np.isnan(prompt)
    return ratio(
        groups.total(np.where(known, cached, 0.0)), groups.total(np.where(known, prompt, 0.0))
    )


def _rates(
    groups: Groups, created: pa.ChunkedArray, tokens: Mapping[str, Array]
) -> dict[str, Array]:
    """Return tokens per minute: the tokens before the last response, over the time until it."""
    minute = arrow.floats(created.cast(pa.int64())) / 60_000
    columns = {}
    for name in ("completion_tokens", "total_tokens"):
        rates = []
        for when, counts in zip(groups.split(minute), groups.split(tokens[name]), strict=True):
            known = ~np.isnan(when) & ~np.isnan(counts)
            when, counts = when[known], counts[known]
            span = np.ptp(when) if len(when) else 0.0
            rates.append(counts[when < when.max()].sum() / span if span > 0 else np.nan)
        columns[f"{name}_per_minute"] = np.array(rates, np.float64)
    return columns


def _token_columns(groups: Groups, tokens: Mapping[str, Array]) -> dict[str, object]:
    columns: dict[str, object] = {}
    for name, values in tokens.items():
        n_known = groups.total(~np.isnan(values))
        total = groups.total(np.nan_to_num(values))
        columns[name] = integers(total, n_known > 0)
        if name in _DESCRIBED:
            known = [part[~np.isnan(part)] for part in groups.split(values)]
            columns[f"mean_{name}"] = ratio(total, n_known)
            for how, q in (("median", 0.5), ("p95", 0.95)):
                columns[f"{how}_{name}"] = np.array(
                    [np.quantile(part, q) if len(part) else np.nan for part in known], np.float64
                )
    return columns


def cost_columns(
    lp: LogprobTables, groups: Groups, prices: Mapping[str, Price] | str | None
) -> dict[str, object]:
    """Return the cost of each group, of how many responses it is, and the models without a price.

    Parameters
    ----------
    lp : LogprobTables
    groups : Groups
        Groups of responses.
    prices : mapping, str or None
        As in `usage`.
    """
    cost = costs(lp.responses, prices)
    n_priced = groups.total(~np.isnan(cost))
    return {
        "n_priced": n_priced,
        "cost": np.where(n_priced > 0, groups.exact_total(np.nan_to_num(cost)), np.nan),
        "unpriced_models": _unpriced(lp.responses, groups, cost)
        if prices is not None
        else [[] for _ in groups.offsets[1:]],
    }


def _unpriced(responses: pa.Table, groups: Groups, cost: Array) -> list[list[str]]:
    """Return the models of each group that report tokens and have no price, sorted."""
    counted = pc.and_(*(responses[name].is_valid() for name in _TOKENS[:2])).to_numpy()
    names = np.array(pc.fill_null(responses["model"], "null").to_pylist(), object)
    names[~(counted & np.isnan(cost))] = None
    return [sorted(set(own) - {None}) for own in groups.split(names)]


def _choice_columns(
    lp: LogprobTables, groups: Groups, completion_tokens: Array
) -> dict[str, object]:
    choices, n_responses = lp.choices, lp.responses.num_rows
    row = rows_of(
        lp.responses["response_key"].to_numpy(), choices["response_key"].to_numpy(), "responses"
    )
    state = arrow.codes(choices["logprobs_state"], schema.LOGPROBS_STATES)
    present = np.zeros(n_responses, np.bool_)
    present[row[state == schema.LOGPROBS_STATES.index("present")]] = True
    token_rows = np.zeros(n_responses, np.int64)
    for channel in schema.ANSWER_CHANNELS:
        np.add.at(token_rows, row, choices[f"n_{channel}_tokens"].to_numpy())
    covered = present & ~np.isnan(completion_tokens)
    n_choices = groups.total(np.bincount(row, minlength=n_responses))
    return {
        "n_choices": n_choices,
        "share_with_logprobs": ratio(groups.total(present), np.diff(groups.offsets)),
        "n_token_rows": groups.total(token_rows),
        "logprob_coverage": ratio(
            groups.total(np.where(covered, token_rows, 0)),
            groups.total(np.where(covered, completion_tokens, 0.0)),
        ),
        "finish_reasons": _finish_reasons(choices["finish_reason"], groups, row),
    }


def _finish_reasons(reasons: pa.ChunkedArray, groups: Groups, row: Counts) -> np.ndarray:
    """Return a dict of counts per group, its reasons in alphabetical order."""
    group = np.empty(len(groups.order), np.int64)
    group[groups.order] = segment_ids(groups.offsets)
    counted = pa.table({"group": group[row], "reason": pc.fill_null(reasons, "null")})
    counted = counted.group_by(["group", "reason"]).aggregate([([], "count_all")])
    out = np.empty(len(groups.offsets) - 1, object)
    out[:] = [{} for _ in out]
    for entry in counted.sort_by([("group", "ascending"), ("reason", "ascending")]).to_pylist():
        out[entry["group"]][entry["reason"]] = entry["count_all"]
    return out
