"""Usage over time and by size, groups of Series, and list prices."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

import toolkit
from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import usage, usage_histogram, usage_over_time


@pytest.fixture
def timed(make):
    """Three minutes with a gap of one, one response without a time and one without usage."""
    entry = make.entry("a", -1.0)

    def body(created, completion, model="m"):
        counts = {"prompt_tokens": 5, "completion_tokens": completion, "total_tokens": 99}
        body = make.body(entry, model=model, usage=counts if completion is not None else None)
        return body | {"created": created}

    return toolkit.from_responses(
        [
            body(1_700_000_000, 10),
            body(1_700_000_030, 20),
            body(1_700_000_150, 40, "n"),
            body(1_700_000_160, None),
            body(None, 80),
        ]
    )


def test_spans_count_what_was_made_in_them(timed):
    got = usage_over_time(timed, span="1min")
    assert list(got) == schema.USAGE_OVER_TIME.names
    begin = datetime.fromtimestamp(1_700_000_000 // 60 * 60, UTC)
    assert got["start"].tolist() == [
        pd.Timestamp(begin) + pd.Timedelta(minutes=i) for i in range(4)
    ]
    assert got["n_responses"].tolist() == [2, 0, 1, 1]
    assert got["n_with_usage"].tolist() == [2, 0, 1, 0]
    assert got["completion_tokens"].isna().tolist() == [False, True, False, True]
    np.testing.assert_array_equal(got["completion_tokens_per_minute"], [30, 0, 40, np.nan])


def test_a_span_that_reports_nothing_has_no_rate(timed):
    got = usage_over_time(timed, span="10s")
    silent = got[(got["n_responses"] > 0) & (got["n_with_usage"] == 0)]
    assert len(silent) == 1
    assert silent[["completion_tokens", "total_tokens"]].isna().all(axis=None)
    assert silent["total_tokens_per_minute"].isna().all()
    assert got["completion_tokens_per_minute"].max() == 240


def test_groups_share_the_spans(timed):
    got = usage_over_time(timed, span="1min", by="model")
    assert got["model"].tolist() == ["m"] * 4 + ["n"] * 4
    assert got["n_responses"].tolist() == [2, 0, 0, 1, 0, 0, 1, 0]
    assert got.iloc[:4]["start"].tolist() == got.iloc[4:]["start"].tolist()


def test_spans_add_up_to_the_whole(timed):
    lp = toolkit.concat([timed, timed.filter(model="n")])
    got = usage_over_time(lp, span="1h", by="source")
    whole = usage(
        lp.filter(created=[t for t in lp.responses["created"].to_pylist() if t]), by="source"
    )
    for name in ("n_responses", "n_with_usage", "prompt_tokens", "completion_tokens"):
        assert got.groupby("source")[name].sum().tolist() == whole[name].tolist()


def test_no_response_makes_no_rows(make):
    assert len(usage_over_time(make.tables([]))) == 0
    assert len(usage_histogram(make.tables([]))) == 0
    assert usage_histogram(make.tables([]), bins=[0, 1])["share"].isna().all()


@pytest.mark.parametrize("span", ["", "soon", "1ME", 7, "-1min", "0s", "1us"])
def test_spans_that_are_none(timed, span):
    with pytest.raises(ArgumentError, match="span=.*: expected a length of time"):
        usage_over_time(timed, span=span)


def test_too_many_spans(make):
    lp = toolkit.from_responses(
        [make.body(make.entry("a", -1.0)) | {"created": t} for t in (0, 4e9)]
    )
    with pytest.raises(ArgumentError, match="expected at most 1,000,000 spans: .* 4,000,000,001"):
        usage_over_time(lp, span="1s")


def test_bins_hold_every_reported_count(lp):
    got = usage_histogram(lp, bins=7)
    counts = lp.responses["completion_tokens"].to_pandas().dropna().to_numpy()
    expected = [
        sum(low <= n < high or (high == got["high"].max() and n == high) for n in counts)
        for low, high in zip(got["low"], got["high"], strict=True)
    ]
    assert got["n_responses"].tolist() == expected
    assert got["share"].sum() == pytest.approx(1, rel=1e-12)
    assert got["low"].tolist()[1:] == got["high"].tolist()[:-1]


def test_groups_have_the_same_bins(timed):
    got = usage_histogram(timed, bins=[0, 20, 40, 60], by="model")
    assert list(got) == ["model", *schema.USAGE_HISTOGRAM.names]
    assert got["n_responses"].tolist() == [1, 1, 0, 0, 0, 1]
    np.testing.assert_allclose(got["share"], [1 / 3, 1 / 3, 0, 0, 0, 1])  # 80 lies outside


@pytest.mark.parametrize("bins", [0, -1, True, 2.5, [1], [2, 1], [1, 1], [0, np.nan], "auto", None])
def test_bins_that_are_none(timed, bins):
    with pytest.raises(ArgumentError, match="bins=.*: expected a whole number from 1 to 10,000"):
        usage_histogram(timed, bins=bins)


def test_only_counts_have_a_histogram(timed):
    with pytest.raises(ArgumentError, match="column='model': expected one of"):
        usage_histogram(timed, "model")


def test_groups_of_ones_own(timed):
    mine = pd.Series(["x", "y", "x", None, "y"], name="mine", index=list("abcde"))
    got = usage(timed, by=[mine, "model"])
    assert list(got)[:2] == ["mine", "model"]
    assert got["n_responses"].tolist() == [1, 1, 2, 1]
    assert usage(timed, by=mine)["completion_tokens"].tolist() == [50, 100, pd.NA]


@pytest.mark.parametrize(
    ("by", "message"),
    [
        (pd.Series([1, 2], name="x"), "has 2 values for 5 responses"),
        (pd.Series(range(5)), "needs a name"),
        (pd.Series(range(5), name="cost"), "none of the columns of usage"),
        ([pd.Series(range(5), name="model"), "model"], "each column once"),
    ],
)
def test_series_that_do_not_fit(timed, by, message):
    with pytest.raises(ArgumentError, match=f"by.*{message}"):
        usage(timed, by=by)


def test_rates_end_with_the_last_response(timed):
    row = usage(timed).iloc[0]
    # The one without usage is left out; 30 tokens in the 150 seconds before the last one.
    assert row["completion_tokens_per_minute"] == pytest.approx(30 / 2.5, rel=1e-12)
    assert usage(timed, by="model")["completion_tokens_per_minute"].isna().tolist() == [False, True]


def test_share_of_the_cache(make):
    entry = make.entry("a", -1.0)
    counts = {"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 25}}
    lp = make.tables(
        [make.body(entry, usage=counts), make.body(entry, usage={"prompt_tokens": 900})]
    )
    assert usage(lp)["cached_share"].tolist() == [0.25]
    assert usage(make.tables([]))["cached_share"].isna().all()


def test_list_prices(make):
    pytest.importorskip("genai_prices", reason="the extra prices is not installed")
    entry = make.entry("a", -1.0)
    counts = {"prompt_tokens": 1_000_000, "completion_tokens": 100_000}
    cached = counts | {"prompt_tokens_details": {"cached_tokens": 400_000}}
    bodies = [
        make.body(entry, model="gpt-4o-2024-08-06", usage=counts),
        make.body(entry, model="gpt-4o-2024-08-06", usage=cached),
        make.body(entry, model="my-own-model", usage=counts),
        make.body(entry, model="gpt-4o-2024-08-06", usage=None),
    ]
    got = usage(make.tables(bodies), by="model", prices="genai-prices")
    assert got["n_priced"].tolist() == [2, 0]
    # 2.50, 1.25 and 10 dollars per million since October 2024
    expected = 2 * 1.0 + 2.5 + 0.6 * 2.5 + 0.4 * 1.25
    np.testing.assert_allclose(got["cost"], [expected, np.nan], rtol=1e-9)


@pytest.mark.parametrize("prices", ["openai", 3, [("m", 1, 2)]])
def test_price_tables_that_are_none(timed, prices):
    with pytest.raises(ArgumentError, match="prices"):
        usage(timed, prices=prices)


def test_without_the_package(timed, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "genai_prices", None)
    with pytest.raises(ArgumentError, match=r"pip install 'logprob-toolkit\[prices\]'"):
        usage(timed, prices="genai-prices")


@pytest.mark.parametrize(
    ("seconds", "span"),
    [(0, "1s"), (299, "1s"), (301, "10s"), (2_990, "10s"), (3_600, "1min"), (86_400, "10min")]
    + [(10 * 86_400, "1h"), (30 * 86_400, "6h"), (365 * 86_400, "1D"), (4e9, "1D")],
)
def test_a_span_is_picked(make, seconds, span):
    entry = make.entry("a", -1.0)
    bodies = [
        make.body(entry) | {"created": 1_000_000_000 * (seconds < 1e9) + t} for t in (0, seconds)
    ]
    lp = toolkit.from_responses(bodies)
    picked = usage_over_time(lp)
    pd.testing.assert_frame_equal(picked, usage_over_time(lp, span=span))
    assert picked["n_responses"].sum() == 2
    assert len(picked) <= 301 or span == "1D"


def test_cost_of_each_span_and_group(timed):
    prices = {"m": (1.0, 2.0)}
    got = usage_over_time(timed, span="1min", by="model", prices=prices)
    assert got["n_priced"].tolist() == [2, 0, 0, 0, 0, 0, 0, 0]
    assert got["cost"][0] == pytest.approx((5 * 1 + 10 * 2 + 5 * 1 + 20 * 2) / 1e6)
    assert got["cost"].isna().tolist() == [False] + [True] * 7
    assert got["unpriced_models"].tolist() == [[], [], [], [], [], [], ["n"], []]
    whole = usage(timed.filter(created=timed.responses["created"].to_pylist()[:4]), prices=prices)
    together = usage_over_time(timed, span="1min", prices=prices)
    assert together["cost"].sum() == pytest.approx(whole["cost"][0])
    assert together["unpriced_models"].tolist() == [[], [], ["n"], []]
    without = usage_over_time(timed, span="1min")
    assert without["cost"].isna().all()
    assert without["unpriced_models"].tolist() == [[]] * 4
