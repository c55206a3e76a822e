"""What all plots do alike: axes, title, label, matplotlib's keywords, legend, and overlays."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from toolkit import arguments
from toolkit.errors import ArgumentError
from toolkit.plot._axes import axes, given_axes
from toolkit.plot._style import (
    MOST_SERIES,
    bare,
    colours,
    given_title,
    legend_below,
    make_legible,
    say,
    tick_texts,
    title_of_all,
)
from toolkit.plot._style import title as write_title

_MARK = re.compile(r"(?:series|token)-(\d+)")  # gid of main artists: number of the series
_F = TypeVar("_F", bound=Callable[..., Axes])
_COMMON = """
    ax : Axes, optional
        Where to draw. Default: a new figure. {again}
    title : str, optional
        Replaces the title.
    label : str, optional
        Names {main} in the legend.
    **kwargs
        Properties of {main} as matplotlib names them, such as ``color`` or ``alpha``."""
_AGAIN = (
    "On axes that have such a plot already,\n        the next colour is used, and the legend grows."
)
_ALONE = "Axes that have such a plot already\n        cannot take a second one."


def documented(main: str, *, is_alone: bool = False) -> Callable[[_F], _F]:
    """Document the parameters that all plots share, after those of a plot's own.

    Parameters
    ----------
    main : str
        What `label` and `**kwargs` are about.
    is_alone : bool
        Whether axes can have one such plot only.
    """
    common = _COMMON.format(main=main, again=_ALONE if is_alone else _AGAIN)

    def decorate(function: _F) -> _F:
        if function.__doc__:  # not with -OO
            head, found, tail = function.__doc__.partition("\n\n    Returns\n")
            assert found, function
            function.__doc__ = head + common + found + tail
        return function

    return decorate


def split_options(
    function: Callable[..., Any], options: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split keywords into options of a function and those of matplotlib."""
    own = inspect.signature(function).parameters
    return (
        {name: value for name, value in options.items() if name in own},
        {name: value for name, value in options.items() if name not in own},
    )


class Drawing:
    """One drawing on axes, which may have others already.

    Parameters
    ----------
    ax, title, label, keywords
        As the caller of the plot gave them.

    Attributes
    ----------
    ax : Axes
        After `begin`.
    colours : Colours
        After `begin`.
    first : int
        Number of this drawing's first series: 0 if the axes have no other.
    """

    ax: Axes

    def __init__(
        self, ax: Axes | None, title: str | None, label: str | None, keywords: Mapping[str, Any]
    ) -> None:
        self._given = None if ax is None else given_axes(ax)
        self._title = title if title is None else arguments.text("title", title, "a text")
        self._label = label if label is None else arguments.text("label", label, "a text")
        self._keywords = dict(keywords)
        self._colour = self._keywords.pop("c", None) or self._keywords.pop("color", None)
        self.first = 0 if self._given is None else _next_series(self._given)

    @property
    def is_first(self) -> bool:
        """Whether the axes have no such drawing yet."""
        return not self.first

    def require_alone(self, what: str) -> None:
        """Refuse axes that have a drawing already."""
        if not self.is_first:
            expected = f"axes without {what}: plt.subplots(2) returns two"
            raise arguments.invalid("ax", self._given, expected)

    def begin(self, width: float, height: float, parts: Iterable[str | None]) -> Axes:
        """Return the axes, with a title; sizes of a new figure in inches."""
        self.adopt(axes(self._given, width, height))
        if self._title is None:
            (write_title if self.is_first else title_of_all)(self.ax, parts)
        return self.ax

    def adopt(self, ax: Axes) -> None:
        """Take the axes to draw on, and give them the title of the caller, if there is one."""
        self.ax, self.colours = ax, colours(ax)
        if self._title is not None:
            given_title(ax, self._title)

    @property
    def colour(self) -> Any:
        """The colour of the first or only series."""
        return self.given_or(self.colours.main) if self.is_first else self.series(0)

    def series(self, number: int) -> Any:
        """Return the colour of one of several series."""
        return self.given_or(self.colours.series[self.place(number)])

    def given_or(self, colour: str) -> Any:
        """Return the colour that the caller gave, or else this one."""
        return colour if self._colour is None else self._colour

    def place(self, number: int) -> int:
        """Return which stroke, hatch or marker a series has."""
        return (self.first + number) % MOST_SERIES

    def name(self, default: str | None = None, series: str | None = None) -> str:
        """Return the entry in the legend of a series, by default one that no other has."""
        if self._label is not None:
            return self._label if series is None else f"{self._label}: {series}"
        name = series if series is not None else default
        if name is None:
            return "_nolegend_"
        taken = self.ax.get_legend_handles_labels()[1]
        numbered = (f"{name} ({number})" for number in range(2, len(taken) + 3))
        return name if name not in taken else next(n for n in numbered if n not in taken)

    def rows(
        self, names: Sequence[str], most: int = 28
    ) -> tuple[npt.NDArray[np.float64], list[str]]:
        """Return the places of names on the y axis, and all names that it has then.

        A name keeps its row; later drawings are a little lower in it.
        """
        ticks = [] if self.is_first else [tick.get_text() for tick in self.ax.get_yticklabels()]
        shown = dict(zip(names, tick_texts(names, most), strict=True))
        known = [*ticks, *(name for name, text in shown.items() if text not in ticks)]
        at = {
            text: row for row, text in enumerate([*ticks, *tick_texts(known[len(ticks) :], most)])
        }
        below = 0.14 * (self.first % 3)
        return np.array([at[shown[name]] + below for name in names], float), known

    @property
    def has_label(self) -> bool:
        """Whether the caller named the drawing."""
        return self._label is not None

    def main(self, artists: Any, number: int = 0) -> None:
        """Mark the main artists of a series, and set the properties that the caller gave."""
        for artist in [artists] if isinstance(artists, Artist) else artists:
            if not artist.get_gid():  # tokens have their own
                artist.set_gid(f"series-{self.first + number}")
            try:
                artist.set(**self._keywords)
            except (AttributeError, TypeError, ValueError) as error:
                names = ", ".join(self._keywords)
                expected = "options of this plot, or properties of its main artist"
                raise ArgumentError(f"{names}: expected {expected}: {error}") from error

    def say(self, sentence: str) -> Axes:
        """Write a sentence on axes that have nothing to draw; others stay as they are."""
        if self.is_first:
            say(self.ax, sentence)
        make_legible(self.ax)
        return self.ax

    def end(self, drop: float = 0.0) -> Axes:
        """Draw the legend, by default just below the axes, and return the axes."""
        bare(self.ax)
        legend_below(self.ax, drop)
        make_legible(self.ax)
        return self.ax


def _next_series(ax: Axes) -> int:
    """Return the number after those of the series that axes have."""
    marks = (_MARK.fullmatch(child.get_gid() or "") for child in ax.get_children())
    return max((int(mark[1]) + 1 for mark in marks if mark), default=0)
