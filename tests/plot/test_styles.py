"""Plots are legible in every style, overlay, and take titles, labels and keywords."""

import math
import re
import warnings
from functools import partial

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex, to_rgb, to_rgba

import toolkit
from tests.plot.cases import PLOTS, body, load
from toolkit import plot
from toolkit.errors import ArgumentError
from toolkit.palettes import contrast
from toolkit.plot._axes import dark_page
from toolkit.plot._pages import drawn, pictures

STYLES = ["default", "dark_background", "ggplot", "Solarize_Light2"]
ALONE = {"label_heatmap", "token_confidence"}  # one drawing for each axes
ON_COLOURS = {"label_heatmap", "token_confidence"}  # their texts are on coloured cells
_USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
_JSON = [('{"a":', -0.1), ("7", -0.5), (', "$x$": "', -0.1), ("漢", -1.0), ('"}', -0.1)]
ANSWERS = load(
    *(body(_JSON, created=1_700_000_000 + i, usage=_USAGE, custom_id=f"c{i}") for i in range(3))
)


def figure_texts(ax):
    """Yield the texts that are seen, each with the colour that it is drawn on."""
    ax.figure.canvas.draw()
    for axes in [*ax.figure.axes, *ax.child_axes]:
        outside = [axes.title, axes.xaxis.label, axes.yaxis.label]
        if axes.axison:
            outside += [*axes.get_xticklabels(), *axes.get_yticklabels()]
        legend = axes.get_legend()
        outside += legend.get_texts() if legend else []
        for text in outside:
            yield text, to_rgb(ax.figure.get_facecolor())
        for text in axes.texts:
            patch = text.get_bbox_patch()
            drawn_on = axes.get_facecolor() if patch is None else patch.get_facecolor()
            yield text, to_rgb(drawn_on)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", PLOTS)
def test_every_text_has_contrast_in_every_style(name, style):
    with plt.style.context(style), warnings.catch_warnings(action="error"):
        ax = PLOTS[name](ANSWERS, label=None if name in ALONE else "first")
        if name not in ALONE:
            PLOTS[name](ANSWERS, ax=ax, label="second")
        seen = 0
        for text, ground in figure_texts(ax):
            if not text.get_text() or not text.get_visible():
                continue
            if name in ON_COLOURS and text in ax.texts:
                continue
            seen += 1
            assert contrast(to_rgb(text.get_color()), ground) >= 4.5, text
        assert seen >= (1 if name == "token_confidence" else 4)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", PLOTS)
def test_every_line_has_contrast_in_every_style(name, style):
    with plt.style.context(style):
        ax = PLOTS[name](ANSWERS)
        ground = to_rgb(ax.get_facecolor())
        for line in filter(lambda line: len(line.get_xdata()), ax.lines):
            assert contrast(to_rgb(line.get_color()), ground) >= 2.99, line


@pytest.mark.parametrize("name", sorted(set(PLOTS) - ALONE))
def test_two_drawings_overlay_with_two_entries_and_two_colours(name):
    ax = PLOTS[name](ANSWERS, label="model A")
    first = {id(artist) for artist in ax.get_children()}
    title = ax.get_title()
    assert PLOTS[name](ANSWERS, ax=ax, label="model B") is ax
    assert len(plt.get_fignums()) == 1
    if name == "finish_reasons":  # the legend is of the reasons
        assert [tick.get_text() for tick in ax.get_yticklabels()] == ["model A", "model B"]
    else:
        entries = [text.get_text() for text in ax.get_legend().get_texts()]
        assert len(entries) == len(set(entries))
        both = [[e for e in entries if e.startswith(f"model {which}")] for which in "AB"]
        assert both[0]
        assert len(both[0]) == len(both[1])
        handles = dict(zip(entries, ax.get_legend().legend_handles, strict=True))
        looks = [str(colour_of(handles[entries_of[0]])) for entries_of in both]
        assert looks[0] != looks[1]
    assert {id(artist) for artist in ax.get_children()} - first
    assert ax.get_title() == title  # the same answers, so all of it is true of both


def colour_of(handle):
    for read in ("get_color", "get_edgecolor", "get_facecolor"):
        if hasattr(handle, read):
            colour = np.ravel(
                to_rgba(
                    np.ravel(getattr(handle, read)())[:4].tolist()
                    if not isinstance(getattr(handle, read)(), str)
                    else getattr(handle, read)()
                )
            )
            if read == "get_color" or colour[3] > 0:
                return to_hex(colour)
    raise AssertionError(handle)


@pytest.mark.parametrize("name", sorted(ALONE))
def test_a_text_is_not_drawn_on_another(name):
    ax = PLOTS[name](ANSWERS)
    with pytest.raises(ArgumentError, match=r"ax is a Axes|subplots\(2\)"):
        PLOTS[name](ANSWERS, ax=ax)


@pytest.mark.parametrize("name", PLOTS)
def test_title_and_keywords_reach_the_artists(name):
    ax = PLOTS[name](ANSWERS, title="mine $\\bad{$\n<b>", alpha=0.4321)
    ax.figure.canvas.draw()
    assert ax.get_title() == "mine $\\bad{$\n<b>"
    assert any(artist.get_alpha() == 0.4321 for artist in ax.get_children())


@pytest.mark.parametrize("name", sorted(set(PLOTS) - ALONE - {"alternatives"}))
def test_a_colour_of_the_caller_is_used(name):
    ax = PLOTS[name](ANSWERS, color="#123456")
    found = {
        to_hex(colour)
        for artist in ax.get_children()
        for read in ("get_color", "get_facecolor", "get_edgecolor")
        if hasattr(artist, read)
        for colour in colours_in(getattr(artist, read)())
    }
    assert "#123456" in found


