"""Usage summaries against plain counting."""

import math
import statistics

import numpy as np
import pyarrow as pa
import pytest

from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import usage

TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")


def percentile(values, share):
    values = sorted(values)
    place = share * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (place - low) * (values[high] - values[low])


@pytest.fixture
def mixed(make):
    """Two models and none; usage whole, partial and absent."""
    top = make.entry("a", -1.0)
    full = {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "total_tokens": 110,
        "prompt_tokens_details": {"cached_tokens": 40},
        "completion_tokens_details": {"reasoning_tokens": 7},
    }
    two = make.body(top, model="m", usage={"prompt_tokens": 50, "completion_tokens": 4})
    two["choices"].append({"index": 1, "finish_reason": None, "logprobs": None})
    bare = make.body(model="n", usage={"prompt_tokens": 8, "completion_tokens": 9})
    bare["choices"][0]["logprobs"] = None
    bare["choices"][0]["finish_reason"] = "length"
    failed = {"model": None, "choices": [], "error": "overloaded"}
    return make.tables([make.body(top, top, model="m", usage=full), two, bare, failed])


def test_recorded_usage_equals_plain_arithmetic(recorded, lp):
    got = usage(lp, by="source")
    for records, (_, row) in zip(recorded, got.iterrows(), strict=True):
        bodies = [r["response"]["body"] if "response" in r else r for r in records]
        choices = [choice for body in bodies for choice in body["choices"]]
        rows = sum(len(choice["logprobs"]["content"]) for choice in choices)
        assert row["n_responses"] == row["n_with_usage"] == row["n_finished"] == len(bodies)
        assert row["n_choices"] == len(choices)
        assert row["n_token_rows"] == rows
        assert row["share_with_logprobs"] == 1
        for name in TOKENS:
            values = [body["usage"][name] for body in bodies]
            assert row[name] == sum(values)
            assert row[f"mean_{name}"] == pytest.approx(statistics.fmean(values), rel=1e-12)
            assert row[f"median_{name}"] == statistics.median(values)
            assert row[f"p95_{name}"] == pytest.approx(percentile(values, 0.95), rel=1e-12)
        completion = sum(body["usage"]["completion_tokens"] for body in bodies)
        assert row["logprob_coverage"] == pytest.approx(rows / completion, rel=1e-12)
        cached = [body["usage"]["prompt_tokens_details"]["cached_tokens"] for body in bodies]
        assert row["cached_tokens"] == sum(cached)
        reasons = [choice["finish_reason"] for choice in choices]
        assert row["finish_reasons"] == {reason: reasons.count(reason) for reason in set(reasons)}
    assert got["reasoning_tokens"].isna().all()


def test_columns_are_those_declared(mixed):
    assert list(usage(mixed)) == schema.USAGE.names
    got = usage(mixed, by=["model", "finished"])
    assert list(got) == ["model", "finished", *schema.USAGE.names]
    table = pa.Table.from_pandas(usage(mixed), schema=schema.USAGE.arrow, preserve_index=False)
    assert schema.conform(table, schema.USAGE).num_rows == 1


def test_what_is_not_reported_is_left_out(mixed):
    row = usage(mixed).iloc[0]
    counts = ["n_responses", "n_errors", "n_finished", "n_choices", "n_with_usage"]
    assert row[counts].tolist() == [4, 1, 2, 4, 3]
    assert row[["prompt_tokens", "completion_tokens", "total_tokens"]].tolist() == [158, 23, 110]
    assert row[["cached_tokens", "reasoning_tokens"]].tolist() == [40, 7]
    assert row["mean_prompt_tokens"] == pytest.approx(158 / 3)
    assert row["mean_total_tokens"] == 110
    assert row["median_completion_tokens"] == 9
    assert row["share_with_logprobs"] == 0.5
    assert row["n_token_rows"] == 3
    assert row["logprob_coverage"] == pytest.approx(3 / 14)
    assert row["finish_reasons"] == {"stop": 2, "length": 1, "null": 1}
    assert list(row["finish_reasons"]) == ["length", "null", "stop"]


def test_groups_are_sorted_and_null_is_one(mixed):
    got = usage(mixed, by="model")
    assert got["model"].isna().tolist() == [False, False, True]
    assert got["model"].tolist()[:2] == ["m", "n"]
    assert got["n_responses"].tolist() == [2, 1, 1]
    assert got["n_choices"].tolist() == [3, 1, 0]
    assert got["prompt_tokens"].astype(object).tolist()[:2] == [150, 8]
    assert got["prompt_tokens"].isna().tolist() == [False, False, True]
    assert got["mean_prompt_tokens"].isna().tolist() == [False, False, True]
    assert got["logprob_coverage"].isna().tolist() == [False, True, True]
    assert got["finish_reasons"].tolist() == [{"null": 1, "stop": 2}, {"length": 1}, {}]
    assert usage(mixed, by="kind")["n_responses"].tolist() == [4]


def test_cost_is_known_where_price_and_usage_are(mixed):
    got = usage(mixed, by="model", prices={"m": (2.0, 10.0)})
    expected = (150 * 2.0 + 14 * 10.0) / 1e6
    np.testing.assert_allclose(got["cost"], [expected, np.nan, np.nan], rtol=1e-12)
    assert got["n_priced"].tolist() == [2, 0, 0]
    assert got["unpriced_models"].tolist() == [[], ["n"], []]  # the last reports no tokens
    price = {"input": 2.0, "output": 10.0, "cached_input": 0.5}
    row = usage(mixed, prices={"m": price, "n": {"input": 1, "output": 0}}).iloc[0]
    assert row["cost"] == pytest.approx((110 * 2.0 + 40 * 0.5 + 14 * 10.0 + 8 * 1) / 1e6, rel=1e-12)
    assert row["n_priced"] == 3
    bare = usage(mixed).iloc[0]
    assert math.isnan(bare["cost"])
    assert bare["n_priced"] == 0
    assert bare["unpriced_models"] == []
    assert usage(mixed, prices={}).iloc[0]["unpriced_models"] == ["m", "n"]


def test_no_responses_at_all(make):
    lp = make.tables([])
    row = usage(lp, prices={"m": (1, 2)}).iloc[0]
    assert row["n_responses"] == 0
    assert row["finish_reasons"] == {}
    assert row[["mean_total_tokens", "share_with_logprobs", "logprob_coverage"]].isna().all()
    assert math.isnan(row["cost"])
    assert len(usage(lp, by="model")) == 0


def test_chunks_make_no_difference(lp, make):
    prices = {"gemma-3-270m": (1.5, 6.0)}
    whole = usage(lp, by=["model", "kind"], prices=prices)
    assert usage(make.rechunked(lp, 11), by=["model", "kind"], prices=prices).equals(whole)


@pytest.mark.parametrize("by", ["channel", "notes"])
def test_only_plain_columns_of_responses_group(mixed, by):
    with pytest.raises(ArgumentError, match=f"by='{by}': expected one of .*'model'"):
        usage(mixed, by=by)


@pytest.mark.parametrize(
    "price",
    [3, (1,), (1, 2, 3), (1, -2), (1, math.nan), ("1", "2"), "12", {"input": 1}, {"output": 2},
     {"input": 1, "output": 2, "image": 3}],
)  # fmt: skip
def test_prices_that_are_none(mixed, price):
    with pytest.raises(ArgumentError, match=r"prices\['m'\]"):
        usage(mixed, prices={"m": price})
