"""Group rows of DataFrames by columns."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from toolkit import arrow
from toolkit.metrics._arrays.segments import segment_ids, segment_sum
from toolkit.metrics._arrays.types import Array, Counts


class Groups(NamedTuple):
    """Rows of a DataFrame, grouped by the values of some columns.

    Attributes
    ----------
    keys : DataFrame
        The values of the columns, one row per group, sorted; null is a separate group.
    order : ndarray of int64
        Row numbers, group after group.
    offsets : ndarray of shape (n_groups + 1,)
        Group ``i`` is ``order[offsets[i]:offsets[i + 1]]``.
    """

    keys: pd.DataFrame
    order: Counts
    offsets: Counts

    def split(self, values: np.ndarray) -> list[np.ndarray]:
        """Return the values of each group."""
        return np.split(values[self.order], self.offsets[1:-1]) if len(self.offsets) > 1 else []

    def numbers(self) -> Counts:
        """Return the group of each row."""
        found = np.empty(len(self.order), np.int64)
        found[self.order] = segment_ids(self.offsets)
        return found

    def total(self, values: np.ndarray) -> Counts:
        """Sum whole numbers or flags over each group."""
        return segment_sum(values[self.order].astype(np.float64), self.offsets).astype("i8")

    def exact_total(self, values: Array) -> Array:
        """Sum over each group, rounded once, so the result does not depend on the order."""
        ordered = values[self.order].tolist()
        bounds = zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True)
        return np.array([math.fsum(ordered[start:stop]) for start, stop in bounds], np.float64)


def with_keys(groups: Groups, sizes: int | list[int], table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the keys of its groups as first columns.

    Parameters
    ----------
    groups : Groups
    sizes : int or list of int
        Rows of the table that each group has; an int: as many for every group.
    table : DataFrame
    """
    rows = np.repeat(np.arange(len(groups.keys)), sizes)
    return pd.concat([groups.keys.loc[rows].reset_index(drop=True), table], axis=1)


def grouped(table: pd.DataFrame, by: list[str]) -> Groups:
    """Group rows by columns; without columns there is one group, even if there are no rows."""
    if not by:
        order = np.arange(len(table))
        return Groups(pd.DataFrame(index=range(1)), order, np.array([0, len(table)]))
    numbers = table.groupby(by, dropna=False, observed=True, sort=True).ngroup().to_numpy()
    _, first = np.unique(numbers, return_index=True)
    return numbered(numbers, table[by].take(first).reset_index(drop=True))


def numbered(numbers: Counts, keys: pd.DataFrame) -> Groups:
    """Group rows that have the number of their group: a row of the keys."""
    counts = np.bincount(numbers, minlength=len(keys))
    return Groups(keys, np.argsort(numbers, kind="stable"), arrow.offsets(counts))
