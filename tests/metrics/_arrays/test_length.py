"""Length as a confounder, by simulation and against plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.metrics._arrays.length import length_confounding, pooled_auroc


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 2)), max_size=12))
def test_pairs_are_those_of_a_plain_loop(answers):
    won = pairs = 0.0
    for score, right, stratum in answers:
        for other, other_right, other_stratum in answers:
            if right and not other_right and stratum == other_stratum:
                pairs += 1
                won += (score > other) + (score == other) / 2
    columns = [np.array([each[i] for each in answers]) for i in range(3)]
    found = pooled_auroc(columns[0].astype(float), columns[1].astype(float), columns[2].astype(int))
    assert math.isnan(found) if not pairs else found == pytest.approx(won / pairs)


def test_a_score_that_is_length_alone_says_nothing_within_length():
    """Right or wrong depends on the quintile of length, and the score on length alone."""
    rng = np.random.default_rng(1)
    length = rng.lognormal(4, 1, 40_000).round()
    quintile = np.searchsorted(np.quantile(length, [0.2, 0.4, 0.6, 0.8]), length)
    correct = (rng.random(len(length)) < 0.9 - 0.15 * quintile).astype(float)
    found = length_confounding(-length, correct, length)
    assert found["auroc_length"] > 0.6
    assert found["auroc_within_length"] == pytest.approx(0.5, abs=0.01)
    assert found["length_correlation"] == pytest.approx(-1.0)


def test_a_score_that_knows_more_keeps_its_auroc():
    rng = np.random.default_rng(2)
    length = rng.lognormal(4, 1, 20_000).round()
    correct = (rng.random(len(length)) < 0.5).astype(float)
    score = correct + rng.normal(0, 1, len(length))
    found = length_confounding(score, correct, length)
    everyone = pooled_auroc(score, correct, np.zeros(len(length), int))
    assert found["auroc_within_length"] == pytest.approx(everyone, abs=0.005)
    assert found["auroc_length"] == pytest.approx(0.5, abs=0.01)
    assert found["length_correlation"] == pytest.approx(0.0, abs=0.02)


def test_scipy_agrees_on_the_correlation():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(3)
    x, y = rng.integers(0, 9, 200).astype(float), rng.integers(0, 9, 200).astype(float)
    found = length_confounding(x, np.ones(200), y)["length_correlation"]
    assert found == pytest.approx(stats.spearmanr(x, y).statistic)


def test_nothing_to_compare_is_null():
    none = np.empty(0)
    assert all(math.isnan(value) for value in length_confounding(none, none, none).values())
    one = np.ones(3)
    assert all(math.isnan(value) for value in length_confounding(one, one, one).values())
