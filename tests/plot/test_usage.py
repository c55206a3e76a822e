"""The plot of usage shows what the metric table says."""

import numpy as np
import pytest

import toolkit
from toolkit import plot
from toolkit.errors import ArgumentError


def test_usage_over_time(data):
    lp = toolkit.read(data / "capitals_batch.jsonl")
    ax = plot.usage_over_time(lp, span="10s")
    table = toolkit.usage_over_time(lp, span="10s")
    for line, name in zip(ax.lines, ("prompt_tokens", "completion_tokens"), strict=True):
        np.testing.assert_array_equal(line.get_ydata()[:-1], table[name].fillna(0).astype(float))


def _two_models():
    def body(model, created, completion):
        usage = {
            "prompt_tokens": 4,
            "completion_tokens": completion,
            "total_tokens": 4 + completion,
        }
        choice = {
            "message": {"content": "a"},
            "logprobs": {"content": [{"token": "a", "logprob": -1}]},
        }
        return {"model": model, "created": created, "usage": usage, "choices": [choice]}

    return toolkit.from_responses(
        [body("m", 0, 1), body("n", 3600, 2), body("m", 7200, 3), body(None, 7200, 5)]
    )


def test_groups_are_lines_of_all_their_tokens():
    ax = plot.usage_over_time(_two_models(), by="model", span="1h")
    assert [line.get_label() for line in ax.lines] == ["m", "n", "null"]
    assert [line.get_ydata()[:-1].tolist() for line in ax.lines] == [
        [5, 0, 7],
        [0, 6, 0],
        [0, 0, 9],
    ]
    lp = toolkit.concat([_two_models()] * 3)
    with pytest.raises(ArgumentError, match="at most 6 values"):
        plot.usage_over_time(lp, by="response_key")


def test_cost_is_drawn_and_models_without_a_price_are_named():
    ax = plot.usage_over_time(_two_models(), prices={"m": (1e6, 2e6)}, span="1h")
    (line,) = ax.lines
    assert np.nan_to_num(line.get_ydata()[:-1]).tolist() == [6.0, 0.0, 10.0]
    assert "cost per 1h" in ax.get_title()
    assert "no price: n, null" in " ".join(ax.get_title().split())


def test_the_span_is_picked():
    assert "tokens used per 1min" in plot.usage_over_time(_two_models()).get_title()
