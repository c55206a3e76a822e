"""Find the tokens that wrote spans of a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from toolkit.arrow import run_rows
from toolkit.metrics._arrays.types import Counts, Flags

if TYPE_CHECKING:
    from toolkit.metrics._alignment.texts import Text


class SpanTokens(NamedTuple):
    """The tokens that wrote some spans of one text.

    Attributes
    ----------
    ids : ndarray of int64, shape (n_spans,)
        Index of each span in the result, from 0, unique across all texts.
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
    text_of : str or None
        As in `Text`; None for an answer without text.
    """

    ids: Counts
    sizes: Counts
    rows: Counts
    is_covered: Flags
    is_aligned: Flags
    n_partial: Counts
    text_of: str | None


def tokens_of_spans(text: Text, ids: Counts, low: Counts, high: Counts) -> SpanTokens:
    """Find the tokens that wrote spans of bytes.

    Parameters
    ----------
    text : Text
    ids : ndarray of int64
        Index of each span in the result.
    low, high : ndarray of int64
        First byte of each span, and the byte after its last.
    """
    aligned = ~(_is_inside(text.gaps, low) | _is_inside(text.gaps, high)) | (low == high)
    wrote = np.flatnonzero(text.token_ends > text.token_starts[:-1])
    if not len(wrote):
        none = without_tokens(ids)
        return none._replace(text_of=text.text_of, is_covered=low == high, is_aligned=aligned)
    begin, end, blanks = (
        text.token_starts[wrote],
        text.token_ends[wrote],
        text.n_blanks[wrote],
    )
    first = np.searchsorted(end, low, "right")
    sizes = np.maximum(np.searchsorted(begin, high, "left") - first, 0)
    sizes[(low == high) | ~aligned] = 0
    some = sizes > 0
    head, tail = np.where(some, first, 0), np.where(some, first + sizes - 1, 0)
    reaches_back = (begin[head] < low) & (low - begin[head] > blanks[head])
    reaches_on = end[tail] > high
    both = np.where(sizes == 1, reaches_back | reaches_on, reaches_back.astype(int) + reaches_on)
    return SpanTokens(
        ids,
        sizes,
        text.first_row + wrote[run_rows(first, sizes)],
        np.where(some, (begin[head] <= low) & (end[tail] >= high), low == high),
        aligned,
        np.where(some, both, 0),
        text.text_of,
    )


def without_tokens(ids: Counts) -> SpanTokens:
    """Return spans of an answer that has neither text nor tokens."""
    none = np.zeros(len(ids), np.int64)
    false = np.zeros(len(ids), np.bool_)
    return SpanTokens(ids, none, none[:0], false, ~false, none, None)


def _is_inside(gaps: Counts, places: Counts) -> Flags:
    """Return which bytes lie inside a gap, where it is unknown which token wrote what."""
    at = np.searchsorted(gaps[:, 0], places, "left") - 1
    return (at >= 0) & (places < np.append(gaps[:, 1], 0)[at])
