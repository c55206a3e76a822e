"""Votes of several choices against plain counting."""

import csv
import json
import math
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import agreement, votes


def asked(*answers, **fields):
    """Return a response with a choice for each (text, mean logprob)."""
    choices = []
    for i, answer in enumerate(answers):
        text, logprob = answer if isinstance(answer, tuple) else (answer, -1.0)
        entries = [{"token": text or "", "logprob": logprob}]
        choices.append({"index": i, "message": {"content": text}, "logprobs": {"content": entries}})
    return {"model": "m", **fields, "choices": choices}


def one(*answers, **options):
    """Return the agreement of the choices of one response."""
    return agreement(toolkit.from_responses(asked(*answers)), **options).iloc[0]


def entropy(sizes):
    total = math.fsum(sizes)
    return -math.fsum(s / total * math.log(s / total) for s in sizes)


# Worked by hand


def test_the_majority_and_how_far_it_is_ahead():
    row = one("a", "b", "a", " a\n", "c")
    assert (row["n_choices"], row["n_answered"], row["n_clusters"]) == (5, 5, 3)
    assert (row["majority"], row["majority_share"]) == ("a", 0.6)
    assert row["margin"] == pytest.approx(0.4)
    assert row["vote_entropy"] == pytest.approx(entropy([3, 1, 1]))
    assert row["semantic_entropy_discrete"] == pytest.approx(row["vote_entropy"])


def test_agreement_of_one_or_all_is_certain():
    for answers in (["a"], ["a", "a", "a"]):
        row = one(*answers)
        assert row[["majority_share", "margin", "vote_entropy", "semantic_entropy"]].tolist() == [
            1.0,
            1.0,
            0.0,
            0.0,
        ]


def test_a_tie_has_no_margin():
    row = one("b", "a", "a", "b")
    assert (row["majority"], row["margin"]) == ("b", 0.0)


def test_no_answer_is_no_vote():
    row = one("5", "none", "5", answer=lambda text: text if text.isdigit() else None)
    assert (row["n_answered"], row["majority_share"]) == (2, 1.0)
    nothing = one("x", "y", answer=lambda text: None)
    assert nothing["n_answered"] == 0
    assert pd.isna(nothing["majority"])
    floats = ["majority_share", "margin", "vote_entropy", "semantic_entropy", "weighted_share"]
    assert nothing[floats].isna().all()


def test_answers_that_mean_the_same():
    row = one("Paris", "paris", "Rome", equal=lambda a, b: a.lower() == b.lower())
    assert (row["n_clusters"], row["majority"]) == (2, "Paris")
    assert row["vote_entropy"] == pytest.approx(math.log(3))
    assert row["semantic_entropy_discrete"] == pytest.approx(entropy([2, 1]))
    row = one("Paris", "Rome", "Milan", clusters=["fr", "it", "it"])
    assert (row["majority"], row["n_clusters"]) == ("Rome", 2)
    row = one("Paris", "Rome", "Milan", clusters=["fr", None, "it"])
    assert row["n_answered"] == 2


def test_answers_of_any_kind_are_compared_by_equality():
    for answer in (float, lambda text: [float(text)], lambda text: (float(text), "m")):
        row = one("1", "1.0", "2", answer=answer)
        assert (row["n_clusters"], row["majority_share"]) == (2, pytest.approx(2 / 3))
        assert row["vote_entropy"] == pytest.approx(entropy([2, 1]))
    assert one("1", "nan", "nan", answer=float)["n_answered"] == 1


def test_semantic_entropy_weighs_by_likelihood():
    row = one(("a", -1.0), ("a", -2.0), ("b", -0.5))
    sizes = [math.exp(-1) + math.exp(-2), math.exp(-0.5)]
    assert row["semantic_entropy"] == pytest.approx(entropy(sizes))
    row = one(("a", None), ("b", -0.5))
    assert (row["n_scored"], row["semantic_entropy"]) == (1, 0.0)


def test_weights_can_turn_a_vote():
    answers = [("a", -3.0), ("a", -3.0), ("b", -0.1)]
    row = one(*answers, weight="mean_probability")
    assert (row["majority"], row["weighted_majority"]) == ("a", "b")
    total = 2 * math.exp(-3) + math.exp(-0.1)
    assert row["weighted_share"] == pytest.approx(math.exp(-0.1) / total)
    assert row["weighted_margin"] == pytest.approx((math.exp(-0.1) - 2 * math.exp(-3)) / total)
    assert one(*answers, weight=[1, 1, 5])["weighted_majority"] == "b"
    assert one(*answers, weight=[1, 1, None])["n_kept"] == 2


def test_only_the_weightiest_are_kept():
    answers = ["a", "a", "b", "c"]
    row = one(*answers, weight=[1, 2, 4, 3], keep=0.5)
    assert (row["n_kept"], row["weighted_majority"]) == (2, "b")
    assert row["majority"] == "a"
    assert one(*answers, weight=[1, 2, 4, 3], keep=0.01)["n_kept"] == 1
    assert one(*answers, keep=0.5)["n_kept"] == 4  # all weigh the same


