"""Read token rows in blocks, with their alternatives, and check that tables belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from toolkit import arguments, arrow
from toolkit.errors import SchemaError
from toolkit.metrics._arrays.types import Counts
from toolkit.metrics._results import Columns
from toolkit.prefetch import ordered_map
from toolkit.progress import progress_bar

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

BLOCK_ROWS = 1 << 17
"""Rows of tokens or alternatives of one block, so that temporary arrays stay small."""
_AHEAD = 2  # blocks computed ahead for each thread
_STEP = 8  # one in so many tokens is checked against its alternatives


Result = TypeVar("Result")


class Block(NamedTuple):
    """Consecutive token rows with their alternatives.

    Attributes
    ----------
    rows : slice
        The token rows of the block in ``lp.tokens``.
    tokens, alternatives : pyarrow.Table
    offsets : ndarray of shape (n_tokens + 1,)
        The alternatives of token ``i`` are rows ``offsets[i]:offsets[i + 1]`` of `alternatives`.
    """

    rows: slice
    tokens: pa.Table
    alternatives: pa.Table
    offsets: Counts


def blocks(lp: LogprobTables, cuts: Counts | None = None) -> Iterator[Block]:
    """Yield the token rows in blocks of about `BLOCK_ROWS` rows, with their alternatives.

    Parameters
    ----------
    lp : LogprobTables
    cuts : ndarray of int64, optional
        Increasing token row numbers, from 0 to the number of token rows, at which a block may end.
        Default: at any row.

    Raises
    ------
    SchemaError
        If the alternatives are not as many as ``tokens.n_alternatives`` adds up to.
    """
    counts = lp.tokens["n_alternatives"].to_numpy()
    offsets = arrow.offsets(counts)
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
        yield Block(
            slice(start, stop),
            lp.tokens.slice(start, stop - start),
            lp.alternatives.slice(first, last - first),
            offsets[start : stop + 1] - first,
        )


def over_blocks(
    function: Callable[[Block], Result], lp: LogprobTables, cuts: Counts | None = None
) -> Iterator[tuple[Block, Result]]:
    """Yield each block with what a function returns for it, which is computed on all cores.

    Raises `SchemaError` if the alternatives do not match ``tokens.n_alternatives``, row by row.
    The results do not depend on the number of cores, because the blocks do not, and come in order.
    """

    def checked(block: Block) -> Result:
        _check_parents(block)
        return function(block)

    n, n_tokens = arguments.threads(None), lp.tokens.num_rows
    is_large = max(n_tokens, lp.alternatives.num_rows) > BLOCK_ROWS
    bar = progress_bar("measuring", lambda: n_tokens, unit=" tokens")
    with bar as advance, ThreadPoolExecutor(n) as pool:
        workers = pool if is_large and n > 1 else None
        for block, result in ordered_map(checked, blocks(lp, cuts), workers, _AHEAD * n):
            yield block, result
            advance(block.tokens.num_rows)


def fill(columns: Columns, function: Callable[[Block], Columns], lp: LogprobTables) -> None:
    """Write what a function returns for the tokens of each block into columns, on all cores."""

    def write(block: Block) -> None:
        for name, values in function(block).items():
            columns[name][block.rows] = values

    for _ in over_blocks(write, lp):
        pass


def _check_parents(block: Block) -> None:
    # Tables that do not belong together differ at many tokens, so checking some of them is enough;
    # checking all would take as long as a metric.
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


def rows_of(table: np.ndarray, wanted: np.ndarray, name: str) -> Counts:
    """Return the row of each wanted key in the sorted keys of a table, whose name is for errors."""
    check_increasing(table, name)
    rows = np.searchsorted(table, wanted)
    if (rows == len(table)).any() or (table[rows] != wanted).any():
        raise SchemaError(
            f"table {name} lacks rows that other tables refer to; select rows of all tables by "
            "the same responses"
        )
    return rows


def check_increasing(keys: np.ndarray, name: str) -> None:
    """Raise `SchemaError` unless the keys are sorted and unique."""
    if (keys[1:] <= keys[:-1]).any():
        raise SchemaError(f"rows of table {name} are not sorted by their key columns, each once")
