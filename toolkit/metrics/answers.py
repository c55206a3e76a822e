"""List the answers of a load with their texts and certainty, sorted and filtered."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit import arguments, arrow, schema
from toolkit.errors import ArgumentError
from toolkit.metrics._arrays.types import Flags
from toolkit.metrics._results import categorical, result_frame
from toolkit.metrics.sequences import sequence_metrics
from toolkit.tables.attaching import token_counts

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_OF_AN_ANSWER = ("content", "refusal", "reasoning", "prompt")  # channels, the first that has tokens
_CONDITION = re.compile(r"\s*(\w+)\s*(!=|<=|>=|==?|<|>)\s*(.*?)\s*", re.DOTALL)
_COMPARE = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def answers(
    lp: LogprobTables,
    *,
    sort: str | Sequence[str] | None = None,
    ascending: bool | None = None,
    where: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """List answers with text, perplexity and weakest token, sorted and filtered.

    An answer is a choice. Its row is about one channel: content if that has tokens, else refusal,
    else reasoning.

    Parameters
    ----------
    lp : LogprobTables
    sort : str or sequence of str, optional
        Columns to sort by. Default: the order of the recording.
    ascending : bool, optional
        Whether the least values come first, as in pandas. Default: the least certain answers come
        first, whichever end that is; columns that are not about certainty begin with the least.
        Nulls are last.
    where : str or sequence of str, optional
        Conditions, all of which the answers must meet: a column, one of ``=``, ``!=``, ``<``,
        ``<=``, ``>``, ``>=``, and a value, such as ``"model=gpt-4o"`` or ``"perplexity>2"``. Quotes
        around the value are not part of it. The value ``null`` is the missing value, which meets
        only ``=null`` and ``!=`` others.

    Returns
    -------
    DataFrame
        One row per choice in the columns of ``schema.ANSWERS``. Metrics of an answer without a
        usable token are NaN, its weakest token and position NA.

    Raises
    ------
    ArgumentError
        If a column does not exist, or a condition cannot be read.

    Examples
    --------
    >>> import toolkit
    >>> lp = toolkit.read("data/capitals_batch.jsonl")
    >>> worst = answers(lp, sort="perplexity", where=["n_tokens<9", "finish_reason=stop"])
    >>> worst[["custom_id", "text", "weakest_token"]].head(2).values.tolist()
    [['capital-007', ' Sydney', ' Sydney'], ['capital-027', ' Karachi', ' Karachi']]
    """
    names = arguments.columns("sort", sort, schema.ANSWERS.names)
    if ascending is not None:
        ascending = arguments.flag("ascending", ascending)
    tests = arguments.items("where", where, "conditions such as 'model=gpt-4o'")
    conditions = [_condition(text) for text in tests]
    found = _answers(lp)
    met = np.ones(len(found), np.bool_)
    for name, sign, value in conditions:
        met &= _meets(found[name], name, sign, value)
    found = found[met]
    if names:
        least_first = [
            schema.ANSWERS[name].direction != "lower" if ascending is None else ascending
            for name in names
        ]
        found = found.sort_values(names, ascending=least_first, kind="stable")
    return found.reset_index(drop=True)


def _answers(lp: LogprobTables) -> pd.DataFrame:
    """Return the answers of all choices, in the order of the recording."""
    sequences = sequence_metrics(lp)
    channel = sequences["channel"].cat.codes.to_numpy()
    preference = np.array([_OF_AN_ANSWER.index(name) for name in schema.CHANNELS])[channel]
    keys = [sequences[name].to_numpy() for name in ("response_key", "choice")]
    order = np.lexsort((preference, keys[1], keys[0]))
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = np.logical_or.reduce([np.diff(key[order]) != 0 for key in keys])
    chosen = order[is_first]  # one for each row of lp.choices
    channel = channel[chosen]
    sent = {name: lp.choices[name].is_valid().to_numpy() for name in ("content", "refusal")}
    is_refused = (sequences["n_tokens"].to_numpy()[chosen] == 0) & ~sent["content"]
    channel[is_refused & sent["refusal"]] = schema.CHANNELS.index("refusal")
    own = sequences.iloc[chosen].reset_index(drop=True)
    own["channel"] = categorical(channel, schema.CHANNELS)
    own["mean_probability"] = np.exp(own["mean_logprob"])
    starts = arrow.offsets(token_counts(lp.choices).ravel())[:-1].reshape(-1, len(schema.CHANNELS))
    known = own["weakest_position"].notna().to_numpy()
    weakest = own["weakest_position"].fillna(0).to_numpy(np.int64)
    rows = pa.array(starts[np.arange(len(own)), channel] + weakest, mask=~known)
    own["weakest_token"] = arrow.to_pandas(lp.tokens.select(["token"]).take(rows))["token"].array
    return result_frame(schema.ANSWERS, lp.attach(own, "line", "text"))


def _condition(text: str) -> tuple[str, str, str | None]:
    """Return the column, the sign and the value of a condition; None for null."""
    found = _CONDITION.fullmatch(text)
    if not found:
        expected = "a column, one of = != < <= > >= and a value, such as 'model=gpt-4o'"
        raise arguments.invalid("where", text, expected)
    name = arguments.one_of("where", found[1], schema.ANSWERS.names)
    quoted = re.fullmatch(r"(['\"])(.*)\1", found[3], re.DOTALL)  # as in SQL, Python and pandas
    value = quoted[2] if quoted else None if found[3] == "null" else found[3]
    return name, found[2], value


def _meets(values: pd.Series, name: str, sign: str, value: str | None) -> Flags:
    """Return which values of a column meet a condition."""
    missing = values.isna().to_numpy()
    if value is None:
        if sign not in ("=", "==", "!="):
            raise ArgumentError(f"where: {name}{sign}null: expected = or != before null")
        return ~missing if sign == "!=" else missing
    wanted: Any = value
    kind: Any = object
    if pd.api.types.is_numeric_dtype(values):
        kind = np.int64 if pd.api.types.is_integer_dtype(values) else np.float64
        try:
            wanted = int(value) if re.fullmatch("[+-]?[0-9]{1,18}", value) else float(value)
        except ValueError:
            raise arguments.invalid(f"where: {name}{sign}", value, "a number or null") from None
    met = np.full(len(values), sign == "!=")
    met[~missing] = _COMPARE[sign](values[~missing].to_numpy(kind), wanted)
    return met
