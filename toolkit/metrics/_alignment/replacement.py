"""Align tokens that hold U+FFFD, where bytes were lost, with the text that they wrote.

Servers that decode each token by itself send U+FFFD for a part of a character. The text of the
answer still has the character, so the text around it shows how many bytes were lost: often exactly;
otherwise a stretch of the text remains of which only the whole is known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from toolkit.metrics._arrays.types import Counts

LOST = "\ufffd".encode()
_LOST_RUN = re.compile(b"(?:" + LOST + b")+")
_MOST_BYTES = 3  # bytes that one U+FFFD may replace: the beginning of a character of four
_MOST_STEPS = 200_000  # places tried before giving up; real answers need a few for each run


class Rejoined(NamedTuple):
    """The place of each byte of lossy tokens in a text.

    Attributes
    ----------
    starts, ends : ndarray of int64, shape (n_bytes of the tokens,)
        The stretch of the text in which each byte of the tokens lies: one byte, or a whole gap.
    gaps : ndarray of int64, shape (n_gaps, 2)
        Stretches of the text that are known only as a whole to have been written by their tokens.
    """

    starts: Counts
    ends: Counts
    gaps: Counts


def rejoined(data: bytes, joined: bytes) -> Rejoined | None:
    """Find the place of each byte of lossy tokens in the text; None if they do not fit it.

    The tokens must be the whole text, apart from white space around it. A run of n U+FFFD replaces
    n to 3 n bytes of characters that are not ASCII. A piece that fits in two places becomes part of
    the gap around it.

    Parameters
    ----------
    data : bytes
        UTF-8 of the text.
    joined : bytes
        The tokens, joined.

    Examples
    --------
    >>> found = rejoined("a💙b".encode(), "a\\ufffd\\ufffdb".encode())
    >>> found.gaps.tolist(), found.starts.tolist()
    ([[1, 5]], [0, 1, 1, 1, 1, 1, 1, 5])
    """
    before = 0 if data[:1] == joined[:1] else len(joined) - len(joined.lstrip())
    trailing = 0 if data[-1:] == joined[-1:] else len(joined) - len(joined.rstrip())
    inner = joined[before : len(joined) - trailing]
    runs = [match.span() for match in _LOST_RUN.finditer(inner)]
    bounds = [0, *(at for run in runs for at in run), len(inner)]
    known = [inner[a:b] for a, b in zip(bounds[::2], bounds[1::2], strict=True)]
    lost = [(b - a) // len(LOST) for a, b in runs]
    placed = _placed(data, known, lost)
    if placed is None:
        return None
    after = np.arange(len(data), len(data) + trailing)
    starts = np.concatenate([np.arange(-before, 0), np.empty(len(inner), np.int64), after])
    ends = starts + 1
    gaps: list[tuple[int, int]] = []
    read, wrote = 0, before  # the ends of what is placed: in the text, in the tokens
    for i, at in enumerate(placed):
        if at is None:
            continue
        first, last = before + bounds[2 * i], before + bounds[2 * i + 1]
        if i:
            gaps.append((read, at))
            starts[wrote:first], ends[wrote:first] = read, at
        read, wrote = at + last - first, last
        starts[first:last] = np.arange(at, read)
        ends[first:last] = starts[first:last] + 1
    return Rejoined(starts, ends, np.array(gaps, np.int64).reshape(-1, 2))


def _placed(data: bytes, known: list[bytes], lost: list[int]) -> list[int | None] | None:
    """Return where each known piece begins; None for a piece that fits in several places.

    The first piece is at the beginning and the last at the end; before each piece but the first is
    a run of lost bytes. All places that can be reached from the beginning are found first; then
    those among them from which the end can be reached.
    """
    final = len(data) - len(known[-1])
    if not data.startswith(known[0]) or final < len(known[0]) or not data.endswith(known[-1]):
        return None
    runs = _runs(data)
    reached: list[list[int]] = [[0]]
    steps = 0
    for piece, before, n in zip(known[1:], known[:-1], lost, strict=True):
        found: set[int] = set()
        for place in reached[-1]:
            low, high = _reach(runs, place + len(before), n)
            steps += (high - low + 1) * (1 + len(piece) // 64)
            if steps > _MOST_STEPS:
                return None
            found.update(at for at in range(low, high + 1) if data.startswith(piece, at))
        reached.append(sorted(found))
    if final not in reached[-1]:
        return None
    right: list[list[int]] = [[final]]
    for places, before, n in zip(reached[-2::-1], known[-2::-1], lost[::-1], strict=True):
        reaches = [(at, *_reach(runs, at + len(before), n)) for at in places]
        steps += len(places) * len(right[-1])
        if steps > _MOST_STEPS:
            return None
        right.append(
            [at for at, low, high in reaches if any(low <= end <= high for end in right[-1])]
        )
    return [places[0] if len(places) == 1 else None for places in right[::-1]]


def _runs(data: bytes) -> list[int]:
    """Return the end of the run of characters that are not ASCII from each byte, and from the end.

    Examples
    --------
    >>> _runs("aéb".encode())
    [0, 3, 3, 3, 4]
    """
    units = np.frombuffer(data, np.uint8)
    ascii_at = np.where(units < 0x80, np.arange(len(units)), len(units))
    nearest = np.minimum.accumulate(ascii_at[::-1])[::-1] if len(units) else ascii_at
    return [*nearest.tolist(), len(units)]


def _reach(runs: list[int], start: int, n: int) -> tuple[int, int]:
    """Return the first and the last place at which n lost parts of characters may end."""
    return start + n, min(start + _MOST_BYTES * n, runs[start] if start < len(runs) else start)
