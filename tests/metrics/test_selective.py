"""Selective prediction against enumeration, and the guarantee of thresholds."""

import itertools
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toolkit
from tests.metrics.judgements import ANSWERS, capitals, columns
from toolkit import schema
from toolkit.errors import ArgumentError, ToolkitWarning
from toolkit.metrics import risk_coverage, selective, threshold_for

SCORES = ("auroc", "auprc", "auprc_errors", "aurc", "eaurc", "prr")
FEW = st.lists(
    st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.sampled_from([0, 1])), min_size=1, max_size=6
)


def row_of(*args, **options):
    return selective(*args, **options).iloc[0]


def orders(answers):
    """Every order of the answers in which confidence does not rise."""
    return [
        order
        for order in itertools.permutations(answers)
        if all(a[0] >= b[0] for a, b in itertools.pairwise(order))
    ]


def aurc_of(order):
    risks = [sum(1 - y for _, y in order[:k]) / k for k in range(1, len(order) + 1)]
    return math.fsum(risks) / len(risks)


def best_order(answers):
    return sorted(answers, key=lambda answer: -answer[1])


def auroc_of(answers):
    right = [c for c, y in answers if y]
    wrong = [c for c, y in answers if not y]
    pairs = [(a > b) + (a == b) / 2 for a in right for b in wrong]
    return math.fsum(pairs) / len(pairs) if pairs else None


def average_precision_of(answers):
    """Sum over distinct thresholds of the recall gained times the precision there."""
    hits, total, before = sum(y for _, y in answers), 0.0, 0
    for threshold in sorted({c for c, _ in answers}, reverse=True):
        taken = [y for c, y in answers if c >= threshold]
        total += (sum(taken) - before) / hits * sum(taken) / len(taken)
        before = sum(taken)
    return total


def test_a_worked_example():
    """Accepted one by one: right, right, wrong, right; risks 0, 0, 1/3, 1/4."""
    row = row_of([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1], n_bootstrap=0)
    assert row["aurc"] == pytest.approx((1 / 3 + 1 / 4) / 4)
    assert row["eaurc"] == pytest.approx((1 / 3 + 1 / 4) / 4 - 1 / 16)
    assert row["prr"] == pytest.approx((1 / 4 - 7 / 48) / (1 / 4 - 1 / 16))
    assert row["auroc"] == pytest.approx(2 / 3)
    assert row["auprc"] == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert row["auprc_errors"] == pytest.approx(1 / 2)
    assert row["n_wrong"] == 1


@given(FEW)
def test_ties_are_the_mean_over_every_order(answers):
    row = row_of(*columns(answers), n_bootstrap=0, coverages=[0.3, 0.5, 0.75, 1.0])
    every = orders(answers)
    close = {"rel": 1e-9, "abs": 1e-12}
    aurc = math.fsum(map(aurc_of, every)) / len(every)
    best, risk = aurc_of(best_order(answers)), 1 - sum(y for _, y in answers) / len(answers)
    assert row["aurc"] == pytest.approx(aurc, **close)
    assert row["eaurc"] == pytest.approx(aurc - best, **close)
    for coverage, got in row["accuracy_at_coverage"].items():
        k = math.ceil(coverage * len(answers))
        assert got == pytest.approx(
            math.fsum(sum(y for _, y in order[:k]) / k for order in every) / len(every), **close
        )
    if 0 < sum(y for _, y in answers) < len(answers):
        assert row["prr"] == pytest.approx((risk - aurc) / (risk - best), **close)
    else:
        assert row[list(SCORES[:3]) + ["prr"]].isna().all()


@given(ANSWERS)
def test_areas_are_those_of_plain_loops(answers):
    row = row_of(*columns(answers), n_bootstrap=0)
    if auroc_of(answers) is None:
        assert row[["auroc", "auprc", "auprc_errors", "prr"]].isna().all()
        assert row["eaurc"] == pytest.approx(0, abs=1e-12)
        return
    assert row["auroc"] == pytest.approx(auroc_of(answers), rel=1e-9)
    assert row["auprc"] == pytest.approx(average_precision_of(answers), rel=1e-9)
    turned = [(-c, 1 - y) for c, y in answers]
    assert row["auprc_errors"] == pytest.approx(average_precision_of(turned), rel=1e-9)
    assert row["prr"] <= 1 + 1e-12


def test_scikit_learn_agrees():
    metrics = pytest.importorskip("sklearn.metrics")
    for sure in capitals()[:2]:
        right = capitals()[2]
        rounded = sure.round(1)  # and with ties
        for score in (sure, rounded, np.log(sure)):
            row = row_of(score, right, n_bootstrap=0)
            for name, found in {
                "auroc": metrics.roc_auc_score(right, score),
                "auprc": metrics.average_precision_score(right, score),
                "auprc_errors": metrics.average_precision_score(1 - right, -score),
            }.items():
                assert row[name] == pytest.approx(found, rel=1e-12), name


