"""The smooth calibration error, bins and simulated calibration errors."""

import math

import numpy as np
import pytest
from hypothesis import given, settings

from tests.metrics.judgements import ANSWERS
from toolkit.metrics._arrays.calibration import (
    bin_errors,
    clustered_ece,
    mass_offsets,
    simulated_ece,
    width_offsets,
)
from toolkit.metrics._arrays.calibration import smooth_error as smooth_errors


def smoothed(answers, sigma, n_points=400):
    """∫ |mean over answers of K(t, c) (c − y)| dt by plain sums, K reflected at 0 and 1."""
    total = 0.0
    for i in range(n_points):
        t = (i + 0.5) / n_points
        value = 0.0
        for c, y in answers:
            for image in (sign * c + 2 * k for sign in (1, -1) for k in range(-4, 5)):
                value += math.exp(-(((t - image) / sigma) ** 2) / 2) * (c - y)
        total += abs(value) / (sigma * math.sqrt(2 * math.pi) * len(answers)) / n_points
    return total


def smooth_error(answers):
    answers = sorted(answers)
    sure, right = (np.array(column, float) for column in zip(*answers, strict=True))
    return smooth_errors(sure, sure - right)


@settings(max_examples=8, deadline=None)
@given(ANSWERS)
def test_the_smooth_error_is_its_own_bandwidth(answers):
    found = smooth_error(answers)
    if found > 0.02:
        assert smoothed(answers, found) == pytest.approx(found, abs=1e-3)


@given(ANSWERS)
def test_the_smooth_error_lies_between_the_gap_and_the_mean_error(answers):
    """No smoothing takes away what all answers have in common, nor adds anything."""
    found = smooth_error(answers)
    assert found >= abs(np.mean([c - y for c, y in answers])) - 1e-4
    assert found <= np.mean([abs(c - y) for c, y in answers]) + 1e-4


@pytest.mark.parametrize(
    ("spread", "expected"),
    [(0.0, 0.21308609516140445), (0.4, 0.13561639495805572), (0.8, 0.05045716045227846)],
)
def test_relplot_agrees(spread, expected):
    """Values of relplot 1.0.3, by the authors of smECE; it finds the bandwidth to 1/1024."""
    answers = [(i / 199, i * 7 % 10 / 10 < 0.45 + spread * (i / 199 - 0.5)) for i in range(200)]
    assert smooth_error(answers) == pytest.approx(expected, abs=4e-3)


@pytest.mark.parametrize("bins", [*range(1, 60), 100, 10_000])
def test_a_confidence_on_an_edge_is_in_the_bin_below(bins):
    sure = np.arange(1, bins + 1) / bins
    np.testing.assert_array_equal(np.diff(width_offsets(sure, bins)), np.ones(bins))


def test_simulated_errors_of_clusters_of_one_are_those_of_answers():
    rng = np.random.default_rng(0)
    sure = np.sort(rng.uniform(0.3, 0.7, 400))
    offsets = width_offsets(sure, 10)
    right = (rng.random(400) < sure).astype(float)
    one, other = (
        simulated_ece(sure, offsets, 2000, 0),
        clustered_ece(sure - right, np.arange(400), offsets, 2000, 0),
    )
    assert other.mean() == pytest.approx(one.mean(), rel=0.08)
    assert np.quantile(other, 0.95) == pytest.approx(np.quantile(one, 0.95), rel=0.1)
    # Copies of each answer: the same errors as without copies.
    codes = np.repeat(np.arange(400), 5)
    copies = clustered_ece(np.repeat(sure - right, 5), codes, offsets * 5, 2000, 0)
    assert copies.mean() == pytest.approx(other.mean(), rel=0.05)


def test_a_cluster_keeps_its_sign_in_all_bins():
    gap = np.array([0.5, -0.25, 0.25])
    found = clustered_ece(gap, np.array([0, 1, 0]), np.array([0, 2, 3]), 200, 1)
    # Bin 1 has 0.5 of cluster 0 and -0.25 of cluster 1, bin 2 has 0.25 of cluster 0.
    assert set(found.round(9)) == {round(0.5 / 3, 9), round(1 / 3, 9)}


def test_bins_without_answers_have_no_error():
    assert bin_errors(np.array([0.5, -0.25]), np.array([0, 0, 2, 2])) == (0.125, 0.125)


def test_equal_mass_takes_the_nearer_end_of_a_tie():
    assert mass_offsets(np.array([1.0, 1, 1, 1]), 3).tolist() == [0, 4]
    assert mass_offsets(np.array([1.0, 2, 2, 2, 2, 2, 3, 4]), 2).tolist() == [0, 6, 8]
    assert mass_offsets(np.array([1.0, 2, 2, 3]), 2).tolist() == [0, 3, 4]
    assert mass_offsets(np.empty(0), 3).tolist() == [0]
