"""Where the tokens of an answer stand in its text, byte by byte.

A token may hold part of a character, so offsets are those of joined bytes; characters are counted
only at the end. Text in front of or behind the tokens, tokens without text and tokens whose bytes
were lost shift nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import schema
from toolkit.arrow import numpy
from toolkit.metrics._alignment.replacement import LOST, Rejoined, rejoined

if TYPE_CHECKING:
    from toolkit.metrics._arrays.types import Counts
    from toolkit.tables import LogprobTables


class Text(NamedTuple):
    """A text with the places of its characters and of the tokens that wrote it.

    Attributes
    ----------
    text : str
    text_of : str
        ``sent``: the text that the response has; ``tokens``: what the tokens join to, because none
        was sent, or it is not what they say.
    char_starts : ndarray of int64, shape (n_characters + 1,)
        The byte at which each character begins, and the number of bytes.
    token_starts : ndarray of int64, shape (n_tokens + 1,)
        The byte of the text at which each token begins, and where the last ends. Less than 0, or
        more than the text has, for tokens that stand outside of it.
    token_ends : ndarray of int64, shape (n_tokens,)
        The byte after each token: where the next begins, but for tokens of one gap, which all have
        its begin and its end.
    n_blanks : ndarray of int64, shape (n_tokens,)
        Bytes of white space at the beginning of each token.
    first_row : int
        The row of the first token in ``lp.tokens``.
    gaps : ndarray of int64, shape (n_gaps, 2)
        Stretches of bytes that tokens wrote whose own bytes were lost: which of them wrote which
        part is not known. One that begins before the text and ends behind it: nothing is known.
    """

    text: str
    text_of: str
    char_starts: Counts
    token_starts: Counts
    token_ends: Counts
    n_blanks: Counts
    first_row: int
    gaps: Counts


_NO_GAPS = np.empty((0, 2), np.int64)


class Places(NamedTuple):
    """Where the tokens of each choice and channel stand in the table of tokens.

    Attributes
    ----------
    starts : ndarray of int64, shape (n_choices, n_channels)
    counts : ndarray of int64, shape (n_choices, n_channels)
    bytes : pyarrow.Array
        Of all tokens: as sent, or the UTF-8 of the text where none were.
    """

    starts: Counts
    counts: Counts
    bytes: pa.Array


def places(lp: LogprobTables) -> Places:
    """Return where the tokens of each choice and channel stand."""
    counts = np.stack(
        [numpy(lp.choices, f"n_{name}_tokens").astype(np.int64) for name in schema.CHANNELS], axis=1
    )
    ends = np.cumsum(counts).reshape(counts.shape)
    joined = pc.coalesce(lp.tokens["bytes"], lp.tokens["token"].cast(schema.BINARY))
    return Places(ends - counts, counts, joined.combine_chunks())


def texts(lp: LogprobTables, channel: str) -> Iterator[tuple[int, Text]]:
    """Yield the row of each choice that has text or tokens in a channel, and that text."""
    found = places(lp)
    sent = lp.choices[channel].to_pylist()
    at = schema.CHANNELS.index(channel)
    for row, text in enumerate(sent):
        start, count = int(found.starts[row, at]), int(found.counts[row, at])
        if text is not None or count:
            yield row, aligned(text, found.bytes.slice(start, count), start)


def aligned(sent: str | None, pieces: pa.Array, first_row: int) -> Text:
    """Align the bytes of tokens with the text that was sent.

    The tokens may be the whole text, or its beginning. They may hold more (a blank in front,
    special tokens, a thought before the answer): then the text is looked for in them, and has to
    be there exactly once but for white space around it. Tokens with U+FFFD for bytes that were lost
    are placed by what stands around them; if that fails, nothing is known. Any other tokens are
    their own text.
    """
    parts = pieces.to_pylist()
    joined = b"".join(parts)
    if sent is None:
        return _own(parts, joined, first_row)
    data = sent.encode("utf-8", "replace")
    before = _offset(data, joined)
    # With U+FFFD in the text too, what looks like the text and more may be the text alone.
    lost = LOST in joined and bool(data)
    if lost and (before is None or (LOST in data and joined != data)):
        found = rejoined(data, joined)
        if found or before is None:
            return _rejoined(sent, data, parts, first_row, found)
    if before is None:
        return _own(parts, joined, first_row)
    return _shifted(sent, data, parts, first_row, before)


def found_outside(wanted: str, sent: str | None, pieces: pa.Array, first_row: int) -> Text | None:
    """Find a text in the tokens that the text sent leaves over: there exactly once, else None."""
    parts = pieces.to_pylist()
    joined = b"".join(parts)
    if sent:
        said = sent.encode("utf-8", "replace")
        before = _offset(said, joined)
        if before is not None:
            # A byte that UTF-8 does not have is found in no text.
            end = before + len(said)
            joined = joined[:before] + b"\xff" * len(joined[before:end]) + joined[end:]
    data = wanted.encode("utf-8", "replace")
    at = joined.find(data)
    if not data or at < 0 or joined.find(data, at + 1) >= 0:
        return None
    return _shifted(wanted, data, parts, first_row, at)


def _shifted(text: str, data: bytes, parts: list[bytes], first_row: int, before: int) -> Text:
    starts = _bounds(parts) - before
    return Text(
        text, "sent", _char_starts(data), starts, starts[1:], _blanks(parts), first_row, _NO_GAPS
    )


def _own(parts: list[bytes], joined: bytes, first_row: int) -> Text:
    text, char_starts = decoded(joined)
    starts = _bounds(parts)
    return Text(
        text, "tokens", char_starts, starts, starts[1:], _blanks(parts), first_row, _NO_GAPS
    )


def _rejoined(
    text: str, data: bytes, parts: list[bytes], first_row: int, found: Rejoined | None
) -> Text:
    """Place tokens whose bytes were lost; with None, nothing is known of them."""
    bounds = _bounds(parts)
    if found is None:
        starts = np.full(len(bounds), -1, np.int64)
        ends, gaps = starts[1:], np.array([[-1, len(data) + 1]], np.int64)
    else:
        # A token without bytes begins where the next byte does, and has no length.
        starts = np.append(found.starts, found.ends[-1:])[bounds]
        ends = np.where(np.diff(bounds) > 0, found.ends[bounds[1:] - 1], starts[:-1])
        gaps = found.gaps
    return Text(text, "sent", _char_starts(data), starts, ends, _blanks(parts), first_row, gaps)


def _bounds(parts: list[bytes]) -> Counts:
    return np.cumsum([0, *map(len, parts)], dtype=np.int64)


def _blanks(parts: list[bytes]) -> Counts:
    return np.array([len(part) - len(part.lstrip()) for part in parts], np.int64)


def _offset(data: bytes, joined: bytes) -> int | None:
    """Return how many bytes of the tokens stand in front of the text; None where it is unknown."""
    if data.startswith(joined):
        return 0
    if not data:
        return None
    before = len(joined) - len(joined.lstrip())
    if joined[before:].rstrip() == data.rstrip() and joined.startswith(data, before):
        return before
    at = joined.find(data)
    return at if at >= 0 and joined.find(data, at + 1) < 0 else None


def decoded(data: bytes) -> tuple[str, Counts]:
    """Decode UTF-8 with U+FFFD for what is none, as `bytes.decode` does, and place the characters.

    Examples
    --------
    >>> text, starts = decoded(b"a\\xf0\\x9f\\x92b")
    >>> text, starts.tolist()
    ('a�b', [0, 1, 4, 5])
    """
    view, at = memoryview(data), 0
    parts: list[str] = []
    starts = []
    while at < len(data):
        try:
            parts.append(str(view[at:], "utf-8"))
            starts.append(_char_starts(data[at:])[:-1] + at)
            break
        except UnicodeDecodeError as error:
            good = at + error.start
            parts += [str(view[at:good], "utf-8"), "\ufffd"]
            starts += [_char_starts(data[at:good])[:-1] + at, np.array([good])]
            at += error.end
    return "".join(parts), np.concatenate([*starts, np.array([len(data)])]).astype(np.int64)


def _char_starts(data: bytes) -> Counts:
    """Return the first byte of each character of valid UTF-8, and the number of bytes."""
    units = np.frombuffer(data, np.uint8)
    return np.append(np.flatnonzero((units & 0xC0) != 0x80), len(units)).astype(np.int64)
