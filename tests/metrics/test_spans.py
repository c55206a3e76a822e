"""Spans of text: every token where its bytes are."""

import math
import re
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toolkit
from tests.metrics.byte_pieces import body, cut, spoken, touching
from toolkit import schema
from toolkit.errors import ArgumentError, SchemaError
from toolkit.metrics import span_metrics, spans, word_metrics


def only(lp, start, end, **fields):
    """Return the metrics of one span of the first answer."""
    key = lp.responses["response_key"][0].as_py()
    asked = pd.DataFrame({"response_key": [key], "start": [start], "end": [end]})
    return span_metrics(lp, asked, **fields).iloc[0]


# Cutting


@pytest.mark.parametrize(
    ("by", "text", "found"),
    [
        ("word", "Hi there, you.", ["Hi", "there,", "you."]),
        ("word", "  a\n\tb  ", ["a", "b"]),
        ("word", "我爱x1 カナ", ["我", "爱", "x1", "カ", "ナ"]),
        ("word", "naïve 💙💙", ["naïve", "💙💙"]),
        ("word", "", []),
        ("sentence", "One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("sentence", 'He said "Go." Then… gone', ['He said "Go."', "Then…", "gone"]),
        ("sentence", "Pi is 3.14 today.\nNext line", ["Pi is 3.14 today.", "Next line"]),
        ("sentence", "好。不好！", ["好。", "不好！"]),
        ("word", "葛\U000e0100飾 々 か\u3099 ﾊﾞ", ["葛\U000e0100", "飾", "々", "か\u3099", "ﾊﾞ"]),
        ("sentence", "...", ["..."]),
        ("sentence", "Wait...what?! A .env file.", ["Wait...what?!", "A .env file."]),
        ("sentence", ".5 is half. (He left.) on", [".5 is half.", "(He left.)", "on"]),
        ("sentence", "One  \r\nTwo.  Three  ", ["One", "Two.", "Three"]),
        ("sentence", "a b\u2028c\x85d", ["a b", "c", "d"]),
        ("sentence", "「はい。」と。。", ["「はい。」", "と。。"]),
        ("line", " a b  \u2028c ", ["a b", "c"]),
        ("line", "a b\n\n  c\r\nd", ["a b", "c", "d"]),
        (re.compile(r"\d*"), "a12b3", ["12", "3"]),
    ],
)
def test_texts_are_cut(by, text, found):
    lp = spoken([(text.encode(), -1.0)])
    got = spans(lp, by=by)
    assert got["text"].tolist() == found
    assert list(got) == schema.SPANS.names
    for row in got.itertuples():
        assert text[row.start : row.end] == row.text
        assert text.encode()[row.byte_start : row.byte_end].decode() == row.text


@given(st.text(max_size=60))
def test_nothing_that_shows_is_left_out(text):
    lp = spoken([(text.encode("utf-8", "replace"), -1.0)])
    said = lp.text(0) or ""
    for by in ("word", "sentence", "line"):
        got = spans(lp, by=by)
        joined = "".join("".join(got["text"]).split())
        assert joined == "".join(said.split()), by
        assert (got["text"] == got["text"].str.strip()).all()
        assert (got["start"].to_numpy()[1:] >= got["end"].to_numpy()[:-1]).all()


@pytest.mark.parametrize("piece", [".", "!?", ".'", '."" ', "。」", "'.", ". ", "a.", " ", "…)"])
@pytest.mark.parametrize("by", ["word", "sentence", "line"])
def test_time_is_linear(by, piece):
    lp = spoken([((piece * 100_000)[:100_000].encode() + b"a", -1.0)])
    begin = time.process_time()
    spans(lp, by=by)
    assert time.process_time() - begin < 5  # quadratic: minutes


# Measuring


def test_a_token_counts_where_it_wrote():
    lp = spoken([(b"Hel", -0.5), (b"lo wo", -0.25), (b"rld", -1.0)])
    words = word_metrics(lp)
    assert words["text"].tolist() == ["Hello", "world"]
    assert words["n_tokens"].tolist() == [2, 2]
    assert words["n_partial"].tolist() == [1, 1]
    assert words["sum_logprob"].tolist() == [-0.75, -1.25]
    assert words["surprisal"].tolist() == [0.75, 1.25]
    assert words["min_logprob"].tolist() == [-0.5, -1.0]
    assert words["weakest_position"].tolist() == [0, 2]
    np.testing.assert_allclose(words["mean_probability"], np.exp([-0.375, -0.625]), rtol=1e-12)


def test_the_blank_in_front_of_a_word_is_not_outside_of_it():
    lp = spoken([(b"a", -0.5), (b" b", -0.25), (b" c.", -1.0)])
    assert word_metrics(lp)["n_partial"].tolist() == [0, 0, 0]
    assert only(lp, 4, 5)["n_partial"] == 1  # "c" without the full stop


def test_an_emoji_over_tokens_shifts_nothing():
    heart = "💙".encode()
    lp = spoken([(heart[:1], -1.0), (heart[1:3], -2.0), (heart[3:] + b" a", -0.5), (b"b", -0.25)])
    words = word_metrics(lp)
    assert words["text"].tolist() == ["💙", "ab"]
    assert words["sum_logprob"].tolist() == [-3.5, -0.75]
    assert words["n_partial"].tolist() == [1, 1]


def test_what_cannot_be_used_is_counted():
    lp = spoken([(b"a", -9999.0), (b"b", None), (b"d", -0.5)])
    row = only(lp, 0, 3)
    assert [row[f"n_{name}"] for name in schema.STATUSES] == [1, 1, 1, 0]
    assert row["sum_logprob"] == -0.5
    assert row["surprisal_lower"] >= 0.5
    empty = only(lp, 1, 1)
    assert empty["n_tokens"] == 0
    assert empty[["sum_logprob", "probability", "min_probability", "first_position"]].isna().all()
    censored = only(lp, 0, 1)
    assert censored[["sum_logprob", "probability", "mean_probability"]].isna().all()
    assert censored["surprisal_lower"] >= 0.0
    logits = only(spoken([(b"a", -9999.0), (b"b", None), (b"c", 5.0), (b"d", -0.5)]), 3, 4)
    assert [logits[f"n_{name}"] for name in schema.STATUSES] == [0, 0, 0, 1]
    assert logits[["sum_logprob", "surprisal_lower", "min_logprob"]].isna().all()


def test_text_without_tokens_is_not_covered():
    lp = toolkit.from_responses(body([(b"ab", -0.5)], text="abcd"))
    assert only(lp, 0, 2)["is_covered"]
    row = only(lp, 1, 3)
    assert not row["is_covered"]
    assert row["n_tokens"] == 1
    assert only(lp, 2, 4)["n_tokens"] == 0


def test_tokens_that_say_another_text_are_their_own_text():
    lp = toolkit.from_responses(body([(b"ab", -0.5), (b" c", -1.0)], text="something else"))
    words = word_metrics(lp)
    assert words["text"].tolist() == ["ab", "c"]
    assert set(words["text_of"]) == {"tokens"}


def test_spans_keep_their_own_columns_order_and_index():
    lp = spoken([(b"ab", -0.5)], [(b"cd", -1.0)])
    keys = lp.responses["response_key"].to_pylist()
    asked = pd.DataFrame(
        {"name": ["x", "y", "z"], "response_key": [keys[1], keys[0], keys[1]],
         "start": [0, 0, 1], "end": [2, 2, 2]},
        index=[7, 5, 3],
    )  # fmt: skip
    got = span_metrics(lp, asked)
    assert list(got) == ["name", *schema.SPAN_METRICS.names]
    assert got.index.tolist() == [7, 5, 3]
    assert got["name"].tolist() == ["x", "y", "z"]
    assert got["sum_logprob"].tolist() == [-1.0, -0.5, -1.0]
    assert got["text"].tolist() == ["cd", "ab", "d"]


def test_bytes_are_a_unit_too():
    lp = spoken([("é".encode(), -0.5), (b"a", -1.0)])
    assert only(lp, 1, 2)["sum_logprob"] == -1.0
    assert only(lp, 2, 3, unit="bytes")["sum_logprob"] == -1.0
    assert only(lp, 1, 2, unit="bytes")["sum_logprob"] == -0.5
    for low, high, text in [(0, 2, "é"), (0, 1, "é"), (1, 2, "é"), (1, 3, "éa"), (2, 3, "a")]:
        assert only(lp, low, high, unit="bytes")["text"] == text
    assert [only(lp, at, at, unit="bytes")["text"] for at in range(4)] == [""] * 4


# Against a naive loop

TEXTS = st.text(
    alphabet=st.sampled_from(list("ab .\n") + ["é", "我", "💙", "\u0301"]), min_size=1, max_size=12
)


@given(TEXTS, st.lists(st.integers(0, 40)), st.data())
def test_every_span_has_the_tokens_of_its_bytes(text, cuts, data):
    raw = text.encode()
    pieces = cut(raw, cuts)
    lp = spoken(pieces)
    low = data.draw(st.integers(0, len(text)))
    high = data.draw(st.integers(low, len(text)))
    first, last = len(text[:low].encode()), len(text[:high].encode())
    mine = touching(pieces, first, last)
    row = only(lp, low, high)
    values = [pieces[i][1] for i in mine]
    assert row["n_tokens"] == len(mine)
    assert row["is_covered"]
    if mine:
        assert (row["first_position"], row["last_position"]) == (mine[0], mine[-1])
        assert math.isclose(row["sum_logprob"], math.fsum(values), rel_tol=1e-12)
        assert row["min_logprob"] == min(values)
        assert row["weakest_position"] == mine[values.index(min(values))]
        outside = 0
        for i in mine:
            begin = sum(len(pieces[j][0]) for j in range(i))
            end = begin + len(pieces[i][0])
            in_front = raw[begin:first]
            outside += end > last or (begin < first and bool(in_front.strip()))
        assert row["n_partial"] == outside
    else:
        assert math.isnan(row["sum_logprob"])


@settings(max_examples=50)
@given(st.lists(st.tuples(TEXTS, st.lists(st.integers(0, 40))), min_size=1, max_size=4))
def test_answers_do_not_touch_each_other(answers):
    parts = [cut(text.encode(), cuts) or [(b"x", -1.0)] for text, cuts in answers]
    together = word_metrics(spoken(*parts)).drop(columns="response_key")
    apart = pd.concat([word_metrics(spoken(part)).drop(columns="response_key") for part in parts])
    pd.testing.assert_frame_equal(together, apart.reset_index(drop=True))


def test_streams_are_wholes(samples):
    whole = word_metrics(toolkit.read(samples / "pairs_whole.jsonl"))
    streamed = word_metrics(toolkit.read(samples / "pairs_stream.sse"))
    columns = [name for name in whole if name != "response_key"]
    pd.testing.assert_frame_equal(whole[columns], streamed[columns])


def test_words_of_real_answers_add_up(samples):
    lp = toolkit.read(samples / "stories_k10.jsonl")
    words = word_metrics(lp)
    sequences = toolkit.sequence_metrics(lp).set_index("response_key")
    for key, mine in words.groupby("response_key"):
        assert mine["is_covered"].iloc[:-1].all()
        whole = sequences.loc[key, "sum_logprob"]
        if not mine["n_partial"].any() and mine["n_tokens"].sum() == sequences.loc[key, "n_tokens"]:
            assert math.isclose(mine["sum_logprob"].sum(), whole, rel_tol=1e-9)


# Arguments


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"start": [-1]}, ArgumentError, "row 0"),
        ({"end": [9]}, ArgumentError, "row 0"),
        ({"start": [2], "end": [1]}, ArgumentError, "row 0"),
        ({"response_key": [99]}, ArgumentError, "response_key 99"),
        ({"choice": [3]}, ArgumentError, "choice 3"),
        ({"start": [0.5]}, ArgumentError, "start"),
        ({"channel": ["text"]}, ArgumentError, "channel"),
        ({"channel": [None]}, ArgumentError, "channel"),
    ],
)
def test_bad_spans_are_named(change, error, message):
    lp = spoken([(b"ab", -0.5)])
    key = lp.responses["response_key"][0].as_py()
    asked = pd.DataFrame({"response_key": [key], "start": [0], "end": [2]} | change)
    with pytest.raises(error, match=message):
        span_metrics(lp, asked)


