"""Clustered standard errors and Student's t against plain loops, scipy and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.metrics._arrays.bootstrap import weights
from toolkit.metrics._arrays.clusters import (
    bounded_t_interval,
    cluster_sums,
    linear_error,
    mean_error,
    ratio_error,
    t_interval,
    t_quantile,
)

ANSWERS = st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 4)), min_size=2, max_size=30)


@given(ANSWERS)
def test_the_error_is_that_of_plain_loops(answers):
    values = np.array([value for value, _ in answers])
    codes = np.unique([code for _, code in answers], return_inverse=True)[1]
    n, groups = len(values), set(codes.tolist())
    sums = [
        sum(v - values.mean() for v, c in zip(values, codes, strict=True) if c == g) for g in groups
    ]
    if len(groups) < 2:
        assert math.isnan(mean_error(values, codes))
        return
    expected = len(groups) / (len(groups) - 1) * sum(each**2 for each in sums) / n**2
    assert mean_error(values, codes) == pytest.approx(math.sqrt(expected), abs=1e-12)


def test_single_answers_have_the_usual_error():
    values = np.random.default_rng(0).normal(size=50)
    expected = values.std(ddof=1) / math.sqrt(50)
    assert mean_error(values, np.arange(50)) == pytest.approx(expected, rel=1e-12)
    # Each answer given five times: as if there were no copies.
    codes = np.repeat(np.arange(50), 5)
    assert mean_error(np.repeat(values, 5), codes) == pytest.approx(expected, rel=1e-12)


def test_a_ratio_has_the_error_of_its_influence():
    rng = np.random.default_rng(1)
    codes = np.repeat(np.arange(400), 3)
    x, y = rng.exponential(1, 1200), rng.exponential(2, 1200)
    ratio = y.sum() / x.sum()
    error = ratio_error(codes, (y, x))
    assert linear_error((y - ratio * x) / x.sum(), codes) == pytest.approx(error, rel=0.01)
    sums = [cluster_sums(each, codes) for each in (x, y)]
    drawn = [batch @ sums[1] / (batch @ sums[0]) for batch in weights(400, 2000, 3)]
    assert error == pytest.approx(np.concatenate(drawn).std(), rel=0.06)


def test_a_difference_of_ratios_is_that_of_the_jackknife():
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 9, 60)
    y, x, v, u = rng.exponential(1, (4, 60))

    def difference(kept):
        return y[kept].sum() / x[kept].sum() - v[kept].sum() / u[kept].sum()

    without = np.array([difference(codes != g) for g in range(9)]) - difference(codes >= 0)
    expected = math.sqrt(8 / 9 * (without**2).sum())
    assert ratio_error(codes, (y, x), (v, u)) == pytest.approx(expected, rel=1e-9)
    ones = np.ones(60)
    single = np.arange(60)
    assert ratio_error(single, (y, ones)) == pytest.approx(mean_error(y, single), rel=1e-12)


def test_scipy_agrees():
    stats = pytest.importorskip("scipy.stats")
    for df in (1, 2, 3, 4, 5, 10, 19, 38, 200, 999, 1000, 1001, 10**6):
        for share in (0.6, 0.9, 0.975, 0.9995):
            assert t_quantile(share, df) == pytest.approx(stats.t.ppf(share, df), rel=1e-8), df


def test_one_cluster_has_no_interval():
    assert np.isnan(t_interval(0.5, 0.1, 1, 0.95)).all()
    assert math.isnan(mean_error(np.array([]), np.array([], int)))


@pytest.mark.parametrize("bounds", [(0, math.inf), (-math.inf, 1), (0, 1), (-math.inf, math.inf)])
def test_a_bounded_interval_stays_inside_and_is_that_of_t_where_it_is_narrow(bounds):
    for value in (0.02, 0.3, 0.97):
        low, high = bounded_t_interval(value, 0.2, 12, 0.95, bounds)
        assert bounds[0] <= low < value < high <= bounds[1]
        assert high - low < 1.4
        narrow = bounded_t_interval(value, 1e-6, 12, 0.95, bounds)
        assert narrow == pytest.approx(t_interval(value, 1e-6, 12, 0.95), rel=1e-6)
    assert np.isnan(bounded_t_interval(0.0, 0.1, 12, 0.95)).all()
    for bounds in ((0.0, np.inf), (-np.inf, 1.0), (0.0, 1.0)):  # t of 2 clusters is about 10⁶ here
        low, high = bounded_t_interval(0.5, 0.1, 2, 0.999999, bounds)
        assert max(bounds[0], -np.inf) <= low < 0.5 < high <= bounds[1]


def test_clusters_are_drawn_whole():
    codes = np.array([0, 0, 1, 2, 2, 2])
    drawn = np.concatenate(list(weights(3, 200, 5, codes)))
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert (drawn[:, [0, 2, 3]].sum(axis=1) == 3).all()
