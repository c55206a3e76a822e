"""Columns that follow from others, against a plain loop and against the metrics."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests.oracle import assert_conserved, expected_status
from tests.strategies import answers
from toolkit.schema.derived import is_top1

pytestmark = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
RECORDINGS = (
    "arithmetic_n5.jsonl",
    "capitals_batch.jsonl",
    "malformed.jsonl",
    "mock_completion.json",
    "pairs_stream.sse",
    "refusal_stream.sse",
    "sentiment_k20.jsonl",
    "structured.jsonl",
)
LOGPROBS = st.sampled_from(
    (0.0, -0.0, 3e-5, -1e-7, -0.5, -0.5000001, -9.0, -999.9, -1000.0, -9997.9, -9998.0, -9999.0)
    + (0.5, None, -np.inf, np.inf, np.nan)
)


@st.composite
def positions(draw):
    """The logprob of a token, and a list of (logprob, is it the token's own entry)."""
    listed = draw(st.lists(LOGPROBS, max_size=4))
    own = draw(st.integers(-1, len(listed) - 1))
    return draw(LOGPROBS), [(logprob, slot == own) for slot, logprob in enumerate(listed)]


def is_ok(logprob):
    return logprob is not None and logprob == logprob and expected_status(logprob) == "ok"


def naively(logprob, listed):
    if not is_ok(logprob) or not any(is_ok(other) for other, _ in listed):
        return None
    for other, is_own in listed:
        if is_own and is_ok(other):
            logprob = other
    return all(min(other, 0) <= min(logprob, 0) for other, _ in listed if is_ok(other))


@given(st.lists(positions(), max_size=6))
def test_is_top1_of_random_tables(rows):
    tokens = pa.table(
        {
            "logprob": pa.array([logprob for logprob, _ in rows], pa.float64()),
            "n_alternatives": pa.array([len(listed) for _, listed in rows], pa.int32()),
        }
    )
    entries = [entry for _, listed in rows for entry in listed]
    alternatives = pa.table(
        {
            "logprob": pa.array([logprob for logprob, _ in entries], pa.float64()),
            "is_sampled": pa.array([is_own for _, is_own in entries], pa.bool_()),
        }
    )
    expected = [naively(*row) for row in rows]
    assert is_top1(tokens, alternatives).to_pylist() == expected


def assert_agrees(lp):
    """`is_top1` is null where `off_top1` is, and its opposite elsewhere."""
    off_top1 = toolkit.token_metrics(lp)["off_top1"].tolist()
    expected = [None if value is pd.NA else not value for value in off_top1]
    assert lp.tokens["is_top1"].to_pylist() == expected
    if "invalid" in lp.tokens["status"].to_pylist():  # its answer has no metrics
        return
    sequences = toolkit.sequence_metrics(lp)
    assert sequences["n_off_top1"].sum() == expected.count(False)
    assert sequences["n_ranked"].sum() == len(expected) - expected.count(None)


@given(answers("id"))
def test_is_top1_agrees_with_the_metrics(answer):
    assert_agrees(toolkit.from_responses(answer))


@pytest.mark.parametrize("name", RECORDINGS)
def test_is_top1_of_recordings(name, data):
    lp = toolkit.read(data / name)
    assert_conserved(lp)
    assert_agrees(lp)


def test_tokens_that_are_not_among_their_alternatives_are_counted(data):
    """In SQL, ``sampled_rank > 1`` drops them, because their rank is null."""
    names = ("capitals_batch.jsonl", "arithmetic_n5.jsonl", "pairs_stream.sse")
    tokens = toolkit.read([data / name for name in names]).tokens.to_pylist()
    assert sum(token["is_top1"] is False for token in tokens) == 176
    assert sum((token["sampled_rank"] or 0) > 1 for token in tokens) == 147
