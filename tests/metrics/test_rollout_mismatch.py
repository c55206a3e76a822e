"""The gap between rollout and trainer, by simulation and worked by hand."""

import math

import numpy as np
import pandas as pd
import pytest

import toolkit
from tests.metrics.byte_pieces import body
from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import rollout_mismatch
from toolkit.metrics._arrays.log_ratios import summary


def run(*answers, ids=None):
    """Load answers of logprobs, all of the same token."""
    bodies = [body([(b"x", p) for p in logprobs]) for logprobs in answers]
    return toolkit.from_responses(bodies, custom_id=ids)


def rows(*arguments, **options):
    return rollout_mismatch(*arguments, **options).set_index("weighting")


def test_figures_worked_by_hand():
    found = rollout_mismatch(run([-1.0, -2.0], [-0.5]), run([-1.1, -1.7], [-0.5 + math.log(1.5)]))
    assert list(found) == schema.ROLLOUT_MISMATCH.names
    found = found.set_index("weighting")
    r = np.array([-0.1, 0.3, math.log(1.5)])
    weights = {"token": np.ones(3) / 3, "answer": np.array([0.25, 0.25, 0.5])}
    for name, share in weights.items():
        row = found.loc[name]
        assert row["k1"] == pytest.approx(-share @ r)
        assert row["k2"] == pytest.approx(share @ r**2 / 2)
        assert row["k3"] == pytest.approx(share @ (np.exp(r) - 1 - r))
        assert row["chi2"] == pytest.approx(share @ (np.exp(r) - 1) ** 2)
        assert row["ess"] == pytest.approx((share @ np.exp(r)) ** 2 / (share @ np.exp(2 * r)))
        assert row["mean_abs_log_ratio"] == pytest.approx(share @ np.abs(r))
        nll = share @ np.array([1.0, 2.0, 0.5])
        assert row["perplexity_rollout"] == pytest.approx(math.exp(nll))
        assert row["perplexity_trainer"] == pytest.approx(math.exp(nll - share @ r))
    sums = np.array([0.2, math.log(1.5)])
    assert found.loc["sequence", "k1"] == pytest.approx(-sums.mean())
    assert found.loc["sequence", "n"] == 2
    assert found["max_log_ratio"].tolist() == pytest.approx([math.log(1.5)] * 3)


def test_a_recording_and_a_column_are_the_same(samples):
    lp = toolkit.read(samples / "arithmetic_n5.jsonl")
    same = rows(lp, lp)
    assert (same[["k1", "k2", "k3", "chi2", "share_above_2"]] == 0).all(axis=None)
    assert same["ess"].tolist() == pytest.approx([1.0] * 3)
    assert same["k1_lower"].isna().all()  # no value differs
    column = lp.tokens["logprob"].to_numpy() - 0.01
    moved = rows(lp, column)
    assert moved.loc["token", "k1"] == pytest.approx(0.01)
    assert moved.loc["token", "median_log_ratio"] == pytest.approx(-0.01)
    pd.testing.assert_frame_equal(rows(lp, lp.tokens["logprob"].to_pandas()), same)


@pytest.mark.parametrize("shift", [0.05, 0.4])
def test_estimates_are_unbiased_and_intervals_cover(shift):
    """Tokens are drawn from p; the trainer has q, so every measure is known."""
    rng, k, runs = np.random.default_rng(3), 20, 400
    p = rng.dirichlet(np.ones(k))
    q = p * np.exp(rng.normal(0, shift, k))
    q /= q.sum()
    log_ratio = np.log(q / p)
    kl, chi2 = float(-p @ log_ratio), float((q * q / p).sum() - 1)
    of_r = {"k2": float(p @ log_ratio**2 / 2), "mean_abs_log_ratio": float(p @ np.abs(log_ratio))}
    truth = {"k1": kl, "k3": kl, "chi2": chi2, "ess": 1 / (1 + chi2)} | of_r
    found = [
        summary(log_ratio[rng.choice(k, 400, p=p)], np.ones(400), np.arange(400), 0.95)
        for _ in range(runs)
    ]
    value, low, high = ({n: np.array([f[n][i] for f in found]) for n in truth} for i in range(3))
    for name, true in truth.items():
        error = np.std(value[name]) / math.sqrt(runs)
        bias = 0.02 * true if name == "ess" else 0.0
        assert np.mean(value[name]) == pytest.approx(true, abs=4 * error + bias)
        assert np.mean((low[name] <= true) & (true <= high[name])) >= 0.92
        if name != "k1":
            assert (low[name] >= 0).all()
    assert np.std(value["k3"]) < np.std(value["k1"])
    assert np.std(value["chi2"]) < 0.25 * chi2  # of e²ʳ - 1, a multiple of it at the smaller shift


