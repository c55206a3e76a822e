"""The comparison of two runs in one row: its intervals and its clusters."""

import math

import numpy as np
import pandas as pd
import pytest

import toolkit
from tests.metrics.byte_pieces import body
from toolkit.errors import ArgumentError, SchemaError, ToolkitWarning
from toolkit.metrics import compare, compare_summary
from toolkit.metrics._arrays.proportions import agresti_coull


def joined(answers):
    """Return one response with the answers as its choices."""
    choices = [
        {**choice, "index": i} for i, each in enumerate(answers) for choice in each["choices"]
    ]
    return {**answers[0], "choices": choices}


def pairs_of(deltas, n=10, choices=1):
    """Return pairs whose answers of n tokens differ by so much per token."""

    def run(logprobs):
        answers = [body([(b"x", logprob)] * n) for logprob in logprobs]
        requests = [answers[i : i + choices] for i in range(0, len(answers), choices)]
        return toolkit.from_responses([joined(each) for each in requests])

    return compare(run([-1.0] * len(deltas)), run([-1.0 - d for d in deltas]))


def test_the_interval_is_that_of_students_t():
    stats = pytest.importorskip("scipy.stats")
    deltas = np.random.default_rng(8).normal(0.2, 0.3, 60)
    pairs = pairs_of(deltas.tolist())
    row = compare_summary(pairs, n_bootstrap=4000).iloc[0]
    assert row["delta_nll"] == pytest.approx(np.mean(deltas))
    theirs = stats.ttest_1samp(deltas, 0).confidence_interval(0.95)
    for name in ("delta_nll", "delta_nll_pooled"):  # all are as long
        assert row[f"{name}_lower"] == pytest.approx(theirs.low)
        assert row[f"{name}_upper"] == pytest.approx(theirs.high)
    assert row["delta_nll_pooled"] == pytest.approx(row["delta_nll"])
    assert row["share_above_0"] > 0.99
    again = compare_summary(pairs, n_bootstrap=4000)
    pd.testing.assert_frame_equal(again, compare_summary(pairs, n_bootstrap=4000))
    narrow = compare_summary(pairs, level=0.5).iloc[0]
    assert narrow["delta_nll_upper"] < row["delta_nll_upper"]
    none = compare_summary(pairs, n_bootstrap=0).iloc[0]
    assert math.isnan(none["share_above_0"])
    assert none["delta_nll_lower"] == row["delta_nll_lower"]


def test_a_request_is_the_cluster_of_its_choices():
    deltas = np.random.default_rng(8).normal(0.2, 0.3, 40)
    one = compare_summary(pairs_of(deltas.tolist())).iloc[0]
    many = compare_summary(pairs_of(np.repeat(deltas, 3).tolist(), choices=3)).iloc[0]
    assert (many["n_pairs"], many["n_clusters"], many["cluster"]) == (120, 40, "response_key")
    for name in ("delta_nll", "delta_nll_pooled", "same_text_share"):
        for end in ("lower", "upper"):
            assert many[f"{name}_{end}"] == pytest.approx(one[f"{name}_{end}"]), name
    assert many["share_above_0"] == one["share_above_0"]
    pairs = pairs_of(np.repeat(deltas, 3).tolist(), choices=3)
    single = compare_summary(pairs, clusters=np.arange(120)).iloc[0]
    assert single["delta_nll_upper"] - single["delta_nll_lower"] < 0.7 * (
        many["delta_nll_upper"] - many["delta_nll_lower"]
    )


def test_requests_of_one_custom_id_are_one_cluster():
    pairs = pairs_of([0.1 * i for i in range(60)])
    pairs["custom_id"] = [f"q{i // 3}" for i in range(60)]
    row = compare_summary(pairs).iloc[0]
    assert (row["cluster"], row["n_clusters"]) == ("custom_id", 20)
    with pytest.warns(ToolkitWarning, match=r"60 answers of 6 clusters \(topic\)"):
        compare_summary(pairs, clusters=pd.Series(np.arange(60) // 10, name="topic"))


def test_equal_runs_have_no_interval_of_width_0():
    row = compare_summary(pairs_of([0.0] * 30)).iloc[0]
    assert row["no_interval"] == "few_different"
    assert math.isnan(row["delta_nll_lower"])
    assert row["same_text_share"] == 1
    low, high = agresti_coull(np.array(1.0), np.array(30.0), 0.95)
    assert row["same_text_share_lower"] == pytest.approx(float(low))
    assert row["same_text_share_upper"] == float(high) == 1
    few = compare_summary(pairs_of([0.0] * 26 + [3.0] * 4)).iloc[0]
    assert few["no_interval"] == "few_different"
    assert compare_summary(pairs_of([0.0] * 25 + [3.0] * 5)).iloc[0]["delta_nll_lower"] < 0.5
    assert compare_summary(pairs_of([0.5])).iloc[0]["no_interval"] == "one_cluster"


def positions(flips, compared=10):
    """Return pairs with so many flips each, and as much divergence."""
    pairs = pairs_of([0.1] * len(flips))
    flips = np.array(flips)
    return pairs.assign(
        n_compared=compared, n_flips=flips, js_lower=0.1 * flips, js_upper=0.1 * flips
    )


def test_flips_and_divergence_have_intervals():
    none = compare_summary(positions([0] * 50)).iloc[0]
    assert none["flip_rate"] == none["flip_rate_lower"] == 0
    assert 0 < none["flip_rate_upper"] < 0.02  # no flip in 50 answers of 10 positions
    assert math.isnan(none["js_interval_upper"])
    rare = compare_summary(positions([1] * 4 + [0] * 46)).iloc[0]
    assert rare["flip_rate"] == pytest.approx(4 / 500)
    low, high = agresti_coull(np.array(0.08), np.array(50.0), 0.95)
    assert rare["flip_rate_lower"] == pytest.approx(float(low) / 10)
    assert float(high) / 10 <= rare["flip_rate_upper"] < 0.025
    row = compare_summary(positions([1, 0, 2, 1] * 20)).iloc[0]
    assert row["flip_rate"] == pytest.approx(0.1)
    error = np.std([0.1, 0, 0.2, 0.1] * 20, ddof=1) / math.sqrt(80)
    assert row["flip_rate_lower"] == pytest.approx(0.1 * math.exp(-1.99045 * error / 0.1), rel=1e-5)
    assert row["js_interval_lower"] < row["js_lower"]
    assert row["js_interval_upper"] > row["js_upper"]


@pytest.mark.parametrize(
    "options",
    [
        {"n_bootstrap": -1},
        {"n_bootstrap": 2.5},
        {"level": 0},
        {"level": 1},
        {"level": "a"},
        {"seed": None},
        {"clusters": ["a", "b"]},
        {"clusters": "custom_id"},
    ],
)
def test_bad_options_of_the_summary_are_named(options):
    (name,) = options
    with pytest.raises(ArgumentError, match=name):
        compare_summary(pairs_of([0.1]), **options)


def test_bad_pairs_are_named():
    with pytest.raises(SchemaError, match="lacks column"):
        compare_summary(pd.DataFrame({"is_paired": [True]}))
    with pytest.raises(ArgumentError, match="pairs"):
        compare_summary([])
