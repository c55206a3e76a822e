"""Plots of the text of an answer."""

import math
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import toolkit
from tests.plot.cases import answer, boxes, draw, texts
from toolkit.palettes import readable_on
from toolkit.plot._layout import GAP
from toolkit.plot._style import colour_map
from toolkit.visible_text import pieces


def contrast(first, second):
    def luminance(rgb):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    high, low = sorted((luminance(to_rgb(first)), luminance(to_rgb(second))), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_each_token_is_a_box_of_its_probability():
    lp = answer([("sure", -0.001), (" maybe", -0.7), (" not", -4.0)])
    ax = draw(toolkit.plot.token_confidence(lp))
    probability = toolkit.token_metrics(lp)["probability"]
    assert [box.get_gid() for box in boxes(ax)] == ["token-0", "token-1", "token-2"]
    for box, p in zip(boxes(ax), probability, strict=True):
        assert to_hex(box.get_facecolor()) == to_hex(colour_map("oranges", is_dark=False)(p))
    assert "".join(texts(ax)) == "sure maybe not"


def test_text_is_readable_on_any_background():
    for p in np.linspace(0, 1, 101):
        ground = mpl.colormaps["cividis"](p)[:3]
        assert contrast(ground, readable_on(ground)) >= 4.5


def test_the_title_says_what_is_shown():
    lp = answer([("a", -1.0)])
    title = toolkit.plot.token_confidence(lp).get_title()
    assert title == "m · a · perplexity 2.72"


def test_blanks_and_what_does_not_show_are_visible():
    lp = answer([" ", "  a", "b\n", "\t", "\x00", "\u200b", "\u202e", "$x^", "$"])
    ax = draw(toolkit.plot.token_confidence(lp))
    joined = "".join(texts(ax))
    for mark in ("␣␣␣a", "b", "↵", "⇥", "⟨U+0000⟩", "⟨U+200B⟩", "⟨U+202E⟩", "$x^"):
        assert mark in joined
    assert all(not text.get_parse_math() for text in ax.texts)


@pytest.mark.parametrize("token", ["a", " a", " ", "a  b", "\n", "\x1b[0m", "\u200b", "é\x00", ""])
def test_a_token_looks_as_in_the_token_view(token):
    lp = answer([token])
    view = "".join(piece.text for piece in pieces(token))
    assert "".join(texts(toolkit.plot.token_confidence(lp))) == view
    assert view.replace("↵", "↵\n") in toolkit.show(lp).text()


def test_a_line_end_ends_the_line():
    first, second = boxes(toolkit.plot.token_confidence(answer(["a\n", "b"])))
    assert second.get_y() > first.get_y()
    assert second.get_x() == first.get_x() == 0


def test_long_text_wraps_inside_the_axes():
    ax = draw(toolkit.plot.token_confidence(answer([" word"] * 300 + ["x" * 400])))
    width = ax.get_xlim()[1]
    found = boxes(ax)
    assert len({box.get_y() for box in found}) > 5
    assert all(box.get_x() >= 0 and box.get_x() + box.get_width() <= width + 1 for box in found)
    assert len([box for box in found if box.get_gid() == "token-300"]) > 1  # split over lines
    for text in ax.texts:
        extent = text.get_window_extent().transformed(ax.transData.inverted())
        assert extent.x1 <= width + 2


def test_boxes_of_a_line_do_not_overlap():
    found = boxes(toolkit.plot.token_confidence(answer([" some", " words"] * 60)))
    for left, right in zip(found, found[1:], strict=False):
        if left.get_y() == right.get_y():
            assert right.get_x() == pytest.approx(left.get_x() + left.get_width() + GAP)


def test_parts_of_a_character_are_written_as_bytes():
    heart = "💙".encode()
    lp = answer([("", -1.0, heart[:2]), ("", -1.0, heart[2:] + b"!"), ("", -1.0, heart[:3])])
    ax = draw(toolkit.plot.token_confidence(lp))
    assert texts(ax)[0] == "⟨f0 9f⟩"
    assert "!" in "".join(texts(ax)[1:-1])
    assert texts(ax)[-1] == "⟨f0 9f 92⟩"


@pytest.mark.parametrize("value", [None, -9999.0, 5.0, math.inf, -math.inf])
def test_a_token_without_a_probability_is_grey_and_said(value):
    ax = draw(toolkit.plot.token_confidence(answer([("a", -0.1), ("b", value)])))
    box = boxes(ax)[1]
    assert to_hex(box.get_facecolor()) == "#d9d9d9"
    assert box.get_hatch()
    assert any("grey" in text for text in texts(ax))


def test_an_answer_without_tokens_says_so():
    choice = {"message": {"content": "text"}, "logprobs": None}
    with warnings.catch_warnings(action="ignore"):
        lp = toolkit.from_responses({"choices": [choice]})
    ax = draw(toolkit.plot.token_confidence(lp))
    assert boxes(ax) == []
    assert texts(ax) == ["no tokens with logprobs"]


def test_the_refusal_channel():
    lp = answer(["I'm", " sorry"], channel="refusal")
    ax = toolkit.plot.token_confidence(lp, channel="refusal")
    assert "".join(texts(ax)) == "I'm sorry"
    assert "refusal" in ax.get_title()


def test_a_long_answer_is_cut_and_says_so():
    ax = draw(toolkit.plot.token_confidence(answer([" word"] * 5000)))
    assert len(boxes(ax)) >= 2000
    assert any("3,000 more tokens" in text for text in texts(ax))


def test_given_axes_are_kept_and_nothing_else_is_touched():
    figure = Figure(figsize=(4, 2))
    ax, other = figure.subplots(1, 2)
    before = dict(mpl.rcParams)
    out = toolkit.plot.token_confidence(answer([" word"] * 200), ax=ax)
    assert out is ax
    assert not other.patches
    assert not other.texts
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []
    height = max(ax.get_ylim())
    assert all(box.get_y() + box.get_height() <= height for box in boxes(ax))
    assert any("more tokens" in text for text in texts(ax))


def test_one_of_several_choices():
    choices = [
        {"index": i, "message": {}, "logprobs": {"content": [{"token": t, "logprob": -1}]}}
        for i, t in enumerate("ab")
    ]
    ax = toolkit.plot.token_confidence(toolkit.from_responses({"choices": choices}), choice=1)
    assert texts(ax) == ["b"]
    assert "choice 1" in ax.get_title()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"response": 7}, toolkit.errors.SelectionError),
        ({"response": "nobody"}, toolkit.errors.SelectionError),
        ({"choice": 3}, toolkit.errors.SelectionError),
        ({"channel": "thoughts"}, toolkit.errors.ArgumentError),
        ({"cmap": "nocolours"}, toolkit.errors.ArgumentError),
        ({"fontsize": 0}, toolkit.errors.ArgumentError),
        ({"max_tokens": 0}, toolkit.errors.ArgumentError),
    ],
)
def test_bad_options_are_named(options, error):
    with pytest.raises(error, match=str(next(iter(options.values())))):
        toolkit.plot.token_confidence(answer(["a"]), **options)


