"""Calibration errors and reliability tables against plain loops, and against scikit-learn."""

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toolkit
from tests.metrics.judgements import (
    ANSWERS,
    bins_of,
    capitals,
    columns,
    gap_of,
    naive_ece,
)
from toolkit import schema
from toolkit.errors import ArgumentError, ToolkitWarning
from toolkit.metrics import calibration, reliability

SCORES = ("gap", "ece", "ace", "mce", "smooth_ece", "brier", "log_loss")
WITH_INTERVAL = ("gap", "brier", "log_loss")


def row_of(*args, **options):
    return calibration(*args, **options).iloc[0]


def test_a_worked_example():
    """Two bins: (0.2 wrong, 0.4 right) and (0.8 right, 0.8 wrong, 0.9 right)."""
    row = row_of([0.2, 0.4, 0.8, 0.8, 0.9], [0, 1, 1, 0, 1], bins=2, n_bootstrap=0)
    assert row["n"] == 5
    assert row["accuracy"] == 0.6
    assert row["mean_confidence"] == pytest.approx(3.1 / 5)
    assert row["gap"] == pytest.approx(0.1 / 5)
    assert row["ece"] == pytest.approx((0.4 + 0.5) / 5)
    assert row["mce"] == pytest.approx(0.2)
    assert row["brier"] == pytest.approx((0.04 + 0.36 + 0.04 + 0.64 + 0.01) / 5)
    assert row["log_loss"] == pytest.approx(
        -(math.log(0.8) + math.log(0.4) + math.log(0.8) + math.log(0.2) + math.log(0.9)) / 5
    )
    # Equal mass: a cut at 2 or 3; the tie at 0.8 stays whole, so {0.2, 0.4}, {0.8, 0.8, 0.9}.
    assert row["ace"] == pytest.approx((0.4 + 0.5) / 5)


@given(ANSWERS, st.integers(1, 12))
def test_scores_are_those_of_plain_loops(answers, bins):
    row = row_of(*columns(answers), bins=bins, n_bootstrap=0)
    n, parts = len(answers), list(bins_of(answers, bins).values())
    close = {"rel": 1e-9, "abs": 1e-12}
    assert row["ece"] == pytest.approx(naive_ece(parts, n), **close)
    assert row["mce"] == pytest.approx(max(abs(gap_of(part)) for part in parts), **close)
    assert row["gap"] == pytest.approx(gap_of(answers), **close)
    assert row["brier"] == pytest.approx(math.fsum((c - y) ** 2 for c, y in answers) / n, **close)
    mass = reliability(*columns(answers), bins=bins, strategy="mass")
    runs = [
        [(c, y) for c, y in answers if low <= c <= high]
        for low, high in zip(mass["low"], mass["high"], strict=True)
    ]
    assert sum(map(len, runs)) == n
    assert row["ace"] == pytest.approx(naive_ece(runs, n), **close)


@given(ANSWERS)
def test_log_loss_is_infinite_only_for_certain_and_wrong(answers):
    row = row_of(*columns(answers), n_bootstrap=0)
    on_truth = [c if y else 1 - c for c, y in answers]
    assert row["n_certain_wrong"] == sum(c == 1 - y for c, y in answers)
    if row["n_certain_wrong"]:
        assert row["log_loss"] == math.inf
    else:
        expected = math.fsum(-math.log(c) if y else -math.log1p(-c) for c, y in answers)
        assert row["log_loss"] == pytest.approx(expected / len(answers), rel=1e-9, abs=1e-300)
    clipped = row_of(*columns(answers), n_bootstrap=0, clip=0.01)["log_loss"]
    held = [-math.log(min(max(p, 0.01), 0.99)) for p in on_truth]
    assert clipped == pytest.approx(math.fsum(held) / len(answers), rel=1e-9)


