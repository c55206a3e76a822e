"""Plots of distributions show what the metric tables say."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

import toolkit
from tests.plot.cases import body, load
from toolkit import plot
from toolkit.errors import ArgumentError


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


@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_the_legend_of_finish_reasons_is_inside_the_figure(n):
    ax = plot.finish_reasons(load(*(body([("a", -0.5)], model=f"m{i}") for i in range(n))))
    ax.figure.canvas.draw()
    box = ax.get_legend().get_window_extent()
    assert box.y0 >= 0
    assert box.y1 <= ax.xaxis.label.get_window_extent().y0
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["stop"]


def test_groups_without_a_usable_logprob_are_omitted():
    bare = {"model": "silent", "choices": [{"message": {"content": "hi"}}]}
    censored = body([("a", -9999.0)], model="censored")
    lp = load(bare, censored, *(body([("a", -0.5)], model=f"m{i}") for i in range(6)))
    for draw in (plot.logprob_histogram, plot.perplexity_ecdf):
        ax = draw(lp, by="model")
        names = [text.get_text().split(" ")[0] for text in ax.get_legend().get_texts()]
        assert names == [f"m{i}" for i in range(6)]


@pytest.mark.parametrize("high", [1.0, 1.01, 1.3, 2.0, 3.9, 7.0, 12.0, 40.0, 900.0, 1e5])
@pytest.mark.parametrize("size", [(9, 3.6), (4.2, 3.0)], ids=["default", "narrow"])
def test_labels_of_perplexities_keep_apart(high, size):
    lp = load(*(body([("a", -np.log(1 + (high - 1) * i / 4))]) for i in range(5)))
    ax = plt.figure(figsize=size, layout="constrained").subplots()
    plot.perplexity_ecdf(lp, ax=ax)
    ax.figure.canvas.draw()
    shown = [
        label.get_window_extent()
        for label, place in zip(ax.get_xticklabels(which="both"), _places(ax.xaxis), strict=True)
        if label.get_text() and ax.get_xlim()[0] <= place <= ax.get_xlim()[1]
    ]
    assert shown
    assert ax.get_xlim()[0] == 1.0
    for left, right in zip(shown, shown[1:], strict=False):
        assert left.x1 + 4 <= right.x0, high


def _places(axis):
    return [*axis.get_majorticklocs(), *axis.get_minorticklocs()]
