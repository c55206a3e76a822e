"""Which tokens wrote a span of text, and what they amount to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from toolkit.metrics._arrays.types import Counts, Flags

if TYPE_CHECKING:
    from toolkit.metrics._alignment.texts import Text


class Cover(NamedTuple):
    """The tokens that wrote some spans of one text.

    Attributes
    ----------
    at : ndarray of int64, shape (n_spans,)
        What each span is called: a number from 0 on, each given once in all covers together.
    sizes : ndarray of int64, shape (n_spans,)
        Tokens of each span.
    rows : ndarray of int64
        Their rows in ``lp.tokens``, span after span.
    is_covered : ndarray of bool, shape (n_spans,)
    is_aligned : ndarray of bool, shape (n_spans,)
    n_partial : ndarray of int64, shape (n_spans,)
    text_of : str or None
    """

    at: Counts
    sizes: Counts
    rows: Counts
    is_covered: Flags
    is_aligned: Flags
    n_partial: Counts
    text_of: str | None


def cover(text: Text, at: Counts, low: Counts, high: Counts) -> Cover:
    """Find the tokens that wrote spans of bytes.

    Parameters
    ----------
    text : Text
    at : ndarray of int64
        What each span is called.
    low, high : ndarray of int64
        First byte of each span, and the one after its last.
    """
    aligned = ~(_inside(text.gaps, low) | _inside(text.gaps, high)) | (low == high)
    wrote = np.flatnonzero(text.token_ends > text.token_starts[:-1])
    if not len(wrote):
        none = no_cover(at)
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
    return Cover(
        at,
        sizes,
        text.first_row + wrote[ranges(first, sizes)],
        np.where(some, (begin[head] <= low) & (end[tail] >= high), low == high),
        aligned,
        np.where(some, both, 0),
        text.text_of,
    )


def _inside(gaps: Counts, places: Counts) -> Flags:
    """Say which places lie within a gap, so that it is not known what was written up to there."""
    at = np.searchsorted(gaps[:, 0], places, "left") - 1
    return (at >= 0) & (places < np.append(gaps[:, 1], 0)[at])


def no_cover(at: Counts) -> Cover:
    """Return spans without a token, in an answer without text."""
    none = np.zeros(len(at), np.int64)
    false = np.zeros(len(at), np.bool_)
    return Cover(at, none, none[:0], false, ~false, none, None)


def ranges(starts: Counts, sizes: Counts) -> Counts:
    """Return the numbers of ranges, one after the other."""
    before = np.cumsum(sizes) - sizes
    return np.arange(int(sizes.sum())) + np.repeat(starts - before, sizes)
