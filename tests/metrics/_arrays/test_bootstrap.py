"""Resampling weights and percentile intervals."""

import numpy as np
import pytest

from toolkit.metrics._arrays import bootstrap
from toolkit.metrics._arrays.bootstrap import percentile_interval, resampled, weights


def test_resamples_draw_n_answers_and_do_not_depend_on_parts(monkeypatch):
    whole = np.concatenate(list(weights(50, 300, seed=4)))
    assert whole.shape == (300, 50)
    assert (whole.sum(axis=1) == 50).all()
    # Each occurs once in a sample on average, with the variance of a binomial: 1 − 1/n.
    assert whole.mean(axis=0) == pytest.approx(np.ones(50), abs=0.3)
    assert whole.var() == pytest.approx(1 - 1 / 50, rel=0.05)
    monkeypatch.setattr(bootstrap, "CELLS", 1 << 15)
    np.testing.assert_array_equal(np.concatenate(list(weights(50, 300, seed=4))), whole)


def test_statistics_of_resamples_are_joined_over_batches(monkeypatch):
    monkeypatch.setattr(bootstrap, "CELLS", 1 << 15)
    values = np.arange(50.0)
    got = resampled(lambda batch: {"mean": batch @ values / 50}, 50, 300, seed=4)
    expected = np.concatenate(list(weights(50, 300, seed=4))) @ values / 50
    np.testing.assert_array_equal(got["mean"], expected)


def test_nothing_is_drawn_of_nothing():
    assert resampled(lambda batch: {"n": batch.sum(axis=1)}, 0, 10, seed=0) == {}
    assert resampled(lambda batch: {"n": batch.sum(axis=1)}, 3, 0, seed=0) == {}


def test_intervals_end_at_the_outer_order_statistics():
    assert percentile_interval(np.arange(4.0), 0.5) == (0.0, 3.0)
    assert percentile_interval(np.array([2.0, np.nan, 1.0]), 0.9) == (1.0, 2.0)
    assert np.isnan(percentile_interval(np.array([np.nan]), 0.9)).all()
