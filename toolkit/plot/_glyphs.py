"""Which font has a character, and how characters that do not show are made to.

matplotlib draws a box and warns where a font lacks a glyph. Here every character is given a font
that has it, out of those that are installed; where there is none, its code point is written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from matplotlib import font_manager, ft2font
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties

_PREFERRED = ("DejaVuSans", "NotoSansCJK", "NotoSans", "NotoEmoji", "Symbola")
# Other faces of a family, and the font that has a picture of a block for every character.
_NOT_PLAIN = re.compile(
    "Bold|Italic|Oblique|Light|Thin|Black|Medium|Condensed|Display|Math|LastResort|CSUR", re.I
)
_MARKS = {" ": "·", "\u3000": "·", "\n": "↵", "\r": "␍", "\t": "⇥"}
_JOINERS = {"\u200d", *map(chr, range(0xFE00, 0xFE10))}
_SMALL = 0.72


class Run(NamedTuple):
    """Characters of one font and size.

    Attributes
    ----------
    text : str
    font : FontProperties
    faint : bool
        True for marks that stand for something else: blanks, line ends, code points, bytes.
    """

    text: str
    font: FontProperties
    faint: bool


def runs(text: str, rest: bytes, size: float) -> list[Run]:
    """Return what is drawn for a token, in as few runs as there are fonts."""
    pieces: list[tuple[str, str | None, bool]] = []
    for i, char in enumerate(text):
        if i > 0 and (char in _JOINERS):
            continue  # joins or varies the character before
        mark = _MARKS.get(char)
        shown = mark or char
        font = font_file(shown)
        if font is None or (mark is None and _is_invisible(char)):
            pieces.append((f"⟨U+{ord(char):04X}⟩", None, True))
        else:
            pieces.append((shown, font, mark is not None))
    if rest:
        pieces.append((f"⟨{rest.hex(' ')}⟩", None, True))
    if not pieces:
        pieces.append(("∅", None, True))
    return [
        Run(shown, _properties(font, size * (_SMALL if font is None else 1.0)), faint)
        for shown, font, faint in _merged(pieces)
    ]


def _merged(
    pieces: list[tuple[str, str | None, bool]],
) -> Iterator[tuple[str, str | None, bool]]:
    text, font, faint = pieces[0]
    for next_text, next_font, next_faint in pieces[1:]:
        if (next_font, next_faint) == (font, faint):
            text += next_text
        else:
            yield text, font, faint
            text, font, faint = next_text, next_font, next_faint
    yield text, font, faint


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs")


# Fonts


@cache
def _candidates() -> tuple[str, ...]:
    """Return the font files that are there now, upright and regular, preferred ones first."""
    own = (Path(mpl.get_data_path()) / "fonts" / "ttf").glob("*.ttf")
    found = {Path(path) for path in (*own, *font_manager.findSystemFonts())}
    upright = [path for path in found if not _NOT_PLAIN.search(path.stem)]

    def order(path: Path) -> tuple[int, int, str]:
        starts = (i for i, name in enumerate(_PREFERRED) if path.stem.startswith(name))
        return next(starts, len(_PREFERRED)), len(path.stem), str(path)

    return tuple(map(str, sorted(upright, key=order)))


@cache
def _characters(path: str) -> frozenset[int]:
    """Return the characters that a font file has; none if it cannot be drawn."""
    try:
        font = ft2font.FT2Font(path)
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (RuntimeError, OSError):  # a format that FreeType does not read
        return frozenset()


@cache
def font_file(char: str) -> str | None:
    """Return the first font file that has a character; None: there is none."""
    code = ord(char)
    return next((path for path in _candidates() if code in _characters(path)), None)


@cache
def _properties(path: str | None, size: float) -> FontProperties:
    fname = path or font_file("A")
    return FontProperties(fname=fname, size=size)


# Sizes


@cache
def _renderer() -> RendererAgg:
    return RendererAgg(1, 1, 72)  # at 72 dots per inch a pixel is a point


@cache
def width(text: str, path: str, size: float) -> float:
    """Return how wide a text is, in points."""
    return _renderer().get_text_width_height_descent(
        text, FontProperties(fname=path, size=size), ismath=False
    )[0]


def run_width(run: Run) -> float:
    """Return how wide a run is, in points."""
    return width(run.text, str(run.font.get_file()), float(run.font.get_size_in_points()))
