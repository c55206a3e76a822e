"""The smooth calibration error, bins of equal mass, and weights of answers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings

from tests.metrics.judgements import ANSWERS
from toolkit.metrics._arrays.calibration import calibration_errors, mass_offsets, width_offsets
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
    return float(smooth_errors(np.ones((1, len(answers))), sure, sure - right)[0])


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


def test_weights_are_repeated_answers():
    rng = np.random.default_rng(0)
    sure = np.sort(rng.random(30))
    right = (rng.random(30) < sure).astype(float)
    times = rng.integers(0, 4, 30)
    offsets = width_offsets(sure, 7), mass_offsets(sure, 5)
    got = calibration_errors(times[None].astype(float), sure, right, offsets, 0.0)
    sure, right = np.repeat(sure, times), np.repeat(right, times)
    cuts = np.concatenate([[0], np.cumsum(times)])
    offsets = tuple(cuts[each] for each in offsets)
    expected = calibration_errors(np.ones((1, len(sure))), sure, right, offsets, 0.0)
    for name, values in expected.items():
        assert got[name] == pytest.approx(values, rel=1e-9), name


def test_equal_mass_takes_the_nearer_end_of_a_tie():
    assert mass_offsets(np.array([1.0, 1, 1, 1]), 3).tolist() == [0, 4]
    assert mass_offsets(np.array([1.0, 2, 2, 2, 2, 2, 3, 4]), 2).tolist() == [0, 6, 8]
    assert mass_offsets(np.array([1.0, 2, 2, 3]), 2).tolist() == [0, 3, 4]
    assert mass_offsets(np.empty(0), 3).tolist() == [0]
