"""Read the tokens of given texts as one text each, and find the tokens of a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import arguments, arrow, schema
from toolkit.metrics._alignment.texts import token_runs
from toolkit.metrics._arrays.segments import segment_count, segment_nansum
from toolkit.metrics._arrays.types import Array, Counts, Flags
from toolkit.metrics._pairing import logprobs_at
from toolkit.tables import require_tables

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_BLANKS = (9, 10, 11, 12, 13, 32)  # bytes of white space that a token may begin with


class Texts(NamedTuple):
    """The texts of one channel, joined from their tokens, one after the other.

    Attributes
    ----------
    choice_row : ndarray of int64, shape (n_texts,)
        Row of ``lp.choices``.
    logprob : ndarray of float64, shape (n_tokens,)
        NaN unless ok.
    bounds : ndarray of int64, shape (n_texts + 1,)
        The tokens of text ``i`` are ``bounds[i]:bounds[i + 1]``.
    data : ndarray of uint8
        The bytes of all tokens.
    offsets : ndarray of int64, shape (n_tokens + 1,)
        The bytes of token ``j`` are ``offsets[j]:offsets[j + 1]``.
    is_lost : ndarray of bool, shape (n_tokens,)
        Whether the text of the token is unknown, or has U+FFFD in the place of bytes. The first
        token of a text may lack both text and logprob: then neither belongs to the text.
    """

    choice_row: Counts
    logprob: Array
    bounds: Counts
    data: np.ndarray
    offsets: Counts
    is_lost: Flags

    @property
    def starts(self) -> Counts:
        """The first byte of each text."""
        return self.offsets[self.bounds[:-1]]

    @property
    def ends(self) -> Counts:
        """The byte after the last of each text."""
        return self.offsets[self.bounds[1:]]


class Parts(NamedTuple):
    """The tokens of the end of each text, and what they add up to.

    Attributes
    ----------
    first : ndarray of int64
        The first token.
    n_tokens, n_scored : ndarray of int64
        Tokens, and those of them with a usable logprob.
    is_partial : ndarray of bool
        Whether the first token also wrote text before the part, other than white space.
    sum_logprob : ndarray of float64
        Over the scored tokens; NaN without one.
    """

    first: Counts
    n_tokens: Counts
    n_scored: Counts
    is_partial: Flags
    sum_logprob: Array

    def take(self, rows: Counts, known: Flags) -> Parts:
        """Return the parts of some texts, without tokens where not known."""
        at = np.where(known, rows, -1)  # -1: one more text, which has no tokens
        return Parts(
            np.append(self.first, 0)[at],
            np.append(self.n_tokens, 0)[at],
            np.append(self.n_scored, 0)[at],
            np.append(self.is_partial, False)[at],
            np.append(self.sum_logprob, np.nan)[at],
        )


def given_texts(lp: LogprobTables, channel: str) -> Texts:
    """Return the texts of a channel, of each choice that has tokens there."""
    at = schema.CHANNELS.index(arguments.channel(channel))
    runs = token_runs(require_tables(lp))
    choice_row = np.flatnonzero(runs.counts[:, at])
    counts = runs.counts[choice_row, at]
    rows = arrow.run_rows(runs.starts[choice_row, at], counts)
    at_rows = pa.array(rows)
    data, offsets = bytes_of(runs.bytes.take(at_rows))
    replaced = arrow.truth(
        # A token of which only an id was sent has the text token_id:N.
        pc.match_substring_regex(lp.tokens["token"].take(at_rows), r"\x{fffd}|^token_id:\d+$")
    )
    sent = lp.tokens["bytes"].take(at_rows).is_valid().to_numpy()
    bounds = arrow.offsets(counts)
    is_lost = (replaced & ~sent) | (np.diff(offsets) == 0)
    is_lost[bounds[:-1]] = replaced[bounds[:-1]] & ~sent[bounds[:-1]]
    return Texts(choice_row, logprobs_at(lp, rows), bounds, data, offsets, is_lost)


def bytes_of(pieces: pa.Array) -> tuple[np.ndarray, Counts]:
    """Return the joined bytes of an array without nulls, and where each piece begins and ends."""
    pieces = pieces.cast(schema.BINARY)
    if not len(pieces):
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    _, bounds, data = pieces.buffers()
    offsets = np.frombuffer(bounds, np.int64)[pieces.offset : pieces.offset + len(pieces) + 1]
    joined = np.frombuffer(data or b"", np.uint8)[offsets[0] : offsets[-1]]
    return joined, offsets - offsets[0]


def texts_of(data: np.ndarray, starts: Counts, ends: Counts) -> pa.Array:
    """Return stretches of bytes as texts; bytes that are not UTF-8 become U+FFFD."""
    size = ends - starts
    chosen = data[arrow.run_rows(starts, size)]
    buffers = [None, pa.py_buffer(arrow.offsets(size)), pa.py_buffer(chosen)]
    raw = pa.LargeBinaryArray.from_buffers(schema.BINARY, len(size), buffers)
    try:
        return raw.cast(schema.TEXT)
    except pa.ArrowInvalid:
        return pa.array([each.decode("utf-8", "replace") for each in raw.to_pylist()], schema.TEXT)


def last_tokens(texts: Texts, n: int) -> Counts:
    """Return the first of the last `n` tokens of each text."""
    return np.maximum(texts.bounds[1:] - n, texts.bounds[:-1])


def tokens_from(texts: Texts, byte: Counts) -> Counts:
    """Return the first token of each text that wrote a byte from `byte` on, or the end."""
    found = np.searchsorted(texts.offsets, byte, "right") - 1
    # Tokens without bytes begin where the next one does, and belong to no text.
    return np.clip(found, texts.bounds[:-1], texts.bounds[1:])


def tokens_after(texts: Texts, byte: Counts) -> Counts:
    """Return the first token of each text after the last one that wrote anything but blanks.

    So a blank in front of `byte` belongs to what follows, whether it is a token of its own or the
    beginning of one, but a token that also wrote something else before the blank does not.
    """
    written = np.flatnonzero(~np.isin(texts.data, _BLANKS))
    before = np.append(-1, written)[np.searchsorted(written, byte)]
    after = np.searchsorted(texts.offsets, before, "right")  # of the token that wrote that byte
    after = np.where(before < texts.starts, texts.bounds[:-1], after)
    return np.minimum(after, tokens_from(texts, byte))


def byte_of_character(texts: Texts, character: Counts) -> Counts:
    """Return the byte of each text at which a character begins; its end if it has not so many."""
    begins = np.flatnonzero((texts.data & 0xC0) != 0x80)
    first = np.searchsorted(begins, texts.starts)
    at = np.append(begins, len(texts.data))[np.minimum(first + character, len(begins))]
    return np.minimum(at, texts.ends)


def parts_from(texts: Texts, first: Counts, byte: Counts | None = None) -> Parts:
    """Add up the tokens of each text from the first on; `byte`: where the part begins."""
    counts = texts.bounds[1:] - first
    logprob = texts.logprob[arrow.run_rows(first, counts)]
    offsets = arrow.offsets(counts)
    partial = np.zeros(len(first), np.bool_)
    if byte is not None:
        begin = np.minimum(texts.offsets[np.minimum(first, len(texts.logprob))], byte)
        before = texts.data[arrow.run_rows(begin, byte - begin)]
        partial = segment_count(~np.isin(before, _BLANKS), arrow.offsets(byte - begin)) > 0
    return Parts(
        first,
        counts,
        segment_count(~np.isnan(logprob), offsets),
        partial,
        segment_nansum(logprob, offsets),
    )
