"""Length as a confounder of recorded answers."""

import numpy as np
import pandas as pd
import pytest

import toolkit
from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import length_confounding


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
    for n_tokens in ([1], ["a", "b"], None, 3):
        with pytest.raises(ArgumentError, match="n_tokens"):
            length_confounding([0.1, 0.2], [0, 1], n_tokens)
    with pytest.raises(ArgumentError, match="correct"):
        length_confounding([0.1, 0.2], [0, 2], [1, 2])
    assert np.isnan(length_confounding([], [], [])["auroc_length"][0])
