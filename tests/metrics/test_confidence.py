"""Confidence of tokens and answers against plain loops."""

import json
import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests.metrics.byte_pieces import body, spoken
from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import confidence_metrics, token_confidence
from toolkit.metrics._arrays import windows

FLOATS = [c.name for c in schema.CONFIDENCE_METRICS.columns if str(c.type) == "double"]


def lists(*tokens):
    """Load an answer; each token is a list of logprobs, its own the first."""
    letters = "abcdefghij"
    return spoken(
        [(letters[0].encode(), own[0], list(zip(letters, own, strict=False))) for own in tokens]
    )


def naive_token(logprobs, k):
    top = sorted((lp for lp in logprobs if lp is not None and lp > -9998), reverse=True)[:k]
    if len(top) < k:
        return None
    p = [math.exp(lp) for lp in top]
    total = math.fsum(p)
    q = [x / total for x in p]
    entropy = -math.fsum(x * math.log(x) for x in q if x)
    return {
        "confidence": -math.fsum(top) / k,
        "self_certainty_topk": -math.fsum(math.log(k * x) if x else -math.inf for x in q) / k,
        "entropy_partial": -math.fsum(x * lp for x, lp in zip(p, top, strict=True)),
        "varentropy_topk": math.fsum(x * (math.log(x) + entropy) ** 2 for x in q if x),
    }


def naive_answer(tokens, k, window, bottom=0.1, min_k=0.2):
    found = [naive_token(own, k) for own in tokens]
    c = [each["confidence"] for each in found if each]
    groups = [c[i : i + window] for i in range(len(c) - window + 1)] or [c]
    means = sorted(math.fsum(group) / len(group) for group in groups)
    n = max(1, int(bottom * len(means) + 1e-9))
    own = sorted(t[0] for t in tokens)
    m = max(1, int(min_k * len(own) + 1e-9))
    return {
        "confidence": math.fsum(c) / len(c),
        "lowest_group_confidence": means[0],
        "bottom_group_confidence": math.fsum(means[:n]) / n,
        "tail_confidence": math.fsum(c[-window:]) / len(c[-window:]),
        "min_k_logprob": math.fsum(own[:m]) / m,
        "sum_logprob": math.fsum(own),
        "mean_probability": math.exp(math.fsum(own) / len(own)),
        "min_probability": math.exp(own[0]),
        "entropy_rate": math.fsum(e["entropy_partial"] for e in found if e) / len(c),
    }


# Worked by hand


def test_a_peaked_list_is_more_confident():
    peaked, flat = [math.log(p) for p in (0.98, 0.01, 0.01)], [math.log(1 / 3)] * 3
    found = token_confidence(lists(peaked, flat))
    assert found["confidence"].tolist() == pytest.approx(
        [-(math.log(0.98) + 2 * math.log(0.01)) / 3, math.log(3)]
    )
    assert found["self_certainty_topk"].iloc[1] == pytest.approx(0.0, abs=1e-12)
    assert found["varentropy_topk"].iloc[1] == pytest.approx(0.0, abs=1e-12)
    assert found["entropy_partial"].iloc[1] == pytest.approx(math.log(3))


def test_k_is_that_of_most_lists():
    tokens = [[-0.1, -2.0, -3.0], [-5.0, -0.2, -1.0, -2.0], [-0.1, -1.0, -3.0], [-0.5, -1.0]]
    found = token_confidence(lists(*tokens))
    assert found["k"].tolist() == [3] * 4
    np.testing.assert_allclose(
        found["confidence"], [5.1 / 3, 3.2 / 3, 4.1 / 3, np.nan]
    )  # the sampled token that was added below the top is left out
    row = confidence_metrics(lists(*tokens)).iloc[0]
    assert (row["k"], row["n_tokens"], row["n_lists"], row["n_short"]) == (3, 4, 3, 1)
    assert token_confidence(lists(*tokens), k=4)["confidence"].notna().sum() == 1


def test_groups_are_windows():
    tokens = [[-0.1, -c] for c in (1.0, 5.0, 3.0, 7.0)]
    found = token_confidence(lists(*tokens), window=2)
    c = found["confidence"].tolist()
    assert found["group_confidence"].isna().tolist() == [True, False, False, False]
    assert found["group_confidence"].tolist()[1:] == pytest.approx(
        [(c[0] + c[1]) / 2, (c[1] + c[2]) / 2, (c[2] + c[3]) / 2]
    )
    row = confidence_metrics(lists(*tokens), window=2).iloc[0]
    assert row["lowest_group_confidence"] == pytest.approx((c[0] + c[1]) / 2)
    assert row["tail_confidence"] == pytest.approx((c[2] + c[3]) / 2)
    short = confidence_metrics(lists(*tokens), window=100).iloc[0]
    for name in ("lowest_group", "bottom_group", "tail"):
        assert short[f"{name}_confidence"] == pytest.approx(sum(c) / 4)


