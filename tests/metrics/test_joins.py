"""Labels joined to rows by key, and by the number of the request."""

import warnings

import numpy as np
import pandas as pd
import pytest

import toolkit
from tests.metrics.judgements import SAMPLES
from toolkit.errors import ArgumentError, SchemaError, ToolkitWarning
from toolkit.metrics import join_labels, sequence_metrics


@pytest.fixture
def seq():
    return pd.DataFrame(
        {"custom_id": ["b", "a", "b", None], "min_probability": [0.9, 0.8, 0.7, 0.6]},
        index=[10, 11, 12, 13],
    )


def sample(name):
    if not SAMPLES.exists():
        pytest.skip("needs ../shared/samples")
    return sequence_metrics(toolkit.read(SAMPLES / f"{name}.jsonl"))


def test_rows_stay_in_place_and_labels_come_beside(seq):
    labels = pd.DataFrame({"custom_id": ["a", "b"], "correct": [0, 1], "note": ["x", "y"]})
    with pytest.warns(ToolkitWarning, match=r"1 of 4 rows have no label \(1 of them no custom_id"):
        got = join_labels(seq, labels)
    assert list(got) == [*seq, "label_found", "correct", "note"]
    pd.testing.assert_frame_equal(got[list(seq)], seq)
    assert got["label_found"].tolist() == [True, True, True, False]
    assert got["correct"].tolist()[:3] == [1, 0, 1]
    assert got["note"].tolist()[:3] == ["y", "x", "y"]
    assert got[["correct", "note"]].iloc[3].isna().all()


def test_counts_of_both_sides(seq):
    with pytest.warns(ToolkitWarning, match="2 of 4 rows have no label .* 1 of 2 labels no row"):
        join_labels(seq, {"b": 1, "c": 0})
    with pytest.raises(ArgumentError, match="unmatched: join on custom_id: 2 of 4"):
        join_labels(seq, {"b": 1, "c": 0}, unmatched="error")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert join_labels(seq, {"b": 1, "c": 0}, unmatched="ignore")["label"].sum() == 2


def test_a_full_match_is_silent_and_keeps_types(seq):
    got = join_labels(seq.dropna(), {"a": 0, "b": 1}, unmatched="error")
    assert got["label"].dtype == np.int64
    assert got["label"].tolist() == [1, 0, 1]


def test_the_arguments_are_not_changed(seq):
    labels = pd.DataFrame({"custom_id": ["a", "b"], "correct": [0, 1]})
    copies = seq.copy(), labels.copy()
    join_labels(seq, labels, unmatched="ignore")
    pd.testing.assert_frame_equal(seq, copies[0])
    pd.testing.assert_frame_equal(labels, copies[1])


