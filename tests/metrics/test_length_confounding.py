"""Length as a confounder of recorded answers."""

import numpy as np
import pandas as pd
import pytest

import toolkit
from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import length_confounding, selective

LENGTH = ["auroc_length", "auroc_within_length", "length_correlation"]


def test_answers_that_lack_a_value_are_counted():
    found = length_confounding([0.9, None, 0.1, 0.5], [1, 0, 0, None], [3, 4, 5, 6])
    assert list(found) == schema.LENGTH_CONFOUNDING.names
    assert found.loc[0, ["n", "n_missing"]].tolist() == [2, 2]
    assert found["auroc_length"][0] == 1.0


def test_the_sum_of_logprobs_counts_tokens(samples):
    answers = toolkit.sequence_metrics(toolkit.read(samples / "capitals_batch.jsonl"))
    truth = pd.read_csv(samples / "capitals_labels.csv")
    judged = toolkit.join_labels(answers, truth)
    row = length_confounding(-judged["n_tokens"], judged["correct"], judged["n_tokens"]).iloc[0]
    auroc = toolkit.selective(-judged["n_tokens"], judged["correct"], n_bootstrap=0)["auroc"][0]
    assert row["auroc_length"] == pytest.approx(auroc)
    assert row["length_correlation"] == pytest.approx(-1.0)


def test_bad_arguments_are_named():
    with pytest.raises(ArgumentError, match="n_tokens=None: expected the length of each answer"):
        length_confounding([0.1, 0.2], [0, 1], None)
    with pytest.raises(ArgumentError, match="correct"):
        length_confounding([0.1, 0.2], [0, 2], [1, 2])
    assert np.isnan(length_confounding([], [], [])["auroc_length"][0])


@pytest.mark.parametrize("function", [length_confounding, selective])
@pytest.mark.parametrize(
    ("n_tokens", "message"),
    [
        ([1], "n_tokens has 1 values for 2 answers: expected one each"),
        (["a", "b"], "n_tokens holds string: expected numbers"),
        ([True, False], "n_tokens holds True and False"),
        ([[1, 2]], "n_tokens has 2 dimensions"),
        (3, "n_tokens is a int: expected an array or a Series"),
        ([3, -1], "n_tokens holds -1: expected lengths, null for unknown"),
        ([3, np.inf], "n_tokens holds inf: expected lengths"),
        ([3, 10**400], "n_tokens holds a number that is too large"),
        (pd.Series([1, 2], index=[1, 0]), "confidence and n_tokens are Series of different index"),
    ],
)
def test_lengths_that_are_none_are_refused(function, n_tokens, message):
    with pytest.raises(ArgumentError, match=message):
        function(pd.Series([0.1, 0.2]), [0, 1], n_tokens=n_tokens)


@pytest.mark.parametrize("clusters", [None, np.arange(400) // 2])
def test_selective_has_them_for_all_answers_and_by_group(clusters):
    rng = np.random.default_rng(0)
    n_tokens = rng.integers(1, 40, 400).astype(float)
    answers = pd.DataFrame(
        {
            "model": rng.choice(["a", "b", None], 400),
            "confidence": np.round(rng.random(400) - n_tokens / 20, 1),
            "correct": (rng.random(400) > n_tokens / 50).astype(float),
            "n_tokens": n_tokens,
        }
    )
    for name in ("confidence", "correct", "n_tokens"):
        answers.loc[rng.random(400) < 0.1, name] = np.nan

    def rows(by=None, **length):
        sure, right = answers["confidence"], answers["correct"]
        return selective(sure, right, by=by, clusters=clusters, n_bootstrap=0, **length)

    def alone(some):
        return length_confounding(some["confidence"], some["correct"], some["n_tokens"])[LENGTH]

    n_tokens, model = answers["n_tokens"], answers["model"]
    pd.testing.assert_frame_equal(rows(n_tokens=n_tokens)[LENGTH], alone(answers))
    groups = answers.groupby("model", dropna=False)
    expected = pd.concat([alone(some) for _, some in groups], ignore_index=True)
    assert len(expected) == 3
    assert expected.notna().all(axis=None)
    assert not expected.round(3).duplicated().any()
    pd.testing.assert_frame_equal(rows(model, n_tokens=n_tokens)[LENGTH], expected)
    # Without lengths these are null, and nothing else differs.
    without, given = rows(model), rows(model, n_tokens=n_tokens)
    assert without[LENGTH].isna().all(axis=None)
    pd.testing.assert_frame_equal(without.drop(columns=LENGTH), given.drop(columns=LENGTH))


def test_a_score_that_is_the_length_says_nothing_within_it():
    rng = np.random.default_rng(0)
    n_tokens = np.repeat([2.0, 5, 9, 20, 50], 400)
    correct = rng.random(2000) > n_tokens / 60
    row = selective(-n_tokens, correct, n_tokens=n_tokens, n_bootstrap=0).iloc[0]
    assert row["auroc"] == row["auroc_length"] > 0.7
    assert (row["auroc_within_length"], row["length_correlation"]) == (0.5, pytest.approx(-1.0))


def test_no_answer_and_no_known_length_are_null():
    assert selective([], [], n_tokens=[])[LENGTH].isna().all(axis=None)
    found = selective([0.9, 0.1], [1, 0], n_tokens=[None, np.nan], n_bootstrap=0)
    assert found[LENGTH].isna().all(axis=None)
    assert found["auroc"].tolist() == [1.0]