def test_what_cannot_be_used_is_null():
    lp = toolkit.from_responses(
        [body([(b"a", -9999.0)]), body([(b"a", None)]), body([(b"a", -0.5)])]
    )
    found = confidence_metrics(lp)
    assert found["k"].isna().all()
    assert found["n_ok"].tolist() == [0, 0, 1]
    np.testing.assert_array_equal(found["mean_logprob"], [np.nan, np.nan, -0.5])
    assert found[["confidence", "tail_confidence", "entropy_rate"]].isna().all(axis=None)
    assert found["min_probability"].isna().tolist() == [True, True, False]


@pytest.mark.filterwarnings("ignore:no response:toolkit.ToolkitWarning")
def test_an_answer_without_tokens_is_a_row_of_nulls():
    found = confidence_metrics(toolkit.from_responses({"choices": [{"message": {"content": "a"}}]}))
    assert len(found) == 1
    assert found[FLOATS].isna().all(axis=None)
    assert list(found) == schema.CONFIDENCE_METRICS.names


# Against plain loops

LOGPROBS = st.lists(st.floats(-12, -1e-3), min_size=1, max_size=6)


@given(st.lists(LOGPROBS, min_size=1, max_size=12), st.integers(1, 6), st.integers(1, 14))
def test_measures_are_those_of_plain_loops(tokens, k, window):
    tokens = [[lp - 3.0 * (len(own) > 1) for lp in own] for own in tokens]  # mass below 1
    lp = lists(*tokens)
    found = token_confidence(lp, k=k, window=window)
    for row, own in zip(found.itertuples(), tokens, strict=True):
        expected = naive_token(own, k)
        for name in ("confidence", "self_certainty_topk", "entropy_partial", "varentropy_topk"):
            if expected is None:
                assert math.isnan(getattr(row, name))
            else:
                assert math.isclose(
                    getattr(row, name), expected[name], rel_tol=1e-11, abs_tol=1e-11
                ), name
    if any(naive_token(own, k) for own in tokens):
        row = confidence_metrics(lp, k=k, window=window).iloc[0]
        for name, value in naive_answer(tokens, k, window).items():
            assert math.isclose(row[name], value, rel_tol=1e-11, abs_tol=1e-12), name


def test_real_answers(samples):
    path = samples / "stories_k10.jsonl"
    found = confidence_metrics(toolkit.read(path), window=16)
    for row, line in zip(found.itertuples(), path.read_text().splitlines(), strict=True):
        content = json.loads(line)["choices"][0]["logprobs"]["content"]
        tokens = [
            [t["logprob"], *(e["logprob"] for e in t["top_logprobs"] if e["id"] != t["id"])]
            for t in content
        ]
        assert row.k == 10
        for name, value in naive_answer(tokens, 10, 16).items():
            assert math.isclose(getattr(row, name), value, rel_tol=1e-9), name


def test_means_are_exact_over_long_answers():
    rng = np.random.default_rng(3)
    values = rng.exponential(5.0, 50_000) * 10.0 ** rng.integers(-3, 4, 50_000)
    got = windows.means(values, np.array([0, 50_000]), 2048)
    assert len(got) == 50_000 - 2047
    for i in rng.integers(0, len(got), 200).tolist():
        assert math.isclose(got[i], math.fsum(values[i : i + 2048]) / 2048, rel_tol=1e-12)
    for window in (1, 7, 8, 64):
        small = values[:64]
        expected = [math.fsum(small[i : i + window]) / window for i in range(65 - window)]
        found = windows.means(small, np.array([0, 64]), window)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_windows_stay_inside_their_segment():
    values, offsets = np.arange(20.0) ** 2, np.array([0, 3, 3, 4, 11, 12, 20])
    for window in (1, 2, 3, 7, 8, 9, 2**63 - 1):
        expected = [
            values[i : i + window].mean()
            for start, stop in pairwise(offsets.tolist())
            for i in range(start, stop - window + 1)
        ]
        np.testing.assert_allclose(windows.means(values, offsets, window), expected)


# Rules of all


def test_answers_do_not_depend_on_each_other(samples):
    lp = toolkit.read(samples / "arithmetic_n5.jsonl")
    whole = confidence_metrics(lp, k=5)
    keys = lp.responses["response_key"].to_pylist()
    parts = [confidence_metrics(lp.filter(response_key=key), k=5) for key in keys]
    pd.testing.assert_frame_equal(whole, pd.concat(parts, ignore_index=True))


def test_streams_are_wholes(samples):
    found = [
        confidence_metrics(toolkit.read(samples / name))[[*FLOATS, "k", "n_lists"]]
        for name in ("pairs_whole.jsonl", "pairs_stream.sse")
    ]
    pd.testing.assert_frame_equal(*found)


@pytest.mark.parametrize(
    "options",
    [
        {"k": 0},
        {"k": True},
        {"k": 2.0},
        {"window": 0},
        {"window": None},
        {"bottom": 0},
        {"bottom": 1.5},
        {"bottom": math.nan},
        {"bottom": "a"},
        {"min_k": 0},
        {"min_k": True},
    ],
)
def test_bad_options_are_named(options):
    lp = lists([-0.1, -2.0])
    (name,) = options
    with pytest.raises(ArgumentError, match=name):
        confidence_metrics(lp, **options)
    if name in ("k", "window"):
        with pytest.raises(ArgumentError, match=name):
            token_confidence(lp, **options)
