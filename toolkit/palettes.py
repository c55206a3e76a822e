"""Colours from doubtful to certain, safe for colour-blind readers, and the ink to write on them."""

from __future__ import annotations

from functools import cache

RGB = tuple[int, int, int]
Shares = tuple[float, float, float]  # of red, green and blue, from 0 to 1

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
ON_DARK = PALETTES | {"oranges": ("#a83e00", "#1e1e1e")}
"""The same on a dark ground, where certain tokens are nearly as dark as it."""
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
    return "black" if (_luminance(rgb) + 0.05) ** 2 > 1.05 * 0.05 else "white"


def contrast(first: Shares, second: Shares) -> float:
    """Return the contrast of two colours of parts from 0 to 1 (WCAG 2), from 1 to 21.

    Examples
    --------
    >>> round(contrast((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), 3)
    21.0
    """
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def legible(rgb: Shares, ground: Shares, least: float) -> Shares:
    """Return a colour, moved to black or white until it has a contrast on a background.

    Examples
    --------
    >>> legible((0.5, 0.5, 0.5), (0.0, 0.0, 0.0), 3.0)
    (0.5, 0.5, 0.5)
    >>> legible((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 3.0)
    (0.35, 0.35, 0.35)
    """
    goal = 1.0 if readable_on(ground) == "white" else 0.0
    for step in range(21):
        red, green, blue = (part + (goal - part) * step / 20 for part in rgb)
        moved = red, green, blue
        if contrast(moved, ground) >= least:
            return moved
    return goal, goal, goal


def _luminance(rgb: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _rgb(colour: str) -> RGB:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