def test_bad_arguments_are_named():
    lp = spoken([(b"ab", -0.5)])
    with pytest.raises(SchemaError, match="end"):
        span_metrics(lp, pd.DataFrame({"response_key": [0], "start": [0]}))
    with pytest.raises(ArgumentError, match="unit"):
        span_metrics(lp, spans(lp), unit="tokens")
    with pytest.raises(ArgumentError, match="DataFrame"):
        span_metrics(lp, [(0, 1)])
    for by in ("words", None, re.compile(rb"a"), 3):
        with pytest.raises(ArgumentError, match="by="):
            spans(lp, by=by)
    with pytest.raises(ArgumentError, match="channel"):
        word_metrics(lp, channel="text")


@pytest.mark.filterwarnings("ignore:no response:toolkit.ToolkitWarning")
def test_no_answers_no_spans():
    lp = toolkit.from_responses({"choices": [{"message": {"content": None}}]})
    assert len(spans(lp)) == 0
    assert list(word_metrics(lp)) == schema.WORD_METRICS.names
    bare = toolkit.from_responses({"choices": [{"message": {"content": "Hi"}}]})
    row = word_metrics(bare).iloc[0]
    assert row["n_tokens"] == 0
    assert math.isnan(row["surprisal"])
    assert not row["is_covered"]
    none = span_metrics(lp, spans(bare).head(0))
    assert list(none)[-len(schema.SPAN_METRICS.names) :] == schema.SPAN_METRICS.names
    row = only(lp, 0, 0)
    assert pd.isna(row["text"])
    assert pd.isna(row["text_of"])
    assert row["n_tokens"] == 0
