"""Align the tokens of an answer with its text, byte by byte.

A token may hold part of a character, so offsets count bytes of the joined tokens; characters are
counted only at the end. Text before or after the tokens, tokens without text and tokens whose bytes
were lost do not shift the other tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import schema
from toolkit.arrow import numpy, offsets
from toolkit.metrics._alignment.replacement import LOST, Rejoined, rejoined
from toolkit.tables import require_texts

if TYPE_CHECKING:
    from toolkit.metrics._arrays.types import Counts
    from toolkit.tables import LogprobTables


class Text(NamedTuple):
    """A text with the bytes at which its characters, and the tokens that wrote it, begin.

    Attributes
    ----------
    text : str
    text_of : str or None
        ``sent``: the text of the response; ``tokens``: the joined tokens, because no text was
        sent, or because it differs from the tokens; None: neither is there.
    char_starts : ndarray of int64, shape (n_characters + 1,)
        The byte at which each character begins, and the number of bytes.
    token_starts : ndarray of int64, shape (n_tokens + 1,)
        The byte of the text at which each token begins, and where the last ends. Below 0, or
        beyond the end of the text, for tokens outside of it.
    token_ends : ndarray of int64, shape (n_tokens,)
        The byte after each token: where the next begins; all tokens of one gap have the start
        and the end of the gap.
    n_blanks : ndarray of int64, shape (n_tokens,)
        Bytes of white space at the beginning of each token.
    first_row : int
        The row of the first token in ``lp.tokens``.
    gaps : ndarray of int64, shape (n_gaps, 2)
        First byte, and the byte after the last, of stretches written by tokens whose own bytes
        were lost: it is unknown which token wrote which part. If a gap begins before the text and
        ends after it, nothing is known.
    """

    text: str
    text_of: str | None
    char_starts: Counts
    token_starts: Counts
    token_ends: Counts
    n_blanks: Counts
    first_row: int
    gaps: Counts


_NO_GAPS = np.empty((0, 2), np.int64)
_NO_TOKENS = np.zeros(1, np.int64)
NO_TEXT = Text("", None, _NO_TOKENS, _NO_TOKENS, _NO_TOKENS[1:], _NO_TOKENS[1:], 0, _NO_GAPS)
"""The text of an answer that has neither text nor tokens."""

_BLOCK = 4096  # answers whose tokens are joined at once
_IS_BLANK = np.zeros(256, np.bool_)  # the bytes that `bytes.lstrip` removes
_IS_BLANK[list(b" \t\n\r\x0b\x0c")] = True


class TokenRuns(NamedTuple):
    """The rows of ``lp.tokens`` that each choice and channel has.

    Attributes
    ----------
    starts : ndarray of int64, shape (n_choices, n_channels)
        First row.
    counts : ndarray of int64, shape (n_choices, n_channels)
        Number of rows.
    bytes : pyarrow.Array
        Bytes of every token: as sent, or the UTF-8 of its text where no bytes were sent.
    """

    starts: Counts
    counts: Counts
    bytes: pa.Array


def token_runs(lp: LogprobTables) -> TokenRuns:
    """Return the token rows of each choice and channel; raise if texts were left out."""
    require_texts(lp)
    counts = np.stack(
        [numpy(lp.choices, f"n_{name}_tokens").astype(np.int64) for name in schema.CHANNELS], axis=1
    )
    ends = np.cumsum(counts).reshape(counts.shape)
    joined = pc.coalesce(lp.tokens["bytes"], lp.tokens["token"].cast(schema.BINARY))
    return TokenRuns(ends - counts, counts, joined.combine_chunks())


def texts(lp: LogprobTables, channel: str) -> Iterator[tuple[int, Text]]:
    """Yield the row of each choice that has text or tokens in a channel, and that text."""
    found = token_runs(lp)
    n = lp.choices.num_rows
    unsent = pa.chunked_array([pa.nulls(n, pa.string())])
    sent = unsent if channel == "prompt" else lp.choices[channel]
    at = schema.CHANNELS.index(channel)
    for first in range(0, n, _BLOCK):
        rows = slice(first, min(first + _BLOCK, n))
        run_columns = (found.starts[rows, at].tolist(), found.counts[rows, at].tolist())
        runs = list(zip(*run_columns, strict=True))
        written = [run for run in runs if run[1]]
        low = written[0][0] if written else 0
        high = sum(written[-1]) if written else 0
        pieces = _Pieces(found.bytes.slice(low, high - low), low)
        for row, text, (start, count) in zip(
            range(first, rows.stop), sent[rows].to_pylist(), runs, strict=True
        ):
            if text is not None or count:
                usual = pieces.usual(text, start, count)
                yield row, usual or aligned(text, found.bytes.slice(start, count), start)


class _Pieces:
    """The tokens of a block of answers, whose bytes lie one after the other."""

    def __init__(self, pieces: pa.Array, first_row: int) -> None:
        lengths = pc.binary_length(pieces).to_numpy(zero_copy_only=False).astype(np.int64)
        self._first_row = first_row
        self._ends = offsets(lengths)
        self._bytes = b"".join(pieces.to_pylist())
        units = np.frombuffer(self._bytes, np.uint8)
        solid = np.append(np.flatnonzero(~_IS_BLANK[units]), len(units))
        starts = self._ends[:-1]
        self._blanks = np.minimum(solid[np.searchsorted(solid, starts)] - starts, lengths)

    def usual(self, sent: str | None, start: int, count: int) -> Text | None:
        """Return the text of the usual case, where it begins with the tokens, else None.

        It is what `aligned` returns, which does every other case one answer at a time.
        """
        if sent is None:
            return None
        at = slice(start - self._first_row, start - self._first_row + count)
        bounds = self._ends[at.start : at.stop + 1] if count else _NO_TOKENS
        joined = self._bytes[bounds[0] : bounds[-1]]
        data = sent.encode("utf-8", "replace")
        if LOST in joined or not data.startswith(joined):
            return None
        starts = bounds - bounds[0]
        blanks = self._blanks[at]
        char_starts = np.arange(len(data) + 1) if len(data) == len(sent) else _char_starts(data)
        return Text(sent, "sent", char_starts, starts, starts[1:], blanks, start, _NO_GAPS)


def aligned(sent: str | None, pieces: pa.Array, first_row: int) -> Text:
    """Align the bytes of tokens with the text that was sent.

    The tokens may be the whole text, or its beginning. They may hold more (a blank in front,
    special tokens, a thought before the answer): then the text is searched for in the joined
    tokens, where it must occur exactly once, apart from white space around it. Tokens with U+FFFD
    for lost bytes are placed by the text around them; if that fails, nothing is known. Tokens that
    fit none of these cases are their own text.
    """
    token_bytes = pieces.to_pylist()
    joined = b"".join(token_bytes)
    if sent is None:
        return _own(token_bytes, joined, first_row)
    data = sent.encode("utf-8", "replace")
    before = _offset(data, joined)
    # If the text has U+FFFD too, tokens that seem to hold more than the text may be the text alone.
    lost = LOST in joined and bool(data)
    if lost and (before is None or (LOST in data and joined != data)):
        found = rejoined(data, joined)
        if found or before is None:
            return _rejoined(sent, data, token_bytes, first_row, found)
    if before is None:
        return _own(token_bytes, joined, first_row)
    return _shifted(sent, data, token_bytes, first_row, before)


def found_outside(wanted: str, sent: str | None, pieces: pa.Array, first_row: int) -> Text | None:
    """Find a text in the tokens outside of the text that was sent.

    Returns None unless it occurs there exactly once.
    """
    token_bytes = pieces.to_pylist()
    joined = b"".join(token_bytes)
    if sent:
        sent_bytes = sent.encode("utf-8", "replace")
        before = _offset(sent_bytes, joined)
        if before is not None:
            # Blank out the text that was sent: UTF-8 never has the byte 0xff.
            end = before + len(sent_bytes)
            joined = joined[:before] + b"\xff" * len(joined[before:end]) + joined[end:]
    data = wanted.encode("utf-8", "replace")
    at = joined.find(data)
    if not data or at < 0 or joined.find(data, at + 1) >= 0:
        return None
    return _shifted(wanted, data, token_bytes, first_row, at)


def without_tokens(text: str) -> Text:
    """Return a text of which it is unknown which tokens wrote it."""
    data = text.encode("utf-8", "replace")
    gaps = np.array([[-1, len(data) + 1]], np.int64)
    none = _NO_TOKENS[1:]
    return Text(text, None, _char_starts(data), _NO_TOKENS, none, none, 0, gaps)


def _shifted(text: str, data: bytes, pieces: list[bytes], first_row: int, before: int) -> Text:
    """Return a text that begins `before` bytes after the first token."""
    starts = _bounds(pieces) - before
    return Text(
        text, "sent", _char_starts(data), starts, starts[1:], _blanks(pieces), first_row, _NO_GAPS
    )


def _own(pieces: list[bytes], joined: bytes, first_row: int) -> Text:
    """Return the joined tokens as the text."""
    text, char_starts = decoded(joined)
    starts = _bounds(pieces)
    return Text(
        text, "tokens", char_starts, starts, starts[1:], _blanks(pieces), first_row, _NO_GAPS
    )


def _rejoined(
    text: str, data: bytes, pieces: list[bytes], first_row: int, found: Rejoined | None
) -> Text:
    """Return a text with tokens whose bytes were lost; None: nothing is known about them."""
    bounds = _bounds(pieces)
    if found is None:
        starts = np.full(len(bounds), -1, np.int64)
        ends, gaps = starts[1:], np.array([[-1, len(data) + 1]], np.int64)
    else:
        # A token without bytes begins where the next byte does, and has no length.
        starts = np.append(found.starts, found.ends[-1:])[bounds]
        ends = np.where(np.diff(bounds) > 0, found.ends[bounds[1:] - 1], starts[:-1])
        gaps = found.gaps
    return Text(text, "sent", _char_starts(data), starts, ends, _blanks(pieces), first_row, gaps)


def _bounds(pieces: list[bytes]) -> Counts:
    return offsets(np.array(list(map(len, pieces)), np.int64))


def _blanks(pieces: list[bytes]) -> Counts:
    return np.array([len(piece) - len(piece.lstrip()) for piece in pieces], np.int64)


def _offset(data: bytes, joined: bytes) -> int | None:
    """Return how many bytes of the tokens come before the text; None where it is unknown."""
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
    """Decode UTF-8, and return the byte at which each character begins.

    Invalid bytes become U+FFFD, as `bytes.decode` with "replace" does.

    Examples
    --------
    >>> text, starts = decoded(b"a\\xf0\\x9f\\x92b")
    >>> text, starts.tolist()
    ('a�b', [0, 1, 4, 5])
    """
    view, at = memoryview(data), 0
    decoded_parts: list[str] = []
    starts = []
    while at < len(data):
        try:
            decoded_parts.append(str(view[at:], "utf-8"))
            starts.append(_char_starts(data[at:])[:-1] + at)
            break
        except UnicodeDecodeError as error:
            good = at + error.start
            decoded_parts += [str(view[at:good], "utf-8"), "\ufffd"]
            starts += [_char_starts(data[at:good])[:-1] + at, np.array([good])]
            at += error.end
    return "".join(decoded_parts), np.concatenate([*starts, np.array([len(data)])]).astype(np.int64)


def _char_starts(data: bytes) -> Counts:
    """Return the first byte of each character of valid UTF-8, and the number of bytes."""
    units = np.frombuffer(data, np.uint8)
    return np.append(np.flatnonzero((units & 0xC0) != 0x80), len(units)).astype(np.int64)
