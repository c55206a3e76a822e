"""The answers of two runs brought together, and their tokens set side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import arguments, schema
from toolkit.errors import ArgumentError
from toolkit.metrics import tokens
from toolkit.metrics._alignment.spans import ranges
from toolkit.metrics._alignment.texts import places
from toolkit.metrics._arrays import divergence
from toolkit.metrics._arrays.segments import segment_max, segment_min, segment_sum
from toolkit.metrics._arrays.types import Array, Counts, Flags
from toolkit.metrics._blocks import Block, rows_of

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_ON = ("custom_id", "position", None)


class Pairs(NamedTuple):
    """Rows of ``choices`` that belong together, -1 where there is none, and their tokens."""

    row_a: Counts
    row_b: Counts
    start: list[Counts]
    count: list[Counts]

    @property
    def is_paired(self) -> Flags:
        """Whether both runs have the answer."""
        return (self.row_a >= 0) & (self.row_b >= 0)

    def rows(self, side: int) -> Counts:
        """Return the rows of the first (0) or the second run (1)."""
        return (self.row_a, self.row_b)[side]


class Lined(NamedTuple):
    """The positions of all pairs, one after the other."""

    owner: Counts  # the pair
    position: Counts
    rows: list[Counts]  # in the tokens of either side, -1 where it has ended
    is_same: Flags
    same_prefix: Flags
    n_common: Counts  # of each pair
    diverges: Flags  # each pair
    is_compared: Flags
    is_flip: Flags
    top: list[Counts]  # rows of the likeliest alternatives, -1 without
    js_lower: Array
    js_upper: Array


def pair(a: LogprobTables, b: LogprobTables, on: str | None, channel: str) -> Pairs:
    """Bring together the choices of two runs, those of `a` first, and say where tokens stand."""
    at = schema.CHANNELS.index(arguments.channel(channel))
    keys = _names(a, b, on)
    tables = [
        pd.DataFrame(
            {
                "name": keys[i][response_rows(side)],
                "choice": side.choices["choice"].to_numpy(),
                f"row_{i}": np.arange(side.choices.num_rows),
            }
        )
        for i, side in enumerate((a, b))
    ]
    merged = tables[0].merge(tables[1], on=["name", "choice"], how="outer", sort=False)
    last = np.iinfo(np.int64).max
    merged = merged.sort_values(
        ["row_0", "row_1"], key=lambda rows: rows.fillna(last), kind="stable"
    )
    rows = [merged[f"row_{i}"].fillna(-1).to_numpy(np.int64) for i in range(2)]
    starts, counts = [], []
    for side, own in zip((a, b), rows, strict=True):
        where = places(side)
        there = own >= 0
        starts.append(np.where(there, where.starts[own, at] if len(where.starts) else 0, 0))
        counts.append(np.where(there, where.counts[own, at] if len(where.counts) else 0, 0))
    return Pairs(*rows, starts, counts)


def response_rows(lp: LogprobTables) -> Counts:
    """Return the row of each choice's response."""
    keys = lp.responses["response_key"].to_numpy()
    return rows_of(keys, lp.choices["response_key"].to_numpy(), "responses")


def _names(a: LogprobTables, b: LogprobTables, on: str | None) -> list[np.ndarray]:
    """Return what each response of either side is known by."""
    arguments.one_of("on", on, _ON)
    ids = [side.responses["custom_id"].to_pylist() for side in (a, b)]
    if on is None:
        has_ids = all(None not in own for own in ids)
        if not has_ids and len(a) != len(b):
            raise ArgumentError(
                f"not every response has a custom_id, and there are {len(a)} and {len(b)}: say "
                "on='custom_id' or on='position'"
            )
        on = "custom_id" if has_ids else "position"
    if on == "position":
        return [np.arange(len(side)).astype(object) for side in (a, b)]
    for letter, own in zip("ab", ids, strict=True):
        if None in own:
            raise ArgumentError(f"on='custom_id': a response of {letter} has none")
        if len(set(own)) < len(own):
            raise ArgumentError(f"on='custom_id': one stands twice in {letter}")
    return [np.array(own, object) for own in ids]


