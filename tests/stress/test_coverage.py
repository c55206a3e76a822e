"""A small part of the simulation: intervals hold the truth, and thresholds keep their promise."""

import numpy as np
import pytest

from tests.stress import coverage
from toolkit.metrics import calibration, selective

RUNS = 60


@pytest.mark.parametrize(("law", "n"), [("overconfident", 100), ("hard", 100), ("clustered", 250)])
def test_intervals_hold_the_truth(law, n):
    found = coverage.covered(law, n, RUNS, n_bootstrap=100)
    # Of 60 intervals that hold the truth with 95 %, fewer than 50 do so once in 3,000 times.
    for name, (share, given) in found.items():
        assert (1 - share) * given <= 10 / RUNS or given == 0, name
    assert found["accuracy"][1] == found["gap"][1] == found["accuracy@0.5"][1] == 1
    is_hard = law == "hard"
    assert (found["brier"][1] < 0.1) == (found["aurc"][1] < 0.1) == is_hard


@pytest.mark.parametrize("is_clustered", [False, True])
def test_intervals_of_comparisons_hold_the_truth(is_clustered):
    for name, (share, _) in coverage.compared(150, RUNS, is_clustered).items():
        assert share >= 50 / RUNS, name


def test_clusters_that_are_not_given_make_intervals_too_narrow():
    rng, truth = np.random.default_rng(5), coverage.truth_of("clustered")
    held = {"accuracy": 0, "auroc": 0}
    for _ in range(RUNS):
        sure, right, _ = coverage.draw("clustered", 500, rng)
        row = calibration(sure, right, n_bootstrap=0).iloc[0]
        ranked = selective(sure, right, n_bootstrap=0).iloc[0]
        for name, source in (("accuracy", row), ("auroc", ranked)):
            held[name] += source[f"{name}_lower"] <= truth[name] <= source[f"{name}_upper"]
    assert max(held.values()) < 0.87 * RUNS, held


@pytest.mark.parametrize("law", ["overconfident", "clustered"])
def test_thresholds_keep_their_promise(law):
    # At most 10 % of samples may break it; 13 of 60 do so once in 300 times.
    broken, found = coverage.broken_promises(law, 500, RUNS, 0.78)
    assert found > 0.2
    assert broken <= 12 / RUNS


def test_every_interval_has_a_cell():
    lines = list(coverage.table(2, sizes=(40,)))
    names = [line.split("|")[1].strip() for line in lines if line.startswith("|")]
    declared = {"accuracy", "gap", "brier", "log_loss", "auroc", "auprc", "auprc_errors", "aurc"}
    pairs = {"delta_nll", "flip_rate", "same_text_share", "evaluate", "difference of shares"}
    assert declared | pairs | {"eaurc", "prr"} <= set(names)


def test_intervals_of_divergence_hold_the_truth():
    rng = np.random.default_rng(1)
    large = coverage.divergence(*coverage.given_text(5000, rng), on="position")
    truth = dict(zip(large["measure"], large["mean"], strict=True))
    for name, (share, given) in coverage.diverged(60, RUNS, truth).items():
        assert share >= 50 / RUNS, name
        assert given > 0.9, name