def colours_in(value):
    return [value] if isinstance(value, str) or np.ndim(value) == 1 else list(value)


@pytest.mark.parametrize("name", PLOTS)
def test_a_keyword_that_is_unknown_is_an_error(name):
    with pytest.raises(ArgumentError, match="colr"):
        PLOTS[name](ANSWERS, colr="red")


def test_titles_of_overlays_keep_what_is_true_of_both():
    other = load(body([("a", -0.5)]))
    ax = plot.logprob_histogram(ANSWERS)
    assert ax.get_title().endswith("15 tokens")
    plot.logprob_histogram(other, ax=ax)
    assert ax.get_title() == "logprobs of the sampled tokens · content"
    ax.set_title("mine")
    plot.logprob_histogram(other, ax=ax)
    assert ax.get_title() == "mine"


def test_axes_of_a_style_are_followed_after_it_ends():
    with plt.style.context("dark_background"):
        ax = plt.figure().subplots()
    plot.perplexity_ecdf(ANSWERS, ax=ax)
    for text, ground in figure_texts(ax):
        assert contrast(to_rgb(text.get_color()), ground) >= 4.5


def test_cleared_axes_begin_again():
    ax = plot.risk_coverage([0.2, 0.8], [False, True])
    colour = ax.lines[0].get_color()
    ax.clear()
    plot.risk_coverage([0.2, 0.8], [False, True], ax=ax)
    assert ax.lines[0].get_color() == colour


def test_a_cycle_of_the_style_is_used():
    with plt.style.context("ggplot"):
        cycle = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
        ax = plot.perplexity_ecdf(ANSWERS, by=None)
        assert ax.lines[0].get_color().lower() == cycle[0].lower()


@pytest.mark.parametrize("given", ["number", "table"])
def test_a_threshold_is_marked(given):
    confidence, correct = [0.2, 0.6, 0.7, 0.8, 0.9] * 30, [0, 1, 1, 1, 1] * 30
    found = toolkit.threshold_for(confidence, correct, accuracy=0.9)
    at = float(found["threshold"].iloc[0])
    assert not math.isnan(at)
    ax = plot.reliability(confidence, correct, threshold=at if given == "number" else found)
    marked = [line for line in ax.lines if str(line.get_label()).startswith("threshold")]
    assert [list(line.get_xdata()) for line in marked] == [[at, at]]
    assert f"threshold {at:.3g}" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_a_threshold_that_was_not_found_is_not_marked():
    confidence, correct = [0.5] * 4, [0, 1, 0, 1]
    found = toolkit.threshold_for(confidence, correct, accuracy=0.99)
    ax = plot.reliability(confidence, correct, threshold=found)
    assert not [line for line in ax.lines if str(line.get_label()).startswith("threshold")]
    with pytest.raises(ArgumentError, match="threshold"):
        plot.reliability(confidence, correct, threshold=2.0)


REPORT = {
    "histogram": lambda lp, ax: plot.logprob_histogram(lp, by="model", ax=ax),
    "perplexity": lambda lp, ax: plot.perplexity_ecdf(lp, by="model", ax=ax),
    "positions": lambda lp, ax: plot.confidence_over_position(lp, ax=ax),
    "finish_reasons": lambda lp, ax: plot.finish_reasons(lp, ax=ax),
    "usage": lambda lp, ax: plot.usage_over_time(lp, ax=ax),
    "reliability": lambda lp, ax: plot.reliability([0.2, 0.7, 0.9] * 9, [0, 1, 1] * 9, ax=ax),
    "risk": lambda lp, ax: plot.risk_coverage([0.2, 0.7, 0.9] * 9, [0, 1, 1] * 9, ax=ax),
}


@pytest.mark.parametrize("n_models", [1, 6])
@pytest.mark.parametrize("name", REPORT)
def test_pictures_for_dark_pages_are_those_that_are_drawn_dark(name, n_models):
    lp = load(
        *(
            body([("a", -0.5), ("b", -1.0)], model=f"m{i % n_models}", created=1e9 + 9 * i)
            for i in range(12)
        )
    )
    draw = partial(REPORT[name], lp)
    with plt.style.context("ggplot"):
        before = dict(mpl.rcParams)
        found = pictures(draw, 7.0, 3.3)
        assert dict(mpl.rcParams) == before
    assert found == pictures(draw, 7.0, 3.3)
    with mpl.rc_context(dark_page()):
        _, dark = drawn(draw, 7.0, 3.3)
    assert found.dark != found.light
    ids = "[a-z][0-9a-f]{10}"  # of markers, by their colours
    assert re.sub(ids, "", found.dark) == re.sub(ids, "", dark)
    assert not set(re.findall("#[0-9a-f]{6}", found.dark)) & {"#010101", "#000000"}


def test_the_colours_of_doubt_are_those_of_the_token_view():
    lp = load(body([("sure", -0.0), (" no", -30.0)]))
    for style, palette in (("default", "PALETTES"), ("dark_background", "ON_DARK")):
        ends = getattr(toolkit.palettes, palette)["oranges"]
        with plt.style.context(style):
            sure, unsure = plot.token_confidence(lp, legend=False).patches[:2]
        assert [to_hex(unsure.get_facecolor()), to_hex(sure.get_facecolor())] == [ends[0], ends[-1]]
