"""The lists of two runs compared in blocks, and with the rounding of each list."""

import math

import numpy as np
import pandas as pd
import pytest

import toolkit
from tests.metrics.byte_pieces import body
from toolkit.metrics import _lists, compare, compare_tokens, divergence, noise_floor


@pytest.mark.parametrize("rows", [1, 3, 64])
def test_the_size_of_blocks_changes_nothing(data, monkeypatch, rows):
    a, b = (toolkit.read(data / f"given_{name}.jsonl.gz") for name in ("q4_1", "q4_0"))
    a, b = (lp.filter(response_key=lp.responses["response_key"].to_pylist()[:4]) for lp in (a, b))
    functions = (compare, compare_tokens, divergence, noise_floor)
    whole = [function(a, b, channel="prompt") for function in functions]
    assert whole[0]["n_compared"].sum() > 50
    monkeypatch.setattr(_lists, "BLOCK_ROWS", rows)
    for function, expected in zip(functions, whole, strict=True):
        found = function(a, b, channel="prompt")
        pd.testing.assert_frame_equal(found, expected, rtol=1e-12)


def test_runs_in_another_order_give_the_same_rows(data):
    lp = toolkit.read(data / "given_q4_1.jsonl.gz")
    keys = lp.responses["response_key"].to_pylist()
    backwards = toolkit.concat([lp.filter(response_key=key) for key in reversed(keys)])
    report = divergence(lp, backwards, on="custom_id", channel="prompt").set_index("measure")
    assert report.loc["kl_lower", "n_positions"] > 100
    assert report.loc[["kl_lower", "tv_lower"], "maximum"].tolist() == [0.0, 0.0]


def test_each_list_is_rounded_as_it_was_sent():
    """Lists of two decimals bound the truth, also beside a list that was not rounded."""
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, (400, 8))
    first = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    whole = [first, np.roll(first, 1, axis=1)]

    def run(rows):
        sent = [rows[0].tolist(), *np.round(rows[1:], 2).tolist()]
        pieces = [(b"x", row[0], [(f"w{i}", p) for i, p in enumerate(row)]) for row in sent]
        return toolkit.from_responses([body([piece]) for piece in pieces])

    found = compare_tokens(*map(run, whole), on="position")
    truth = 0.5 * np.abs(np.exp(whole[0]) - np.exp(whole[1])).sum(axis=1)
    assert (found["tv_lower"] <= truth + 1e-6).all()
    assert (truth <= found["tv_upper"] + 1e-6).all()
    width = (found["tv_upper"] - found["tv_lower"]).to_numpy()
    assert width[0] < 1e-5 < 1e-4 < width[1:].min()
    assert math.isclose(found["tv_lower"][0], truth[0], abs_tol=1e-5)