def test_chi2_is_never_below_0():
    rng = np.random.default_rng(0)
    for n in (2, 5, 50):
        for scale in (1e-6, 0.1, 3.0):
            r = rng.normal(-1.0, scale, n)
            value, low, high = summary(r, np.ones(n), np.arange(n), 0.999999)["chi2"]
            assert 0 <= low <= value <= high


def test_answers_of_one_request_are_one_cluster():
    rng = np.random.default_rng(4)
    shared = np.repeat(rng.normal(0, 0.1, 40), 5)
    base = np.full(200, -2.0)
    ids = [f"q{i // 5}" for i in range(200)]
    a = run(*[[p] for p in base], ids=None)
    asked = toolkit.from_responses([body([(b"x", p)]) for p in base], custom_id=ids)
    column = base + shared
    alone, together = rows(a, column).loc["token"], rows(asked, column).loc["token"]
    assert (alone["n_clusters"], together["n_clusters"]) == (200, 40)
    width = [row["k1_upper"] - row["k1_lower"] for row in (alone, together)]
    assert width[1] / width[0] == pytest.approx(math.sqrt(5), rel=0.1)
    given = rows(a, column, clusters=ids).loc["token"]
    assert given["k1_upper"] == pytest.approx(together["k1_upper"])


def test_a_share_of_none_has_an_interval():
    a = run(*[[-1.0 - 0.01 * i] for i in range(30)])
    row = rows(a, np.full(30, -1.2)).loc["token"]
    assert row["share_above_3"] == row["share_above_3_lower"] == 0
    assert 0.1 < row["share_above_3_upper"] < 0.13  # Wilson's, of 0 in 30


def test_long_answers_stay_finite_in_logs():
    a, b = run([-1.0] * 2000, [-1.0] * 2000), run([-0.5] * 2000, [-1.5] * 2000)
    row = rows(a, b).loc["sequence"]
    assert (row["max_log_ratio"], row["min_log_ratio"]) == (1000.0, -1000.0)
    assert row["ess"] == 0.5
    assert row["k3"] == math.inf
    assert math.isnan(row["k3_upper"])


def test_what_cannot_be_compared_is_counted():
    a = toolkit.from_responses([body([(b"x", -1.0), (b"y", None)]), body([(b"x", -1.0)])])
    b = toolkit.from_responses([body([(b"x", -1.1), (b"y", -2.0)]), body([(b"z", -1.0)])])
    found = rows(a, b)
    assert found["n"].tolist() == [1, 1, 0]
    assert found["n_left_out"].tolist() == [1, 1, 2]
    assert math.isnan(found.loc["sequence", "k1"])
    nothing = rows(a, [None, math.nan, 5.0])
    assert nothing["n"].tolist() == [0, 0, 0]


def test_bad_arguments_are_named():
    lp = run([-1.0])
    for trainer in ("column", None, [1.0, 2.0], ["a"], 3):
        with pytest.raises(ArgumentError, match="trainer"):
            rollout_mismatch(lp, trainer)
    for options in ({"level": 0}, {"channel": "text"}, {"clusters": ["a", "b"]}):
        (name,) = options
        with pytest.raises(ArgumentError, match=name):
            rollout_mismatch(lp, lp, **options)
