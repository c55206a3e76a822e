"""Answers as one table: one row per choice, with its text and how certain the model was of it."""

import math

import pandas as pd
import pytest

import toolkit
from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import answers, sequence_metrics


def body(*choices, **fields):
    """Return a completion of choices, each a dict of channel -> (text, [(token, logprob)])."""
    made = []
    for index, channels in enumerate(choices):
        message = {name: text for name, (text, _) in channels.items()}
        lists = {
            name: [{"token": token, "logprob": logprob} for token, logprob in tokens]
            for name, (_, tokens) in channels.items()
            if tokens is not None
        }
        choice = {"index": index, "message": message, "finish_reason": "stop"}
        made.append(choice | ({"logprobs": lists} if lists else {}))
    return {"id": "r", "model": "m", "choices": made} | fields


def naive(lp):
    """Describe each choice with loops over its token rows."""
    responses = {row["response_key"]: row for row in lp.responses.to_pylist()}
    for choice in lp.choices.to_pylist():
        mine = [
            row
            for row in lp.tokens.to_pylist()
            if (row["response_key"], row["choice"]) == (choice["response_key"], choice["choice"])
        ]
        found = [row["channel"] for row in mine if row["channel"] != "prompt"]
        channel = next((c for c in ("content", "refusal", "reasoning") if c in found), "content")
        if not found and choice["content"] is None and choice["refusal"] is not None:
            channel = "refusal"
        mine = [row for row in mine if row["channel"] == channel]
        ok = [row for row in mine if row["status"] == "ok"]
        if any(row["status"] == "invalid" for row in mine):
            ok = []
        weakest = min(ok, key=lambda row: row["logprob"]) if ok else None
        response = responses[choice["response_key"]]
        yield {
            "response_key": choice["response_key"],
            "choice": choice["choice"],
            "channel": channel,
            **{name: response[name] for name in ("custom_id", "model", "source", "line")},
            "finish_reason": choice["finish_reason"],
            "n_tokens": len(mine),
            "weakest_token": weakest and weakest["token"],
            "weakest_position": weakest and weakest["position"],
            "min_probability": weakest and math.exp(min(weakest["logprob"], 0.0)),
            "perplexity": math.exp(-math.fsum(min(row["logprob"], 0.0) for row in ok) / len(ok))
            if ok
            else None,
        }


@pytest.mark.filterwarnings("ignore::toolkit.ToolkitWarning")
@pytest.mark.parametrize(
    "name",
    ["malformed.jsonl", "arithmetic_n5.jsonl", "refusal_stream.sse", "structured.jsonl",
     "mock_completion.json", "pairs_stream.sse", "options_q4_1.jsonl.gz"],
)  # fmt: skip
def test_answers_are_those_of_loops_over_choices(data, name):
    lp = toolkit.read(data / name).filter(choice=[0, 1, 2])
    found = answers(lp)
    assert list(found.columns) == schema.ANSWERS.names
    expected = list(naive(lp))
    assert len(found) == len(expected) == lp.choices.num_rows > 0
    for row, wanted in zip(found.to_dict("records"), expected, strict=True):
        for column, value in wanted.items():
            if value is None:
                assert pd.isna(row[column]), column
            else:
                approx = isinstance(value, float)
                assert row[column] == (pytest.approx(value) if approx else value), column
        text = lp.text(row)
        assert (None if pd.isna(row["text"]) else row["text"]) == text
        if row["n_ok"]:
            assert row["mean_probability"] == pytest.approx(1 / row["perplexity"])


def test_a_choice_has_one_row_about_the_channel_of_its_answer():
    tokens = [("a", -0.5), ("b", -1.0)]
    lp = toolkit.from_responses(
        body(
            {"content": ("ab", tokens), "reasoning": ("ba", tokens[::-1])},
            {"content": (None, None), "refusal": ("ab", tokens)},
            {"content": (None, None), "refusal": ("No", None)},
            {"content": ("without", None)},
            {"content": ("", []), "reasoning": ("ab", tokens)},
            {"content": (None, None)},
        )
    )
    found = answers(lp)
    assert found["choice"].tolist() == list(range(6))
    assert found["channel"].tolist() == ["content", "refusal", "refusal", "content"] + [
        *("reasoning", "content")
    ]
    assert found["text"].fillna("null").tolist() == ["ab", "ab", "No", "without", "ab", "null"]
    assert found["n_tokens"].tolist() == [2, 2, 0, 0, 2, 0]
    assert found["weakest_token"].fillna("null").tolist() == ["b", "b", "null", "null"] + [
        *("b", "null")
    ]


