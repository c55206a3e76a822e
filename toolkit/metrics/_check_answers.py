"""Find oddities of responses and choices, for `check`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import arrow, schema
from toolkit.metrics import tokens
from toolkit.metrics._arrays.types import Counts, Flags
from toolkit.metrics._blocks import rows_of
from toolkit.metrics._findings import ABSENT, CODES, PLACE, Origins, Tally, first_rows
from toolkit.metrics._partial import Partial
from toolkit.metrics.sequences import choice_rows
from toolkit.tables import LogprobTables, has_texts

_IDS = ("response_id", "custom_id")
ID_COLUMNS = ("response_key", "model", "format", *_IDS)
"""Columns of responses that `ids_partial` reads."""


def of_responses(lp: LogprobTables, groups: Origins) -> pd.DataFrame:
    """Return the flagged responses by group."""
    table = lp.responses
    tally = Tally(table, groups.of_response, len(groups.keys))
    failed = table["error"].is_valid().to_numpy()
    tally.add("failed", failed)
    tally.add("no_choices", ~failed & (table["n_choices"].to_numpy() == 0))
    notes = table["notes"].combine_chunks()
    owners, codes = notes.value_parent_indices().to_numpy(), notes.flatten().to_pylist()
    for code in dict.fromkeys(codes):
        flags = np.zeros(len(table), np.bool_)
        flags[owners[[i for i, own in enumerate(codes) if own == code]]] = True
        tally.add(f"note_{code}", flags)
    return tally.rows()


def ids_partial(responses: pa.Table, part: int = 0, n_parts: int = 1) -> Partial:
    """Return how often each id occurs, and where first.

    Parameters
    ----------
    responses : pyarrow.Table
        With `ID_COLUMNS`.
    part, n_parts : int
        Take only the ids of one of several parts, so that fewer are in memory.
    """
    groups = Origins.of(responses)
    tables = []
    for name in _IDS:
        ids = pd.DataFrame(
            {
                "group": groups.of_response,
                "code": CODES.index(f"duplicate_{name}"),
                "value": responses[name].to_pandas(),
                "count": 1,
                "response_key": responses["response_key"].to_numpy(),
            }
        ).dropna()
        if n_parts > 1:
            ids = ids[pd.util.hash_array(ids["value"].to_numpy(object)) % n_parts == part]
        tables.append(ids)
    return Partial(groups.keys, {"ids": pd.concat(tables, ignore_index=True)})


def _added_ids(ids: pd.DataFrame) -> pd.DataFrame:
    added = ids.groupby(["code", "value", "group"], as_index=False)
    return added.agg({"count": "sum", "response_key": "min"})[list(ids.columns)]


ID_REDUCERS = {"ids": _added_ids}


def repeated(ids: Partial) -> Partial:
    """Return the responses whose id occurs more than once, as flagged rows."""
    table = ids.tables["ids"]
    total = table.groupby(["code", "value"])["count"].transform("sum")
    again = table[total > 1].drop(columns="value")
    place = dict.fromkeys(PLACE[1:], ABSENT)
    return Partial(ids.keys, {"flags": first_rows(again.assign(**place))})


def coverage(lp: LogprobTables, groups: Origins) -> dict[str, Counts]:
    """Return the tokens that usage counts and those that have rows, where there are both."""
    reported = arrow.floats(lp.responses["completion_tokens"])
    n_tokens = sum(lp.choices[f"n_{name}_tokens"].to_numpy() for name in schema.ANSWER_CHANNELS)
    keys, of = (table["response_key"].to_numpy() for table in (lp.responses, lp.choices))
    tokens_of = np.bincount(rows_of(keys, of, "responses"), n_tokens, minlength=len(lp))
    both = (reported > 0) & (tokens_of > 0)
    owners, n = groups.of_response[both], len(groups.keys)
    sums = {"reported": reported, "covered": tokens_of}
    return {
        name: np.bincount(owners, values[both], minlength=n).astype(np.int64)
        for name, values in sums.items()
    }


def of_choices(lp: LogprobTables, groups: Origins, owners: Counts) -> pd.DataFrame:
    """Return the flagged choices by group."""
    table = lp.choices
    tally = Tally(table, owners, len(groups.keys))
    has_text = _has_text(lp)
    has_tokens = np.logical_or.reduce(
        [table[f"n_{name}_tokens"].to_numpy() > 0 for name in schema.ANSWER_CHANNELS]
    )
    is_call = table["tool_calls"].is_valid().to_numpy()
    tally.add("mixed_signs", _mixed_signs(lp))
    tally.add("no_logprobs", has_text & ~has_tokens)
    tally.add("no_answer", ~has_text & ~has_tokens & ~is_call)
    tally.add("bare_tool_call", ~has_text & ~has_tokens & is_call)
    aligned = [
        arrow.codes(table[name], schema.ALIGNMENTS) for name in ("alignment", "refusal_alignment")
    ]
    for code in ("tokens_short", "mismatch", "tokens_extra"):
        at = schema.ALIGNMENTS.index(code)
        tally.add(code, ((aligned[0] == at) | (aligned[1] == at)) & has_tokens)
    reason = pd.Series(table["finish_reason"].to_pylist(), dtype=object)
    tally.add("unfinished", reason.isna().to_numpy() & (has_text | has_tokens))
    tally.add("cut_by_length", (reason == "length").to_numpy(bool))
    tally.add("content_filter", (reason == "content_filter").to_numpy(bool))
    return tally.rows()


def _has_text(lp: LogprobTables) -> Flags:
    """Return which choices have a text, be it left out: such a text is empty."""
    found = np.zeros(lp.choices.num_rows, np.bool_)
    known = has_texts(lp.responses)
    keys, of = (table["response_key"].to_numpy() for table in (lp.responses, lp.choices))
    is_left_out = None if known.all() else ~known[rows_of(keys, of, "responses")]
    for name in schema.ANSWER_CHANNELS:
        texts = lp.choices[name]
        found |= pc.fill_null(pc.not_equal(texts, ""), False).to_numpy()
        if is_left_out is not None:
            found |= is_left_out & texts.is_valid().to_numpy()
    return found


def _mixed_signs(lp: LogprobTables) -> Flags:
    """Return which choices have logprobs above 0 and usable ones."""
    status = arrow.codes(lp.tokens["status"], schema.STATUSES)
    rows = np.flatnonzero(tokens.of_answers(lp)[1] & (status <= tokens.CENSORED))
    keys = (lp.tokens[name].to_numpy()[rows] for name in ("response_key", "choice"))
    flags = np.zeros(lp.choices.num_rows, np.bool_)
    flags[choice_rows(lp, *keys)] = True
    return flags