@given(ANSWERS, st.integers(1, 12))
def test_the_parts_of_the_brier_score_add_up(answers, bins):
    row = row_of(*columns(answers), bins=bins, n_bootstrap=0)
    rebuilt = (
        row["brier_reliability"]
        - row["brier_resolution"]
        + row["brier_uncertainty"]
        + row["brier_within"]
    )
    assert row["brier"] == pytest.approx(rebuilt, abs=1e-12)
    n, rate = len(answers), sum(y for _, y in answers) / len(answers)
    parts = bins_of(answers, bins).values()
    expected = math.fsum(len(part) / n * gap_of(part) ** 2 for part in parts)
    assert row["brier_reliability"] == pytest.approx(expected, abs=1e-12)
    spread = math.fsum(
        len(part) / n * (sum(y for _, y in part) / len(part) - rate) ** 2 for part in parts
    )
    assert row["brier_resolution"] == pytest.approx(spread, abs=1e-12)


def test_one_confidence_per_bin_leaves_nothing_within():
    row = row_of([0.25] * 4 + [0.75] * 4, [0, 0, 0, 1, 1, 1, 1, 0], n_bootstrap=0)
    assert row["brier_within"] == 0
    assert row["ece"] == 0


@settings(max_examples=25)
@given(ANSWERS, st.randoms())
def test_order_makes_no_difference_at_all(answers, random):
    shuffled = list(answers)
    random.shuffle(shuffled)
    one, other = (calibration(*columns(each), n_bootstrap=20) for each in (answers, shuffled))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@settings(max_examples=25)
@given(ANSWERS, ANSWERS)
def test_groups_are_what_they_are_alone(one, other):
    by = pd.Series(["b"] * len(one) + ["a"] * len(other), name="model")
    got = calibration(*columns(one + other), by=by, n_bootstrap=10)
    assert got["model"].tolist() == ["a", "b"]
    alone = [calibration(*columns(each), n_bootstrap=10) for each in (other, one)]
    expected = pd.concat(alone, ignore_index=True)
    pd.testing.assert_frame_equal(got.drop(columns="model"), expected, check_exact=True)
    pooled = row_of(*columns(one + other), n_bootstrap=0)
    for name in ("brier", "gap"):
        mean = np.average(got[name], weights=got["n"])
        assert pooled[name] == pytest.approx(mean, abs=1e-12)
    assert pooled["n"] == got["n"].sum()
    assert pooled["ece"] <= np.average(got["ece"], weights=got["n"]) + 1e-12  # gaps can cancel


def test_scikit_learn_agrees():
    metrics = pytest.importorskip("sklearn.metrics")
    curve = pytest.importorskip("sklearn.calibration").calibration_curve
    for sure in capitals()[:2]:
        right = capitals()[2]
        row = row_of(sure, right, n_bootstrap=0)
        assert row["brier"] == pytest.approx(metrics.brier_score_loss(right, sure), rel=1e-12)
        assert row["log_loss"] == pytest.approx(metrics.log_loss(right, sure), rel=1e-12)
        table = reliability(sure, right)
        share, mean = curve(right, sure, n_bins=10)
        filled = table[table["n"] > 0]
        np.testing.assert_allclose(filled["accuracy"], share, rtol=1e-12)
        np.testing.assert_allclose(filled["mean_confidence"], mean, rtol=1e-12)


def test_scipy_agrees_on_intervals():
    stats = pytest.importorskip("scipy.stats")
    sure, _, right = capitals()
    row = row_of(sure, right)
    found = stats.ttest_1samp(sure - right, 0).confidence_interval(0.95)
    assert (row["gap_lower"], row["gap_upper"]) == pytest.approx(tuple(found), rel=1e-9)
    losses = (sure - right) ** 2
    half = stats.t.ppf(0.975, 99) * losses.std(ddof=1) / 10 / losses.mean()
    assert row["brier_lower"] == pytest.approx(losses.mean() * math.exp(-half), rel=1e-9)
    assert row["brier_upper"] == pytest.approx(losses.mean() * math.exp(half), rel=1e-9)


