"""`attach` adds columns and changes nothing else."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import toolkit
from tests.loaders.merging.test_merger import entry, stream
from tests.loaders.test_read import whole
from tests.test_tables import two_choices
from toolkit.errors import ArgumentError


@pytest.fixture
def lp():
    two = two_choices()
    two["choices"][1]["message"]["refusal"] = "no"
    two["choices"][1]["logprobs"]["refusal"] = [entry("no", -2.0)]
    unsent = whole("silent", "u")
    unsent["choices"][0]["message"]["content"] = None
    lp = toolkit.from_responses(
        [whole("hi", "x"), two, stream("s", "yz"), unsent], custom_id=["c0", "c1", "c2", None]
    )
    return toolkit.concat([lp, lp])  # keys beyond 2**32


def test_columns_are_those_of_the_response_and_choice_of_each_row(lp):
    frame = toolkit.token_metrics(lp).sample(frac=1, random_state=0)
    before = frame.copy()
    found = lp.attach(frame, "custom_id", "finish_reason", "text")
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(found[frame.columns], frame)
    assert found.columns[-3:].tolist() == ["custom_id", "finish_reason", "text"]
    responses = {row["response_key"]: row for row in lp.responses.to_pylist()}
    choices = {(row["response_key"], row["choice"]): row for row in lp.choices.to_pylist()}
    for row in found.to_dict("records"):
        custom_id = responses[row["response_key"]]["custom_id"]
        assert (None if pd.isna(row["custom_id"]) else row["custom_id"]) == custom_id
        reason = choices[row["response_key"], row["choice"]]["finish_reason"]
        assert row["finish_reason"] == reason
        assert row["text"] == lp.text(row)


def test_the_text_is_of_the_channel_of_the_row(lp):
    frame = toolkit.sequence_metrics(lp)
    found = lp.attach(frame, "text")
    assert found["text"].tolist() == ["hi", "ab", "c", "no", "yz", "silent"] * 2
    content = lp.attach(frame.drop(columns="channel"), "text")
    assert content["text"].tolist() == ["hi", "ab", "c", "c", "yz", "silent"] * 2


def test_rows_of_no_response_get_nulls(lp):
    last = lp.responses["response_key"].to_pylist()[-1]
    frame = pd.DataFrame(
        {"response_key": [last, 77, np.nan, 0, 0], "choice": [0, 0, 0, 5, np.nan]},
        index=[3, 3, "x", None, 1.5],
    )
    found = lp.attach(frame, "response_id", "content", "text", "n_choices")
    assert found.index.tolist()[:3] == [3, 3, "x"]
    pd.testing.assert_frame_equal(found[["response_key", "choice"]], frame)
    assert found["response_id"].fillna("-").tolist() == ["u", "-", "-", "x", "x"]
    assert found["text"].fillna("-").tolist() == ["silent", "-", "-", "-", "-"]
    assert found["content"].isna().all()
    assert found["n_choices"].fillna(-1).tolist() == [1, -1, -1, 1, 1]


def test_types_are_those_of_to_pandas(lp):
    names = [n for n in lp.responses.column_names if n != "response_key"]
    frame = lp.to_pandas("responses")
    found = lp.attach(frame[["response_key"]], *names)
    pd.testing.assert_frame_equal(found, frame)
    frame = lp.to_pandas("choices")
    names = [n for n in lp.choices.column_names if n not in ("response_key", "choice")]
    pd.testing.assert_frame_equal(lp.attach(frame[["response_key", "choice"]], *names), frame)


def test_arrow_tables_get_columns_too(lp):
    table = lp.tokens.select(["response_key", "choice", "channel", "token"])
    found = lp.attach(table, "model", "text")
    assert found.select(table.column_names).equals(table)
    assert found.column_names[-2:] == ["model", "text"]
    assert found.schema.field("model").type == lp.responses.schema.field("model").type
    frame = lp.attach(table.to_pandas(), "model", "text")
    assert found["text"].to_pylist() == frame["text"].tolist()


def test_keys_may_be_in_the_index(lp):
    keys = ["response_key", "choice"]
    means = toolkit.token_metrics(lp).groupby(keys)[["probability"]].mean()
    found = lp.attach(means, "custom_id", "text")
    assert found.index.equals(means.index)
    assert found["text"].tolist() == ["hi", "ab", "c", "yz", "silent"] * 2


def test_a_frame_without_rows(lp):
    found = lp.attach(toolkit.token_metrics(lp).iloc[:0], "model", "text")
    assert len(found) == 0
    assert found.columns[-2:].tolist() == ["model", "text"]


@pytest.mark.parametrize(
    ("change", "columns", "message"),
    [
        ({}, ["custom"], "columns='custom': expected one of .*'custom_id'.*'text'"),
        ({}, ["response_key"], "columns='response_key': expected one of"),
        ({}, ["model", "model"], "each column once"),
        ({"model": 1}, ["model"], "frame has a column 'model' already"),
        ({"response_key": None}, ["model"], "frame has no column 'response_key'"),
        ({"choice": None}, ["text"], "frame has no column 'choice'"),
        ({"response_key": "x"}, ["model"], r"frame\['response_key'\]: expected values of"),
        ({"response_key": 0.5}, ["model"], r"frame\['response_key'\]: expected values of"),
    ],
)
def test_what_cannot_be_attached(change, columns, message, lp):
    frame = pd.DataFrame({"response_key": [0], "choice": [0]})
    for name, value in change.items():
        frame = frame.drop(columns=name) if value is None else frame.assign(**{name: value})
    for given in (frame, pa.Table.from_pandas(frame)):
        with pytest.raises(ArgumentError, match=message):
            lp.attach(given, *columns)


def test_only_frames_can_be_attached_to(lp):
    with pytest.raises(ArgumentError, match="frame is a dict: expected a pandas DataFrame or"):
        lp.attach({"response_key": 0}, "model")


def test_columns_of_responses_need_no_choice(lp):
    found = lp.attach(pd.DataFrame({"response_key": [1]}), "custom_id")
    assert found["custom_id"].tolist() == ["c1"]


def test_a_million_rows_are_quick(lp):
    keys = np.tile(lp.responses["response_key"].to_numpy(), 125_000)
    frame = pd.DataFrame({"response_key": keys, "choice": np.zeros(len(keys), int)})
    found = lp.attach(frame, "custom_id", "text")
    assert found["text"].tolist()[-8:] == ["hi", "ab", "yz", "silent"] * 2


def test_kept_columns_are_attached_by_name():
    tokens = [{"token": "x", "logprob": -0.5, "bytes": None, "top_logprobs": []}]
    choice = {"index": 0, "message": {"content": "x"}, "logprobs": {"content": tokens}}
    body = {"choices": [choice]}
    rows = [{"prompt": "a?", "n": 7, "model": "mine", "out": body}, {"out": body}]
    lp = toolkit.from_responses(rows, path="out", keep=["prompt", "n", "model"])
    found = lp.attach(lp.to_pandas("choices")[["response_key"]], "n", "prompt", "model", "kept")
    assert found["prompt"].fillna("-").tolist() == ["a?", "-"]
    assert found["n"].fillna("-").tolist() == ["7", "-"]
    assert found["model"].isna().all()  # that of the response, not the kept one
    with pytest.raises(toolkit.errors.ArgumentError, match="'text', 'n', 'prompt'$"):
        lp.attach(found[["response_key"]], "question")
