"""Intervals of proportions against exact fractions and scipy."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.metrics._arrays.proportions import (
    agresti_coull,
    binomial_tail,
    exact_lower,
    exact_upper,
    wilson,
)

TRIALS = st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(TRIALS, st.integers(1, 99))
def test_the_tail_is_that_of_exact_fractions(trials, percent):
    k, n = trials
    p = Fraction(percent, 100)
    exact = sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))
    assert binomial_tail(k, n, percent / 100) == pytest.approx(float(exact), rel=1e-9)


@given(TRIALS, st.floats(0.5, 0.999))
def test_intervals_hold_the_observed_share(trials, level):
    k, n = trials
    if not n:
        assert np.isnan([*wilson(k, n, level), exact_lower(k, n, level)]).all()
        return
    low, high = wilson(k, n, level)
    assert 0 <= low <= k / n <= high <= 1
    wide = agresti_coull(np.array(k / n), np.array(float(n)), level)
    assert 0 <= wide[0] <= low + 1e-12
    assert high - 1e-12 <= wide[1] <= 1
    assert 0 <= exact_lower(k, n, level) <= k / n <= exact_upper(k, n, level) <= 1


def test_scipy_agrees():
    stats = pytest.importorskip("scipy.stats")
    for k, n in [(0, 5), (5, 5), (3, 7), (87, 100), (999, 1000), (45_000, 50_000), (1, 10**6)]:
        found = stats.binomtest(k, n)
        for level in (0.8, 0.95, 0.999):
            np.testing.assert_allclose(
                wilson(k, n, level), found.proportion_ci(level, "wilson"), rtol=1e-9, atol=1e-12
            )
            # Its two-sided interval at 2 level − 1 has one-sided ends at level.
            ends = found.proportion_ci(2 * level - 1, "exact")
            assert exact_lower(k, n, level) == pytest.approx(ends.low, rel=1e-7)
            assert exact_upper(k, n, level) == pytest.approx(ends.high, rel=1e-7)
        for p in (1e-6, 0.3, 0.9, 1 - 1e-9):
            tail = stats.binom.sf(k - 1, n, p)
            assert binomial_tail(k, n, p) == pytest.approx(tail, rel=1e-7, abs=1e-14)


def test_ends_of_the_tail():
    assert binomial_tail(0, 5, 0.2) == 1
    assert binomial_tail(6, 5, 0.2) == 0
    assert binomial_tail(1, 5, 0.0) == 0
    assert binomial_tail(5, 5, 1.0) == 1
