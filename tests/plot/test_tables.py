"""What stands on the artists is what the metric tables say."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

import toolkit
from tests.plot.cases import body, load
from toolkit import plot
from toolkit.errors import ArgumentError
from toolkit.metrics._arrays import windows


@pytest.fixture(autouse=True)
def _close_figures():
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def stories(data):
    return toolkit.read(data / "stories_k10.jsonl.gz")


@pytest.fixture(scope="module")
def data():
    from tests.conftest import ROOT

    return ROOT / "data"


def judged(data):
    answers = toolkit.join_labels(
        toolkit.confidence_metrics(toolkit.read(data / "capitals_batch.jsonl")),
        pd.read_csv(data / "capitals_labels.csv"),
    )
    return answers["probability"], answers["correct"]


def number(text):
    return (re.findall(r"-?\d+", text) or [None])[0]


def test_confidence_over_position_of_one(stories):
    ax = plot.confidence_over_position(stories, response=1, window=8)
    key = stories.responses["response_key"][1].as_py()
    p = toolkit.token_metrics(stories.filter(response_key=key))["probability"].to_numpy()
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), p)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), windows.means(p, 8))
    assert ax.lines[1].get_xdata()[0] == 7


def test_confidence_over_position_of_many(stories):
    ax = plot.confidence_over_position(stories)
    table = toolkit.metrics.position_metrics(stories)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), table["probability_median"])
    np.testing.assert_allclose(ax.lines[1].get_ydata(), table["n_tokens"] / table["n_tokens"].max())
    for bad in (0, True, 2.5):
        with pytest.raises(ArgumentError, match="window"):
            plot.confidence_over_position(stories, window=bad)


def test_logprob_histogram(stories):
    ax = plot.logprob_histogram(stories, bins=12)
    table = toolkit.metrics.token_histogram(stories, "logprob", bins=12)
    values, edges, _ = ax.patches[0].get_data()
    np.testing.assert_array_equal(values, table["share"])
    np.testing.assert_array_equal(edges, [*table["low"], table["high"].iloc[-1]])
    assert ax.get_yscale() == "log"
    assert plot.logprob_histogram(stories, log=False).get_yscale() == "linear"


def test_curves_of_models_differ_in_colour_and_stroke():
    lp = load(*(body([("a", -0.5 * i), ("b", -1.0)], model=f"m{i}") for i in range(1, 4)))
    for ax in (plot.perplexity_ecdf(lp), plot.logprob_histogram(lp, by="model")):
        marks = ax.lines or ax.patches
        colour = "get_color" if ax.lines else "get_edgecolor"
        assert len({to_hex(getattr(mark, colour)()) for mark in marks}) == 3
        assert len({str(mark.get_linestyle()) for mark in marks}) == 3
    many = load(*(body([("a", -0.5)], model=f"m{i}") for i in range(7)))
    with pytest.raises(ArgumentError, match="7 values"):
        plot.perplexity_ecdf(many)


def test_perplexity_ecdf(stories):
    ax = plot.perplexity_ecdf(stories, by=None)
    table = toolkit.metrics.ecdf(stories)
    np.testing.assert_array_equal(ax.lines[0].get_xdata()[1:], table["value"])
    np.testing.assert_array_equal(ax.lines[0].get_ydata()[1:], table["share"])
    assert ax.get_xscale() == "log"


def test_finish_reasons(stories):
    ax = plot.finish_reasons(stories)
    table = toolkit.metrics.finish_reasons(stories, by="model")
    np.testing.assert_allclose(
        sorted(bar.get_width() for bar in ax.patches), sorted(table["share"])
    )
    shown = {int(text.get_text().replace(",", "")) for text in ax.texts}
    assert shown == set(table.loc[table["share"] > 0.05, "count"])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["gemma-3-270m"]


def test_alternatives(stories):
    ax = plot.alternatives(stories, response=0, position=3)
    key = stories.responses["response_key"][0].as_py()
    alone = stories.filter(response_key=key)
    entries = [e for e in alone.alternatives.to_pylist() if e["position"] == 3 and e["choice"] == 0]
    entries.sort(key=lambda entry: entry["rank"])
    bars = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    p = [math.exp(entry["logprob"]) for entry in entries]
    found = [bar.get_width() for bar in bars]
    np.testing.assert_allclose(found[: len(p)], p)
    assert sum(found) == pytest.approx(1.0, abs=1e-6)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert sum(name.startswith("▸") for name in names) == 1
    assert names[-1] == "not listed"
    for bad in (-1, 10_000, True, 1.0):
        with pytest.raises(ArgumentError, match="position"):
            plot.alternatives(stories, position=bad)


@pytest.mark.parametrize("strategy", ["width", "mass"])
def test_reliability(data, strategy):
    confidence, correct = judged(data)
    ax = plot.reliability(confidence, correct, strategy=strategy)
    table = toolkit.reliability(confidence, correct, strategy=strategy)
    filled = table[table["n"] > 0]
    np.testing.assert_array_equal(ax.lines[1].get_xdata(), filled["mean_confidence"])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), filled["accuracy"])
    (bars,) = [c for c in ax.collections if hasattr(c, "get_segments")]
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])
    np.testing.assert_allclose(ends[:, 0], filled["accuracy_lower"])
    np.testing.assert_allclose(ends[:, 1], filled["accuracy_upper"])
    (strip,) = ax.child_axes
    assert [bar.get_height() for bar in strip.patches] == table["n"].tolist()
    assert "ECE 0.211" in ax.get_title(loc="left")


def test_risk_coverage(data):
    confidence, correct = judged(data)
    ax = plot.risk_coverage(confidence, correct)
    table = toolkit.metrics.risk_coverage(confidence, correct)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), table["risk"])
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), table["coverage"])
    assert ax.lines[1].get_ydata()[0] == pytest.approx(0.13)


def test_label_heatmap(data):
    reviews = toolkit.read(data / "sentiment_k20.jsonl")
    labels = ["positive", "negative"]
    ax = plot.label_heatmap(reviews, labels)
    table = toolkit.label_distribution(reviews, labels)
    shown = np.asarray(ax.images[0].get_array()).ravel()
    np.testing.assert_array_equal(shown, table["probability_lower"])
    assert len(ax.patches) == table["is_answer"].sum()
    cut = plot.label_heatmap(reviews, labels, max_answers=5)
    assert "15 more left out" in cut.get_title(loc="left")
    with pytest.raises(ArgumentError, match="max_answers"):
        plot.label_heatmap(reviews, labels, max_answers=0)


def test_agreement(data):
    sums = toolkit.read(data / "arithmetic_n5.jsonl")
    ax = plot.agreement(sums, answer=number)
    table = toolkit.agreement(sums, answer=number)
    dark = [bar.get_height() for bar in ax.patches if bar.get_y() == 0.0]
    assert dark == sorted(table["majority_share"], reverse=True)
    tops = {}
    for bar in ax.patches:
        tops[bar.get_x()] = max(tops.get(bar.get_x(), 0.0), bar.get_y() + bar.get_height())
    np.testing.assert_allclose(list(tops.values()), 1.0)
    assert "35 more left out" in plot.agreement(sums, max_questions=5).get_title(loc="left")


def test_field_confidence(data):
    lp = toolkit.read(data / "structured.jsonl")
    ax = plot.field_confidence(lp)
    fields = toolkit.field_metrics(lp)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == fields["path"].drop_duplicates().tolist()
    for row, path in enumerate(names):
        own = fields.loc[fields["path"] == path, "probability"]
        np.testing.assert_array_equal(ax.lines[2 * row].get_xdata(), own)
        assert ax.lines[2 * row + 1].get_xdata()[0] == own.median()


def test_usage_over_time(data):
    lp = toolkit.read(data / "capitals_batch.jsonl")
    ax = plot.usage_over_time(lp, span="10s")
    table = toolkit.usage_over_time(lp, span="10s")
    for line, name in zip(ax.lines, ("prompt_tokens", "completion_tokens"), strict=True):
        np.testing.assert_array_equal(line.get_ydata()[:-1], table[name].fillna(0).astype(float))


def test_compare(data, stories):
    other = toolkit.read(data / "pairs_whole.jsonl")
    ax = plot.compare(stories, other, on="position")
    pairs = toolkit.compare(stories, other, on="position")
    summary = toolkit.compare_summary(pairs).iloc[0]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    shown = np.sort(np.concatenate([line.get_ydata() for line in dots]))
    np.testing.assert_allclose(shown, np.sort(pairs["delta_nll"].dropna()))
    assert ax.lines[1].get_ydata()[0] == summary["delta_nll"]
