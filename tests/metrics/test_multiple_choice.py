"""Multiple choice, against lm-evaluation-harness's formulas on the raw recordings."""

import gzip
import json
import math

import numpy as np
import pandas as pd
import pytest

import toolkit
from tests.metrics.test_texts import given_text
from toolkit import schema
from toolkit.errors import ArgumentError, SchemaError
from toolkit.metrics import multiple_choice, option_scores


@pytest.fixture(scope="module")
def options(data):
    return pd.read_csv(data / "options.csv")


def loglikelihoods(path, options):
    """Return the sums over the tokens after the context, as the harness computes them."""
    found = []
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    for line, text in zip(lines, options["text"], strict=True):
        choice = json.loads(line)["response"]["body"]["choices"][0]
        context = len(choice["text"]) - len(" " + text)
        listed = choice["logprobs"]
        first = listed["text_offset"].index(context)
        found.append(sum(listed["token_logprobs"][first:]))
    return np.array(found)


def test_choices_are_those_of_the_harness(data, options):
    given, alone = (data / f"{name}_q4_1.jsonl.gz" for name in ("options", "options_alone"))
    scores = option_scores(toolkit.read(given), options, unconditional=toolkit.read(alone))
    assert list(scores) == schema.OPTION_SCORES.names
    assert scores["custom_id"].tolist() == options["custom_id"].tolist()
    assert set(scores["model"]) == {"smollm2-135m-instruct-q4_1"}
    lls, without = loglikelihoods(given, options), loglikelihoods(alone, options)
    np.testing.assert_allclose(scores["acc"], lls, rtol=1e-12)
    np.testing.assert_allclose(scores["acc_mutual_info"], lls - without, atol=1e-9)
    assert scores["is_aligned"].all()
    assert not scores["is_partial"].any()
    found = multiple_choice(scores)
    assert list(found) == schema.MULTIPLE_CHOICE.names
    found = found.set_index(["question", "measure"])
    for question, rows in options.groupby("question"):
        at = rows.index.to_numpy()
        texts, gold = rows["text"].tolist(), int(np.argmax(rows["correct"]))
        predicted = {
            "acc": np.argmax(lls[at]),
            "acc_norm": np.argmax(lls[at] / np.array([float(len(t)) for t in texts])),
            "acc_bytes": np.argmax(lls[at] / np.array([len(t.encode()) for t in texts])),
            "acc_mutual_info": np.argmax(lls[at] - without[at]),
        }
        for name, chosen in predicted.items():
            row = found.loc[(question, name)]
            assert row["chosen"] == rows["option"].iloc[chosen]
            assert row["is_correct"] == (chosen == gold)
            assert row["is_changed"] == (chosen != predicted["acc"])
        best, second = np.sort(lls[at])[::-1][:2]
        assert found.loc[(question, "acc"), "margin"] == pytest.approx(best - second)


def asked(*answers, ids=None):
    return toolkit.from_responses([given_text(*each) for each in answers], custom_id=ids)


def table(*texts, ids="q", **columns):
    names = "ABCD"[: len(texts)]
    ids = [ids] * len(texts) if isinstance(ids, str) else ids
    return pd.DataFrame({"custom_id": ids, "option": list(names), "text": texts, **columns})


def test_options_of_one_custom_id_follow_the_order_of_its_responses():
    lp = asked((["q:", " a"], [-9.0, -1.0]), (["q:", " bb"], [-9.0, -2.0]), ids=["q", "q"])
    scores = option_scores(lp, table("a", "bb"))
    assert scores["question"].tolist() == ["q", "q"]
    assert scores["acc"].tolist() == [-1.0, -2.0]
    assert scores["acc_norm"].tolist() == [-1.0, -1.0]
    found = multiple_choice(scores).set_index("measure")
    assert found.loc[["acc", "acc_norm"], "chosen"].tolist() == ["A", "A"]  # the first of equals
    assert found.loc[["acc", "acc_norm"], "margin"].tolist() == [1.0, 0.0]
    assert found["is_correct"].isna().all()
    assert pd.isna(found.loc["acc_mutual_info", "chosen"])


