"""Colours from doubtful to certain, safe for colour-blind readers, and the ink to write on them."""

from __future__ import annotations

from functools import cache

RGB = tuple[int, int, int]

PALETTES = {
    # Certain tokens are nearly as light as paper, so that doubtful ones catch the eye.
    "oranges": ("#d94801", "#f16913", "#fd8d3c", "#fdae6b", "#fdd0a2", "#fee6ce", "#fff5eb"),
    # Equal steps in lightness, the same for all kinds of colour vision (Nuñez et al. 2018).
    "cividis": (
        *("#00224e", "#123570", "#3b496c", "#575d6d", "#707173"),
        *("#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"),
    ),
}
"""Evenly spaced colours of each palette, the least certain first."""
UNKNOWN = "#d9d9d9"  # of tokens without a value


@cache
def colour(palette: str, certainty: int) -> str:
    """Return the colour of a certainty in percent, as ``#rrggbb``.

    Examples
    --------
    >>> colour("cividis", 0), colour("oranges", 100)
    ('#00224e', '#fff5eb')
    """
    anchors = PALETTES[palette]
    at = certainty / 100 * (len(anchors) - 1)
    low = min(int(at), len(anchors) - 2)
    pairs = zip(_rgb(anchors[low]), _rgb(anchors[low + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * (at - low)):02x}" for a, b in pairs)


@cache
def ink(ground: str) -> str:
    """Return ``#000`` or ``#fff``, whichever has more contrast on a background (WCAG 2).

    Examples
    --------
    >>> ink("#ffff00"), ink("#000066")
    ('#000', '#fff')
    """
    return "#000" if readable_on(tuple(c / 255 for c in _rgb(ground))) == "black" else "#fff"


def readable_on(rgb: tuple[float, ...]) -> str:
    """Return black or white, whichever has more contrast on a colour of parts from 0 to 1 (WCAG 2).

    Examples
    --------
    >>> readable_on((1.0, 1.0, 0.0)), readable_on((0.0, 0.0, 0.4))
    ('black', 'white')
    """
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"


def _rgb(colour: str) -> RGB:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
