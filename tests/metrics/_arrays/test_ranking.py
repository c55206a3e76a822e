"""Ranking measures: weights, ties, perfect and reversed orders."""

import numpy as np
import pytest

from toolkit.metrics._arrays import ranking


def test_weights_are_repeated_answers():
    """Samples of other counts, one of them without the first tie, as if each stood alone."""
    counts = np.array([[2.0, 3, 1], [0.0, 4, 2], [1.0, 0, 0]])
    errors = np.array([[1.0, 1, 1], [0.0, 1, 2], [0.0, 0, 0]])
    got = ranking.ranking_metrics(counts, errors)
    accuracies = ranking.accuracies(counts, errors, [0.01, 0.5, 1.0])
    for i in range(3):
        keep = counts[i] > 0
        alone = ranking.ranking_metrics(counts[i : i + 1, keep], errors[i : i + 1, keep])
        for name, values in alone.items():
            np.testing.assert_allclose(got[name][i], values[0], rtol=1e-12, err_msg=name)
        one = ranking.accuracies(counts[i : i + 1, keep], errors[i : i + 1, keep], [0.01, 0.5, 1.0])
        np.testing.assert_allclose(accuracies[i], one[0])


def test_perfect_and_reversed_orders():
    perfect = ranking.ranking_metrics(np.ones((1, 4)), np.array([[0.0, 0, 1, 1]]))
    assert perfect["auroc"] == perfect["prr"] == perfect["auprc"] == perfect["auprc_errors"] == 1
    assert perfect["eaurc"] == 0
    turned = ranking.ranking_metrics(np.ones((1, 4)), np.array([[1.0, 1, 0, 0]]))
    assert turned["auroc"] == 0
    assert turned["prr"] < 0


def test_one_tie_is_chance():
    got = ranking.ranking_metrics(np.array([[8.0]]), np.array([[2.0]]))
    assert got["auroc"] == 0.5
    assert got["aurc"] == pytest.approx(0.25)
    assert got["prr"] == pytest.approx(0, abs=1e-12)
    assert ranking.accuracies(np.array([[8.0]]), np.array([[2.0]]), [0.3])[0, 0] == 0.75


def test_no_ties_of_nothing():
    assert ranking.tie_starts(np.empty(0)).tolist() == []
