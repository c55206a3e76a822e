"""Columns of confidence and correctness: what is accepted, and what is refused."""

import datetime
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from toolkit.errors import ArgumentError
from toolkit.metrics import calibration, fit_calibrator, reliability, risk_coverage, selective
from toolkit.metrics._judged import judged

TAKERS = (calibration, reliability, selective, risk_coverage, fit_calibrator)


@pytest.mark.parametrize(
    "right",
    [
        [True, False, None],
        [1, 0, math.nan],
        [1.0, 0.0, None],
        np.array([1, 0, np.nan], np.float32),
        np.array([True, False, None], object),
        pd.Series([True, False, None], dtype="boolean"),
        pd.Series([1, 0, None], dtype="Int64"),
        pd.Series([1, 0, None], dtype="category"),
        pd.Series([True, False, None], dtype=pd.ArrowDtype(pa.bool_())),
        pa.array([True, False, None]),
    ],
    ids=str,
)
def test_truth_in_many_forms(right):
    got = judged([0.9, 0.2, 0.5], right)
    assert got.confidence.tolist() == [0.2, 0.9]
    assert got.correct.tolist() == [0, 1]
    assert got.n_missing == 1


def test_what_is_one_but_for_rounding_is_one():
    assert judged([1 + 1e-9], [1]).confidence.tolist() == [1.0]


@pytest.mark.parametrize("take", TAKERS)
@pytest.mark.parametrize(
    ("sure", "right", "message"),
    [
        ([0.5], [0.5], "correct holds 0.5: expected True/False or 1/0, null for unknown"),
        ([0.5], [2], "correct holds 2: expected True/False"),
        ([0.5], ["yes"], "correct holds string: expected numbers, null for unknown"),
        ([0.5, 0.6], [1], "confidence has 2 values, correct 1"),
        (["0.5"], [1], "confidence holds .*: expected numbers"),
        ([True], [1], "are confidence and correct swapped"),
        ([0.5j], [1], "confidence holds .*: expected numbers"),
        ([datetime.date(2024, 1, 1)], [1], "confidence holds .*: expected numbers"),
        ([[0.5]], [1], "confidence has 2 dimensions: expected one"),
        (0.5, [1], "confidence is a float: expected an array or a Series"),
        (None, [1], "confidence is a .*: expected an array"),
        ("0.5", [1], "confidence is a .*: expected an array"),
        ({"a": 0.5}, [1], "confidence is a .*: expected an array"),
        (pd.DataFrame({"a": [0.5]}), [1], "confidence is a .*: expected an array"),
        ([0.5], 1, "correct is a int: expected an array"),
        (
            pd.Series([0.5, 0.6]),
            pd.Series([1, 0], index=[1, 0]),
            "confidence and correct are Series of different index",
        ),
    ],
)
def test_bad_columns(take, sure, right, message):
    with pytest.raises(ArgumentError, match=message):
        take(sure, right)


@pytest.mark.parametrize("take", [calibration, reliability, fit_calibrator])
@pytest.mark.parametrize("value", [-0.1, 1.1, math.inf, -math.inf])
def test_probabilities_lie_between_0_and_1(take, value):
    with pytest.raises(ArgumentError, match="confidence holds .*: expected probabilities"):
        take([0.5, value], [1, 0])


def test_groups_have_the_index_of_the_answers():
    by = pd.Series(["a", "b"], index=[1, 0], name="model")
    with pytest.raises(ArgumentError, match=r"confidence and by \('model'\) are Series"):
        calibration(pd.Series([0.5, 0.6]), [1, 0], by=by)


def test_null_is_a_group_and_several_columns_are_allowed():
    by = [pd.Series(["a", None, "a"], name="model"), pd.Series([1, 1, 2], name="choice")]
    got = calibration([0.5, 0.6, 0.7], [1, 0, 1], by=by, n_bootstrap=0)
    assert got["model"].isna().tolist() == [False, False, True]
    assert got["choice"].tolist() == [1, 2, 1]
    assert got["n"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("labels", "how"),
    [
        (["yes", "no", None], "pandas.Series(correct).map({'yes': True, 'no': False})"),
        (["1", "0", "1"], "pandas.to_numeric(correct)"),
        (["Wrong", "Correct", "Wrong"], "map({'Wrong': False, 'Correct': True})"),
        (["TRUE", "FALSE", None], "map({'TRUE': True, 'FALSE': False})"),
        (["Paris", "Rome", "Oslo"], "correct == TEXT"),
    ],
)
def test_texts_are_refused_with_what_converts_them(labels, how):
    correct = pd.Series(labels)
    with pytest.raises(ArgumentError) as caught:
        calibration([0.1, 0.5, 0.9], correct)
    message = str(caught.value)
    assert how in message
    assert "Paris" not in message
    code = message.partition("convert the texts: ")[2]
    if "TEXT" not in code:
        converted = eval(code, {"pandas": pd, "correct": correct})
        assert calibration([0.1, 0.5, 0.9], converted, n_bootstrap=0)["n"][0] >= 2
