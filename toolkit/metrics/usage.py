"""Tokens used, how many of them have logprobs, how answers ended, and what they cost."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import core, frames

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

Price = tuple[float, float] | Mapping[str, float]

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
    by: str | Sequence[str] | None = None,
    prices: Mapping[str, Price] | None = None,
) -> pd.DataFrame:
    """Count tokens, finish reasons and cost, over all responses or per group.

    Token counts are the server's. What a response does not report is left out, and
    ``n_with_usage`` tells how many report any. Medians and 95th percentiles are linear between
    neighbours (NumPy's default).

    Parameters
    ----------
    lp : LogprobTables
    by : str or sequence of str, optional
        Columns of ``lp.responses`` to group by, such as ``"model"``. Null is a group too.
    prices : mapping, optional
        Price per million tokens by model, the name exactly as in ``lp.responses``: a pair
        ``(input, output)`` or a mapping with the keys ``input``, ``output`` and, where tokens
        served from a cache have their own price, ``cached_input``.

    Returns
    -------
    DataFrame
        The columns of `by`, then those of ``schema.USAGE``; groups are sorted. Without `by` there
        is a row even if there is no response. Counts are int64, sums of token counts Int64 with NA
        for unknown, means, percentiles, shares and ``cost`` float64 with NaN; ``finish_reasons``
        holds a dict per row. ``cost`` covers the ``n_priced`` responses whose model has a price
        and that report prompt and completion tokens.

    Raises
    ------
    ArgumentError
        If a column of `by` does not exist or cannot be grouped by, or a price is none.

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
    names = frames.column_names(by, _GROUPABLE)
    keys = pd.DataFrame(
        {name: lp.responses[name].to_pandas() for name in names},
        index=range(lp.responses.num_rows),
    )
    groups = frames.grouped(keys, names)
    tokens = {name: frames.floats(lp.responses[name]) for name in _TOKENS}
    cost = _cost(lp.responses["model"], tokens, _checked_prices(prices))
    n_priced = groups.total(~np.isnan(cost))
    columns = {
        "n_responses": np.diff(groups.offsets),
        "n_errors": groups.total(pc.is_valid(lp.responses["error"]).to_numpy()),
        "n_finished": groups.total(frames.flags(lp.responses["finished"])),
        "n_with_usage": groups.total(np.logical_or.reduce([~np.isnan(n) for n in tokens.values()])),
        "n_priced": n_priced,
        "cost": np.where(n_priced > 0, groups.exact_total(np.nan_to_num(cost)), np.nan),
        **_token_columns(groups, tokens),
        **_choice_columns(lp, groups, tokens["completion_tokens"]),
    }
    return pd.concat([groups.keys, frames.frame(schema.USAGE, columns)], axis=1)


def _token_columns(groups: frames.Groups, tokens: Mapping[str, core.Array]) -> dict[str, object]:
    columns: dict[str, object] = {}
    for name, values in tokens.items():
        n_known = groups.total(~np.isnan(values))
        total = groups.total(np.nan_to_num(values))
        columns[name] = frames.integers(total, n_known > 0)
        if name in _DESCRIBED:
            known = [part[~np.isnan(part)] for part in groups.split(values)]
            columns[f"mean_{name}"] = core.ratio(total, n_known)
            for how, q in (("median", 0.5), ("p95", 0.95)):
                columns[f"{how}_{name}"] = np.array(
                    [np.quantile(part, q) if len(part) else np.nan for part in known], np.float64
                )
    return columns


def _choice_columns(
    lp: LogprobTables, groups: frames.Groups, completion_tokens: core.Array
) -> dict[str, object]:
    choices, n_responses = lp.choices, lp.responses.num_rows
    row = frames.rows_of(
        lp.responses["response_key"].to_numpy(), choices["response_key"].to_numpy(), "responses"
    )
    state = frames.codes(choices["logprobs_state"], schema.LOGPROBS_STATES)
    present = np.zeros(n_responses, np.bool_)
    present[row[state == schema.LOGPROBS_STATES.index("present")]] = True
    token_rows = np.zeros(n_responses, np.int64)
    for channel in schema.CHANNELS:
        np.add.at(token_rows, row, choices[f"n_{channel}_tokens"].to_numpy())
    covered = present & ~np.isnan(completion_tokens)
    n_choices = groups.total(np.bincount(row, minlength=n_responses))
    return {
        "n_choices": n_choices,
        "share_with_logprobs": core.ratio(groups.total(present), np.diff(groups.offsets)),
        "n_token_rows": groups.total(token_rows),
        "logprob_coverage": core.ratio(
            groups.total(np.where(covered, token_rows, 0)),
            groups.total(np.where(covered, completion_tokens, 0.0)),
        ),
        "finish_reasons": _finish_reasons(choices["finish_reason"], groups, row),
    }


def _finish_reasons(
    reasons: pa.ChunkedArray, groups: frames.Groups, row: core.Counts
) -> np.ndarray:
    """Return a dict of counts per group, its reasons in alphabetical order."""
    group = np.empty(len(groups.order), np.int64)
    group[groups.order] = core.segment_ids(groups.offsets)
    counted = pa.table({"group": group[row], "reason": pc.fill_null(reasons, "null")})
    counted = counted.group_by(["group", "reason"]).aggregate([([], "count_all")])
    out = np.empty(len(groups.offsets) - 1, object)
    out[:] = [{} for _ in out]
    for entry in counted.sort_by([("group", "ascending"), ("reason", "ascending")]).to_pylist():
        out[entry["group"]][entry["reason"]] = entry["count_all"]
    return out


def _checked_prices(prices: Mapping[str, Price] | None) -> dict[str, tuple[float, float, float]]:
    """Return (input, output, cached input) by model."""
    checked = {}
    for model, price in (prices or {}).items():
        if isinstance(price, Mapping):
            fields = {"input": None, "output": None, "cached_input": price.get("input"), **price}
            values = tuple(fields.values()) if len(fields) == 3 else ()
        else:
            values = (*price, price[0]) if isinstance(price, Sequence) and len(price) == 2 else ()
        if len(values) != 3 or not all(isinstance(v, numbers.Real) and v >= 0 for v in values):
            raise ArgumentError(
                f"prices[{model!r}] must be (input, output) or a mapping with the keys input, "
                "output and perhaps cached_input, each a number from 0 up, per million tokens"
            )
        checked[model] = values
    return checked


def _cost(
    models: pa.ChunkedArray,
    tokens: Mapping[str, core.Array],
    prices: Mapping[str, tuple[float, float, float]],
) -> core.Array:
    """Return the cost of each response, NaN where model or usage is unknown."""
    encoded = models.combine_chunks().dictionary_encode()
    unknown = (np.nan, np.nan, np.nan)
    by_code = [prices.get(model, unknown) for model in encoded.dictionary.to_pylist()]
    table = np.array([*by_code, unknown])  # the last stands for null
    price = table[pc.fill_null(encoded.indices, len(by_code)).to_numpy()]
    cached = np.minimum(np.nan_to_num(tokens["cached_tokens"]), tokens["prompt_tokens"])
    return (
        (tokens["prompt_tokens"] - cached) * price[:, 0]
        + tokens["completion_tokens"] * price[:, 1]
        + cached * price[:, 2]
    ) / 1e6