def test_wider_levels_and_other_seeds():
    rng = np.random.default_rng(3)
    sure = rng.random(80)
    right = rng.random(80) < sure
    narrow, wide = (row_of(sure, right, n_bootstrap=200, level=level) for level in (0.5, 0.99))
    other = row_of(sure, right, n_bootstrap=200, level=0.5, seed=1)
    for name in WITH_INTERVAL:
        assert wide[f"{name}_lower"] < narrow[f"{name}_lower"] < narrow[name]
        assert narrow[name] < narrow[f"{name}_upper"] < wide[f"{name}_upper"]
    assert other["brier_lower"] == narrow["brier_lower"]  # nothing is drawn
    assert other["ece_if_calibrated"] != narrow["ece_if_calibrated"]


def test_what_is_biased_has_no_interval():
    for name in ("ece", "ace", "mce", "smooth_ece"):
        assert f"{name}_lower" not in schema.CALIBRATION.names


def test_copies_of_answers_say_no_more_than_the_answers():
    rng = np.random.default_rng(4)
    sure = rng.random(120)
    right = (rng.random(120) < sure).astype(float)
    one = row_of(sure, right)
    copied = [np.repeat(each, 5) for each in (sure, right)]
    question = pd.Series(np.repeat(np.arange(120), 5), name="question")
    many = row_of(*copied, clusters=question)
    assert (many["cluster"], many["n_clusters"], many["n"]) == ("question", 120, 600)
    assert (one["cluster"], one["n_clusters"]) == ("answer", 120)
    for name in ("gap", "brier", "log_loss"):
        for end in ("lower", "upper"):
            assert many[f"{name}_{end}"] == pytest.approx(one[f"{name}_{end}"], rel=1e-9), name
    assert many["accuracy_lower"] == pytest.approx(one["accuracy_lower"], abs=0.003)
    assert many["p_calibrated"] == pytest.approx(one["p_calibrated"], abs=0.15)
    assert row_of(*copied)["p_calibrated"] < many["p_calibrated"]
    naive = row_of(*copied)
    assert naive["gap_upper"] - naive["gap_lower"] < 0.5 * (many["gap_upper"] - many["gap_lower"])
    table = reliability(*copied, clusters=question)
    single = reliability(sure, right)
    assert table["n_clusters"].tolist() == single["n"].tolist()
    few = single["n"].to_numpy() < 20  # there, copies are taken as such
    np.testing.assert_allclose(table["accuracy_lower"][few], single["accuracy_lower"][few])


def test_few_clusters_are_warned_of():
    question = np.repeat(np.arange(4), 5)
    for function in (calibration, reliability):
        with pytest.warns(ToolkitWarning, match=r"20 answers of 4 clusters \(clusters\)"):
            function(np.linspace(0, 1, 20), np.arange(20) % 2, clusters=question)


def test_a_cluster_without_a_label_is_an_answer():
    row = row_of([0.5] * 3, [1, 0, 1], clusters=[None, None, None])
    assert (row["cluster"], row["n_clusters"]) == ("clusters", 3)


def test_no_error_seen_still_leaves_a_width():
    row = row_of([0.97] * 30, [1] * 30)
    assert row["no_interval"] == "few_wrong"
    assert np.isnan(row["brier_lower"])
    assert row["gap_lower"] == pytest.approx(-0.03)
    assert row["gap_upper"] == pytest.approx(-0.03 + 1 - row["accuracy_lower"])
    row = row_of([0.5] * 40, [0, 1] * 20)
    assert np.isnan(row["brier_lower"])  # 0.25 whatever happens
    assert row["gap_lower"] < 0 < row["gap_upper"]


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(11)
    held, n_runs = {"brier": 0, "gap": 0}, 100
    # Confidence u, right with probability u²: brier is E[u² − 2u·u² + u²] = 2/3 − 1/2.
    truth = {"brier": 2 / 3 - 1 / 2, "gap": 1 / 2 - 1 / 3}
    for run in range(n_runs):
        sure = rng.random(150)
        row = row_of(sure, rng.random(150) < sure**2, n_bootstrap=100, level=0.9, seed=run)
        for name in held:
            held[name] += row[f"{name}_lower"] <= truth[name] <= row[f"{name}_upper"]
    assert all(0.8 * n_runs < count < 0.98 * n_runs for count in held.values()), held


