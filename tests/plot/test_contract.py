"""Properties of every plot, for every kind of answer."""

import subprocess
import sys
import warnings

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

from tests.plot.cases import NEEDS_A_TOKEN, NEEDS_AN_ANSWER, PLOTS, answers, body, load
from toolkit import plot
from toolkit.errors import ArgumentError, SelectionError

ANSWERS = answers()


def test_every_plot_is_here():
    assert set(plot.__all__) <= {name.removesuffix("_one") for name in PLOTS}


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("name", PLOTS)
def test_any_answers_can_be_drawn(name, kind):
    lp = ANSWERS[kind]
    if (kind == "none" and name in NEEDS_AN_ANSWER) or (kind == "bare" and name in NEEDS_A_TOKEN):
        with pytest.raises((SelectionError, ArgumentError)):
            PLOTS[name](lp)
        return
    before = dict(mpl.rcParams)
    with warnings.catch_warnings(action="error"):
        ax = PLOTS[name](lp)
        ax.figure.canvas.draw()
    assert dict(mpl.rcParams) == before
    assert ax.get_title()
    drawn = ax.lines or ax.patches or ax.collections or ax.images
    assert drawn or ax.texts, "neither data nor a sentence"
    for text in ax.figure.findobj(mpl.text.Text):
        assert "\x1b" not in text.get_text()
        assert "\x00" not in text.get_text()
        if "$" in text.get_text():
            assert not text.get_parse_math()


@pytest.mark.parametrize("name", PLOTS)
def test_a_given_axes_alone_is_drawn_on(name):
    figure, (left, right) = plt.subplots(1, 2, figsize=(14, 5))
    ax = PLOTS[name](ANSWERS["json"], ax=left)
    assert ax is left
    assert plt.get_fignums() == [figure.number]
    for artists in (right.lines, right.patches, right.texts, right.collections, right.images):
        assert not artists
    assert right.get_title() == ""


@pytest.mark.parametrize("name", PLOTS)
def test_axes_are_named_with_unit_or_direction(name):
    ax = PLOTS[name](ANSWERS["json"])
    if name != "token_confidence":
        assert ax.get_xlabel()
        assert ax.get_ylabel() or ax.get_yticklabels()


@pytest.mark.parametrize("name", PLOTS)
def test_a_title_of_the_users_replaces_ours(name):
    ax = PLOTS[name](ANSWERS["json"])
    ax.set_title("mine")
    assert [ax.get_title(loc=loc) for loc in ("left", "center", "right")] == ["", "mine", ""]


@pytest.mark.parametrize(
    "function",
    [plot.token_confidence, plot.entropy_by_position, plot.confidence_over_position],
)
def test_titles_keep_the_letters_of_all_alphabets(function):
    lp = load(body([("a", -0.5), ("b", -0.5)], model="modèle", id="ïd-1"))
    assert function(lp, response=0).get_title() == "modèle · ïd-1 · perplexity 1.65"


NARROW = (4.2, 3.0)  # inches


@pytest.mark.parametrize("size", [None, NARROW], ids=["default", "narrow"])
@pytest.mark.parametrize("name", PLOTS)
def test_titles_labels_and_legends_are_inside_the_figure(name, size):
    ax = None if size is None else plt.figure(figsize=size, layout="constrained").subplots()
    ax = PLOTS[name](ANSWERS["json"], ax=ax)
    ax.figure.canvas.draw()
    page = ax.figure.bbox
    written = [ax.title, ax.get_legend(), *(ax.child_axes + [ax.xaxis, ax.yaxis]) * ax.axison]
    for artist in filter(None, written):
        box = artist.get_tightbbox()
        assert box.x0 >= page.x0 - 1, artist
        assert box.x1 <= page.x1 + 1, artist
        assert box.y0 >= page.y0 - 1, artist
        assert box.y1 <= page.y1 + 1, artist


@pytest.mark.parametrize("name", PLOTS)
def test_a_legend_covers_neither_data_nor_labels(name):
    ax = PLOTS[name](ANSWERS["json"])
    ax.figure.canvas.draw()
    if legend := ax.get_legend():
        box = legend.get_window_extent()
        assert box.y1 <= ax.get_window_extent().y0
        assert box.y1 <= ax.xaxis.label.get_window_extent().y0


@pytest.mark.parametrize("name", PLOTS)
def test_the_same_answers_make_the_same_picture(name):
    def picture():
        ax = PLOTS[name](ANSWERS["json"])
        ax.figure.canvas.draw()
        return bytes(ax.figure.canvas.buffer_rgba())

    assert picture() == picture()


def test_importing_the_plots_leaves_pyplot_alone():
    code = "import sys, toolkit.plot; print('matplotlib.pyplot' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_the_error_about_an_unknown_plot_names_the_plots():
    with pytest.raises(
        AttributeError, match="'perplexity'; its plots are agreement, .*perplexity_ecdf"
    ):
        plot.perplexity  # noqa: B018