def test_the_capitals():
    sure, _, right = capitals()
    row = row_of(sure, right)
    answers = list(zip(sure, right, strict=True))
    assert row["auroc"] == pytest.approx(auroc_of(answers), rel=1e-12)
    for name in SCORES:
        assert row[f"{name}_lower"] < row[name] < row[f"{name}_upper"], name
    assert row["auroc_lower"] > 0.5
    assert row["accuracy_at_coverage"][1.0] == pytest.approx(0.87)
    assert row["accuracy_at_coverage_lower"][0.5] < row["accuracy_at_coverage"][0.5]


@given(ANSWERS)
def test_only_the_order_counts(answers):
    sure, right = columns(answers)
    # A map that rises strictly, on floats too.
    ranks = [sorted(set(sure)).index(c) for c in sure]
    one, other = (selective(each, right, n_bootstrap=5) for each in (sure, ranks))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@settings(max_examples=25)
@given(ANSWERS, st.randoms())
def test_order_of_rows_makes_no_difference(answers, random):
    shuffled = list(answers)
    random.shuffle(shuffled)
    one, other = (selective(*columns(each), n_bootstrap=20) for each in (answers, shuffled))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    one, other = (risk_coverage(*columns(each)) for each in (answers, shuffled))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    one, other = (threshold_for(*columns(e), accuracy=0.4, level=0.6) for e in (answers, shuffled))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@settings(max_examples=25)
@given(ANSWERS, ANSWERS)
def test_groups_are_what_they_are_alone(one, other):
    by = pd.Series(["b"] * len(one) + ["a"] * len(other), name="model")
    got = selective(*columns(one + other), by=by, n_bootstrap=10)
    alone = [selective(*columns(each), n_bootstrap=10) for each in (other, one)]
    expected = pd.concat(alone, ignore_index=True)
    pd.testing.assert_frame_equal(got.drop(columns="model"), expected, check_exact=True)
    whole = row_of(*columns(one + other), n_bootstrap=0)
    assert got["n_wrong"].sum() == whole["n_wrong"]


@pytest.mark.parametrize("right", [0, 1])
def test_one_kind_alone_has_no_ranking(right):
    row = row_of([0.9, 0.8, 0.8], [right] * 3, n_bootstrap=20)
    for name in ("auroc", "auprc", "auprc_errors", "prr"):
        assert row[[name, f"{name}_lower", f"{name}_upper"]].isna().all()
    assert row["aurc"] == 1 - right
    assert row[["aurc_lower", "eaurc_upper"]].isna().all()
    assert row["no_interval"] == ("few_wrong" if right else "few_right")
    lower, upper = (row[f"accuracy_at_coverage_{end}"][1.0] for end in ("lower", "upper"))
    assert upper - lower > 0.3
    assert row["eaurc"] == 0
    assert row["n_wrong"] == 3 * (1 - right)


def test_one_error_keeps_every_interval_wide():
    row = row_of(-np.arange(100.0), np.arange(100) < 99)
    assert row["auroc"] == 1
    assert row["auroc_lower"] < 0.7
    assert row["accuracy_at_coverage"][0.5] == 1
    assert row["accuracy_at_coverage_lower"][0.5] < 0.94
    assert row["no_interval"] == "few_wrong"
    assert row[["aurc_lower", "prr_upper", "auprc_errors_lower"]].isna().all()


def judged(n, seed=0):
    rng = np.random.default_rng(seed)
    sure = rng.random(n)
    return sure, (rng.random(n) < sure).astype(float)


def test_copies_of_answers_say_no_more_than_the_answers():
    sure, right = judged(150)
    one = row_of(sure, right, n_bootstrap=400)
    copied = [np.repeat(each, 5) for each in (sure, right)]
    question = pd.Series(np.repeat(np.arange(150), 5), name="question")
    many = row_of(*copied, clusters=question, n_bootstrap=400)
    assert (many["cluster"], many["n_clusters"]) == ("question", 150)
    assert one["cluster"] == "answer"
    widths = [
        [row[f"{name}_upper"] - row[f"{name}_lower"] for name in SCORES] for row in (one, many)
    ]
    np.testing.assert_allclose(*widths, rtol=0.15)
    naive = row_of(*copied, n_bootstrap=400)
    assert naive["auroc_upper"] - naive["auroc_lower"] < 0.6 * widths[0][0]
    for end in ("lower", "upper"):
        ends = [row[f"accuracy_at_coverage_{end}"][0.8] for row in (one, many)]
        assert ends[0] == pytest.approx(ends[1], abs=0.01)
    curve, single = risk_coverage(*copied, clusters=question), risk_coverage(sure, right)
    assert curve["n_clusters"].tolist() == single["n_accepted"].tolist()
    np.testing.assert_allclose(curve["risk_upper"], single["risk_upper"], atol=0.02)


