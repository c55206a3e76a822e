"""Perplexity of given texts, against the definitions of lm-evaluation-harness."""

import gzip
import json
import math
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit import schema
from toolkit.errors import ArgumentError, SchemaError
from toolkit.metrics import text_metrics, text_perplexity


def given_text(tokens, logprobs):
    """Return a completion with the logprobs of its prompt, as vLLM writes them."""
    listed = [
        {str(i): {"logprob": p, "rank": 1, "decoded_token": token}}
        for i, (token, p) in enumerate(zip(tokens, logprobs, strict=True))
    ]
    choice = {"index": 0, "text": "", "prompt_logprobs": listed, "finish_reason": "length"}
    return {"object": "text_completion", "model": "m", "choices": [choice]}


def scored(*texts, ids=None):
    return toolkit.from_responses([given_text(*each) for each in texts], custom_id=ids)


def harness(loglikelihoods, texts):
    """Return the figures of lm-evaluation-harness for whole texts, by its own formulas."""
    total = math.fsum(loglikelihoods)
    words = sum(len(re.split(r"\s+", text)) for text in texts)
    size = sum(len(text.encode("utf-8")) for text in texts)
    return {
        "word_perplexity": math.exp(-total / words),
        "byte_perplexity": math.exp(-total / size),
        "bits_per_byte": -total / size * 1 / math.log(2),
    }


@pytest.fixture(scope="module")
def recorded(data):
    """The recording as its own JSON says it: texts and logprobs."""
    lines = gzip.decompress((data / "given_q4_1.jsonl.gz").read_bytes()).decode().splitlines()
    choices = [json.loads(line)["response"]["body"]["choices"][0] for line in lines]
    return [(choice["text"], choice["logprobs"]["token_logprobs"]) for choice in choices]


def test_figures_are_those_of_the_harness(data, recorded):
    lp = toolkit.read(data / "given_q4_1.jsonl.gz")
    table = text_metrics(lp)
    assert list(table) == schema.TEXT_METRICS.names
    for (_, row), (text, logprobs) in zip(table.iterrows(), recorded, strict=True):
        assert (row["n_tokens"], row["n_scored"]) == (len(logprobs), len(logprobs) - 1)
        expected = harness([x for x in logprobs if x is not None], [text])
        for name in ("word_perplexity", "byte_perplexity", "bits_per_byte"):
            assert row[name] == pytest.approx(expected[name], rel=1e-12)
    pooled = text_perplexity(lp).iloc[0]
    everything = [x for _, logprobs in recorded for x in logprobs if x is not None]
    expected = harness(everything, [text for text, _ in recorded])
    for name, value in expected.items():
        assert pooled[name] == pytest.approx(value, rel=1e-12)
    by_text = math.exp(-math.fsum(everything) / len(recorded))
    assert pooled["document_perplexity"] == pytest.approx(by_text)
    assert pooled["perplexity"] == pytest.approx(math.exp(-math.fsum(everything) / len(everything)))


def test_the_last_part_of_a_text(data, recorded):
    lp = toolkit.read(data / "given_q4_1.jsonl.gz")
    last = text_metrics(lp, last=4)
    for (_, row), (_, logprobs) in zip(last.iterrows(), recorded, strict=True):
        assert row["n_tokens"] == 4
        assert row["perplexity"] == pytest.approx(math.exp(-math.fsum(logprobs[-4:]) / 4))
    assert (text_metrics(lp, last=10_000)["n_tokens"] == text_metrics(lp)["n_tokens"]).all()


PIECES = st.lists(
    st.sampled_from(["a", " b", "né", " ", "\n", "日", " 漢字", "\u2003x", "💙"]), min_size=1
)


