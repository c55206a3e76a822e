"""Render a plot as SVG for light and for dark pages, without pyplot."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from toolkit.plot._axes import INKS, dark_page
from toolkit.plot._style import colours

_COLOUR = re.compile("#[0-9a-f]{6}")
_INK = "#010101"  # matplotlib does not write black, which is the default of SVG
_LIGHT: dict[Any, Any] = dict.fromkeys(INKS, _INK)
_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_SVG: dict[Any, Any] = {"svg.fonttype": "path", "svg.hashsalt": "toolkit", "svg.image_inline": True}


class Pictures(NamedTuple):
    """A drawing as SVG for light pages, and for dark ones."""

    light: str
    dark: str


def pictures(draw: Callable[[Axes], object], width: float, height: float) -> Pictures:
    """Draw a plot once, and replace its colours for dark pages; sizes in inches.

    Style sheets do not change it, and the same drawing gives the same text. A colour map is the
    same on both pages.
    """
    with style.context("default"):
        with mpl.rc_context(_LIGHT):
            figure, light = drawn(draw, width, height)
            ax = figure.axes[0]
            of_light = _by_role(ax)
        with mpl.rc_context(dark := dark_page()):
            ax.set_facecolor(dark["axes.facecolor"])
            of_dark = _by_role(ax)
    swaps = dict(zip(of_light, of_dark, strict=True))
    return Pictures(light, _COLOUR.sub(lambda found: swaps.get(found[0], found[0]), light))


def drawn(draw: Callable[[Axes], object], width: float, height: float) -> tuple[Figure, str]:
    """Return the figure of a drawing in the style that is set, and its SVG."""
    with mpl.rc_context(_SVG):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.subplots())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=_METADATA)
    return figure, buffer.getvalue()


def _by_role(ax: Axes) -> list[str]:
    """Return the colours of a plot in the style that is set, in the order of their roles."""
    own = colours(ax)
    return [*own.series, *(each for each in own if isinstance(each, str))]