def test_answers_of_one_custom_id_belong_together():
    bodies = [asked("a", custom_id="x"), asked("b", custom_id="y"), asked("a", custom_id="x")]
    lp = toolkit.from_responses(
        [{"choices": b["choices"]} for b in bodies], custom_id=["x", "y", "x"]
    )
    found = agreement(lp, by="custom_id")
    assert found["custom_id"].tolist() == ["x", "y"]
    assert found["n_choices"].tolist() == [2, 1]
    assert agreement(lp)["n_choices"].tolist() == [1, 1, 1]
    assert votes(lp, by="custom_id")["group"].tolist() == [0, 1, 0]


# Against plain counting


@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.floats(-5, -0.01)),
            min_size=1,
            max_size=6,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_votes_are_counted(questions):
    lp = toolkit.from_responses([asked(*answers) for answers in questions])
    found = agreement(lp, weight="mean_probability")
    assert list(found) == schema.AGREEMENT.names
    for row, answers in zip(found.itertuples(), questions, strict=True):
        counts = Counter(text for text, _ in answers)
        assert row.majority_share == pytest.approx(max(counts.values()) / len(answers))
        assert counts[row.majority] == max(counts.values())
        assert row.vote_entropy == pytest.approx(entropy(counts.values()), abs=1e-12)
        sums = {text: math.fsum(math.exp(lp) for t, lp in answers if t == text) for text in counts}
        assert row.semantic_entropy == pytest.approx(entropy(sums.values()), abs=1e-12)
        assert sums[row.weighted_majority] == pytest.approx(max(sums.values()))
    turned = agreement(toolkit.from_responses([asked(*answers[::-1]) for answers in questions]))
    for name in ("majority_share", "margin", "vote_entropy", "semantic_entropy", "n_clusters"):
        np.testing.assert_allclose(turned[name], found[name], atol=1e-12)


def test_sums_of_the_samples(samples):
    path = samples / "arithmetic_n5.jsonl"
    lp = toolkit.read(path)

    def number(text):
        return (re.findall(r"-?\d+", text) or [None])[0]

    found = agreement(lp, answer=number)
    assert len(found) == 40
    for row, line in zip(found.itertuples(), path.read_text().splitlines(), strict=True):
        said = [number(c["message"]["content"]) for c in json.loads(line)["choices"]]
        counts = Counter(each for each in said if each is not None)
        assert row.n_answered == counts.total()
        assert row.majority_share == pytest.approx(max(counts.values()) / counts.total())
    with (samples / "arithmetic_labels.csv").open() as file:
        right = [row["expected"] for row in csv.DictReader(file)]
    shares = found["majority_share"][found["majority"] == pd.Series(right)]
    assert 0 < len(shares) < 40


def test_questions_do_not_depend_on_each_other(samples):
    lp = toolkit.read(samples / "arithmetic_n5.jsonl")
    whole = agreement(lp, weight="mean_probability", keep=0.5).drop(columns="group")
    parts = [
        agreement(lp.filter(response_key=key), weight="mean_probability", keep=0.5)
        for key in lp.responses["response_key"].to_pylist()
    ]
    pd.testing.assert_frame_equal(whole, pd.concat(parts, ignore_index=True).drop(columns="group"))


# Arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"answer": "text"}, "answer"),
        ({"equal": 3}, "equal"),
        ({"equal": lambda a, b: True, "clusters": ["x", "y"]}, "clusters"),
        ({"clusters": ["x"]}, "clusters"),
        ({"clusters": "xy"}, "clusters"),
        ({"clusters": 3}, "clusters"),
        ({"weight": "perplex"}, "weight"),
        ({"weight": "mean_logprob"}, "weight"),
        ({"weight": [1]}, "weight"),
        ({"weight": [1, -1]}, "weight"),
        ({"weight": [1, math.inf]}, "weight"),
        ({"weight": ["a", "b"]}, "weight"),
        ({"keep": 0}, "keep"),
        ({"keep": 1.1}, "keep"),
        ({"keep": True}, "keep"),
        ({"keep": "all"}, "keep"),
        ({"by": "model"}, "by"),
    ],
)
def test_bad_arguments_are_named(options, message):
    for function in (agreement, votes):
        with pytest.raises(ArgumentError, match=message):
            function(toolkit.from_responses(asked("a", "b")), **options)


def test_a_function_that_raises_is_placed_and_the_text_is_not_told():
    def answer(text):
        raise ValueError(f"cannot read {text}")

    with pytest.raises(ArgumentError, match="answer raised ValueError at response_key 0") as caught:
        one("secret", answer=answer)
    assert "secret" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:no response:toolkit.ToolkitWarning")
def test_nothing_to_count():
    lp = toolkit.from_responses({"choices": [{"message": {"content": None}}]})
    row = agreement(lp).iloc[0]
    assert row["n_answered"] == 0
    assert math.isnan(row["majority_share"])
    none = lp.filter(response_key=[])
    assert len(agreement(none)) == len(votes(none)) == 0
    assert list(agreement(none)) == schema.AGREEMENT.names
    assert list(votes(none)) == schema.VOTES.names