def test_chance_is_told_from_miscalibration():
    rng = np.random.default_rng(7)
    values = []
    for run in range(100):
        sure = rng.random(60)
        row = row_of(sure, rng.random(60) < sure, n_bootstrap=99, seed=run)
        values.append(row["p_calibrated"])
    assert 1 <= sum(p <= 0.1 for p in values) <= 22  # a p-value of a true hypothesis
    assert 0.35 < np.mean(values) < 0.65
    row = row_of(np.full(200, 0.9), np.arange(200) < 100, n_bootstrap=99)
    assert row["p_calibrated"] == 0.01
    # |binomial(200, 0.9)/200 − 0.9| has the mean √(2/π · 0.9 · 0.1 / 200), nearly.
    assert row["ece_if_calibrated"] == pytest.approx(math.sqrt(2 / math.pi * 0.09 / 200), rel=0.2)


def test_the_capitals():
    sure, least, right = capitals()
    row = row_of(sure, right)
    assert row["accuracy"] == 0.87
    assert row["gap_upper"] < 0  # answers are right more often than their probability says
    parts = bins_of(list(zip(sure, right, strict=True)), 10).values()
    assert row["ece"] == pytest.approx(naive_ece(parts, 100), rel=1e-12)
    assert row["ece"] > 2 * row["ece_if_calibrated"]
    assert row_of(least, right, n_bootstrap=0)["brier"] < row["brier"]


def test_missing_ones_are_left_out_and_counted():
    sure = pd.array([0.9, None, 0.4, 0.7, None], "Float64")
    right = pd.Series([True, True, None, False, None], dtype="boolean")
    row = row_of(sure, right, n_bootstrap=50)
    assert (row["n"], row["n_missing"]) == (2, 3)
    assert row["ece"] == row_of([0.9, 0.7], [1, 0], n_bootstrap=0)["ece"]
    table = reliability(sure, right)
    assert table["n"].sum() == 2
    assert (table["n_missing"] == 3).all()


@pytest.mark.parametrize("answers", [([], []), ([np.nan, 0.5], [1, None])])
def test_no_answer_has_no_score(answers):
    got = calibration(*answers)
    assert list(got) == schema.CALIBRATION.names
    row = got.iloc[0]
    assert (row["n"], row["n_missing"]) == (0, len(answers[0]))
    assert row["no_interval"] == "no_answers"
    counts = ["n", "n_missing", "cluster", "n_clusters", "n_certain_wrong", "no_interval"]
    assert got.drop(columns=counts).isna().all(axis=None)
    table = reliability(*answers, bins=4)
    assert table["n"].tolist() == [0] * 4
    assert table[["mean_confidence", "accuracy", "gap", "accuracy_upper"]].isna().all(axis=None)
    assert len(reliability(*answers, strategy="mass")) == 0


def test_one_answer():
    row = row_of([0.75], [True], n_bootstrap=10)
    for name in set(SCORES) - {"gap", "brier", "log_loss"}:
        assert row[name] == pytest.approx(0.25, abs=1e-4)
    assert row["no_interval"] == "one_cluster"
    assert row["accuracy_lower"] < 0.3  # and yet little is known


def test_certain_and_right_is_perfect():
    row = row_of([1.0, 1.0, 0.0], [1, 1, 0], n_bootstrap=5)
    assert [row[name] for name in SCORES] == [0.0] * len(SCORES)
    assert row["p_calibrated"] == 1


def test_an_infinite_loss_reaches_the_interval():
    row = row_of([1.0] + [0.9] * 20, [0] + [1] * 20, n_bootstrap=200)
    assert row["log_loss"] == row["log_loss_upper"] == math.inf
    assert row["log_loss_lower"] == math.inf  # what occurred has a probability


