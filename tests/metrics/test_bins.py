"""Edges of bins: given, or computed from values."""

import numpy as np
import pytest

from toolkit.errors import ArgumentError
from toolkit.metrics._bins import bin_edges


def test_edges_of_equal_width_span_the_values():
    assert bin_edges(2, np.array([3.0, np.nan, 1.0, np.inf])).tolist() == [1.0, 2.0, 3.0]
    assert bin_edges(np.int64(1), np.array([3.0, 3.0])).tolist() == [2.5, 3.5]
    assert bin_edges(2, np.array([3.0]), (0.0, 1.0)).tolist() == [0.0, 0.5, 1.0]


def test_without_values_there_are_only_the_edges_that_are_given():
    assert bin_edges(2, np.empty(0)).tolist() == []
    assert bin_edges(2, np.empty(0), (0.0, 1.0)).tolist() == [0.0, 0.5, 1.0]
    assert bin_edges([0, 1], np.empty(0)).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("bins", [0, 10_001, 2.5, True, "ten", None, [1], [1, 1], [0, np.nan]])
def test_bad_bins_are_named(bins):
    with pytest.raises(ArgumentError, match="bins=.*: expected a whole number from 1 to 10,000"):
        bin_edges(bins, np.arange(3.0))
