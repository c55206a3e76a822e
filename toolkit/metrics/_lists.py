"""Compare the lists of alternatives of two runs, at the positions where both can be compared."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import arrow
from toolkit.metrics import tokens
from toolkit.metrics._arrays import divergence, truncated
from toolkit.metrics._arrays.logprobs import half_units
from toolkit.metrics._arrays.segments import segment_max, segment_min, segment_sum
from toolkit.metrics._arrays.types import Array, Counts, Flags
from toolkit.metrics._blocks import BLOCK_ROWS
from toolkit.metrics._pairing import Positions, joined_bytes
from toolkit.metrics._results import Columns
from toolkit.progress import progress_bar

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_EXCESS = 1e-2  # mass above 1 up to which a list is compared
_READ = ("token", "bytes", "token_id", "logprob", "status", "is_sampled")


class Lists(NamedTuple):
    """How the lists of two runs compare, by position."""

    is_compared: Flags  # whether both lists can be compared
    is_flip: Flags  # whether the likeliest tokens differ
    top: list[Counts]  # of either run: rows of the likeliest alternatives, -1 without a list
    measures: Columns  # by name; NaN where not compared


class _Listed(NamedTuple):
    """The alternatives of one run at some positions."""

    table: pa.Table
    offsets: Counts  # the alternatives of position i are rows offsets[i]:offsets[i + 1]
    entries: tokens.Entries
    usable: Counts  # rows of the entries that are compared
    cap: Array  # by position: the most that a token outside the list may have
    top: Counts  # by position: row of the likeliest entry in `table`, -1 without a list


class PairedLists:
    """The lists of both runs at the same positions."""

    def __init__(self, a: _Listed, b: _Listed):
        self.a, self.b = a, b

    @cached_property
    def matched(self) -> divergence.Matched:
        """The entries of both lists, those of the same text together."""
        sides = (self.a, self.b)
        raw = [joined_bytes(side.table, side.usable) for side in sides]
        codes = pc.dictionary_encode(pa.concat_arrays(raw)).indices.to_numpy().astype(np.int64)
        known = []
        for own, own_codes in zip(sides, np.split(codes, [len(raw[0])]), strict=True):
            ids, logprob = own.entries.ids[own.usable], own.entries.logprob[own.usable]
            spread = half_units(logprob, ids, len(own.cap))
            known.append(divergence.Known(ids, own_codes, np.exp(logprob), own.cap, spread))
        return divergence.matched(*known)


Measure = Callable[[PairedLists], Columns]


def jensen_shannon(lists: PairedLists) -> Columns:
    """Bound the Jensen-Shannon divergence."""
    lower, upper = divergence.bounds(lists.matched)
    return {"js_lower": lower, "js_upper": upper}


def kullback_leibler(lists: PairedLists) -> Columns:
    """Bound the Kullback-Leibler divergence and the total variation."""
    entries = truncated.bounded(lists.matched)
    least, most = truncated.acceptance(entries)
    return {
        "kl_lower": truncated.kl_lower(entries),
        "tv_lower": 1.0 - most,
        "tv_upper": 1.0 - least,
    }


def list_gaps(lists: PairedLists) -> Columns:
    """Return the gaps of the two likeliest entries; NaN with fewer than two."""
    columns = {}
    for letter, side in (("a", lists.a), ("b", lists.b)):
        highest = tokens.highest(side.entries, side.offsets)
        with np.errstate(invalid="ignore"):  # -inf - -inf without entries
            gap = highest.top - highest.second
        columns[f"gap_{letter}"] = np.where(np.isfinite(gap), gap, np.nan)
    return columns


def compare_lists(
    a: LogprobTables, b: LogprobTables, found: Positions, *measures: Measure
) -> Lists:
    """Compare the lists of aligned positions up to and including the first different token.

    Positions are compared in blocks, whose arrays stay in the cache of the processor.
    """
    n = len(found.owner)
    place = np.flatnonzero((found.rows[0] >= 0) & (found.rows[1] >= 0) & found.same_prefix)
    sides = [TakenLists.of(lp, rows[place]) for lp, rows in zip((a, b), found.rows, strict=True)]
    ends = sides[0].offsets[1:] + sides[1].offsets[1:]
    cuts = np.searchsorted(ends, np.arange(BLOCK_ROWS, ends.max(initial=0), BLOCK_ROWS))
    bounds = [0, *np.unique(cuts).tolist(), len(place)]
    is_compared, is_flip = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    top = [np.full(n, -1, np.int64) for _ in sides]
    columns: Columns = {}
    for start, stop in _shown(itertools.pairwise(bounds), len(place)):
        lists = PairedLists(*(side.read(start, stop) for side in sides))
        both = (lists.a.top >= 0) & (lists.b.top >= 0)
        at = place[start:stop][both]
        is_compared[at] = True
        best = [joined_bytes(side.table, side.top[both]) for side in (lists.a, lists.b)]
        is_flip[at] = pc.not_equal(*best).to_numpy(zero_copy_only=False)
        for rows, taken, side in zip(top, sides, (lists.a, lists.b), strict=True):
            shift = taken.first[start:stop] - side.offsets[:-1]
            rows[place[start:stop]] = np.where(side.top >= 0, side.top + shift, -1)
        for measure in measures:
            for name, values in measure(lists).items():
                columns.setdefault(name, np.full(n, np.nan))[at] = values[both]
    return Lists(is_compared, is_flip, top, columns)


def _shown(ranges: Iterable[tuple[int, int]], total: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of positions, and show how many have been compared."""
    with progress_bar("comparing", lambda: total, unit=" positions") as advance:
        for start, stop in ranges:
            yield start, stop
            advance(stop - start)


