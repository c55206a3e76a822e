"""Make hidden characters visible: the one way, for HTML, terminals, plots and the command line.

Blanks become ``␣``, line ends ``↵``, carriage returns ``␍``, tabs ``⇥``; every other character that
does not show, or that a terminal would obey, becomes its code point (``⟨U+001B⟩``), and bytes of an
incomplete character are written in hexadecimal (``⟨f0 9f⟩``).

Running text (`pieces`) marks only those blanks that nobody would see. A text on its own (`spelled`
and `spelled_token` for tokens) marks all of them.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_MARKS = {"\n": "↵", "\r": "␍", "\t": "⇥"}
_BLANK = "␣"
_BASE = "◌"  # carries a combining mark that begins a text
_JOINERS = ("\u200c", "\u200d")
# Printable for Python, yet invisible: fillers, Braille's blank, selectors of ideographs.
_EMPTY = {*"\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0", *map(chr, range(0xE0100, 0xE01F0))}
_PLAIN = re.compile(r" ?[!-~]+(?: [!-~]+)*")  # needs no marks: ASCII with single blanks
_UNUSUAL = re.compile(r"[ -~]?[^\n -~]+")  # what may need marks, with the character that it varies
_SELECTORS = re.compile("[\ufe00-\ufe0f]")
_UNDECODED = re.compile("([\udc80-\udcff]+)")  # bytes that are not UTF-8, as surrogateescape has it


class Piece(NamedTuple):
    """A part of a token as it is shown.

    Attributes
    ----------
    text : str
    is_mark : bool
        True if the text replaces something that would not show: a blank, a line end, a character
        without a glyph, bytes of a character that another token completes.
    """

    text: str
    is_mark: bool


def token_texts(tokens: Iterable[tuple[str, bytes | None]]) -> Iterator[tuple[str, bytes]]:
    """Decode consecutive tokens; a character belongs to the token that completes it.

    Parameters
    ----------
    tokens : iterable of (str, bytes or None)
        Text and bytes of consecutive tokens; the text is used where there are no bytes.

    Yields
    ------
    text : str
        The characters that end in this token. U+FFFD replaces bytes that are not UTF-8.
    rest : bytes
        The bytes at the end of the token that begin or continue a character.

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
    """Split a token into plain text and the marks that replace its hidden characters.

    Parameters
    ----------
    text, rest : str, bytes
        As `token_texts` returns them.

    Returns
    -------
    list of Piece
        As few as possible; at least one (``∅`` for a token without text). A line end is its mark
        alone: the caller starts a new line after it. Blanks are marked where they are alone, last
        or repeated; one blank before a word stays a blank.

    Examples
    --------
    >>> [piece.text for piece in pieces(" a\\n", b"\\xf0")]
    [' a', '↵', '⟨f0⟩']
    >>> [piece.text for piece in pieces("x\\u202ey")]
    ['x', '⟨U+202E⟩', 'y']
    """
    if not rest and _PLAIN.fullmatch(text):
        return [Piece(text, False)]
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
        shown.append(Piece(_hexadecimal(rest), True))
    return shown or [Piece("∅", True)]


def visible(text: str) -> str:
    """Make the hidden characters of a whole text visible, and keep its line ends and blanks.

    Examples
    --------
    >>> visible("a\\tb\\n\\x1b[31m")
    'a⇥b\\n⟨U+001B⟩[31m'
    """
    return _UNUSUAL.sub(_marked, text)


def spelled(text: str, rest: bytes = b"", most: int = 40) -> str:
    """Write a decoded token on its own, on one line, clipped to `most` characters.

    Examples
    --------
    >>> spelled(" a\\n")
    '␣a↵'
    """
    return _clipped(_spelled(text, rest), most)


def spelled_token(token: str, raw: bytes | None, most: int = 40) -> str:
    """Write a token on its own, such as an alternative or a cell of a table.

    Parameters
    ----------
    token : str
    raw : bytes or None
        As sent. Bytes that are not UTF-8 by themselves are written in hexadecimal.
    most : int
        Length of the result, in characters.

    Examples
    --------
    >>> spelled_token(" Paris", None), spelled_token("\\ufffd", b"\\x92\\x99!")
    ('␣Paris', '⟨92 99⟩!')
    """
    if not raw:
        return spelled(token, most=most)
    parts = _UNDECODED.split(raw.decode("utf-8", "surrogateescape"))
    written = [_spelled(part) if part else "" for part in parts]
    written[1::2] = [_hexadecimal(part.encode("utf-8", "surrogateescape")) for part in parts[1::2]]
    return _clipped("".join(written), most)


def plain(text: str, most: int | None = 48) -> str:
    """Write any text of the data on one line, safe on a terminal: an id, a model, a message.

    Parameters
    ----------
    text : str
    most : int, optional
        Length of the result, in characters; a longer one is clipped in its middle. None: whole.

    Examples
    --------
    >>> plain("gpt\\x1b[31m"), plain("")
    ('gpt⟨U+001B⟩[31m', '∅')
    """
    line = "".join(piece.text for piece in pieces(text))
    if most is None or len(line) <= most:
        return line
    half = most // 2
    return f"{line[:half]}…{line[half - most + 1 :]}"


def is_hidden(char: str) -> bool:
    """Return whether a character does not show, or is obeyed rather than shown."""
    if char in _EMPTY:
        return True
    if char.isprintable():
        return False
    if "\U0001f300" <= char <= "\U0001faff":  # pictographs only, some newer than this Python
        return False
    return char != " "


def _marked(found: re.Match[str]) -> str:
    run = found[0]
    if run.isprintable() and _EMPTY.isdisjoint(run) and not _SELECTORS.search(run):
        return run
    return "".join(piece.text for piece in pieces(run))


def _spelled(text: str, rest: bytes = b"") -> str:
    line = "".join(
        piece.text if piece.is_mark else piece.text.replace(" ", _BLANK)
        for piece in pieces(text, rest)
    )
    return _BASE + line if unicodedata.category(line[0]).startswith("M") else line


def _clipped(line: str, most: int) -> str:
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _hexadecimal(raw: bytes) -> str:
    return f"⟨{raw.hex(' ')}⟩"


def _is_odd_blank(text: str, i: int) -> bool:
    """Return whether a blank would go unseen: alone, last, or one of several."""
    alone = i + 1 == len(text) or text[i + 1] in " \n\r\t"
    return alone or (i > 0 and text[i - 1] == " ")


def _is_stray(text: str, i: int) -> bool:
    """Return whether a variation selector has no character before it that it could vary."""
    return "\ufe00" <= text[i] <= "\ufe0f" and (i == 0 or "\ufe00" <= text[i - 1] <= "\ufe0f")


def _is_joined(text: str, i: int) -> bool:
    """Return whether a joiner joins two pictographs or letters; elsewhere it hides something."""
    return (
        text[i] in _JOINERS
        and 0 < i < len(text) - 1
        and unicodedata.category(text[i - 1]) in ("So", "Sk", "Lo", "Mn", "Mc")
        and text[i - 1] not in _JOINERS
    )