def test_all_scripts_are_drawn_without_a_warning(samples):
    for name in ("stories_k10.jsonl", "bytes_whole.jsonl"):
        lp = toolkit.read(samples / name)
        for i in range(len(lp)):
            ax = draw(toolkit.plot.token_confidence(lp, response=i))
            tokens = {box.get_gid() for box in boxes(ax)}
            assert len(tokens) == lp.choices["n_content_tokens"][i].as_py()
            plt.close(ax.figure)


@given(st.text(max_size=20))
@settings(deadline=None, max_examples=50)
def test_any_text_can_be_drawn(text):
    figure = Figure(figsize=(3, 2))
    ax = figure.subplots()
    toolkit.plot.token_confidence(answer([(text, -1.0)]), ax=ax)
    draw(ax)


def test_boxes_are_rectangles():
    assert all(isinstance(b, Rectangle) for b in boxes(toolkit.plot.token_confidence(answer("ab"))))


@pytest.mark.parametrize("legend", [True, False])
def test_notes_cover_neither_text_nor_legend(legend):
    figure = Figure(figsize=(3, 2.5), dpi=100)
    ax = figure.subplots()
    tokens = [("a", None), *[" word"] * 400]
    draw(toolkit.plot.token_confidence(answer(tokens), ax=ax, legend=legend))
    (note,) = [text for text in ax.texts if "more tokens" in text.get_text()]
    assert "grey" in note.get_text()
    covered = [box.get_window_extent() for box in boxes(ax)]
    covered += [child.get_tightbbox() for child in ax.child_axes]
    assert not any(note.get_window_extent().overlaps(box) for box in covered)