def test_a_token_across_the_border_is_told_from_one_with_a_blank():
    lp = asked(
        (["q", ": Par", "is"], [-9.0, -1.0, -2.0]),
        (["q:", "\n Rome"], [-9.0, -3.0]),
        ids=["q", "q"],
    )
    scores = option_scores(lp, table("Paris", "Rome"))
    assert scores["is_partial"].tolist() == [True, False]
    assert scores["acc"].tolist() == [-3.0, -3.0]
    assert scores["n_tokens"].tolist() == [2, 1]


def test_a_blank_of_its_own_belongs_to_the_option_as_one_inside_a_token_does():
    lp = asked(
        (["q:", " ", "36"], [-9.0, -0.5, -1.0]), (["q: ", "36"], [-9.0, -1.0]), ids=["q"] * 2
    )
    scores = option_scores(lp, table("36", "36"))
    assert scores["acc"].tolist() == [-1.5, -1.0]  # "q: " also wrote a part of the question
    assert scores["n_tokens"].tolist() == [2, 1]
    assert not scores["is_partial"].any()


def test_characters_and_bytes_are_those_of_the_option_alone():
    lp = asked((["q:", " 日"], [-9.0, -1.0]), ids=["q"])
    row = option_scores(lp, table("日")).iloc[0]
    assert (row["n_characters"], row["n_bytes"], row["acc_bytes"]) == (1, 3, -1.0 / 3)


def test_what_cannot_be_scored_is_null_and_so_is_its_question():
    lp = asked(
        (["q:", " a"], [-9.0, None]), (["q:", " b"], [-9.0, -1.0]), (["r:", " x"], [-9.0, -1.0]),
        ids=["q", "q", "r"],
    )  # fmt: skip
    asked_for = table("a", "b", "y", ids=["q", "q", "r"], correct=[True, False, True])
    scores = option_scores(lp, asked_for)
    assert scores["acc"].isna().tolist() == [True, False, True]
    assert scores["is_aligned"].tolist() == [True, True, False]
    found = multiple_choice(scores)
    assert found["chosen"].isna().all()
    assert found["is_correct"].isna().all()
    assert found["margin"].isna().all()
    bare = option_scores(lp, table("a", "b"), channel="content")
    assert not bare["is_aligned"].any()
    assert bare["n_tokens"].tolist() == [0, 0]


def test_wrong_options_are_named():
    lp = asked((["q:", " a"], [-9.0, -1.0]), ids=["q"])
    with pytest.raises(ArgumentError, match="1 responses with custom_id 'q', options 2 rows"):
        option_scores(lp, table("a", "b"))
    with pytest.raises(ArgumentError, match="0 responses with custom_id 'z'"):
        option_scores(lp, table("a", ids="z"))
    with pytest.raises(SchemaError, match="lacks column 'text'"):
        option_scores(lp, table("a").drop(columns="text"))
    with pytest.raises(ArgumentError, match="text is missing"):
        option_scores(lp, table(""))
    for wrong in (3, 1.5, ["A"], b"\xff", pd.Timestamp(0), pd.Period("2026")):
        with pytest.raises(ArgumentError, match="texts as option"):
            option_scores(lp, table("a").assign(option=pd.Series([wrong])))
    for wrong, message in (("\ud800", "texts as option"), (math.nan, "option is missing")):
        with pytest.raises(ArgumentError, match=message):
            option_scores(lp, table("a").assign(option=pd.Series([wrong], dtype=object)))
    with pytest.raises(ArgumentError, match="option is missing"):
        option_scores(lp, table("a").assign(option=math.nan))
    with pytest.raises(ArgumentError, match="correct"):
        option_scores(lp, table("a", correct=["yes"]))
    with pytest.raises(SchemaError, match="lacks column"):
        multiple_choice(table("a"))
    assert len(multiple_choice(option_scores(lp, table()))) == 0
