"""Choose a font that has each character, and measure texts.

matplotlib draws a box and warns where a font lacks a glyph. Here every character is given a font
that has it, out of those that are installed; where none has it, its code point is written.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from matplotlib import font_manager, ft2font
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties

from toolkit.visible_text import pieces

_PREFERRED = ("DejaVuSans", "NotoSansCJK", "NotoSans", "NotoEmoji", "Symbola")
# Other faces of a family, and the font that has a picture of a block for every character.
_NOT_PLAIN = re.compile(
    "Bold|Italic|Oblique|Light|Thin|Black|Medium|Condensed|Display|Math|LastResort|CSUR", re.I
)
# They change the character before them, which matplotlib cannot draw: only that one is drawn.
_JOINERS = {"\u200c", "\u200d", *map(chr, range(0xFE00, 0xFE10))}
_SMALL = 0.72  # size of code points and bytes, as a share of the size of the text


class Run(NamedTuple):
    """Characters of one font and size.

    Attributes
    ----------
    text : str
    font : FontProperties
    faint : bool
        True for marks that replace something else: blanks, line ends, code points, bytes.
    """

    text: str
    font: FontProperties
    faint: bool


class _Glyphs(NamedTuple):
    """Characters that are drawn alike; `font` is None for code points and bytes."""

    text: str
    font: str | None
    faint: bool


def runs(text: str, rest: bytes, size: float) -> list[Run]:
    """Return what is drawn for a token, in as few runs as there are fonts.

    Parameters
    ----------
    text, rest : str, bytes
        As `toolkit.visible_text.token_texts` returns them.
    size : float
        In points.
    """
    alike = itertools.groupby(_glyphs(text, rest), key=lambda glyphs: glyphs[1:])
    return [
        Run("".join(each.text for each in group), _properties(font, size), faint)
        for (font, faint), group in alike
    ]


def _glyphs(text: str, rest: bytes) -> Iterator[_Glyphs]:
    for piece in pieces(text, rest):
        if piece.is_mark and piece.text.startswith("⟨"):
            yield _Glyphs(piece.text, None, True)
            continue
        for char in piece.text:
            if char in _JOINERS:
                continue
            if (font := font_file(char)) is None:
                yield _Glyphs(f"⟨U+{ord(char):04X}⟩", None, True)
            else:
                yield _Glyphs(char, font, piece.is_mark)


# Fonts


@cache
def _candidates() -> tuple[str, ...]:
    """Return the installed font files, upright and regular, preferred ones first."""
    own = (Path(mpl.get_data_path()) / "fonts" / "ttf").glob("*.ttf")
    found = {*own, *map(Path, font_manager.findSystemFonts())}
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
    """Return the first font file that has a character; None: no font has it."""
    code = ord(char)
    return next((path for path in _candidates() if code in _characters(path)), None)


@cache
def _properties(path: str | None, size: float) -> FontProperties:
    if path is None:
        return FontProperties(fname=font_file("A"), size=size * _SMALL)
    return FontProperties(fname=path, size=size)


# Widths


@cache
def _renderer() -> RendererAgg:
    return RendererAgg(1, 1, 72)  # at 72 dots per inch a pixel is a point


@cache
def _width(text: str, path: str, size: float) -> float:
    font = FontProperties(fname=path, size=size)
    return float(_renderer().get_text_width_height_descent(text, font, ismath=False)[0])


def run_width(run: Run) -> float:
    """Return the width of a run, in points."""
    return _width(run.text, str(run.font.get_file()), float(run.font.get_size_in_points()))


def text_width(text: str, size: float) -> float:
    """Return the width of a text on one line, in points."""
    return sum(run_width(run) for run in runs(text, b"", size))