class TakenLists(NamedTuple):
    """The alternatives at some token rows, in the order of these."""

    table: pa.Table
    first: Counts  # by token row: row of its first alternative in ``lp.alternatives``
    offsets: Counts  # the alternatives of token row i are rows offsets[i]:offsets[i + 1]

    @classmethod
    def of(cls, lp: LogprobTables, rows: Counts) -> TakenLists:
        """Take the alternatives of token rows."""
        counts = lp.tokens["n_alternatives"].to_numpy()
        first, sizes = arrow.offsets(counts)[rows], counts[rows].astype(np.int64)
        at = arrow.run_rows(first, sizes)
        return cls(arrow.take(lp.alternatives.select(_READ), at), first, arrow.offsets(sizes))

    def read(self, start: int, stop: int) -> _Listed:
        """Read the alternatives of consecutive positions."""
        begin, end = self.offsets[start], self.offsets[stop]
        table, offsets = (
            self.table.slice(begin, end - begin),
            self.offsets[start : stop + 1] - begin,
        )
        entries = tokens.entries(table, offsets)
        ids, ranking = entries.ids, np.where(entries.usable, entries.logprob, -np.inf)
        p = np.exp(ranking)
        # The sampled token may have been added below the top k, so it does not set the cap.
        others = entries.usable & ~entries.own
        lowest = segment_min(np.where(others, p, np.inf), offsets)
        cap = np.where(np.isfinite(lowest), lowest, 1.0)
        # Tokens outside a list with an unreadable entry may outrank its entries.
        cap[ids[entries.unreadable]] = 1.0
        usable = entries.usable & (segment_sum(p, offsets) <= 1.0 + _EXCESS)[ids]
        best = segment_max(ranking, offsets, empty=-np.inf)
        leads = np.flatnonzero(usable & (ranking == best[ids]))[::-1]  # first of equals last
        top = np.full(stop - start, -1, np.int64)
        top[ids[leads]] = leads
        return _Listed(table, offsets, entries, np.flatnonzero(usable), cap, top)
