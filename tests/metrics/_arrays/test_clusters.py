"""Clustered standard errors and Student's t against plain loops, scipy and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.metrics._arrays.bootstrap import weights
from toolkit.metrics._arrays.clusters import (
    cluster_sums,
    linear_error,
    mean_error,
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
    error = linear_error((y - ratio * x) / x.sum(), codes)
    sums = [cluster_sums(each, codes) for each in (x, y)]
    drawn = [batch @ sums[1] / (batch @ sums[0]) for batch in weights(400, 2000, 3)]
    assert error == pytest.approx(np.concatenate(drawn).std(), rel=0.06)


def test_scipy_agrees():
    stats = pytest.importorskip("scipy.stats")
    for df in (1, 2, 3, 4, 5, 10, 19, 38, 200, 999, 1000, 1001, 10**6):
        for share in (0.6, 0.9, 0.975, 0.9995):
            assert t_quantile(share, df) == pytest.approx(stats.t.ppf(share, df), rel=1e-8), df


def test_one_cluster_has_no_interval():
    assert np.isnan(t_interval(0.5, 0.1, 1, 0.95)).all()
    assert math.isnan(mean_error(np.array([]), np.array([], int)))


def test_clusters_are_drawn_whole():
    codes = np.array([0, 0, 1, 2, 2, 2])
    drawn = np.concatenate(list(weights(3, 200, 5, codes)))
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert (drawn[:, [0, 2, 3]].sum(axis=1) == 3).all()
