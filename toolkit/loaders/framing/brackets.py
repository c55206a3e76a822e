"""Find the brackets of JSON text that are outside strings, and how deep they nest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.loaders.framing import frames
from toolkit.loaders.framing.frames import NEWLINE

_QUOTE, _BACKSLASH = b'"\\'
OPEN_BRACE, _CLOSE_BRACE = b"{}"


class Structure(NamedTuple):
    """The brackets outside strings in a text, with the depth before and after each.

    Attributes
    ----------
    positions : ndarray of int64, shape (n_brackets,)
    before, after : ndarray of int64, shape (n_brackets,)
        Depth before and after each bracket.
    quoted : bool
        Whether the text ends inside a string.
    broken : int
        Position of the first newline inside a string, or the length of the text.
    """

    positions: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    quoted: bool
    broken: int


def structure(text: bytes, depth: int, quoted: bool) -> Structure:
    """Find the structure of a text that begins at `depth`, inside a string if `quoted`."""
    array = np.frombuffer(text, np.uint8)
    inside = _inside_strings(array, quoted)
    folded = array | 0x20  # maps [ to { and ] to }
    opens = folded == OPEN_BRACE
    positions = np.flatnonzero((opens | (folded == _CLOSE_BRACE)) & ~inside)
    after = depth + np.cumsum(np.where(opens[positions], 1, -1))
    # The depth is never below 0, because a surplus bracket closes nothing.
    after -= np.minimum(np.minimum.accumulate(after), 0)
    before = np.concatenate([[depth], after[:-1]])[: len(after)]
    newlines = (array == NEWLINE) & inside
    broken = int(newlines.argmax()) if newlines.any() else len(text)
    return Structure(positions, before, after, bool(inside[-1]), broken)


def _inside_strings(array: NDArray[np.uint8], quoted: bool) -> NDArray[np.bool_]:
    """Return for each byte whether the number of unescaped quotes up to it is odd."""
    quotes = array == _QUOTE
    slashes = np.flatnonzero(array == _BACKSLASH)
    if len(slashes):
        starts_run = np.diff(slashes, prepend=-2) != 1
        index_in_run = slashes - np.maximum.accumulate(np.where(starts_run, slashes, 0))
        escaped = slashes[index_in_run % 2 == 0] + 1
        quotes[escaped[escaped < len(array)]] = False
    # Eight text bytes at a time: the parity inside each packed byte, then that of all before it.
    bits = np.packbits(quotes)
    for shift in (1, 2, 4):
        bits ^= bits >> shift
    odd = bits & 1
    odd_before = np.bitwise_xor.accumulate(odd) ^ odd ^ quoted
    bits ^= np.negative(odd_before)  # 0 or 255
    return np.unpackbits(bits, count=len(array)).view(np.bool_)


def windows(data: bytes) -> Iterator[bytes]:
    """Cut a text into windows; only the last may end inside an escape."""
    start = 0
    while start < len(data):
        window = data[start : start + frames.WINDOW]
        if start + frames.WINDOW < len(data) and ends_in_escape(window):
            window = data[start : start + frames.WINDOW + 1]
        yield window
        start += len(window)


def ends_in_escape(text: bytes) -> bool:
    """Return whether a text ends in a backslash that escapes the next character."""
    return (len(text) - len(text.rstrip(b"\\"))) % 2 == 1


def nesting(data: bytes) -> int:
    """Return how deep objects and arrays are nested in a text.

    Parameters
    ----------
    data : bytes
        JSON, valid or not: brackets in strings do not count, and surplus closing brackets are
        ignored.

    Returns
    -------
    int
        0 for a text without objects and arrays.

    Examples
    --------
    >>> nesting(b'{"a": [{"b": "[[["}]}')
    3
    """
    deepest, depth, quoted = 0, 0, False
    for window in windows(data):
        found = structure(window, depth, quoted)
        quoted = found.quoted
        if len(found.after):
            deepest = max(deepest, int(found.after.max()))
            depth = int(found.after[-1])
    return deepest
