"""Two runs compared."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests.metrics.byte_pieces import body
from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import compare, compare_summary, compare_tokens


def run(*answers, ids=None):
    """Load a run; each answer is (token, logprob[, others]) triples."""
    bodies = [body([(t.encode(), *rest) for t, *rest in tokens]) for tokens in answers]
    return toolkit.from_responses(bodies, custom_id=ids)


def listed(**entries):
    """Return alternatives of texts and probabilities."""
    return [(text, math.log(p)) for text, p in entries.items()]


# Worked by hand


def test_answers_are_compared_up_to_where_they_part():
    a = run([("x", -0.5, listed(x=0.6, y=0.4)), ("y", -1.0, listed(y=0.5, z=0.5)), ("q", -0.1)])
    b = run([("x", -0.25, listed(x=0.7, y=0.3)), ("z", -2.0, listed(z=0.5, y=0.5))])
    row = compare(a, b).iloc[0]
    assert (row["n_tokens_a"], row["n_tokens_b"], row["n_common"]) == (3, 2, 1)
    assert row["first_divergence"] == 1
    assert not row["same_text"]
    assert row["sum_logprob_a"] == pytest.approx(-1.6)
    assert row["delta_nll"] == pytest.approx(2.25 / 2 - 1.6 / 3)
    assert (row["n_compared"], row["n_flips"]) == (2, 1)
    tokens = compare_tokens(a, b)
    assert tokens["position"].tolist() == [0, 1, 2]
    assert tokens["token_a"].tolist() == ["x", "y", "q"]
    assert tokens["token_b"].fillna("-").tolist() == ["x", "z", "-"]
    assert tokens["same_token"].tolist() == [True, False, False]
    assert tokens["same_prefix"].tolist() == [True, True, False]
    assert tokens["delta_logprob"].tolist()[0] == pytest.approx(0.25)
    assert tokens["delta_logprob"].isna().tolist() == [False, True, True]
    assert tokens["is_flip"].astype(object).tolist()[:2] == [False, True]
    assert tokens["is_flip"].isna().tolist() == [False, False, True]
    # Both lists are whole here, so the divergence is known.
    p, q = (0.6, 0.4), (0.7, 0.3)
    m = [(x + y) / 2 for x, y in zip(p, q, strict=True)]
    js = sum(
        0.5 * x * math.log(x / z) + 0.5 * y * math.log(y / z)
        for x, y, z in zip(p, q, m, strict=True)
    )
    assert tokens["js_lower"][0] == pytest.approx(js)
    assert tokens["js_upper"][0] == pytest.approx(js)
    assert row["js_lower"] == pytest.approx(js / 2)


def test_one_is_the_beginning_of_the_other():
    row = compare(run([("x", -0.5)]), run([("x", -0.5), ("y", -1.0)])).iloc[0]
    assert (row["n_common"], row["first_divergence"]) == (1, 1)
    assert row["n_compared"] == 0
    assert math.isnan(row["js_lower"])


def test_nothing_is_dropped():
    a = run([("x", -0.5)], [("y", -1.0)], ids=["1", "2"])
    b = run([("z", -0.5)], [("y", -2.0)], ids=["3", "2"])
    found = compare(a, b)
    assert found["custom_id"].tolist() == ["1", "2", "3"]
    assert found["is_paired"].tolist() == [False, True, False]
    assert found["n_tokens_a"].isna().tolist() == [False, False, True]
    assert found["n_tokens_b"].isna().tolist() == [True, False, False]
    assert found["delta_nll"].isna().tolist() == [True, False, True]
    assert found["first_divergence"].isna().all()
    row = compare_summary(found).iloc[0]
    assert (row["n_pairs"], row["n_only_a"], row["n_only_b"], row["n_scored"]) == (1, 1, 1, 1)
    assert row["delta_nll"] == 1.0
    assert len(compare_tokens(a, b)) == 1
    by_place = compare(a, b, on="position")
    assert by_place["is_paired"].all()


def test_choices_are_paired_by_their_index():
    def many(*texts):
        choices = [
            {
                "index": i,
                "message": {"content": text},
                "logprobs": {"content": [{"token": text, "logprob": -0.5}]},
            }
            for i, text in enumerate(texts)
        ]
        return toolkit.from_responses({"choices": choices})

    found = compare(many("a", "b"), many("a"))
    assert found["choice"].tolist() == [0, 1]
    assert found["is_paired"].tolist() == [True, False]


def test_what_cannot_be_used_is_null():
    row = compare(run([("x", None)]), run([("x", -9999.0)])).iloc[0]
    assert math.isnan(row["delta_nll"])
    assert row["same_text"]
    assert (row["n_ok_a"], row["n_ok_b"]) == (0, 0)
    summary = compare_summary(compare(run([("x", None)]), run([("x", -9999.0)]))).iloc[0]
    assert (summary["n_pairs"], summary["n_scored"]) == (1, 0)
    assert math.isnan(summary["delta_nll"])
    assert math.isnan(summary["share_above_0"])


@pytest.mark.parametrize("unreadable", [None, 4.0])
def test_an_unreadable_entry_may_be_as_likely_as_any(unreadable):
    a = run([("a", math.log(0.5), listed(a=0.5, x=0.45, c=0.01))])
    b = run([("a", math.log(0.5), [*listed(a=0.5), ("x", unreadable), *listed(c=0.01)])])
    row = compare_tokens(a, b).iloc[0]
    assert row["js_lower"] == pytest.approx(0.0, abs=1e-12)  # x may have 0.45 in both
    assert row["js_upper"] > 0.3


# Against plain loops

TOKEN = st.tuples(
    st.sampled_from(["a", "b", "é"]),
    st.floats(-4, -0.01),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.floats(0.01, 0.3), max_size=3),
)
RUN = st.lists(st.lists(TOKEN, min_size=1, max_size=5), min_size=1, max_size=4)


@given(RUN, RUN)
def test_comparison_is_that_of_plain_loops(left, right):
    n = min(len(left), len(right))
    left, right = left[:n], right[:n]
    a, b = (
        run(*[[(t, p, listed(**d)) for t, p, d in one] for one in side]) for side in (left, right)
    )
    found, tokens = compare(a, b), compare_tokens(a, b)
    assert len(tokens) == sum(max(len(x), len(y)) for x, y in zip(left, right, strict=True))
    for row, x, y in zip(found.itertuples(), left, right, strict=True):
        common = 0
        while common < min(len(x), len(y)) and x[common][0] == y[common][0]:
            common += 1
        assert row.n_common == common
        parted = common < max(len(x), len(y))
        assert (row.first_divergence == common) if parted else pd.isna(row.first_divergence)
        nll = [-math.fsum(p for _, p, _ in side) / len(side) for side in (x, y)]
        assert math.isclose(row.delta_nll, nll[1] - nll[0], rel_tol=1e-9, abs_tol=1e-12)
        flips = compared = 0
        for (_, _, d), (_, _, e) in list(zip(x, y, strict=False))[: common + 1]:
            if d and e:
                compared += 1
                best = [max(lists, key=lambda token: math.log(lists[token])) for lists in (d, e)]
                flips += best[0] != best[1]
        assert (row.n_compared, row.n_flips) == (compared, flips)
    assert (tokens["js_lower"].dropna() <= tokens["js_upper"].dropna() + 1e-12).all()
    turned = compare(b, a)
    np.testing.assert_allclose(found["delta_nll"], -turned["delta_nll"], atol=1e-12)
    np.testing.assert_allclose(found["js_lower"], turned["js_lower"], atol=1e-12)


def test_a_run_is_like_itself(samples):
    lp = toolkit.read(samples / "arithmetic_n5.jsonl")
    found = compare(lp, lp)
    assert list(found) == schema.COMPARE.names
    assert found["is_paired"].all()
    assert (found["n_common"] == found["n_tokens_a"]).all()
    assert found["first_divergence"].isna().all()
    assert (found[["delta_nll", "n_flips", "js_lower"]].astype(float) == 0).all(axis=None)


def test_streams_are_wholes(samples):
    a, b = (toolkit.read(samples / name) for name in ("pairs_whole.jsonl", "pairs_stream.sse"))
    found = compare(a, b)
    assert found["same_text"].all()
    assert found["delta_nll"].tolist() == [0.0] * 12
    assert found["first_divergence"].isna().all()
    tokens = compare_tokens(a, b)
    assert list(tokens) == schema.COMPARE_TOKENS.names
    assert tokens["same_token"].all()
    assert (tokens["delta_logprob"] == 0).all()


# Arguments


@pytest.mark.parametrize(
    ("ids", "options", "message"),
    [
        ((["1"], ["1"]), {"on": "id"}, "on="),
        ((["1"], ["1"]), {"channel": "text"}, "channel"),
        ((None, ["1"]), {"on": "custom_id"}, "has none"),
    ],
)
def test_bad_arguments_are_named(ids, options, message):
    a, b = (run([("x", -0.5)], ids=own) for own in ids)
    for function in (compare, compare_tokens):
        with pytest.raises(ArgumentError, match=message):
            function(a, b, **options)


def test_what_belongs_together_must_be_clear():
    one, two = run([("x", -0.5)]), run([("x", -0.5)], [("y", -0.5)])
    with pytest.raises(ArgumentError, match="1 and 2"):
        compare(one, two)
    assert compare(one, two, on="position")["is_paired"].tolist() == [True, False]
    twice = run([("x", -0.5)], [("y", -0.5)], ids=["1", "1"])
    with pytest.raises(ArgumentError, match="occurs twice in b"):
        compare(run([("x", -0.5)], ids=["1"]), twice)


def test_empty_runs():
    lp = run([("x", -0.5)])
    none = lp.filter(response_key=[])
    assert len(compare(none, none, on="position")) == 0
    assert len(compare_tokens(none, none, on="position")) == 0
    found = compare(lp, none, on="position")
    assert found["is_paired"].tolist() == [False]
    assert compare_summary(found)["n_only_a"].tolist() == [1]


def test_an_answer_of_logits_has_no_difference():
    logits, good = body([(b"a", 3.0), (b"b", -1.0)], id="x"), body([(b"a", -1.0)], id="y")
    lp = toolkit.from_responses([logits, good])
    found = compare(lp, lp, on="position")
    assert found["delta_nll"].isna().tolist() == [True, False]
    assert found["n_ok_a"].tolist() == [0, 1]


@pytest.mark.parametrize("channel", ["content", "refusal"])
def test_both_texts_are_those_of_the_runs(channel):
    def run(*texts):
        return toolkit.from_responses(
            [
                {
                    "model": f"m{len(texts)}",
                    "choices": [
                        {
                            "message": {channel: text},
                            "logprobs": {channel: [{"token": "x", "logprob": -1.0}]},
                        }
                    ],
                }
                for text in texts
            ],
            custom_id=list("abc")[: len(texts)],
        )

    first, second = run("same", "one", None), run("same", "two")
    pairs = compare(first, second, channel=channel)
    assert pairs["text_a"].tolist() == ["same", "one", "x"]  # joined from tokens if none was sent
    assert pairs["text_b"].fillna("none").tolist() == ["same", "two", "none"]
    assert pairs["same_text"].astype(object).tolist() == [True, False, pd.NA]
    assert pairs["model_a"].tolist() == ["m3"] * 3
    tokens = toolkit.compare_tokens(first, second, channel=channel)
    assert tokens["custom_id"].tolist() == ["a", "b"]
    assert tokens["model_a"].tolist() == ["m3"] * 2
    assert tokens["model_b"].tolist() == ["m2"] * 2
