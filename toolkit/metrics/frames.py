"""Between the Arrow tables and NumPy: blocks of token rows, label codes, groups, result frames."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit import schema
from toolkit.errors import ArgumentError, SchemaError
from toolkit.metrics import core

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

BLOCK_ROWS = 1 << 16
_STEP = 8
"""Rows of tokens and alternatives that are worked on at a time, so that temporaries stay small."""

Columns = dict[str, np.ndarray]


class Block(NamedTuple):
    """Consecutive token rows with their alternatives.

    Attributes
    ----------
    rows : slice
        Where the token rows stand in the table.
    tokens, alternatives : pyarrow.Table
    offsets : ndarray of shape (n_tokens + 1,)
        Alternatives of token ``i`` are rows ``offsets[i]:offsets[i + 1]`` of `alternatives`.
    """

    rows: slice
    tokens: pa.Table
    alternatives: pa.Table
    offsets: core.Counts


def blocks(lp: LogprobTables, cuts: core.Counts | None = None) -> Iterator[Block]:
    """Yield the token rows in blocks of about `BLOCK_ROWS` rows, alternatives included.

    Parameters
    ----------
    lp : LogprobTables
    cuts : ndarray of int64, optional
        Increasing token row numbers, from 0 to the number of token rows, at which a block may end;
        default: all.

    Raises
    ------
    SchemaError
        If the alternatives are not those that ``tokens.n_alternatives`` announces, row by row.
    """
    counts = lp.tokens["n_alternatives"].to_numpy()
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    if offsets[-1] != lp.alternatives.num_rows:
        raise SchemaError(
            f"alternatives has {lp.alternatives.num_rows} rows, but tokens.n_alternatives adds up "
            f"to {offsets[-1]}; select rows of both tables together"
        )
    n = len(counts)
    full = np.searchsorted(offsets, np.arange(BLOCK_ROWS, offsets[-1], BLOCK_ROWS))
    bounds = np.unique(np.concatenate([[0], np.arange(BLOCK_ROWS, n, BLOCK_ROWS), full, [n]]))
    if cuts is not None:
        bounds = np.unique(cuts[np.searchsorted(cuts, bounds)])
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        first, last = int(offsets[start]), int(offsets[stop])
        block = Block(
            slice(start, stop),
            lp.tokens.slice(start, stop - start),
            lp.alternatives.slice(first, last - first),
            offsets[start : stop + 1] - first,
        )
        _check_parents(block)
        yield block


def _check_parents(block: Block) -> None:
    # Rows that do not belong together are out of step over many tokens; a look at some finds them,
    # where looking at all would cost as much as a metric.
    filled = np.flatnonzero(np.diff(block.offsets))
    filled = np.append(filled[::_STEP], filled[-1:])
    starts = block.offsets[filled]
    for key in ("response_key", "position"):
        parents = block.tokens[key].to_numpy()[filled]
        if not np.array_equal(block.alternatives[key].to_numpy()[starts], parents):
            raise SchemaError(
                f"alternatives.{key} does not follow tokens.{key}: both tables must be sorted by "
                "their key columns, and have n_alternatives rows for each token"
            )


def rows_of(table: np.ndarray, wanted: np.ndarray, name: str) -> core.Counts:
    """Return the row of each wanted key in the sorted keys of the table of that name."""
    check_increasing(table, name)
    rows = np.searchsorted(table, wanted)
    if (rows == len(table)).any() or (table[rows] != wanted).any():
        raise SchemaError(
            f"table {name} lacks rows that other tables refer to; select rows of all tables by "
            "the same responses"
        )
    return rows


def check_increasing(keys: np.ndarray, name: str) -> None:
    """Raise `SchemaError` unless the keys are sorted, each standing there once."""
    if (keys[1:] <= keys[:-1]).any():
        raise SchemaError(f"rows of table {name} are not sorted by their key columns, each once")


def codes(column: pa.ChunkedArray, labels: tuple[str, ...]) -> np.ndarray:
    """Return the int8 codes of a label column into its declared list, whatever its own order."""
    parts = []
    for chunk in column.chunks:
        codes, found = chunk.indices.to_numpy(), tuple(chunk.dictionary.to_pylist())
        if found != labels[: len(found)]:
            codes = np.array([labels.index(label) for label in found], np.int8)[codes]
        parts.append(codes)
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.int8), *parts])


def categorical(values: np.ndarray, labels: tuple[str, ...]) -> pd.Categorical:
    """Return codes as a categorical of all declared labels."""
    return pd.Categorical.from_codes(values, categories=list(labels))


def floats(column: pa.ChunkedArray) -> core.Array:
    """Return a numeric column as float64, null as NaN."""
    return column.to_numpy().astype(np.float64, copy=False)


def flags(column: pa.ChunkedArray) -> core.Flags:
    """Return a boolean column without nulls as an array."""
    return np.asarray(column.to_numpy(), np.bool_)


def integers(values: np.ndarray, known: core.Flags) -> pd.api.extensions.ExtensionArray:
    """Return whole numbers as pandas' nullable integers of the same width, NA where not known."""
    return pd.arrays.IntegerArray(values, ~known)


def frame(declared: schema.Table, columns: dict[str, Any]) -> pd.DataFrame:
    """Return the declared columns in the declared order."""
    return pd.DataFrame({name: columns[name] for name in declared.names})


class Groups(NamedTuple):
    """Rows of a frame by the values of some columns.

    Attributes
    ----------
    keys : DataFrame
        The values of the columns, one row per group, sorted; null is a value of its own.
    order : ndarray
        Row numbers, group after group.
    offsets : ndarray of shape (n_groups + 1,)
        Group ``i`` is ``order[offsets[i]:offsets[i + 1]]``.
    """

    keys: pd.DataFrame
    order: core.Counts
    offsets: core.Counts

    def split(self, values: np.ndarray) -> list[np.ndarray]:
        """Return the values of each group."""
        return np.split(values[self.order], self.offsets[1:-1]) if len(self.offsets) > 1 else []

    def total(self, values: np.ndarray) -> core.Counts:
        """Sum whole numbers or flags over each group."""
        return core.segment_sum(values[self.order].astype(np.float64), self.offsets).astype("i8")

    def exact_total(self, values: core.Array) -> core.Array:
        """Sum over each group without rounding in between, so that order makes no difference."""
        ordered = values[self.order].tolist()
        bounds = zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True)
        return np.array([math.fsum(ordered[start:stop]) for start, stop in bounds], np.float64)


def grouped(table: pd.DataFrame, by: list[str]) -> Groups:
    """Group rows by columns; without columns there is one group, even of no rows."""
    if not by:
        order = np.arange(len(table))
        return Groups(pd.DataFrame(index=range(1)), order, np.array([0, len(table)]))
    numbers = table.groupby(by, dropna=False, observed=True, sort=True).ngroup().to_numpy()
    order = np.argsort(numbers, kind="stable")
    counts = np.bincount(numbers) if len(numbers) else np.empty(0, np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    keys = table[by].take(order[offsets[:-1]]).reset_index(drop=True)
    return Groups(keys, order, offsets)


def column_names(by: str | Sequence[str] | None, allowed: Sequence[str]) -> list[str]:
    """Return `by` as a list of names.

    Raises
    ------
    ArgumentError
        If one of them is not allowed, or named twice.
    """
    names = [by] if isinstance(by, str) else list(by or [])
    if unknown := [name for name in names if name not in allowed]:
        raise ArgumentError(f"by: no column {unknown[0]!r} to group by; choose of {list(allowed)}")
    if len(set(names)) < len(names):
        raise ArgumentError(f"by: a column is named twice in {names}")
    return names
