"""Pair the answers of two runs, and align their tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import arguments, arrow, schema
from toolkit.errors import ArgumentError
from toolkit.metrics import tokens
from toolkit.metrics._alignment.texts import token_runs
from toolkit.metrics._arrays.logprobs import clipped
from toolkit.metrics._arrays.segments import segment_count
from toolkit.metrics._arrays.types import Array, Counts, Flags
from toolkit.metrics._blocks import rows_of
from toolkit.metrics._clusters import request_labels
from toolkit.metrics._results import integers, text_type
from toolkit.tables import require_tables

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_ON = ("custom_id", "position", None)


class Pairs(NamedTuple):
    """Rows of ``choices`` that belong together, -1 where there is none, and their tokens."""

    row_a: Counts
    row_b: Counts
    starts: list[Counts]  # of either run: first row of the answer's tokens
    counts: list[Counts]  # of either run: number of tokens

    @property
    def is_paired(self) -> Flags:
        """Whether both runs have the answer."""
        return (self.row_a >= 0) & (self.row_b >= 0)

    def rows(self, side: int) -> Counts:
        """Return the rows of the first (0) or the second run (1)."""
        return (self.row_a, self.row_b)[side]


class Positions(NamedTuple):
    """The positions of all pairs, one after the other, and which tokens are the same."""

    owner: Counts  # index of the pair
    position: Counts
    rows: list[Counts]  # of either run: rows of ``lp.tokens``, -1 after the end of the answer
    is_same: Flags
    same_prefix: Flags  # whether all tokens before are the same
    n_common: Counts  # by pair: tokens before the first difference
    diverges: Flags  # by pair


def pair(a: LogprobTables, b: LogprobTables, on: str | None, channel: str) -> Pairs:
    """Pair the choices of two runs, in the order of `a`, and find their token rows."""
    require_tables(a, "a")
    require_tables(b, "b")
    at = schema.CHANNELS.index(arguments.channel(channel))
    keys = _names(a, b, on)
    tables = [
        pd.DataFrame(
            {
                "name": keys[i][response_rows(side)],
                "choice": side.choices["choice"].to_numpy(),
                f"row_{i}": np.arange(side.choices.num_rows),
            }
        )
        for i, side in enumerate((a, b))
    ]
    merged = tables[0].merge(tables[1], on=["name", "choice"], how="outer", sort=False)
    last = np.iinfo(np.int64).max
    merged = merged.sort_values(
        ["row_0", "row_1"], key=lambda rows: rows.fillna(last), kind="stable"
    )
    rows = [merged[f"row_{i}"].fillna(-1).to_numpy(np.int64) for i in range(2)]
    starts, counts = [], []
    for side, own in zip((a, b), rows, strict=True):
        runs = token_runs(side)
        exists = own >= 0
        starts.append(np.where(exists, runs.starts[own, at] if len(runs.starts) else 0, 0))
        counts.append(np.where(exists, runs.counts[own, at] if len(runs.counts) else 0, 0))
    return Pairs(rows[0], rows[1], starts, counts)


def response_rows(lp: LogprobTables) -> Counts:
    """Return the row of each choice's response."""
    keys = lp.responses["response_key"].to_numpy()
    return rows_of(keys, lp.choices["response_key"].to_numpy(), "responses")


def choice_requests(lp: LogprobTables) -> pd.Series:
    """Return the request of each choice: answers to one request are not independent."""
    ids = lp.responses["custom_id"].take(response_rows(lp)).to_pandas()
    keys = lp.choices["response_key"].to_pandas()
    return request_labels(pd.DataFrame({"response_key": keys, "custom_id": ids}))


def logprobs_at(lp: LogprobTables, rows: Counts) -> Array:
    """Return the logprobs of token rows that are ok in their answer; NaN for others and for -1."""
    is_ok = tokens.of_answers(lp)[0] == tokens.OK
    logprob = np.where(is_ok, clipped(arrow.floats(lp.tokens["logprob"])), np.nan)
    values = np.full(len(rows), np.nan)
    values[rows >= 0] = logprob[rows[rows >= 0]]
    return values


def same_tokens(a: LogprobTables, b: LogprobTables, pairs: Pairs) -> Flags:
    """Return which pairs have tokens, the same ones in both answers."""
    same = pairs.is_paired & (pairs.counts[0] == pairs.counts[1]) & (pairs.counts[0] > 0)
    own = np.flatnonzero(same)
    counts = pairs.counts[0][own]
    rows = [arrow.run_rows(start[own], counts) for start in pairs.starts]
    written = [joined_bytes(side.tokens, at) for side, at in zip((a, b), rows, strict=True)]
    differs = ~pc.equal(*written).to_numpy(zero_copy_only=False)
    same[own] = segment_count(differs, arrow.offsets(counts)) == 0
    return same


