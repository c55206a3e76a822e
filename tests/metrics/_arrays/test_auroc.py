"""The interval of an AUROC: published values, clusters, and its ends."""

import numpy as np
import pytest

from toolkit.metrics._arrays.auroc import effective_numbers, newcombe


def test_the_interval_solves_its_equation():
    """At each end, (auroc − θ)² = z² V(θ), with the variance of Hanley and McNeil (1982)."""
    for auroc, right, wrong in ((0.9, 20, 20), (0.6, 100, 7), (0.5, 3, 900)):
        for theta in newcombe(auroc, right, wrong, 0.95):
            mean = (right + wrong) / 2
            q1, q2 = theta / (2 - theta), 2 * theta**2 / (1 + theta)
            spread = theta * (1 - theta) + (mean - 1) * (q1 + q2 - 2 * theta**2)
            assert (auroc - theta) ** 2 == pytest.approx(
                1.959964**2 * spread / (right * wrong), rel=1e-5
            )


def test_a_perfect_ranking_keeps_a_width():
    low, high = newcombe(1.0, 99, 1, 0.95)
    assert 0.2 < low < 0.7
    assert high == 1
    assert newcombe(0.0, 99, 1, 0.95)[0] == 0
    more = newcombe(1.0, 990, 10, 0.95)
    assert low < more[0] < 1


def answers(seed, n):
    rng = np.random.default_rng(seed)
    sure = np.sort(rng.random(n))
    return sure, (rng.random(n) < sure).astype(float)


def test_clusters_of_one_are_worth_themselves():
    sure, right = answers(0, 300)
    numbers = effective_numbers(sure, right, np.arange(300), 0.95)
    assert numbers == (right.sum(), 300 - right.sum())


def test_copies_are_worth_their_clusters():
    sure, right = answers(1, 300)
    copied = [np.repeat(each, 5) for each in (sure, right, np.arange(300))]
    numbers = effective_numbers(*copied, 0.95)
    assert numbers[0] == pytest.approx(right.sum(), rel=0.02)
    few = np.array([0.0] * 3 + [1.0] * 9)
    copied = [np.repeat(each, 5) for each in (np.arange(12.0), few, np.arange(12))]
    assert effective_numbers(*copied, 0.95) == (9, 3)