def test_a_threshold_takes_one_answer_of_each_cluster():
    sure, right = judged(300)
    copied = [np.repeat(each, 5) for each in (sure, right)]
    question = [f"q{i}" for i in np.repeat(np.arange(300), 5)]
    options = {"accuracy": 0.8, "level": 0.9}
    one, many = (
        threshold_for(sure, right, **options).iloc[0],
        threshold_for(*copied, clusters=question, **options).iloc[0],
    )
    assert (many["n"], many["n_clusters"], many["cluster"]) == (1500, 300, "clusters")
    for name in ("threshold", "n_accepted", "coverage", "accuracy_lower", "observed_threshold"):
        assert many[name] == one[name], name


def test_which_answer_is_tested_does_not_depend_on_what_is_known_of_it():
    rng = np.random.default_rng(3)
    question = np.repeat(np.arange(200), 4)
    place = np.tile([1.0, 2, 3, 4], 200)  # the score says which answer it is
    found = []
    for right in (np.ones(800), rng.integers(0, 2, 800)):
        row = threshold_for(place, right, accuracy=0.01, level=0.5, clusters=question).iloc[0]
        found.append(row["n_accepted"])
        chosen = risk_coverage(place, right)
        assert len(chosen) == 4
    assert found == [200, 200]
    none = threshold_for([np.nan, 0.5, 0.5], [1, 1, np.nan], clusters=["a", "a", "b"]).iloc[0]
    assert (none["n"], none["n_missing"], none["n_clusters"]) == (1, 2, 1)


def test_few_clusters_are_warned_of():
    question = np.repeat(np.arange(4), 5)
    for function in (selective, risk_coverage):
        with pytest.warns(ToolkitWarning, match=r"20 answers of 4 clusters"):
            function(np.linspace(0, 1, 20), np.arange(20) % 2, clusters=question)


def test_no_answer_has_no_score():
    got = selective([np.nan], [1])
    assert list(got) == schema.SELECTIVE.names
    assert (got["n"][0], got["n_missing"][0]) == (0, 1)
    assert got[list(SCORES)].isna().all(axis=None)
    assert all(math.isnan(x) for x in got["accuracy_at_coverage"][0].values())
    assert list(risk_coverage([], [])) == schema.RISK_COVERAGE.names
    assert len(risk_coverage([], [])) == 0
    assert threshold_for([], [])["reason"].tolist() == ["no_answers"]


@given(ANSWERS)
def test_each_threshold_is_counted(answers):
    table = risk_coverage(*columns(answers))
    assert table["threshold"].tolist() == sorted({c for c, _ in answers}, reverse=True)
    for row in table.itertuples():
        taken = [y for c, y in answers if c >= row.threshold]
        assert row.n_accepted == len(taken)
        assert row.n_wrong == len(taken) - sum(taken)
        assert row.coverage == pytest.approx(len(taken) / len(answers))
        assert row.risk_lower <= row.risk == row.n_wrong / len(taken) <= row.risk_upper


def test_results_conform_to_their_declaration():
    for declared, got in (
        (schema.RISK_COVERAGE, risk_coverage([0.5, 0.7], [1, 0])),
        (schema.THRESHOLD_FOR, threshold_for([0.5], [1])),
        (schema.THRESHOLD_FOR, threshold_for(np.arange(99), np.ones(99))),
    ):
        table = pa.Table.from_pandas(got, preserve_index=False)
        assert schema.conform(table, declared).num_rows == len(got)


def test_missing_ones_are_counted_in_the_curve():
    table = risk_coverage([0.5, None, 0.7], [1, 1, 0])
    assert table["n_missing"].tolist() == [1, 1]
    assert table["coverage"].tolist() == [0.5, 1]


def test_infinite_scores_have_a_rank():
    row = row_of([math.inf, 1.0, -math.inf], [1, 1, 0], n_bootstrap=0)
    assert row["auroc"] == 1


def test_a_threshold_that_holds():
    """59 right of 59 are the fewest that show 95 % at 95 %: 0.95^59 < 0.05 < 0.95^58."""
    row = threshold_for(np.arange(59), np.ones(59)).iloc[0]
    assert (row["threshold"], row["n_accepted"], row["coverage"]) == (0, 59, 1)
    assert row["accuracy_lower"] == pytest.approx(0.05 ** (1 / 59))
    assert pd.isna(row["reason"])
    short = threshold_for(np.arange(58), np.ones(58)).iloc[0]
    assert short["reason"] == "too_few"
    assert np.isnan(short["threshold"])
    assert pd.isna(short["n_accepted"])
    assert short["observed_threshold"] == 0  # with no promise
    wrong = threshold_for(np.arange(100), np.zeros(100)).iloc[0]
    assert wrong["reason"] == "not_reached"
    assert np.isnan(wrong["observed_threshold"])


