"""Histograms, cumulative shares and reasons against plain counting."""

import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests.metrics.byte_pieces import body
from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import ecdf, finish_reasons, token_histogram


def load(*answers, models=None):
    bodies = [body([(b"x", p) for p in tokens]) for tokens in answers]
    for i, each in enumerate(bodies):
        each["model"] = models[i] if models else "m"
    return toolkit.from_responses(bodies)


def test_bins_are_half_open_and_the_last_is_closed():
    lp = load([math.log(p) for p in (0.25, 0.5, 0.75, 1.0)])
    table = token_histogram(lp, bins=[0.0, 0.25, 0.5, 1.0])
    assert table["count"].tolist() == [0, 1, 3]
    assert table["share"].tolist() == [0.0, 0.25, 0.75]
    assert list(table) == schema.TOKEN_HISTOGRAM.names


def test_what_is_in_no_bin_is_counted():
    lp = load([-0.5, -9999.0, None, 5.0, -3.0])
    table = token_histogram(lp, "logprob", bins=[-1.0, 0.0])
    row = table.iloc[0]
    assert (row["count"], row["n"], row["n_outside"], row["n_null"]) == (1, 2, 1, 3)
    assert row["share"] == 0.5


@given(
    st.lists(
        st.tuples(st.sampled_from("mn"), st.lists(st.floats(-9, 0), min_size=1, max_size=6)),
        min_size=1,
        max_size=5,
    )
)
def test_counts_are_those_of_plain_loops(answers):
    models, tokens = zip(*answers, strict=True)
    lp = load(*tokens, models=models)
    table = token_histogram(lp, "logprob", bins=[-9.0, -4.0, -1.0, 0.0], by="model")
    for model, own in table.groupby("model"):
        values = [p for m, ps in answers if m == model for p in ps]
        assert own["count"].tolist() == [
            sum(-9 <= p < -4 for p in values),
            sum(-4 <= p < -1 for p in values),
            sum(-1 <= p <= 0 for p in values),
        ]
        assert set(own["n"]) == {len(values)}
    parts = [
        token_histogram(load(t, models=[m]), "logprob", bins=[-9.0, -4.0, -1.0, 0.0])
        for m, t in answers
    ]
    whole = token_histogram(lp, "logprob", bins=[-9.0, -4.0, -1.0, 0.0])
    assert whole["count"].tolist() == np.sum([part["count"] for part in parts], axis=0).tolist()
    table = ecdf(lp, "sum_logprob")
    sums = toolkit.sequence_metrics(lp)["sum_logprob"].tolist()
    assert table["value"].tolist() == sorted(set(sums))
    for value, n in zip(table["value"], table["n_at_or_below"], strict=True):
        assert n == sum(s <= value for s in sums)
    assert table["share"].iloc[-1] == 1.0


def test_reasons_are_counted():
    bodies = []
    for reason in ("stop", "length", "stop", None):
        each = body([(b"x", -0.5)])
        each["choices"][0]["finish_reason"] = reason
        bodies.append(each)
    table = finish_reasons(toolkit.from_responses(bodies), by="model")
    found = dict(zip(table["finish_reason"].fillna("-"), table["count"], strict=True))
    assert found == Counter(stop=2, length=1) | {"-": 1}
    assert table["share"].sum() == 1.0
    assert table["model"].tolist() == ["m"] * 3


def test_nothing_to_count():
    none = load([-0.5]).filter(response_key=[])
    assert token_histogram(none)["count"].sum() == 0
    assert token_histogram(none)["share"].isna().all()
    assert len(ecdf(none)) == len(finish_reasons(none)) == 0
    assert list(finish_reasons(none, by="model")) == ["model", *schema.FINISH_REASONS.names]
    assert isinstance(ecdf(none, by="model"), pd.DataFrame)


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (token_histogram, {"column": "token"}),
        (token_histogram, {"column": None}),
        (token_histogram, {"bins": 0}),
        (token_histogram, {"bins": True}),
        (token_histogram, {"bins": [1.0]}),
        (token_histogram, {"bins": [1.0, 0.0]}),
        (token_histogram, {"bins": "ten"}),
        (token_histogram, {"by": "token"}),
        (token_histogram, {"channel": "text"}),
        (ecdf, {"column": "source"}),
        (ecdf, {"by": "n_ok"}),
        (ecdf, {"channel": "text"}),
        (finish_reasons, {"by": "finish_reason"}),
    ],
)
def test_bad_arguments_are_named(function, options):
    (name,) = options
    with pytest.raises(ArgumentError, match=name):
        function(load([-0.5]), **options)
