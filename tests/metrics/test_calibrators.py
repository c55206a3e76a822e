"""Calibrators: fits against known curves, saved and restored, without scikit-learn in use."""

import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toolkit
from tests.metrics.judgements import capitals
from toolkit.errors import ArgumentError, ToolkitWarning
from toolkit.metrics import Calibrator, calibration, fit_calibrator

METHODS = ("temperature", "platt", "isotonic")


def needs(method):
    if method != "temperature":
        pytest.importorskip("sklearn")


def answers(n=300, temperature=2.0, seed=0):
    """Confidences that are too extreme by a temperature."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(0, 1.5, n)
    right = rng.random(n) < 1 / (1 + np.exp(-log_odds))
    return 1 / (1 + np.exp(-log_odds * temperature)), right


def log_loss(p, right):
    return -math.fsum(math.log(x if y else 1 - x) for x, y in zip(p, right, strict=True))


def test_a_worked_example():
    """0.9 is right in 8 of 10, 0.1 in 2 of 10: logit(0.8) = logit(0.9) / T."""
    got = fit_calibrator([0.9] * 10 + [0.1] * 10, [1] * 8 + [0] * 10 + [1] * 2)
    expected = math.log(9) / math.log(4)
    assert got.parameters["temperature"] == pytest.approx(expected, rel=1e-12)
    assert got([0.9, 0.1, 0.5, 0.0, 1.0]) == pytest.approx([0.8, 0.2, 0.5, 0, 1], rel=1e-12)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(0.5, 4))
def test_the_temperature_has_the_least_loss(seed, temperature):
    sure, right = answers(200, temperature, seed)
    got = fit_calibrator(sure, right)
    best = log_loss(got(sure), right)
    for factor in (0.9, 0.99, 1.01, 1.1):
        other = {"temperature": got.parameters["temperature"] * factor}
        assert log_loss(Calibrator("temperature", other, 1, 0)(sure), right) > best


def test_much_data_finds_the_true_temperature():
    sure, right = answers(50_000, 2.5)
    assert fit_calibrator(sure, right).parameters["temperature"] == pytest.approx(2.5, rel=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_calibrating_calibrates(method):
    needs(method)
    sure, right = answers(4000)
    fresh, truth = answers(4000, seed=1)
    fitted = fit_calibrator(sure, right, method=method)
    before = calibration(fresh, truth, n_bootstrap=0).iloc[0]
    after = calibration(fitted(fresh), truth, n_bootstrap=0).iloc[0]
    assert after["smooth_ece"] < before["smooth_ece"] / 2
    assert after["brier"] < before["brier"]


def test_platt_agrees_with_scikit_learn():
    sigmoid = pytest.importorskip("sklearn.calibration")._sigmoid_calibration
    sure, _, right = capitals()
    for score in (sure, np.log(sure), 1000 * sure):
        got = fit_calibrator(score, right, method="platt").parameters
        slope, intercept = sigmoid(score.to_numpy(), right.to_numpy())  # its signs are Platt's
        assert got["slope"] == pytest.approx(-slope, rel=1e-3)
        assert got["intercept"] == pytest.approx(-intercept, rel=1e-3)


def test_platt_is_where_the_slope_of_the_loss_is_zero():
    needs("platt")
    score, right = answers(100)
    got = fit_calibrator(score, right, method="platt")
    up, down = right.sum(), (~right).sum()
    target = np.where(right, (up + 1) / (up + 2), 1 / (down + 2))
    off = got(score) - target
    assert abs(off.sum()) < 1e-4
    assert abs((off * score).sum()) < 1e-4


def test_isotonic_is_what_pooling_makes():
    needs("isotonic")
    score, right = np.random.default_rng(4).random(60).round(1), np.arange(60) % 3 > 0
    blocks = [[[x], list(right[score == x])] for x in sorted(set(score))]
    while True:
        means = [sum(ys) / len(ys) for _, ys in blocks]
        falls = [i for i in range(len(means) - 1) if means[i] > means[i + 1]]
        if not falls:
            break
        xs, ys = blocks.pop(falls[0] + 1)
        blocks[falls[0]][0].extend(xs)
        blocks[falls[0]][1].extend(ys)
    got = fit_calibrator(score, right, method="isotonic")
    for (xs, _), mean in zip(blocks, means, strict=True):
        assert got(xs) == pytest.approx([mean] * len(xs))


def test_isotonic_agrees_with_scikit_learn_between_and_beyond():
    isotonic = pytest.importorskip("sklearn.isotonic")
    sure, _, right = capitals()
    model = isotonic.IsotonicRegression(out_of_bounds="clip").fit(sure, right)
    grid = np.linspace(0, 1, 301)
    got = fit_calibrator(sure, right, method="isotonic")(grid)
    np.testing.assert_allclose(got, model.predict(grid), atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_kept_as_json(method):
    needs(method)
    sure, right = answers(80)
    fitted = fit_calibrator(sure, right, method=method)
    again = Calibrator.from_dict(json.loads(json.dumps(fitted.to_dict(), allow_nan=False)))
    assert again == fitted
    np.testing.assert_array_equal(again(sure), fitted.transform(sure))


@pytest.mark.parametrize("method", METHODS)
def test_transform_keeps_shape_null_and_order(method):
    needs(method)
    sure, right = answers(120)
    fitted = fit_calibrator([*sure, None], [*right, 1], method=method)
    assert (fitted.n, fitted.n_missing) == (120, 1)
    series = pd.Series([0.1, None, 0.9], index=[5, 3, 1], name="c")
    got = fitted(series)
    assert (got.name, got.index.tolist()) == ("c", [5, 3, 1])
    assert got.isna().tolist() == [False, True, False]
    assert series.tolist()[0] == 0.1
    grid = fitted(np.linspace(0, 1, 101))
    assert (np.diff(grid) >= 0).all()
    assert ((grid >= 0) & (grid <= 1)).all()
    assert fitted([]).shape == (0,)


def test_row_order_makes_no_difference():
    sure, right = answers(150)
    order = np.random.default_rng(2).permutation(150)
    assert fit_calibrator(sure, right) == fit_calibrator(sure[order], right[order])


def test_certain_answers_do_not_bear_on_the_temperature():
    sure, right = answers(100)
    more = fit_calibrator([*sure, 0.0, 1.0, 1.0], [*right, 1, 0, 1])
    assert more.parameters == fit_calibrator(sure, right).parameters


def test_a_temperature_at_its_bound_warns():
    with pytest.warns(ToolkitWarning, match="right side of 0.5"):
        got = fit_calibrator([0.9, 0.2], [1, 0])
    assert got.parameters["temperature"] == pytest.approx(0.001)
    with pytest.warns(ToolkitWarning, match="says nothing about these answers"):
        got = fit_calibrator([0.9, 0.2], [0, 1])
    assert got([0.9]) == pytest.approx([0.5], abs=1e-3)


@pytest.mark.parametrize("method", METHODS[1:])
def test_few_answers_and_one_kind(method):
    needs(method)
    for sure, right in ([0.5], [1]), ([0.5, 0.5], [1, 0]), ([0.2, 0.9], [0, 0]):
        got = fit_calibrator(sure, right, method=method)(sure)
        assert np.isfinite(got).all()


@pytest.mark.parametrize(
    ("sure", "right", "options", "message"),
    [
        ([0.5], [1], {"method": "beta"}, "method='beta': expected one of"),
        ([0.5], [1], {"method": None}, "method=None: expected one of"),
        ([], [], {}, "no answer has both"),
        ([None, 0.5], [1, None], {}, "no answer has both"),
        ([0.0, 0.5, 1.0], [1, 1, 0], {}, "which no temperature changes"),
        (
            [math.inf, 0.5],
            [1, 0],
            {"method": "platt"},
            "confidence has infinite values",
        ),
    ],
)
def test_bad_arguments(sure, right, options, message):
    with pytest.raises(ArgumentError, match=message):
        fit_calibrator(sure, right, **options)


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        (None, "saved is a NoneType: expected the mapping"),
        ({"method": "platt"}, "saved=.*: expected a mapping of"),
        ({"method": "beta", "parameters": {}, "n": 1, "n_missing": 0}, "method='beta'"),
        (
            {"method": "platt", "parameters": {}, "n": 1, "n_missing": 0},
            r"parameters={}: expected a mapping of .* for platt",
        ),
        *(
            (
                {
                    "method": "temperature",
                    "parameters": {"temperature": t},
                    "n": 1,
                    "n_missing": 0,
                },
                "temperature=.*: expected a finite number above 0",
            )
            for t in (0, -1, math.nan, math.inf, "1", True, None)
        ),
        *(
            (
                {
                    "method": "isotonic",
                    "parameters": {"x": x, "y": y},
                    "n": 1,
                    "n_missing": 0,
                },
                "expected x that increases",
            )
            for x, y in (
                ([], []),
                ([1, 1], [0, 1]),
                ([0, 1], [1, 0]),
                ([0], [2]),
                ([0, 1], [0]),
                ([0.0, math.nan], [0, 1]),
            )
        ),
        *(
            (
                {"method": "temperature", "parameters": {"temperature": 1}, "n": n, "n_missing": 0},
                "n=.*: expected a whole number of at least 0",
            )
            for n in (-1, 1.5, True)
        ),
    ],
)
def test_what_is_no_saved_calibrator(saved, message):
    with pytest.raises(ArgumentError, match=message):
        Calibrator.from_dict(saved)


def test_temperature_refuses_what_is_no_probability():
    with pytest.raises(ArgumentError, match="confidence holds .*: expected probabilities"):
        Calibrator("temperature", {"temperature": 1.0}, 1, 0)([-0.5])


def test_without_scikit_learn():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import toolkit\n"
        "print(toolkit.fit_calibrator([0.9, 0.9, 0.9], [1, 1, 0]).method)\n"
        "try: toolkit.fit_calibrator([0.9], [1], method='platt')\n"
        "except toolkit.errors.ArgumentError as error: print(error)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.startswith("temperature\n")
    assert "logprob-toolkit[stats]" in out.stdout


def test_public_names():
    assert toolkit.fit_calibrator is fit_calibrator
    assert toolkit.metrics.Calibrator is Calibrator