def test_the_capitals_match_one_to_one():
    sequences = sample("capitals_batch")
    labels = pd.read_csv(SAMPLES / "capitals_labels.csv")
    got = join_labels(sequences, labels, unmatched="error")
    assert len(got) == 100
    by_id = dict(zip(labels["custom_id"], labels["correct"], strict=True))
    assert [by_id[i] for i in got["custom_id"]] == got["correct"].tolist()
    shuffled = join_labels(sequences, labels.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(got, shuffled)


@pytest.mark.parametrize("name", ["arithmetic_n5", "sentiment_k20"])
def test_requests_are_numbered_as_in_the_file(name):
    sequences = sample(name)
    labels = pd.read_csv(SAMPLES / f"{name.split('_')[0]}_labels.csv")
    got = join_labels(sequences, labels, on="request", unmatched="error")
    assert len(got) == len(sequences)
    numbers = {key: i for i, key in enumerate(sorted(set(sequences["response_key"])))}
    assert got["request"].tolist() == [numbers[key] for key in sequences["response_key"]]
    expected = labels.set_index("request")["expected"]
    assert got["expected"].tolist() == [expected[i] for i in got["request"]]
    # Part of the rows has the same labels, as a completion knows its number.
    part = join_labels(sequences.iloc[7:], labels, on="request", unmatched="ignore")
    pd.testing.assert_frame_equal(part, got.iloc[7:])


def test_streamed_answers_are_numbered_by_place(make):
    def chunk(id_, text, finish=None):
        entry = make.entry(text, -0.5)
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
        choice["logprobs"] = {"content": [entry]}
        return {"id": id_, "object": "chat.completion.chunk", "choices": [choice]}

    chunks = [chunk("x", "a"), chunk("x", "b", "stop"), chunk("y", "c"), chunk("y", "d", "stop")]
    sequences = sequence_metrics(toolkit.from_responses(chunks))
    assert len(sequences) == 2
    got = join_labels(sequences, {0: "first", 1: "second"}, on="request", unmatched="error")
    assert got["label"].tolist() == ["first", "second"]


def test_requests_of_several_sources_are_ambiguous():
    sequences = sample("sentiment_k20")
    other = sequences.assign(response_key=sequences["response_key"] + (1 << 32))
    with pytest.raises(ArgumentError, match="needs responses of one source"):
        join_labels(pd.concat([sequences, other]), {0: 1}, on="request")
    with pytest.raises(SchemaError, match="seq lacks columns"):
        join_labels(sequences.drop(columns="kind"), {0: 1}, on="request")


def test_nothing_to_join(seq):
    with pytest.warns(ToolkitWarning, match="4 of 4 rows have no label .* 0 of 0 labels no row"):
        got = join_labels(seq, {})
    assert got["label"].isna().all()
    with pytest.warns(ToolkitWarning, match="0 of 0 rows .* 1 of 1 labels no row"):
        assert len(join_labels(seq.iloc[:0], {"a": 1})) == 0
    assert len(join_labels(seq.iloc[:0], {}, unmatched="error")) == 0


@pytest.mark.parametrize(
    ("labels", "options", "error", "message"),
    [
        ({"z": 1}, {}, ArgumentError, "no custom_id of seq is in labels: seq has 'b'"),
        ({1: 1}, {}, ArgumentError, "no custom_id of seq is in labels"),
        ({None: 1, "a": 1}, {}, ArgumentError, "1 rows have no custom_id"),
        ("labels.csv", {}, ArgumentError, "labels is a str: expected a DataFrame or a"),
        (None, {}, ArgumentError, "labels is a NoneType: expected a DataFrame"),
        ([1, 0], {}, ArgumentError, "labels is a list: expected a DataFrame"),
        ({"a": 1}, {"on": "nothing"}, SchemaError, "seq lacks column 'nothing'"),
        ({"a": 1}, {"on": None}, ArgumentError, "on=.*: expected the name of a column"),
        ({"a": 1}, {"on": ["custom_id"]}, ArgumentError, "on=.*: expected the name of a column"),
        ({"a": 1}, {"unmatched": "drop"}, ArgumentError, "unmatched='drop': expected one of"),
        ({"a": 1}, {"unmatched": None}, ArgumentError, "unmatched=None: expected one of"),
        (pd.DataFrame({"id": ["a"]}), {}, SchemaError, "labels lacks column 'custom_id'"),
        (
            pd.DataFrame({"custom_id": ["a", "b", "a"], "y": [1, 0, 1]}),
            {},
            ArgumentError,
            "custom_id must be unique; 1 of them occur more than once, such as 'a'",
        ),
        (
            pd.DataFrame({"custom_id": ["a"], "min_probability": [1]}),
            {},
            ArgumentError,
            r"columns \['min_probability'\] are in seq too",
        ),
        (
            pd.DataFrame([["a", 1, 2]], columns=["custom_id", "y", "y"]),
            {},
            ArgumentError,
            "labels has a column name twice",
        ),
    ],
)
def test_bad_arguments(seq, labels, options, error, message):
    with pytest.raises(error, match=message):
        join_labels(seq, labels, **options)


def test_seq_must_be_a_frame():
    with pytest.raises(ArgumentError, match="seq is a list: expected a DataFrame, such as toolkit"):
        join_labels([], {})


def test_errors_about_labels_in_an_index_say_what_to_pass(seq):
    labels = pd.DataFrame({"custom_id": ["a", "b"], "y": [1, 0]}).set_index("custom_id")
    with pytest.raises(SchemaError, match=r"custom_id' is its index: pass labels.reset_index\(\)"):
        join_labels(seq, labels)
    with pytest.raises(
        ArgumentError, match=r"such as labels.to_dict\(\) if custom_id is its index"
    ):
        join_labels(seq, labels["y"])
    by_frame = join_labels(seq, labels.reset_index(), unmatched="ignore")["y"]
    by_dict = join_labels(seq, labels["y"].to_dict(), unmatched="ignore")["label"]
    assert by_frame.tolist()[:2] == by_dict.tolist()[:2]


def test_public_name():
    assert toolkit.join_labels is join_labels
