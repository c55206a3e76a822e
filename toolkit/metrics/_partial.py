"""Figures of some rows that can be merged with those of others, exactly and in any order.

Whole numbers are added. Of real numbers an *expansion* is kept: a few numbers with the same exact
sum (J. R. Shewchuk, Adaptive Precision Floating-Point Arithmetic, 1997). So the rows of a partial
are fewer than those it was made of, and a result computed from either is the same, bit by bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from toolkit.metrics._groups import Groups, grouped, numbered

_FEW = 1 << 16  # rows that may wait before partials are merged

Reducer = Callable[[pd.DataFrame], pd.DataFrame]
"""Return fewer rows of a table with the same meaning."""


class Partial(NamedTuple):
    """Figures of groups of rows.

    Attributes
    ----------
    keys : DataFrame
        The values that define the groups, one row per group, sorted.
    tables : dict of str to DataFrame
        Figures by name; their column ``group`` is a row of `keys`.
    """

    keys: pd.DataFrame
    tables: dict[str, pd.DataFrame]

    def groups(self, name: str) -> Groups:
        """Return the rows of a table by group."""
        return numbered(self.tables[name]["group"].to_numpy(), self.keys)


def merged(parts: Iterable[Partial], reducers: Mapping[str, Reducer]) -> Partial:
    """Merge the partials of disjoint rows; there must be one.

    Parameters
    ----------
    parts : iterable of Partial
    reducers : mapping of str to callable
        How to reduce each table, after the rows of several partials were joined.
    """
    waiting: list[Partial] = []
    n_rows = n_kept = 0
    for part in parts:
        waiting.append(part)
        n_rows += _size(part)
        if n_rows > 2 * n_kept + _FEW:
            waiting = [_merge(waiting, reducers)]
            n_rows = n_kept = _size(waiting[0])
    return _merge(waiting, reducers)


def _size(part: Partial) -> int:
    return sum(map(len, part.tables.values()))


def _merge(parts: Sequence[Partial], reducers: Mapping[str, Reducer]) -> Partial:
    names = list(parts[0].keys.columns)
    filled = [part.keys for part in parts if len(part.keys)] or [parts[0].keys]
    keys = pd.concat(filled) if names else pd.DataFrame(index=range(sum(map(len, filled))))
    groups = grouped(keys, names)
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in reducers}
    number, start = groups.numbers(), 0
    for part in parts:
        own = number[start : start + len(part.keys)]
        start += len(part.keys)
        for name, table in part.tables.items():
            tables[name].append(table.assign(group=own[table["group"].to_numpy()]))
    return Partial(
        groups.keys, {name: reducers[name](_joined(found)) for name, found in tables.items()}
    )


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]


def sums(*keys: str) -> Reducer:
    """Return how to add rows that agree in their group and in some more columns."""
    return lambda table: _summed(table, ["group", *keys])


def _summed(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    groups = grouped(table, keys)
    whole, real = {}, {}
    for name in table.columns.difference(keys, sort=False):
        values = table[name].to_numpy()
        if values.dtype.kind == "f":
            real[name] = [expansion(own) for own in groups.split(values)]
        else:
            whole[name] = groups.total(values)
    n_groups = len(groups.keys)
    sizes = np.ones(n_groups, np.int64)
    for parts in real.values():
        sizes = np.maximum(sizes, [len(part) for part in parts] or sizes)
    first = np.cumsum(sizes) - sizes
    columns: dict[str, Any] = {}
    for name, values in whole.items():
        columns[name] = np.zeros(sizes.sum(), np.int64)
        columns[name][first] = values
    for name, parts in real.items():
        columns[name] = np.zeros(sizes.sum(), np.float64)
        for start, part in zip(first.tolist(), parts, strict=True):
            columns[name][start : start + len(part)] = part
    repeated = groups.keys.loc[np.repeat(np.arange(n_groups), sizes)].reset_index(drop=True)
    return repeated.assign(**columns)[list(table.columns)]


def expansion(values: np.ndarray) -> list[float]:
    """Return few numbers whose exact sum is that of the values.

    Examples
    --------
    >>> expansion(np.array([1e16, 1.0, -1e16, 0.5]))
    [1.5]
    """
    rest, found = values.tolist(), []
    while total := math.fsum(rest):
        found.append(total)
        if not math.isfinite(total):
            return [total]
        rest.append(-total)
    return found
