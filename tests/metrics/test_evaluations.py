"""Evaluations and their comparison, against scipy, plain loops and simulation."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit import compare_evaluations, evaluate, schema
from toolkit.errors import ArgumentError, SchemaError, ToolkitWarning
from toolkit.metrics._arrays.proportions import newcombe

stats = pytest.importorskip("scipy.stats")


def table(scores, **columns):
    return pd.DataFrame({"correct": scores, **columns})


def clustered_error(scores, clusters):
    """Return the standard error of Miller (2024) by plain loops."""
    mean = sum(scores) / len(scores)
    groups = {}
    for score, cluster in zip(scores, clusters, strict=True):
        groups[cluster] = groups.get(cluster, 0.0) + score - mean
    g = len(groups)
    return math.sqrt(g / (g - 1) * sum(x * x for x in groups.values())) / len(scores)


# One run


@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 4)), min_size=2, max_size=30))
def test_the_error_is_that_of_plain_loops(rows):
    scores, clusters = [x for x, _ in rows], [c for _, c in rows]
    with warnings.catch_warnings(action="ignore"):
        row = evaluate(table(scores), clusters=clusters).iloc[0]
    assert (row["n"], row["n_clusters"]) == (len(rows), len(set(clusters)))
    if len(set(clusters)) < 2:
        assert math.isnan(row["error"])
        return
    error = clustered_error(scores, clusters)
    assert row["error"] == pytest.approx(error, abs=1e-12)
    if error > 1e-9 and not set(scores) <= {0.0, 1.0}:
        low, high = stats.t.interval(0.95, len(set(clusters)) - 1, np.mean(scores), error)
        assert (row["mean_lower"], row["mean_upper"]) == pytest.approx((low, high))
        assert row["least_detectable"] == pytest.approx(2.801585 * error, rel=1e-5)


def test_right_and_wrong_alone_have_the_interval_of_a_share_and_never_a_point():
    row = evaluate(table([True] * 30)).iloc[0]
    assert (row["mean"], row["cluster"]) == (1.0, "answer")
    assert 0.8 < row["mean_lower"] < stats.binomtest(30, 30).proportion_ci(method="wilson").low
    assert row["mean_upper"] == 1.0
    same = table([1, 1, 0, 0] * 10, question=np.repeat(np.arange(20), 2))
    wide = evaluate(same, clusters="question").iloc[0]
    theirs = stats.binomtest(10, 20).proportion_ci(method="wilson")  # 20 questions, not 40 answers
    assert wide["mean_lower"] < theirs.low
    assert wide["design_effect"] == pytest.approx(2 * (20 / 19) / (40 / 39))
    assert evaluate(table([2.0, 2.0]))["mean_lower"].isna().all()


def test_answers_to_one_request_are_one_cluster():
    keys = {"response_key": [0, 0, 1, 1], "custom_id": ["a", "a", "b", "b"]}
    with pytest.warns(ToolkitWarning, match="4 answers of 2 clusters"):
        row = evaluate(table([0, 1, 1, 1], **keys)).iloc[0]
    assert (row["n_clusters"], row["cluster"]) == (2, "response_key")
    with pytest.warns(ToolkitWarning, match="custom_id"):
        evaluate(table([0, 1, 1, 1], custom_id=["a", "a", "b", "b"]))


def test_groups_are_those_of_separate_calls():
    rng = np.random.default_rng(1)
    both = table(rng.random(60), model=["m", "n", None] * 20)
    found = evaluate(both, by="model")
    assert list(found) == ["model", *schema.EVALUATE.names]
    for (_, row), name in zip(found.iterrows(), ["m", "n", None], strict=True):
        own = both[both["model"].isna() if name is None else both["model"] == name]
        pd.testing.assert_series_equal(
            row.drop("model"), evaluate(own).iloc[0], check_names=False, check_dtype=False
        )
    assert evaluate(table([])).loc[0, ["n", "n_missing"]].tolist() == [0, 0]
    missing = evaluate(table([1.0, None, 0.5])).iloc[0]
    assert (missing["n"], missing["n_missing"], missing["mean"]) == (2, 1, 0.75)


def test_five_answers_to_one_sum_are_alike(data):
    answers = toolkit.sequence_metrics(toolkit.read(data / "arithmetic_n5.jsonl"))
    row = evaluate(answers, score="mean_logprob").iloc[0]
    assert (row["n"], row["n_clusters"], row["cluster"]) == (200, 40, "response_key")
    assert row["design_effect"] > 2


# Two runs


def test_newcombes_published_example():
    # Newcombe 1998, table II, method 10: 36, 12, 2, 0 pairs.
    assert newcombe(36, 2, 12, 0, 0.95) == pytest.approx((0.0569, 0.3404), abs=5e-5)
    low, high = newcombe(0, 0, 0, 30, 0.95)
    assert low < 0 < high


def test_the_comparison_is_that_of_scipy():
    rng = np.random.default_rng(2)
    one = rng.random(50) < 0.6
    other = np.where(rng.random(50) < 0.6, one, ~one)
    ids = [f"q{i}" for i in range(50)]
    shuffled = rng.permutation(50)
    a = table(one, custom_id=ids)
    b = table(other, custom_id=ids).iloc[shuffled]
    row = compare_evaluations(a, b).iloc[0]
    assert list(compare_evaluations(a, b)) == schema.COMPARE_EVALUATIONS.names
    theirs = stats.ttest_rel(other.astype(float), one.astype(float))
    interval = theirs.confidence_interval(0.95)
    assert row["p_value"] == pytest.approx(theirs.pvalue)
    assert (row["difference_lower"], row["difference_upper"]) == pytest.approx(tuple(interval))
    gained, lost = int((other & ~one).sum()), int((one & ~other).sum())
    assert (row["n_gained"], row["n_lost"]) == (gained, lost)
    assert row["mcnemar_p"] == pytest.approx(stats.binomtest(gained, gained + lost).pvalue)
    assert row["correlation"] == pytest.approx(np.corrcoef(one, other)[0, 1])
    turned = compare_evaluations(b, a).iloc[0]
    assert turned["difference"] == -row["difference"]
    assert turned["newcombe_lower"] == pytest.approx(-row["newcombe_upper"])


def test_a_question_with_several_answers_counts_once():
    a = table([1, 0, 1, 1], custom_id=["x", "x", "y", "z"])
    b = table([1, 1, 0, None], custom_id=["x", "y", "w", "z"])
    row = compare_evaluations(a, b).iloc[0]
    assert (row["n_pairs"], row["n_only_a"], row["n_only_b"]) == (2, 1, 1)
    assert row["difference"] == pytest.approx((0.5 + 0.0) / 2)
    assert pd.isna(row["n_gained"])
    assert math.isnan(row["mcnemar_p"])


def test_questions_of_one_passage_are_one_cluster():
    rng = np.random.default_rng(3)
    passage = np.repeat(np.arange(25), 4)
    shift = np.repeat(rng.normal(0, 1, 25), 4)
    ids = [str(i) for i in range(100)]
    a = table(rng.normal(0, 0.1, 100), custom_id=ids, passage=passage)
    b = table(a["correct"] + shift, custom_id=ids)
    row = compare_evaluations(a, b, clusters="passage").iloc[0]
    assert (row["n_clusters"], row["cluster"]) == (25, "passage")
    assert row["error"] == pytest.approx(clustered_error(shift.tolist(), passage.tolist()))
    assert row["design_effect"] == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_intervals_cover_the_truth(rho):
    """60 questions, 3 answers each of correlation rho; the second run is 0.1 better."""
    rng = np.random.default_rng(4)
    ends = []
    for _ in range(200):
        alike = rng.random(60) < rho
        kept, own = rng.random((60, 1)), rng.random((60, 3))
        draw = np.where(alike[:, None], kept, own)
        ids = np.repeat(np.arange(60), 3).astype(str)
        a = table((draw < 0.7).ravel(), custom_id=ids)
        b = table((draw < 0.8).ravel(), custom_id=ids)
        first = [side.groupby("custom_id", sort=False).head(1) for side in (a, b)]
        both, single = compare_evaluations(a, b), compare_evaluations(*first)
        ends += [
            (0.7, *evaluate(a).loc[0, ["mean_lower", "mean_upper"]]),
            (0.1, *both.loc[0, ["difference_lower", "difference_upper"]]),
            (0.1, *single.loc[0, ["newcombe_lower", "newcombe_upper"]]),
        ]
    truth, low, high = np.array(ends, float).reshape(200, 3, 3).transpose(2, 0, 1)
    known = ~np.isnan(low)  # the t of a difference needs ten questions that differ
    covered = ((low <= truth) & (truth <= high)).sum(axis=0) / known.sum(axis=0)
    assert (covered > 0.91).all(), covered
    assert known[:, [0, 2]].all()


def test_wrong_arguments_are_named():
    good = table([1, 0], custom_id=["a", "b"])
    with pytest.raises(SchemaError, match="table lacks column 'right'"):
        evaluate(good, score="right")
    with pytest.raises(SchemaError, match="lacks column 'topic'"):
        evaluate(good, clusters="topic")
    with pytest.raises(ArgumentError, match="no question of a is in b"):
        compare_evaluations(good, good.assign(custom_id=["c", "d"]))
    with pytest.raises(ArgumentError, match="b: 1 rows have no custom_id"):
        compare_evaluations(good, good.assign(custom_id=["a", None]))
    with pytest.raises(ArgumentError, match="clusters='topic'"):
        compare_evaluations(good, good, clusters="topic")
    with pytest.raises(ArgumentError, match="on="):
        compare_evaluations(good, good, on=[])
    with pytest.raises(ArgumentError, match="score holds string"):
        evaluate(table(["yes", "no"]))
