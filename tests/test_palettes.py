"""Colours of certainty."""

import colorsys

import matplotlib as mpl
import pytest

from toolkit.palettes import PALETTES, colour, ink


def luminance(hexa: str) -> float:
    parts = [int(hexa[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("palette", PALETTES)
def test_text_on_every_colour_is_readable(palette):
    for certainty in range(101):
        ground = colour(palette, certainty)
        text = {"#000": 0.0, "#fff": 1.0}[ink(ground)]
        low, high = sorted((luminance(ground), text))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (certainty, ground)


@pytest.mark.parametrize("palette", PALETTES)
def test_lightness_grows_with_certainty(palette):
    light = [luminance(colour(palette, certainty)) for certainty in range(101)]
    assert light == sorted(light)
    assert light[-1] - light[0] > 0.5


def test_cividis_is_matplotlibs():
    for certainty in range(101):
        mine = [int(colour("cividis", certainty)[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        theirs = mpl.colormaps["cividis"](certainty / 100)[:3]
        assert max(abs(a - b) for a, b in zip(mine, theirs, strict=True)) < 0.06


def test_oranges_are_oranges():
    for certainty in range(0, 90, 10):
        parts = [int(colour("oranges", certainty)[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        assert 0.03 < colorsys.rgb_to_hsv(*parts)[0] < 0.12
