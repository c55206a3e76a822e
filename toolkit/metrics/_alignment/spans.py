"""Find the tokens that wrote spans of a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from toolkit.arrow import offsets, run_rows
from toolkit.metrics._alignment.texts import NO_TEXT, Text
from toolkit.metrics._arrays.types import Counts, Flags


class TextSpans(NamedTuple):
    """Spans of one text.

    Attributes
    ----------
    text : Text
    ids : ndarray of int64, shape (n_spans,)
        Index of each span in the result, from 0, unique across all texts.
    low, high : ndarray of int64, shape (n_spans,)
        First byte of each span, and the byte after its last.
    """

    text: Text
    ids: Counts
    low: Counts
    high: Counts


class SpanTokens(NamedTuple):
    """The tokens that wrote some spans.

    Attributes
    ----------
    ids : ndarray of int64, shape (n_spans,)
        As in `TextSpans`.
    sizes : ndarray of int64, shape (n_spans,)
        Number of tokens of each span.
    rows : ndarray of int64, shape (sum of sizes,)
        Rows of these tokens in ``lp.tokens``, span after span.
    is_covered : ndarray of bool, shape (n_spans,)
        Whether the tokens wrote every byte of the span.
    is_aligned : ndarray of bool, shape (n_spans,)
        Whether it is known which tokens wrote the span.
    n_partial : ndarray of int64, shape (n_spans,)
        Tokens of the span that also wrote text outside of it.
    text_of : ndarray of object, shape (n_spans,)
        As in `Text`.
    """

    ids: Counts
    sizes: Counts
    rows: Counts
    is_covered: Flags
    is_aligned: Flags
    n_partial: Counts
    text_of: Any


def tokens_of_spans(found: list[TextSpans]) -> SpanTokens:
    """Find the tokens that wrote spans of bytes, in all texts at once."""
    none = np.empty(0, np.int64)
    texts, ids, lows, highs = zip(*found or [TextSpans(NO_TEXT, none, none, none)], strict=True)
    axis = _Axis(texts)
    low, high = axis.cut(lows), axis.cut(highs)
    gaps = [axis.cut([text.gaps[:, side] for text in texts]) for side in (0, 1)]
    is_aligned = ~(_is_inside(gaps, low) | _is_inside(gaps, high)) | (low == high)

    starts = [text.token_starts[:-1] for text in texts]
    ends = [text.token_ends for text in texts]
    wrote = np.flatnonzero(np.concatenate(ends) > np.concatenate(starts))
    begin, end = axis.cut(starts)[wrote], axis.cut(ends)[wrote]
    first = np.searchsorted(end, low, "right")
    sizes = np.maximum(np.searchsorted(begin, high, "left") - first, 0)
    sizes[(low == high) | ~is_aligned] = 0

    some = np.flatnonzero(sizes)
    head, tail = first[some], first[some] + sizes[some] - 1
    is_covered = low == high
    low, high = low[some], high[some]
    is_covered[some] = (begin[head] <= low) & (end[tail] >= high)
    blanks = np.concatenate([text.n_blanks for text in texts])[wrote[head]]
    reaches_back = (begin[head] < low) & (low - axis.on(starts)[wrote[head]] > blanks)
    reaches_on = end[tail] > high
    n_partial = np.zeros(len(sizes), np.int64)
    n_partial[some] = np.where(
        head == tail, reaches_back | reaches_on, reaches_back.astype(int) + reaches_on
    )
    first_rows = np.array([text.first_row for text in texts])
    rows = run_rows(first_rows, np.array([len(each) for each in starts]))
    text_of = np.array([text.text_of for text in texts], object)
    return SpanTokens(
        np.concatenate(ids),
        sizes,
        rows[wrote[run_rows(first, sizes)]],
        is_covered,
        is_aligned,
        n_partial,
        np.repeat(text_of, [len(each) for each in ids]),
    )


class _Axis:
    """One axis of bytes for many texts, one after the other, with room between them."""

    def __init__(self, texts: Sequence[Text]) -> None:
        self._lengths = np.array([text.char_starts[-1] for text in texts], np.int64)
        self._bases = offsets(self._lengths + 3)[:-1] + 1

    def on(self, places: Sequence[Counts]) -> Counts:
        """Return bytes of each text as places on the axis."""
        return np.concatenate(places) + np.repeat(self._bases, list(map(len, places)))

    def cut(self, places: Sequence[Counts]) -> Counts:
        """Return bytes of each text on the axis; those outside of it are one byte from its ends."""
        limits = np.repeat(self._lengths + 1, list(map(len, places)))
        bases = np.repeat(self._bases, list(map(len, places)))
        return np.clip(np.concatenate(places), -1, limits) + bases


def _is_inside(gaps: list[Counts], places: Counts) -> Flags:
    """Return which bytes lie inside a gap, where it is unknown which token wrote what."""
    starts, ends = gaps
    at = np.searchsorted(starts, places, "left") - 1
    return (at >= 0) & (places < np.append(ends, 0)[at])
