"""The plot of usage shows what the metric table says."""

import numpy as np
import pandas as pd
import pytest

import toolkit
from tests.plot.cases import body, load
from toolkit import plot
from toolkit.errors import ArgumentError


def test_usage_over_time(data):
    lp = toolkit.read(data / "capitals_batch.jsonl")
    ax = plot.usage_over_time(lp, span="10s")
    table = toolkit.usage_over_time(lp, span="10s")
    for line, name in zip(ax.lines, ("prompt_tokens", "completion_tokens"), strict=True):
        np.testing.assert_array_equal(line.get_ydata()[:-1], table[name].fillna(0).astype(float))


def _two_models():
    def of(model, created, completion):
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
        [of("m", 0, 1), of("n", 3600, 2), of("m", 7200, 3), of(None, 7200, 5)]
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


@pytest.mark.parametrize("unit", ["s", "min", "h", "D"])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 7, 10, 25, 60, 100, 400, 3000])
def test_any_length_of_time_has_a_few_ticks(length, unit):
    lp = _at(pd.Timestamp("2026-01-30"), pd.Timestamp("2026-01-30") + pd.Timedelta(length, unit))
    ax = plot.usage_over_time(lp)
    ax.figure.draw_without_rendering()  # matplotlib warns where it finds no ticks
    low, high = sorted(ax.get_xlim())
    assert 1 <= len([tick for tick in ax.get_xticks() if low <= tick <= high]) <= 12


def _at(*times):
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    rows = (body([("a", -1.0)], created=int(time.timestamp()), usage=usage) for time in times)
    return load(*rows)
