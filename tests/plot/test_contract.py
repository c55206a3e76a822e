"""What holds for every plot, whatever it is given."""

import warnings

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

from tests.plot.cases import NEEDS_A_TOKEN, NEEDS_AN_ANSWER, PLOTS, answers
from toolkit import plot
from toolkit.errors import ArgumentError, SelectionError

ANSWERS = answers()


@pytest.fixture(autouse=True)
def _close_figures():
    plt.close("all")
    yield
    plt.close("all")


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
    assert ax.get_title(loc="left") or ax.get_title()
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
    assert right.get_title(loc="left") == ""


@pytest.mark.parametrize("name", PLOTS)
def test_axes_are_named_with_unit_or_direction(name):
    ax = PLOTS[name](ANSWERS["json"])
    if name != "token_confidence":
        assert ax.get_xlabel()
        assert ax.get_ylabel() or ax.get_yticklabels()


@pytest.mark.parametrize("name", PLOTS)
def test_the_same_answers_make_the_same_picture(name):
    def picture():
        ax = PLOTS[name](ANSWERS["json"])
        ax.figure.canvas.draw()
        return bytes(ax.figure.canvas.buffer_rgba())

    assert picture() == picture()
