"""Plots along the positions of tokens show what the metric tables say."""

import warnings

import numpy as np
import pytest

import toolkit
from tests.plot.cases import draw, texts
from toolkit import plot
from toolkit.errors import ArgumentError
from toolkit.metrics._arrays import windows


@pytest.fixture
def listed():
    top = [{"token": t, "logprob": v} for t, v in (("a", -0.4), ("b", -1.5), ("c", -3.0))]
    entry = {"token": "a", "logprob": -0.4, "top_logprobs": top}
    choice = {"message": {"content": "aaa"}, "logprobs": {"content": [entry] * 3}}
    short = {"message": {"content": "a"}, "logprobs": {"content": [entry]}}
    return toolkit.from_responses([{"choices": [choice]}, {"choices": [short]}])


def test_confidence_over_position_of_one(stories):
    ax = plot.confidence_over_position(stories, response=1, window=8)
    key = stories.responses["response_key"][1].as_py()
    p = toolkit.token_metrics(stories.filter(response_key=key))["probability"].to_numpy()
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), p)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), windows.means(p, np.array([0, len(p)]), 8))
    assert ax.lines[1].get_xdata()[0] == 7


def test_confidence_over_position_of_many(stories):
    ax = plot.confidence_over_position(stories)
    table = toolkit.metrics.position_metrics(stories)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), table["probability_median"])
    np.testing.assert_allclose(ax.lines[1].get_ydata(), table["n_tokens"] / table["n_tokens"].max())
    for bad in (0, True, 2.5):
        with pytest.raises(ArgumentError, match="window"):
            plot.confidence_over_position(stories, window=bad)


def test_entropy_of_one_answer(listed):
    ax = draw(toolkit.plot.entropy_by_position(listed, response=0, vocab_size=100))
    metrics = toolkit.token_metrics(listed, vocab_size=100)[:3]
    assert ax.lines[0].get_ydata().tolist() == metrics["entropy_lower"].tolist()
    assert ax.lines[1].get_ydata().tolist() == metrics["entropy_topk"].tolist()
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(metrics["entropy_upper"].max())
    assert "lower: more certain" in ax.get_ylabel()


def test_entropy_of_all_answers(listed):
    ax = draw(toolkit.plot.entropy_by_position(listed))
    metrics = toolkit.metrics.position_metrics(listed)
    assert metrics["n_tokens"].tolist() == [2, 1, 1]
    assert ax.lines[0].get_ydata().tolist() == metrics["entropy_lower_median"].tolist()


def test_entropy_without_tokens_says_so():
    with warnings.catch_warnings(action="ignore"):
        lp = toolkit.from_responses({"choices": [{"message": {"content": "a"}}]})
    for response in (0, None):
        ax = draw(toolkit.plot.entropy_by_position(lp, response=response))
        assert texts(ax) == ["no tokens with logprobs"]
