"""Count votes: the sizes of clusters of answers, question by question.

A question is a *group*: a number from 0 to the number of groups less 1. Answers of one group with
one *label*, a number that is never below 0, form a *cell*.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from toolkit.metrics._arrays.segments import ratio, segment_sum
from toolkit.metrics._arrays.types import Array, Counts, Flags


class Cells(NamedTuple):
    """The cells of some answers, sorted by group, then by label.

    Attributes
    ----------
    groups, labels : ndarray of int64, shape (n_cells,)
    first : ndarray of int64, shape (n_cells,)
        The first answer of each cell.
    of : ndarray of int64, shape (n_answers,)
        The cell of each answer.
    """

    groups: Counts
    labels: Counts
    first: Counts
    of: Counts


class Ranking(NamedTuple):
    """The largest cells of each group; sizes are 0 where there is no such cell.

    Attributes
    ----------
    cell : ndarray of int64, shape (n_groups,)
        The largest cell, of equals the one with the least label; -1 without cells.
    first, second, total : ndarray of float64, shape (n_groups,)
        Sizes of the two largest cells, and of all.
    """

    cell: Counts
    first: Array
    second: Array
    total: Array

    @property
    def share(self) -> Array:
        """Share of the largest cell; NaN where the total is 0."""
        return ratio(self.first, self.total)

    @property
    def margin(self) -> Array:
        """Share of the largest cell less that of the second."""
        return self.share - ratio(self.second, self.total)


def cells(groups: Counts, labels: Counts) -> Cells:
    """Find the cells of answers.

    Examples
    --------
    >>> found = cells(np.array([0, 0, 1]), np.array([3, 3, 3]))
    >>> found.groups.tolist(), found.first.tolist(), found.of.tolist()
    ([0, 1], [0, 2], [0, 0, 1])
    """
    width = int(labels.max(initial=0)) + 1
    keys, first, of = np.unique(groups * width + labels, return_index=True, return_inverse=True)
    return Cells(keys // width, keys % width, first, of)


def appearance(groups: Counts, labels: Counts) -> Counts:
    """Number the labels of each group anew, in the order in which they first occur.

    Examples
    --------
    >>> appearance(np.array([0, 0, 0, 1]), np.array([7, 2, 7, 2])).tolist()
    [0, 1, 0, 0]
    """
    found = cells(groups, labels)
    order = np.lexsort((found.first, found.groups))
    starts = np.searchsorted(found.groups, found.groups)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.arange(len(order)) - starts
    return numbers[found.of]


def sums(values: Array, of: Counts, n: int) -> Array:
    """Sum the values of each of `n` cells; the result does not depend on their order."""
    order = np.lexsort((values, of))
    return segment_sum(values[order], np.searchsorted(of[order], np.arange(n + 1)))


def ranking(sizes: Array, found: Cells, n_groups: int) -> Ranking:
    """Rank the cells of each group by size.

    Examples
    --------
    >>> found = cells(np.array([0, 0, 0]), np.array([1, 1, 0]))
    >>> ranks = ranking(np.array([1.0, 2.0]), found, 2)
    >>> ranks.cell.tolist(), ranks.share.round(3).tolist()
    ([1, -1], [0.667, nan])
    """
    order = np.lexsort((found.labels, -sizes, found.groups))
    starts = np.searchsorted(found.groups, np.arange(n_groups + 1))
    n_cells = np.diff(starts)
    places = [np.where(n_cells > i, starts[:-1] + i, -1) for i in range(2)]
    padded = np.append(sizes[order], 0.0)
    return Ranking(
        np.append(order, -1)[places[0]],
        padded[places[0]],
        padded[places[1]],
        segment_sum(sizes, starts),
    )


def entropies(sizes: Array, found: Cells, n_groups: int) -> Array:
    """Return the entropy of the shares of the cells of each group, in nats; NaN without any.

    Examples
    --------
    >>> entropies(np.array([1.0, 1.0]), cells(np.zeros(2, int), np.array([0, 1])), 1).round(4)
    array([0.6931])
    """
    order = np.lexsort((sizes, found.groups))  # so that equal sizes give equal entropies
    sizes, groups = sizes[order], found.groups[order]
    starts = np.searchsorted(groups, np.arange(n_groups + 1))
    total = segment_sum(sizes, starts)
    share = ratio(sizes, total[groups])
    terms = share * np.log(share, out=np.zeros_like(share), where=share > 0)
    return np.where(total > 0, 0.0 - segment_sum(np.nan_to_num(terms), starts), np.nan)


def kept(weights: Array, groups: Counts, share: float, n_groups: int) -> Flags:
    """Return the given share of each group, those with the most weight, and ties with the last one.

    At least one of a group is kept; a small addend keeps 0.1 of 30 at 3, however it is rounded.

    Examples
    --------
    >>> kept(np.array([1.0, 2.0, 4.0, 3.0]), np.zeros(4, int), 0.5, 1).tolist()
    [False, False, True, True]
    """
    if not len(weights):
        return np.zeros(0, np.bool_)
    order = np.lexsort((-weights, groups))
    starts = np.searchsorted(groups[order], np.arange(n_groups + 1))
    n_kept = np.maximum(1, np.floor(share * np.diff(starts) + 1e-9).astype(np.int64))
    last = np.minimum(starts[:-1] + n_kept - 1, len(order) - 1)
    flags: Flags = weights >= weights[order][last][groups]
    return flags
