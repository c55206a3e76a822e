"""Resampling weights and bootstrap intervals."""

import numpy as np
import pytest

from toolkit.metrics._arrays import bootstrap
from toolkit.metrics._arrays.bootstrap import resampled, weights, widened


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


def test_an_interval_has_the_outer_ends_of_percentiles_and_t():
    free = (-np.inf, np.inf)
    skewed = np.random.default_rng(0).exponential(1, 5000)
    low, high = widened(skewed, float(skewed.mean()), 10**6, 0.9, free)
    around = 1.645 * skewed.std()
    assert low == pytest.approx(skewed.mean() - around, abs=0.05)  # that of t
    assert high == pytest.approx(np.quantile(skewed, 0.95))  # that of percentiles
    wide = widened(skewed, float(skewed.mean()), 5, 0.9, free)
    assert wide[0] < low
    assert wide[1] >= high
    bounded = widened(skewed / 9 + 0.5, 0.61, 5, 0.9, (0.0, np.inf))
    assert 0 < bounded[0] < bounded[1]
    # The resamples lie 0.1 above the estimate, so the estimate lies 0.1 above the truth.
    values = np.random.default_rng(1).normal(0.5, 0.1, 5000)
    low, _ = widened(values, 0.4, 10**6, 0.95, free)
    assert low == pytest.approx(0.3 - 1.96 * 0.1, abs=0.01)


def test_no_spread_has_no_interval():
    assert np.isnan(widened(np.array([np.nan]), 0.5, 10, 0.9, (0, 1))).all()
    assert np.isnan(widened(np.full(9, 0.5), 0.5, 10, 0.9, (0, 1))).all()


def test_an_estimate_beyond_its_bounds_less_its_bias_is_not_corrected():
    values = np.random.default_rng(1).uniform(0.97, 1.0, 5000)
    low, high = widened(values, 0.999, 50, 0.95, (0.0, 1.0))
    assert 0.9 < low < 0.98
    assert 0.999 < high <= 1
