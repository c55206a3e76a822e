"""Answers are put into clusters, and few clusters give a warning."""

import warnings

import numpy as np
import pandas as pd
import pytest

from toolkit.errors import ArgumentError, ToolkitWarning
from toolkit.metrics._clusters import clusters_of, renumbered, request_labels, warn_if_few


def test_each_answer_is_its_own_without_labels():
    found = clusters_of(None, 3)
    assert (found.codes.tolist(), found.name, found.is_given, found.n) == (
        [0, 1, 2],
        "answer",
        False,
        3,
    )
    assert clusters_of(None, 0).n == 0


def test_labels_of_any_kind():
    assert clusters_of(pd.Series(["b", "a", "b"], name="question"), 3).codes.tolist() == [1, 0, 1]
    assert clusters_of(pd.Series(["b", "a"], name="question"), 2).name == "question"
    assert clusters_of([1, "a", 1.0, None, None], 5).n == 4
    assert clusters_of(pd.array([3, None, 3], "Int64"), 3).codes.tolist() == [0, 1, 0]
    assert clusters_of([("a", 1), ("a", 2), ("a", 1)], 3).n == 2


@pytest.mark.parametrize("labels", ["abc", b"abc", 3, {1: 2}, ["a"], [["a"], ["b"], ["c"]]])
def test_bad_labels(labels):
    with pytest.raises(ArgumentError, match="clusters"):
        clusters_of(labels, 3)


def test_a_request_is_a_custom_id_that_repeats_or_else_a_response():
    keys = [10, 10, 11, 12]
    once = pd.DataFrame({"response_key": keys, "custom_id": ["a", "a", "b", "c"]})
    assert request_labels(once).tolist() == keys
    assert request_labels(once).name == "response_key"
    twice = once.assign(custom_id=["a", "a", "a", None])
    assert clusters_of(request_labels(twice), 4).n == 2
    assert request_labels(twice).name == "custom_id"
    assert request_labels(once.drop(columns="custom_id")).tolist() == keys
    mixed = once.assign(custom_id=["a", "a", "b", "b"], response_key=[10, 11, 12, 12])
    assert clusters_of(request_labels(mixed), 4).n == 2


def test_codes_without_gaps():
    assert renumbered(np.array([9, 2, 9, 4])).tolist() == [2, 0, 2, 1]


def test_few_clusters_are_warned_of():
    with pytest.warns(ToolkitWarning, match=r"30 answers of 6 clusters \(question\)"):
        warn_if_few(6, 30, "question")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_few(20, 100, "question")
        warn_if_few(4, 4, "answer")
        warn_if_few(0, 0, "answer")