def test_the_weakest_token_is_of_its_own_channel_and_choice():
    lp = toolkit.from_responses(
        [
            body({"content": ("xy", [("x", -0.1), ("y", -0.2)])}, {"content": ("z", [("z", -3)])}),
            body({"reasoning": ("r", [("r", -9)]), "content": ("no", [("n", None), ("o", -2)])}),
        ]
    )
    assert answers(lp)["weakest_token"].tolist() == ["y", "z", "o"]
    only = lp.filter(choice=1)
    assert answers(only)["weakest_token"].tolist() == ["z"]


@pytest.fixture
def four():
    """Answers of three models, one without logprobs and one without a model."""
    made = [("m", "a", -0.1), ("n", "b", -2.0), ("m", "c", -1.0)]
    bodies = [body({"content": (text, [(text, p)])}, model=model) for model, text, p in made]
    bodies.append(body({"content": ("d", None)}, model=None))
    return toolkit.from_responses(bodies, custom_id=["q3", "q1", "q2", "q4"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "abcd"),
        ({"sort": "perplexity"}, "bcad"),  # the least certain first, nulls last
        ({"sort": "min_probability"}, "bcad"),
        ({"sort": "perplexity", "ascending": True}, "acbd"),
        ({"sort": "min_probability", "ascending": False}, "acbd"),
        ({"sort": "custom_id"}, "bcad"),
        ({"sort": ["model", "perplexity"]}, "cabd"),
        ({"where": "model=m"}, "ac"),
        ({"where": "model = m"}, "ac"),
        ({"where": "model==m"}, "ac"),
        ({"where": "model == 'm'"}, "ac"),
        ({"where": 'model != "m"'}, "bd"),
        ({"where": "model='null'"}, ""),
        ({"where": "perplexity>'2.5'"}, "bc"),
        ({"where": "model!=m"}, "bd"),
        ({"where": "model=null"}, "d"),
        ({"where": "model!=null"}, "abc"),
        ({"where": "perplexity=null"}, "d"),
        ({"where": "perplexity>2.5"}, "bc"),
        ({"where": "perplexity>2"}, "bc"),
        ({"where": "perplexity<=2"}, "a"),
        ({"where": "perplexity!=5"}, "abcd"),
        ({"where": "n_tokens>=1"}, "abc"),
        ({"where": "n_tokens<0.5"}, "d"),
        ({"where": "channel=content"}, "abcd"),
        ({"where": "custom_id>q1"}, "acd"),
        ({"where": ["custom_id>q1", "model=m"], "sort": "perplexity"}, "ca"),
        ({"where": "weakest_position=0"}, "abc"),
        ({"where": "text=nobody's"}, ""),
        ({"where": "text=a=b"}, ""),
    ],
)
def test_answers_are_sorted_and_filtered(four, options, expected):
    found = answers(four, **options)
    assert "".join(found["text"]) == expected
    assert found.index.tolist() == list(range(len(expected)))
    assert list(found.columns) == schema.ANSWERS.names


def test_the_order_of_equal_answers_is_that_of_the_recording():
    lp = toolkit.from_responses([body({"content": (str(i), [("x", -1.0)])}) for i in range(50)])
    for ascending in (True, False, None):
        found = answers(lp, sort="perplexity", ascending=ascending)
        assert found["text"].tolist() == [str(i) for i in range(50)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sort": "certainty"}, "sort='certainty': expected one of"),
        ({"where": "nothing=1"}, "where='nothing': expected one of"),
        ({"where": "perplexity"}, "where='perplexity': expected a column, one of ="),
        ({"where": "perplexity>high"}, "where: perplexity>='high': expected a number or null"),
        ({"where": "model>null"}, "where: model>null: expected = or !="),
        ({"where": 3}, "where=3: expected conditions"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(four, options, message):
    with pytest.raises(ArgumentError, match=message.replace("(", r"\(")):
        answers(four, **options)


def test_no_answers_are_a_table_without_rows():
    empty = toolkit.from_responses(body({"content": ("a", [("a", -1)])})).filter(model="other")
    found = answers(empty, sort="perplexity", where="n_tokens>1")
    assert list(found.columns) == schema.ANSWERS.names
    assert len(found) == 0


def test_a_row_selects_its_response(data):
    lp = toolkit.read(data / "capitals_batch.jsonl")
    worst = answers(lp, sort="perplexity").iloc[0]
    assert lp.text(worst) == worst["text"]
    assert worst["perplexity"] == sequence_metrics(lp)["perplexity"].max()
    assert f'"{worst["custom_id"]}"' in lp.raw(worst)[0]
