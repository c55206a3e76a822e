"""Count tokens, finish reasons and cost of responses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import arguments, arrow, schema
from toolkit.errors import ArgumentError
from toolkit.metrics._arrays.segments import ratio
from toolkit.metrics._arrays.types import Array, Counts
from toolkit.metrics._blocks import rows_of
from toolkit.metrics._groups import Groups, grouped, numbered
from toolkit.metrics._partial import Partial, sums
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
_RATED = _TOKENS[1:3]
_OF_CHOICES = (
    "finish_reason",
    "logprobs_state",
    *(f"n_{channel}_tokens" for channel in schema.ANSWER_CHANNELS),
)
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
    return usage_table(usage_partial(require_tables(lp), by=by, prices=prices))


def usage_columns(by: Sequence[str]) -> dict[str, Collection[str]]:
    """Return the columns of each table that `usage_partial` reads."""
    responses = {*_TOKENS, *by, "error", "finished", "created", "model"}
    return {"responses": responses, "choices": _OF_CHOICES}


def usage_partial(
    tables: LogprobTables | Mapping[str, pa.Table],
    *,
    by: GroupBy,
    prices: Mapping[str, Price] | str | None,
) -> Partial:
    """Return what `usage_table` adds up, of some responses."""
    responses, choices = tables["responses"], tables["choices"]
    groups = response_groups(responses, by, schema.USAGE)
    owners = _owners(responses, choices)
    group = groups.numbers()
    tokens = {name: arrow.floats(responses[name]) for name in _TOKENS}
    known = {name: ~np.isnan(values) for name, values in tokens.items()}
    cost = costs(responses, prices)
    cached = known["cached_tokens"] & known["prompt_tokens"]
    counts = {
        "n_responses": np.ones(len(group), np.int64),
        "n_errors": pc.is_valid(responses["error"]).to_numpy(),
        "n_finished": arrow.flags(responses["finished"]),
        "n_with_usage": np.logical_or.reduce(list(known.values())),
        "n_priced": ~np.isnan(cost),
        "cached": np.where(cached, tokens["cached_tokens"], 0.0),
        "prompt": np.where(cached, tokens["prompt_tokens"], 0.0),
        **{name: np.nan_to_num(values) for name, values in tokens.items()},
        **{f"known_{name}": flags for name, flags in known.items()},
        **_choice_terms(choices, owners, tokens["completion_tokens"]),
    }
    added = pd.DataFrame({name: values.astype(np.int64) for name, values in counts.items()})
    unpriced = _without_price(responses, cost if prices is not None else np.zeros(len(cost)))
    found = {
        "sums": added.assign(cost=np.nan_to_num(cost), group=group),
        "values": pd.concat(
            [
                pd.DataFrame({"group": group, "of": of, "value": tokens[name], "count": 1})
                for of, name in enumerate(_DESCRIBED)
            ]
        ).dropna(),
        "rates": _rate_terms(group, responses["created"], tokens),
        "reasons": _counted(group[owners], pc.fill_null(choices["finish_reason"], "null")),
        "unpriced": _counted(group, pa.array(unpriced, pa.large_string())),
    }
    return Partial(groups.keys, found)


def usage_table(partial: Partial) -> pd.DataFrame:
    """Return the result of `usage` from what was added up."""
    groups, terms = partial.groups("sums"), partial.tables["sums"]
    whole = terms.columns.drop(["cost", "group"])
    total = {name: groups.total(terms[name].to_numpy()) for name in whole}
    cost = groups.exact_total(terms["cost"].to_numpy())
    reasons = np.empty(len(groups.keys), object)
    reasons[:] = _by_text(partial, "reasons")
    columns = {
        **total,
        **{name: integers(total[name], total[f"known_{name}"] > 0) for name in _TOKENS},
        **_described(partial, total),
        **_rates(partial),
        "cost": np.where(total["n_priced"] > 0, cost, np.nan),
        "cached_share": ratio(total["cached"], total["prompt"]),
        "share_with_logprobs": ratio(total["n_present"], total["n_responses"]),
        "logprob_coverage": ratio(total["covered_rows"], total["covered_tokens"]),
        "unpriced_models": [list(found) for found in _by_text(partial, "unpriced")],
        "finish_reasons": reasons,
    }
    found = pd.concat([groups.keys, result_frame(schema.USAGE, columns)], axis=1)
    return wide_frame(schema.USAGE, found)


def _by_text(partial: Partial, name: str) -> list[dict[str, int]]:
    """Return the counts of each group by text, in alphabetical order."""
    table, groups = partial.tables[name], partial.groups(name)
    texts, counts = (table[column].to_numpy(object) for column in ("value", "count"))
    both = zip(groups.split(texts), groups.split(counts), strict=True)
    return [dict(sorted(zip(own.tolist(), n.tolist(), strict=True))) for own, n in both]


def _counted(group: Counts, texts: pa.Array | pa.ChunkedArray) -> pd.DataFrame:
    """Count each text of each group, without nulls."""
    table = pa.table({"group": group, "value": texts}).drop_null()
    found = table.group_by(["group", "value"]).aggregate([([], "count_all")])
    return found.rename_columns({"count_all": "count"}).to_pandas()


def response_groups(responses: pa.Table, by: GroupBy, declared: schema.Table) -> Groups:
    """Group the responses by some of their columns, or by Series of the same length.

    Raises
    ------
    ArgumentError
        If a column does not exist; if a Series has no name, the name of a `declared` column, or
        not one value per response; or if a name occurs twice.
    """
    wanted = [by] if isinstance(by, str | pd.Series) else _listed(by)
    own = [each for each in wanted if isinstance(each, pd.Series)]
    for each in own:
        if not isinstance(each.name, str) or each.name in declared.names:
            raise ArgumentError(
                f"by: a Series needs a name, none of the columns of {declared.name}; "
                f"found {each.name!r}"
            )
        if len(each) != responses.num_rows:
            raise ArgumentError(
                f"by: Series {each.name!r} has {len(each)} values for "
                f"{responses.num_rows} responses"
            )
    series = {each.name: each.array for each in own}
    names = [each.name if isinstance(each, pd.Series) else each for each in wanted]
    names = arguments.columns("by", names, [*_GROUPABLE, *series])
    keys = {n: series[n] if n in series else responses[n].to_pandas() for n in names}
    return grouped(pd.DataFrame(keys, index=range(responses.num_rows)), names)


def _listed(by: object) -> list[str | pd.Series]:
    found = list(by) if isinstance(by, Iterable) and not isinstance(by, pd.DataFrame) else [by]
    if by is None:
        return []
    for each in found:
        if not isinstance(each, str | pd.Series):
            raise arguments.invalid("by", each, "a column of responses, a Series, or several")
    return found


def _rate_terms(
    group: Counts, created: pa.ChunkedArray, tokens: Mapping[str, Array]
) -> pd.DataFrame:
    """Return the time and the tokens of each response that has both."""
    minute = arrow.floats(created.cast(pa.int64())) / 60_000
    terms = [
        pd.DataFrame({"group": group, "of": of, "minute": minute, "tokens": tokens[name]})
        for of, name in enumerate(_RATED)
    ]
    return pd.concat(terms).dropna()


def _ends(terms: pd.DataFrame) -> pd.DataFrame:
    """Reduce the times of each group to the first and the last, and the tokens before the last."""
    keys = ["group", "of"]
    last = terms["minute"] == terms.groupby(keys)["minute"].transform("max")
    parts = terms.assign(last=last).groupby([*keys, "last"], as_index=False)
    return parts.agg({"minute": "min", "tokens": "sum"})[["group", "of", "minute", "tokens"]]


def _rates(partial: Partial) -> dict[str, Array]:
    """Return tokens per minute: the tokens before the last response, over the time until it."""
    columns = {}
    for of, name in enumerate(_RATED):
        rates = []
        for when, counts in _each(partial, "rates", of, ("minute", "tokens")):
            span = np.ptp(when) if len(when) else 0.0
            rates.append(counts[when < when.max()].sum() / span if span > 0 else np.nan)
        columns[f"{name}_per_minute"] = np.array(rates, np.float64)
    return columns


def _each(
    partial: Partial, name: str, of: int, columns: tuple[str, str]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield two columns of the rows about one count of tokens, group by group."""
    table = partial.tables[name]
    table = table[table["of"] == of]
    groups = numbered(table["group"].to_numpy(), partial.keys)
    one, two = (groups.split(table[column].to_numpy()) for column in columns)
    return zip(one, two, strict=True)