@given(PIECES, st.integers(0, 12))
def test_the_part_from_a_character_on_is_that_of_plain_loops(pieces, start):
    logprobs = [-0.25 * (i % 5 + 1) for i in range(len(pieces))]
    row = text_metrics(scored((pieces, logprobs)), start=start).iloc[0]
    text = "".join(pieces)
    start = min(start, len(text))
    ends = [len("".join(pieces[: i + 1])) for i in range(len(pieces))]
    taken = [i for i, end in enumerate(ends) if end > start]
    assert row["n_tokens"] == len(taken)
    part = text[start:]
    assert row["n_bytes"] == len(part.encode())
    if taken:
        assert row["sum_logprob"] == pytest.approx(math.fsum(logprobs[i] for i in taken))
        begin = ends[taken[0]] - len(pieces[taken[0]])
        assert row["is_partial"] == bool(text[begin:start].strip(" \n"))
    words = len(re.split(r"\s+", part)) - (start > 0 and part != part.lstrip())
    assert row["n_words"] == words


def test_every_text_can_have_its_own_part():
    lp = scored((["ab", "cd"], [-1.0, -2.0]), (["ef", "gh"], [-3.0, -4.0]), ids=["x", "y"])
    table = text_metrics(lp, start={"x": 2, "y": 0})
    assert table["sum_logprob"].tolist() == [-2.0, -7.0]
    with pytest.raises(ArgumentError, match="no entry for custom_id 'y'"):
        text_metrics(lp, start={"x": 2})


def test_what_is_missing_is_never_taken_for_certain():
    lp = scored(
        (["a", " b", " c"], [None, -1.0, -2.0]),  # as servers send it
        (["a", " b", " c"], [-1.0, None, -2.0]),
        (["a", " b", "\ufffd"], [-1.0, -1.0, -2.0]),
        (["a"], [None]),
    )
    table = text_metrics(lp)
    assert table["n_scored"].tolist() == [2, 2, 3, 0]
    assert table["word_perplexity"].isna().tolist() == [False, True, False, True]
    assert table["bits_per_byte"].isna().tolist() == [False, True, True, True]
    assert table["n_bytes"].isna().tolist() == [False, False, True, False]
    assert table["perplexity"].isna().tolist() == [False, False, False, True]
    pooled = text_perplexity(table).iloc[0]
    assert (pooled["n_texts"], pooled["n_pooled"], pooled["n_words"]) == (4, 1, 3)
    assert pooled["sum_logprob"] == -3.0


def test_a_first_token_without_text_is_left_out_of_both_sums():
    body = given_text(["a", " b", " c"], [-1.0, -1.0, -2.0])
    body["choices"][0]["prompt_logprobs"][0] = None
    row = text_metrics(toolkit.from_responses(body)).iloc[0]
    assert (row["n_tokens"], row["n_scored"], row["n_bytes"]) == (3, 2, 4)
    assert row["bits_per_byte"] == pytest.approx(3 / 4 / math.log(2))


def test_a_real_echo_of_gpt_3_is_a_text_of_the_content(realdata):
    (path,) = realdata.glob("EleutherAI*8025*")
    lp = toolkit.read(path)
    row = text_metrics(lp, channel="content").iloc[0]
    choice = json.loads(path.read_text())["choices"][0]
    known = [x for x in choice["logprobs"]["token_logprobs"] if x is not None]
    expected = harness(known, [choice["text"]])
    for name in ("word_perplexity", "byte_perplexity", "bits_per_byte"):
        assert row[name] == pytest.approx(expected[name], rel=1e-12)


def test_groups_and_wrong_arguments():
    lp = scored((["a", " b"], [None, -1.0]), (["c"], [-1.0]))
    assert text_perplexity(lp, by="model")[["model", "n_texts"]].values.tolist() == [["m", 2]]
    none = text_metrics(lp, channel="content")
    assert len(none) == 0
    assert pd.isna(text_perplexity(none)["word_perplexity"][0])
    with pytest.raises(ArgumentError, match="one of them"):
        text_metrics(lp, last=1, start=0)
    with pytest.raises(SchemaError, match="text_metrics"):
        text_perplexity(pd.DataFrame())