def _names(a: LogprobTables, b: LogprobTables, on: str | None) -> list[np.ndarray]:
    """Return the name by which each response of either run is paired."""
    arguments.one_of("on", on, _ON)
    ids = [side.responses["custom_id"].to_pylist() for side in (a, b)]
    if on is None:
        has_ids = all(None not in own for own in ids)
        if not has_ids and len(a) != len(b):
            raise ArgumentError(
                f"not every response has a custom_id, and there are {len(a)} and {len(b)} "
                "responses: expected on='custom_id' or on='position'"
            )
        on = "custom_id" if has_ids else "position"
    if on == "position":
        return [np.arange(len(side)).astype(object) for side in (a, b)]
    for letter, own in zip("ab", ids, strict=True):
        if None in own:
            raise ArgumentError(
                f"on='custom_id': a response of {letter} has none; on='position' pairs "
                "responses in their order"
            )
        if len(set(own)) < len(own):
            raise ArgumentError(
                f"on='custom_id': a custom_id occurs twice in {letter}; on='position' pairs "
                "responses in their order"
            )
    return [np.array(own, object) for own in ids]


def align(a: LogprobTables, b: LogprobTables, pairs: Pairs) -> Positions:
    """Align the tokens of each pair by position."""
    length = np.where(pairs.is_paired, np.maximum(*pairs.counts), 0)
    owner = np.repeat(np.arange(len(length)), length)
    position = arrow.run_rows(np.zeros(len(length), np.int64), length)
    rows = [
        np.where(position < count[owner], start[owner] + position, -1)
        for start, count in zip(pairs.starts, pairs.counts, strict=True)
    ]
    both = (rows[0] >= 0) & (rows[1] >= 0)
    is_same = both.copy()
    written = [joined_bytes(side.tokens, own[both]) for side, own in zip((a, b), rows, strict=True)]
    is_same[both] = pc.equal(*written).to_numpy(zero_copy_only=False)
    differs = np.flatnonzero(~is_same)
    ends = np.cumsum(length)
    first = np.append(differs, len(is_same))[np.searchsorted(differs, ends - length)]
    n_common = np.minimum(first, ends) - (ends - length)
    same_prefix = position <= n_common[owner]
    return Positions(owner, position, rows, is_same, same_prefix, n_common, n_common < length)


def joined_bytes(table: pa.Table, rows: Counts | None = None) -> pa.Array:
    """Return the bytes of tokens or alternatives, or those of their text if none were sent."""
    table = table.select(["token", "bytes"])
    table = table if rows is None else arrow.take(table, rows)
    raw = pc.coalesce(table["bytes"], table["token"].cast(schema.BINARY))
    return raw.combine_chunks() if isinstance(raw, pa.ChunkedArray) else raw


def keys_of_pairs(
    a: LogprobTables, b: LogprobTables, pairs: Pairs, *, models: bool
) -> dict[str, Any]:
    """Return the keys, ids and models of the pairs."""
    columns: dict[str, Any] = {}
    ids, choice = [], np.zeros(len(pairs.row_a), np.int32)
    for letter, side, rows in (("a", a, pairs.row_a), ("b", b, pairs.row_b)):
        exists = rows >= 0
        keys = np.zeros(len(rows), np.int64)
        keys[exists] = side.choices["response_key"].to_numpy()[rows[exists]]
        choice[exists] = side.choices["choice"].to_numpy()[rows[exists]]
        columns[f"response_key_{letter}"] = integers(keys, exists)
        response = np.full(len(rows), -1, np.int64)
        response[exists] = response_rows(side)[rows[exists]]
        ids.append(texts_at(side.responses["custom_id"], response))
        if models:
            columns[f"model_{letter}"] = texts_at(side.responses["model"], response)
    return columns | {"choice": choice, "custom_id": ids[0].fillna(ids[1])}


def texts_at(column: pa.ChunkedArray, rows: Counts) -> pd.Series:
    """Return the texts at rows; null for -1."""
    taken = column.take(pa.array(np.maximum(rows, 0), mask=rows < 0))
    return pd.Series(taken.to_pylist(), dtype=text_type())