def _described(partial: Partial, total: Mapping[str, Counts]) -> dict[str, Array]:
    columns = {}
    for of, name in enumerate(_DESCRIBED):
        columns[f"mean_{name}"] = ratio(total[name], total[f"known_{name}"])
        for how, q in (("median", 0.5), ("p95", 0.95)):
            each = _each(partial, "values", of, ("value", "count"))
            columns[f"{how}_{name}"] = np.array([quantile(*own, q) for own in each], np.float64)
    return columns


def quantile(values: Array, counts: Counts, q: float) -> float:
    """Return a quantile of values that occur several times, by NumPy's linear rule.

    Examples
    --------
    >>> quantile(np.array([9.0, 1.0]), np.array([1, 2]), 0.75)
    5.0
    """
    if not len(values):
        return np.nan
    order = np.argsort(values, kind="stable")
    ends = np.cumsum(counts[order])
    last = int(ends[-1]) - 1
    at = last * q
    ranks = [int(at), min(int(at) + 1, last)]
    low, high = values[order][np.searchsorted(ends, ranks, "right")].tolist()
    share = at - int(at)
    if share < 0.5:  # NumPy begins at the nearer of the two
        return float(low + (high - low) * share)
    return float(high - (high - low) * (1 - share))


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
    return [sorted(set(own) - {None}) for own in groups.split(_without_price(responses, cost))]


