"""How tokens are written out for people: bytes become characters, what hides is made to show."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_MARKS = {"\n": "↵", "\r": "␍", "\t": "⇥"}
_BLANK = "␣"
_JOINERS = ("\u200c", "\u200d")
# Called printable, and yet nothing is to be seen: fillers, Braille's blank, ideograms' selectors.
_EMPTY = {*"\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0", *map(chr, range(0xE0100, 0xE01F0))}


class Piece(NamedTuple):
    """A part of a token as it is shown.

    Attributes
    ----------
    text : str
    is_mark : bool
        True where the text stands for something that would not show: a blank, a line end, a
        character without a picture, bytes of a character that another token completes.
    """

    text: str
    is_mark: bool


def token_texts(tokens: Iterable[tuple[str, bytes | None]]) -> Iterator[tuple[str, bytes]]:
    """Tell for each token the characters that end in it, and its bytes of one that does not.

    Parameters
    ----------
    tokens : iterable of (str, bytes or None)
        Text and bytes of consecutive tokens; the text stands in where there are no bytes.

    Yields
    ------
    text : str
        U+FFFD stands for bytes that are not UTF-8.
    rest : bytes
        The bytes at the end of the token that begin, or go on with, a character.

    Examples
    --------
    >>> list(token_texts([("", b"a\\xf0\\x9f"), ("", b"\\x92\\x99!")]))
    [('a', b'\\xf0\\x9f'), ('💙!', b'')]
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for text, raw in tokens:
        data = text.encode("utf-8", "replace") if raw is None else raw
        decoded = decoder.decode(data)
        pending = decoder.getstate()[0]
        yield decoded, data[len(data) - min(len(pending), len(data)) :]


def pieces(text: str, rest: bytes = b"") -> list[Piece]:
    """Write a token so that all of it shows, in as few pieces as there are changes.

    Parameters
    ----------
    text : str
    rest : bytes
        As `token_texts` gives them.

    Returns
    -------
    list of Piece
        A line end is its mark; whoever draws it ends the line after it. Blanks are marked where
        they stand alone, last or in a row; one in front of a word is left as it is.

    Examples
    --------
    >>> [piece.text for piece in pieces(" a\\n", b"\\xf0")]
    [' a', '↵', '⟨f0⟩']
    >>> [piece.text for piece in pieces("x\\u202ey")]
    ['x', '⟨U+202E⟩', 'y']
    """
    shown: list[Piece] = []
    for i, char in enumerate(text):
        if char == " ":
            one = Piece(_BLANK, True) if _is_odd_blank(text, i) else Piece(char, False)
        elif char in _MARKS:
            one = Piece(_MARKS[char], True)
        elif (is_hidden(char) and not _is_joined(text, i)) or _is_stray(text, i):
            one = Piece(f"⟨U+{ord(char):04X}⟩", True)
        else:
            one = Piece(char, False)
        if shown and shown[-1].is_mark == one.is_mark and one.text not in _MARKS.values():
            shown[-1] = Piece(shown[-1].text + one.text, one.is_mark)
        else:
            shown.append(one)
    if rest:
        shown.append(Piece(f"⟨{rest.hex(' ')}⟩", True))
    return shown or [Piece("∅", True)]


def spelled(text: str, rest: bytes = b"", most: int = 40) -> str:
    """Write a token on one line, all its blanks as ``␣``, clipped to `most` characters.

    Examples
    --------
    >>> spelled(" a\\n")
    '␣a↵'
    """
    line = "".join(
        piece.text if piece.is_mark else piece.text.replace(" ", _BLANK)
        for piece in pieces(text, rest)
    )
    return line if len(line) <= most else f"{line[: most - 1]}…"


def plain(text: str, most: int = 48) -> str:
    """Write an id, a model or another short text of the data on one line, clipped in its middle.

    Examples
    --------
    >>> plain("gpt\\x1b[31m")
    'gpt⟨U+001B⟩[31m'
    """
    line = "".join(piece.text for piece in pieces(text))
    half = most // 2
    return line if len(line) <= most else f"{line[:half]}…{line[half - most + 1 :]}"


def is_hidden(char: str) -> bool:
    """Tell whether a character does not show, or is obeyed rather than shown."""
    if char in _EMPTY:
        return True
    if char.isprintable():
        return False
    if "\U0001f300" <= char <= "\U0001faff":  # pictures alone, some newer than this Python
        return False
    return char != " "


def _is_odd_blank(text: str, i: int) -> bool:
    alone = i + 1 == len(text) or text[i + 1] in " \n\r\t"
    return alone or (i > 0 and text[i - 1] == " ")


def _is_stray(text: str, i: int) -> bool:
    """A variation selector shows in the character before it; without one it is a hidden one."""
    return "\ufe00" <= text[i] <= "\ufe0f" and (i == 0 or "\ufe00" <= text[i - 1] <= "\ufe0f")


def _is_joined(text: str, i: int) -> bool:
    """Joiners belong to the pictures and letters that they join; elsewhere they hide something."""
    return (
        text[i] in _JOINERS
        and 0 < i < len(text) - 1
        and unicodedata.category(text[i - 1]) in ("So", "Sk", "Lo", "Mn", "Mc")
        and text[i - 1] not in _JOINERS
    )
