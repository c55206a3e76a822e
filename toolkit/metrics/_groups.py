"""Group rows of result frames by columns."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from toolkit.metrics._arrays.segments import segment_sum
from toolkit.metrics._arrays.types import Array, Counts


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
    order: Counts
    offsets: Counts

    def split(self, values: np.ndarray) -> list[np.ndarray]:
        """Return the values of each group."""
        return np.split(values[self.order], self.offsets[1:-1]) if len(self.offsets) > 1 else []

    def total(self, values: np.ndarray) -> Counts:
        """Sum whole numbers or flags over each group."""
        return segment_sum(values[self.order].astype(np.float64), self.offsets).astype("i8")

    def exact_total(self, values: Array) -> Array:
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