def _without_price(responses: pa.Table, cost: Array) -> np.ndarray:
    """Return the model of each response that reports tokens and has no price, else None."""
    counted = pc.and_(*(responses[name].is_valid() for name in _TOKENS[:2])).to_numpy()
    names = np.array(pc.fill_null(responses["model"], "null").to_pylist(), object)
    names[~(counted & np.isnan(cost))] = None
    return names


def _owners(responses: pa.Table, choices: pa.Table) -> Counts:
    """Return the row of the response of each choice."""
    keys, of = (table["response_key"].to_numpy() for table in (responses, choices))
    return rows_of(keys, of, "responses")


def _choice_terms(
    choices: pa.Table, row: Counts, completion_tokens: Array
) -> dict[str, np.ndarray]:
    n_responses = len(completion_tokens)
    state = arrow.codes(choices["logprobs_state"], schema.LOGPROBS_STATES)
    present = np.zeros(n_responses, np.bool_)
    present[row[state == schema.LOGPROBS_STATES.index("present")]] = True
    token_rows = np.zeros(n_responses, np.int64)
    for channel in schema.ANSWER_CHANNELS:
        np.add.at(token_rows, row, choices[f"n_{channel}_tokens"].to_numpy())
    covered = present & ~np.isnan(completion_tokens)
    return {
        "n_choices": np.bincount(row, minlength=n_responses),
        "n_present": present,
        "n_token_rows": token_rows,
        "covered_rows": np.where(covered, token_rows, 0),
        "covered_tokens": np.where(covered, completion_tokens, 0.0),
    }


REDUCERS = {
    "sums": sums(),
    "values": sums("of", "value"),
    "rates": _ends,
    "reasons": sums("value"),
    "unpriced": sums("value"),
}
"""How to reduce what several partials have."""