@given(ANSWERS, st.integers(1, 12))
def test_every_answer_is_in_one_bin(answers, bins):
    for strategy in ("width", "mass"):
        table = reliability(*columns(answers), bins=bins, strategy=strategy)
        assert list(table) == schema.RELIABILITY.names
        assert table["n"].sum() == len(answers)
        filled = table[table["n"] > 0]
        assert (filled["low"] <= filled["mean_confidence"] + 1e-12).all()
        assert (filled["mean_confidence"] <= filled["high"] + 1e-12).all()
        assert (filled["accuracy_lower"] <= filled["accuracy"]).all()
        assert (filled["accuracy"] <= filled["accuracy_upper"]).all()
        assert (table["n"] > 0).equals(table["accuracy"].notna())
    assert len(table) <= bins
    assert (table["n"] > 0).all()
    assert (table["low"].to_numpy()[1:] > table["high"].to_numpy()[:-1]).all()  # no tie is split


def test_bins_of_equal_mass_are_equal_without_ties():
    table = reliability(np.linspace(0, 1, 103), np.ones(103), bins=10, strategy="mass")
    assert set(table["n"]) == {10, 11}


def test_edges_belong_to_the_bin_below():
    table = reliability([0.0, 0.5, 0.500001, 1.0], [0, 1, 1, 1], bins=2)
    assert table["n"].tolist() == [2, 2]
    assert table["low"].tolist() == [0, 0.5]
    assert table["high"].tolist() == [0.5, 1]


def test_results_conform_to_their_declaration():
    for declared, got in (
        (schema.CALIBRATION, calibration([0.5, 0.7], [1, 0], n_bootstrap=3)),
        (schema.RELIABILITY, reliability([0.5], [1])),
        (schema.RELIABILITY, reliability([0.5], [1], strategy="mass")),
    ):
        table = pa.Table.from_pandas(got, preserve_index=False)
        assert schema.conform(table, declared).num_rows == len(got)


def test_arguments_are_not_changed():
    sure, right = pd.Series([0.9, 0.1, 0.5]), pd.Series([True, False, True])
    calibration(sure, right, n_bootstrap=5)
    assert sure.tolist() == [0.9, 0.1, 0.5]
    assert right.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(
            ({"bins": b}, "bins=.*: expected a whole number from 1 to 10,000")
            for b in (0, True, 2.5, "9", 10**6)
        ),
        *(({"n_bootstrap": b}, "n_bootstrap=.*: expected") for b in (-1, 1.5, None, True)),
        *(({"seed": b}, "seed=.*: expected") for b in (-1, 0.5, None, True)),
        *(({"level": b}, "level=.*: expected") for b in (0, 1, 95, math.nan, "0.9", True, None)),
        *(({"clip": b}, "clip=.*: expected") for b in (-0.1, 0.5, math.nan, "0", True, None)),
        ({"by": "model"}, "by='model': expected a Series"),
        ({"by": 3}, "by=3: expected a Series"),
        ({"by": ["a", "b"]}, "by='a': expected a Series, or a sequence"),
        ({"by": pd.Series([1, 2])}, "needs a unique name"),
        ({"by": pd.Series([1, 2], name="ece")}, "needs a unique name"),
        ({"by": [pd.Series([1, 2], name="a")] * 2}, "needs a unique name"),
        ({"by": pd.Series([1], name="a")}, "has 1 values for 2 answers"),
        ({"by": pd.Series([1, [2]], name="a")}, "cannot be grouped"),
        ({"clusters": "question"}, "clusters='question': expected one label per answer"),
        ({"clusters": ["a"]}, "clusters has 1 labels for 2 answers"),
        ({"clusters": [[1], [2]]}, "clusters: labels that cannot be compared"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ArgumentError, match=message):
        calibration([0.5, 0.6], [1, 0], **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(({"bins": b}, "bins=.*: expected") for b in (0, True, 2.5, "9", None)),
        *(({"level": b}, "level=.*: expected") for b in (0, 1, math.nan, "0.9", None)),
        *(({"strategy": b}, "strategy=.*: expected one of") for b in ("quantile", None, 1)),
    ],
)
def test_bad_options_of_reliability(options, message):
    with pytest.raises(ArgumentError, match=message):
        reliability([0.5, 0.6], [1, 0], **options)


def test_public_names():
    assert toolkit.calibration is calibration
    assert toolkit.reliability is reliability