def line_up(a: LogprobTables, b: LogprobTables, pairs: Pairs) -> Lined:
    """Set the tokens of each pair side by side, and compare them."""
    length = np.where(pairs.is_paired, np.maximum(*pairs.count), 0)
    owner = np.repeat(np.arange(len(length)), length)
    position = ranges(np.zeros(len(length), np.int64), length)
    rows = [
        np.where(position < count[owner], start[owner] + position, -1)
        for start, count in zip(pairs.start, pairs.count, strict=True)
    ]
    both = (rows[0] >= 0) & (rows[1] >= 0)
    is_same = both.copy()
    taken = [_token_bytes(side, own[both]) for side, own in zip((a, b), rows, strict=True)]
    is_same[both] = pc.equal(*taken).to_numpy(zero_copy_only=False)
    differs = np.flatnonzero(~is_same)
    ends = np.cumsum(length)
    first = np.append(differs, len(is_same))[np.searchsorted(differs, ends - length)]
    n_common = np.minimum(first, ends) - (ends - length)
    same_prefix = position <= n_common[owner]
    codes_a, codes_b, tops = _entries(a, b, rows, both & same_prefix)
    n = len(owner)
    lower, upper = divergence.bounds(codes_a, codes_b, n)
    is_compared = both & same_prefix & (tops[0] >= 0) & (tops[1] >= 0)
    is_flip = is_compared.copy()
    best = [_entry_bytes(side, top[is_compared]) for side, top in zip((a, b), tops, strict=True)]
    is_flip[is_compared] = pc.not_equal(*best).to_numpy(zero_copy_only=False)
    return Lined(
        owner, position, rows, is_same, same_prefix, n_common, n_common < length,
        is_compared, is_flip, tops, lower, upper,
    )  # fmt: skip


def _token_bytes(lp: LogprobTables, rows: Counts) -> pa.Array:
    return _joined(lp.tokens.select(["token", "bytes"]).take(rows))


def _entry_bytes(lp: LogprobTables, rows: Counts) -> pa.Array:
    return _joined(lp.alternatives.select(["token", "bytes"]).take(rows))


def _joined(table: pa.Table) -> pa.Array:
    raw = pc.coalesce(table["bytes"], table["token"].cast(schema.BINARY))
    return raw.combine_chunks() if isinstance(raw, pa.ChunkedArray) else raw


def _entries(
    a: LogprobTables, b: LogprobTables, rows: list[Counts], wanted: Flags
) -> tuple[divergence.Known, divergence.Known, list[Counts]]:
    """Return the entries of both lists at the wanted places, the same texts with the same codes."""
    found, tops, raws = [], [], []
    for side, own in zip((a, b), rows, strict=True):
        entries, top = _own_entries(side, own, wanted)
        found.append(entries)
        tops.append(top)
        raws.append(_entry_bytes(side, entries[1]))
    codes = pc.dictionary_encode(pa.concat_arrays(raws)).indices.to_numpy()
    cut = len(raws[0])
    known = [
        divergence.Known(place, codes_, p, cap)
        for (place, _, p, cap), codes_ in zip(found, (codes[:cut], codes[cut:]), strict=True)
    ]
    return *(k._replace(codes=k.codes.astype(np.int64)) for k in known), tops


def _own_entries(lp: LogprobTables, rows: Counts, wanted: Flags) -> tuple:
    """Return place, row, probability of each usable entry, the caps, and the likeliest entries."""
    counts = lp.tokens["n_alternatives"].to_numpy()
    ends = np.cumsum(counts, dtype=np.int64)
    place = np.flatnonzero(wanted)
    token = rows[place]
    sizes = counts[token] if len(token) else token
    first = ends[token] - sizes if len(token) else token
    at = ranges(first, sizes)
    ids = np.repeat(np.arange(len(place)), sizes)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    block = Block(slice(0, 0), lp.tokens.take(token), lp.alternatives.take(at), offsets)
    entries = tokens.entries(block)
    p = np.where(entries.usable, np.exp(np.where(entries.usable, entries.logprob, 0.0)), 0.0)
    # The sampled token may have been added below the top k, so it sets no cap.
    others = entries.usable & ~entries.own
    lowest = segment_min(np.where(others, p, np.inf), offsets)
    cap = np.ones(len(rows))
    cap[place] = np.where(np.isfinite(lowest), lowest, 1.0)
    mass = segment_sum(p, offsets)
    usable = entries.usable & (mass <= 1.0 + 1e-2)[ids]
    best = segment_max(np.where(usable, p, -1.0), offsets, empty=-1.0)
    tops = np.full(len(rows), -1, np.int64)
    leads = np.flatnonzero(usable & (p == best[ids]))[::-1]  # the first of equals is written last
    tops[place[ids[leads]]] = at[leads]
    return (place[ids[usable]], at[usable], p[usable], cap), tops