@given(ANSWERS, st.floats(0.05, 0.95), st.floats(0.5, 0.95))
def test_what_a_threshold_says_of_itself_is_true(answers, accuracy, level):
    got = threshold_for(*columns(answers), accuracy=accuracy, level=level)
    assert list(got) == schema.THRESHOLD_FOR.names
    row = got.iloc[0]
    if pd.isna(row["reason"]):
        taken = [y for c, y in answers if c >= row["threshold"]]
        assert row["n_accepted"] == len(taken)
        assert row["accuracy"] == sum(taken) / len(taken)
        assert accuracy <= row["accuracy_lower"] + 1e-9
        assert row["accuracy_lower"] <= row["accuracy"] <= row["accuracy_upper"]
        assert row["observed_threshold"] <= row["threshold"]
    reached = [
        t
        for t in {c for c, _ in answers}
        if np.mean([y for c, y in answers if c >= t]) >= accuracy - 1e-12
    ]
    if reached:
        assert row["observed_threshold"] == min(reached)
    else:
        assert np.isnan(row["observed_threshold"])


@pytest.mark.parametrize(("n", "slope"), [(100, 0.5), (400, 0.3), (1500, 0.4)])
def test_the_promise_is_kept(n, slope):
    """Right with probability 1 − slope (1 − u): from t up the accuracy is 1 − slope (1 − t)/2."""
    rng = np.random.default_rng(n)
    broken = found = overlooked = 0
    target = 0.9
    for _ in range(400):
        sure = rng.random(n)
        right = rng.random(n) < 1 - slope * (1 - sure)
        row = threshold_for(sure, right, accuracy=target, level=0.8).iloc[0]
        if not np.isnan(row["threshold"]):
            found += 1
            broken += 1 - slope * (1 - row["threshold"]) / 2 < target
        overlooked += 1 - slope * (1 - row["observed_threshold"]) / 2 < target
    assert found > 100
    assert broken <= 400 * 0.2
    assert overlooked > 400 * 0.3  # which is what the naive choice does


def test_one_early_error_does_not_stop_the_search():
    row = threshold_for(np.arange(1000), np.arange(1000) < 999).iloc[0]
    assert row["coverage"] == 1


def test_much_data_finds_nearly_the_true_threshold():
    rng = np.random.default_rng(1)
    sure = rng.random(50_000)
    right = rng.random(50_000) < sure
    row = threshold_for(sure, right, accuracy=0.9).iloc[0]  # the truth: (1 + t)/2 = 0.9
    assert 0.8 <= row["threshold"] < 0.83


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(({"coverages": b}, "coverages") for b in (0.5, "0.5", None, [0], [1.1], [math.nan])),
        *(({"coverages": b}, "coverages") for b in ([True], ["a"], [0.5, 0.5], {0.5: 1})),
        *(({"n_bootstrap": b}, "n_bootstrap=.*: expected") for b in (-1, 1.5, None, True)),
        *(({"seed": b}, "seed=.*: expected") for b in (-1, 0.5, None, True)),
        *(({"level": b}, "level=.*: expected") for b in (0, 1, math.nan, "0.9", True, None)),
        ({"by": "model"}, "by='model': expected a Series"),
        ({"by": pd.Series([1, 2], name="auroc")}, "needs a unique name"),
        ({"clusters": ["a"]}, "clusters has 1 labels for 2 answers"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ArgumentError, match=message):
        selective([0.5, 0.6], [1, 0], **options)


@pytest.mark.parametrize("value", [0, 1, 95, math.nan, "0.9", True, None])
@pytest.mark.parametrize("name", ["accuracy", "level"])
def test_bad_options_of_threshold_for(name, value):
    with pytest.raises(ArgumentError, match=f"{name}=.*: expected a number"):
        threshold_for([0.5, 0.6], [1, 0], **{name: value})


def test_a_level_below_one_half_is_no_certainty():
    with pytest.raises(ArgumentError, match="level=0.4: expected a number of at least 0.5"):
        threshold_for([0.5, 0.6], [1, 0], level=0.4)


@pytest.mark.parametrize("value", [0, 1, math.nan, "0.9", True, None])
def test_bad_options_of_risk_coverage(value):
    with pytest.raises(ArgumentError, match="level=.*: expected"):
        risk_coverage([0.5, 0.6], [1, 0], level=value)


def test_no_coverage_asked_for():
    assert row_of([0.5, 0.6], [1, 0], coverages=(), n_bootstrap=3)["accuracy_at_coverage"] == {}


def test_public_names():
    assert toolkit.selective is selective
    assert toolkit.metrics.risk_coverage is risk_coverage
    assert toolkit.threshold_for is threshold_for
