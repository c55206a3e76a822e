"""Find oddities of tokens and of their lists of alternatives, for `check`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import arrow, schema
from toolkit.metrics import tokens
from toolkit.metrics._arrays.logprobs import decimals
from toolkit.metrics._arrays.segments import segment_count, segment_min
from toolkit.metrics._arrays.types import Array, Counts, Flags
from toolkit.metrics._blocks import Block, over_blocks, rows_of
from toolkit.metrics._findings import Finding, Origins, Tally, names_of
from toolkit.metrics._partial import Partial, sums
from toolkit.tables import LogprobTables, has_texts

_CLAMP, _CLAMPED = -10.0, 5  # a clamp: a round least logprob at or below it, that many times
_FEW = 20  # tokens; below this number, decimals say nothing about a server
_SENTINEL, _REPEATED = -100.0, 2  # nats: a whole number at or below it, that many times
_SAME = 0.01  # nats, and share: more is not a rounding of one of two logprobs
_OF_TEXTS = ("replacement_characters", "missing_bytes")  # not of texts that were left out
_LOW_BITS = 0xFFFFFFFF
_DECIMALS = 3  # of logprobs of low precision, at most


class Habits(NamedTuple):
    """What is usual of the logprobs and the lists of each model and format.

    Attributes
    ----------
    keys : DataFrame
        The groups.
    least, greatest : ndarray of float64
        By group: the least usable logprob, and the greatest absolute one of a token.
    decimals, n_ok : ndarray of int64
        By group: the most decimals of a logprob, and the tokens of status ok.
    low : set of (int, float)
        Group and logprob: low whole numbers that occur again.
    places, lengths : ndarray of int64
        Group and source of lists, as one number, sorted; and the usual length of the lists there.
    """

    keys: pd.DataFrame
    least: Array
    greatest: Array
    decimals: Counts
    n_ok: Counts
    low: set[tuple[int, float]]
    places: Counts
    lengths: Counts

    def rows(self, keys: pd.DataFrame) -> Counts:
        """Return which groups these are."""
        number = {name: i for i, name in enumerate(names_of(self.keys))}
        return np.array([number[name] for name in names_of(keys)], np.int64)

    def usual(self, own: Counts, response_key: Counts) -> Counts:
        """Return the usual length of lists where each token is; 0 if there are none."""
        if not len(self.places):
            return np.zeros(len(own), np.int64)
        place = _place(own, response_key)
        at = np.minimum(np.searchsorted(self.places, place), len(self.places) - 1)
        return np.where(self.places[at] == place, self.lengths[at], 0)


def _place(own: Counts, response_key: Counts) -> Counts:
    """Return the group of tokens and their source as one number."""
    return (own << 32) + (response_key >> 32)


def habits_partial(lp: LogprobTables) -> Partial:
    """Return what `habits` adds up, of some responses."""
    groups = Origins.of(lp.responses)
    owners, n = groups.at(lp, lp.tokens), len(groups.keys)
    n_entries = np.zeros(lp.tokens.num_rows, np.int64)
    least, greatest = np.full(n, np.inf), np.full(n, -np.inf)
    written, n_ok = np.zeros(n, np.int64), np.zeros(n, np.int64)
    low: Counter[tuple[int, float]] = Counter()
    for block, entries in over_blocks(
        lambda block: tokens.entries(block.alternatives, block.offsets), lp
    ):
        own = owners[block.rows]
        n_entries[block.rows] = segment_count(entries.usable, block.offsets)
        is_ok = arrow.codes(block.tokens["status"], schema.STATUSES) == tokens.OK
        logprob = arrow.floats(block.tokens["logprob"])
        for values, group in (
            (logprob[is_ok], own[is_ok]),
            (entries.logprob[entries.usable], own[entries.ids[entries.usable]]),
        ):
            np.minimum.at(least, group, values)
            np.maximum.at(written, group, decimals(values))
        np.maximum.at(greatest, own[is_ok], np.abs(logprob[is_ok]))
        n_ok += np.bincount(own[is_ok], minlength=n)
        unlisted = np.flatnonzero(is_ok & np.isnan(entries.listed) & _is_low(logprob))
        listed = np.flatnonzero(entries.usable & _is_low(entries.logprob))
        low.update(zip(own[unlisted].tolist(), logprob[unlisted].tolist(), strict=True))
        low.update(_low(entries, own, listed))
    ends = {"least": least, "greatest": greatest, "decimals": written, "n_ok": n_ok}
    tables = {
        "ends": pd.DataFrame({"group": np.arange(n), **ends}),
        "lengths": _lengths(_place(owners, arrow.numpy(lp.tokens, "response_key")), n_entries),
        "low": pd.DataFrame(
            {
                "group": np.array([group for group, _ in low], np.int64),
                "value": np.array([value for _, value in low], np.float64),
                "count": np.array(list(low.values()), np.int64),
            }
        ),
    }
    return Partial(groups.keys, tables)


def _is_low(logprob: Array) -> Flags:
    """Return which logprobs are whole numbers so low that no model is likely to give one."""
    return (logprob <= _SENTINEL) & (logprob == np.round(logprob))


def _low(entries: tokens.Entries, own: Counts, rows: Counts) -> list[tuple[int, float]]:
    """Return the group and the logprob of some entries."""
    groups = own[entries.ids[rows]].tolist()
    return list(zip(groups, entries.logprob[rows].tolist(), strict=True))


def _lengths(place: Counts, n_entries: Counts) -> pd.DataFrame:
    """Return how many lists of each length there are, by group and source."""
    of, number = np.unique(place, return_inverse=True)
    listed = n_entries > 0
    pairs, counts = np.unique(
        (number[listed].astype(np.int64) << 32) + n_entries[listed], return_counts=True
    )
    found = of[pairs >> 32]
    columns = {"group": found >> 32, "source": found & _LOW_BITS, "length": pairs & _LOW_BITS}
    return pd.DataFrame({**columns, "count": counts})


def _added_ends(table: pd.DataFrame) -> pd.DataFrame:
    how = {"least": "min", "greatest": "max", "decimals": "max", "n_ok": "sum"}
    return table.groupby("group", as_index=False).agg(how)


HABIT_REDUCERS = {
    "ends": _added_ends,
    "lengths": sums("source", "length"),
    "low": sums("value"),
}
"""How to reduce what several partials have."""


def habits(partial: Partial) -> Habits:
    """Return what is usual, from what was added up."""
    ends, lengths, low = (partial.tables[name] for name in HABIT_REDUCERS)
    ends = ends.sort_values("group")  # each group once
    repeated = low[low["count"] >= _REPEATED]
    # The most frequent length, the greatest one of several.
    usual = lengths.sort_values(["group", "source", "count", "length"])
    usual = usual.drop_duplicates(["group", "source"], keep="last")
    return Habits(
        keys=partial.keys,
        least=ends["least"].to_numpy(),
        greatest=ends["greatest"].to_numpy(),
        decimals=ends["decimals"].to_numpy(),
        n_ok=ends["n_ok"].to_numpy(),
        low=set(zip(repeated["group"].tolist(), repeated["value"].tolist(), strict=True)),
        places=(usual["group"].to_numpy() << 32) + usual["source"].to_numpy(),
        lengths=usual["length"].to_numpy(),
    )


def of_tokens(
    lp: LogprobTables, groups: Origins, owners: Counts, usual: Habits
) -> tuple[pd.DataFrame, Counts]:
    """Return the flagged tokens by group, and how often each group has its least logprob."""
    n, rows = len(groups.keys), usual.rows(groups.keys)
    tally, n_least = Tally(lp.tokens, owners, n), np.zeros(n, np.int64)
    keys, of = (table["response_key"].to_numpy() for table in (lp.responses, lp.tokens))
    is_sent = has_texts(lp.responses)[rows_of(keys, of, "responses")]
    for block, (flags, at_least) in over_blocks(
        lambda block: _flags(block, rows[owners[block.rows]], usual), lp
    ):
        for code, values in flags.items():
            known = is_sent[block.rows] if code in _OF_TEXTS else True
            tally.add(code, values & known, block.rows.start)
        counts = np.bincount(owners[block.rows], at_least, minlength=n)
        n_least += counts.astype(np.int64)
    return tally.rows(), n_least


def odd_habits(usual: Habits, n_tokens: int) -> Iterator[Finding]:
    """Yield the findings about what is usual."""
    names = names_of(usual.keys)
    is_zero = (usual.n_ok >= 2) & (usual.greatest == 0.0)
    is_coarse = (usual.n_ok >= _FEW) & (usual.decimals <= _DECIMALS) & ~is_zero
    for code, wanted in (("all_zero", is_zero), ("low_precision", is_coarse)):
        for group in np.flatnonzero(wanted).tolist():
            count = int(usual.n_ok[group])
            yield Finding(code, "tokens", count, count, *names[group])
    if len(np.unique(usual.lengths)) > 1:
        yield Finding("mixed_k", "tokens", n_tokens, n_tokens)


def is_clamp(usual: Habits, n_least: Counts) -> Flags:
    """Return in which groups the least logprob is a clamp."""
    is_round = (usual.least == np.round(usual.least)) & (usual.least <= _CLAMP)
    return is_round & (n_least >= _CLAMPED)


def _flags(block: Block, own: Counts, usual: Habits) -> tuple[dict[str, Flags], Counts]:
    """Return the flags of each token of a block, and how often it has the least logprob.

    `own` is the group of each token among those of `usual`.
    """
    table, offsets = block.tokens, block.offsets
    entries = tokens.entries(block.alternatives, block.offsets)
    status = arrow.codes(table["status"], schema.STATUSES)
    n_entries = segment_count(entries.usable, offsets)
    k = usual.usual(own, table["response_key"].to_numpy())
    codes = {name: status == code for code, name in enumerate(schema.STATUSES)}
    least = usual.least[own]
    at_least = segment_count(entries.usable & (entries.logprob == least[entries.ids]), offsets)
    no_bytes = table["bytes"].is_null().to_numpy()
    broken = pc.match_substring(table["token"], "\ufffd").to_numpy()
    logprob = np.where(codes["ok"], np.minimum(arrow.floats(table["logprob"]), 0.0), np.nan)
    differs = ~np.isclose(logprob, entries.listed, rtol=_SAME, atol=_SAME)
    return {
        "invalid_logprobs": codes["invalid"],
        "sampled_contradicted": differs & codes["ok"] & ~np.isnan(entries.listed),
        "excess_mass": tokens.block_metrics(block, None)["excess_mass"],
        "censored_logprobs": codes["censored"],
        "missing_logprobs": codes["missing"] & ~_begins_prompt(table),
        "sentinel_logprobs": _has_sentinel(entries, own, logprob, usual),
        "clamped": at_least > 0,
        "replacement_characters": no_bytes & broken,
        "missing_bytes": no_bytes,
        **_list_flags(block, entries, codes["invalid"], n_entries, k),
    }, at_least


def _begins_prompt(table: pa.Table) -> Flags:
    """Return which tokens are the first of a prompt, for which no model gives a logprob."""
    is_prompt = arrow.codes(table["channel"], schema.CHANNELS) == schema.CHANNELS.index("prompt")
    return is_prompt & (table["position"].to_numpy() == 0)


def _list_flags(
    block: Block, entries: tokens.Entries, is_invalid: Flags, n_entries: Counts, k: Counts
) -> dict[str, Flags]:
    """Return the flags of the list of each token of a block."""
    offsets = block.offsets
    n_sampled = segment_count(arrow.flags(block.alternatives["is_sampled"]), offsets)
    status = arrow.codes(block.alternatives["status"], schema.STATUSES)
    is_copy = (status == tokens.OK) & ~entries.usable
    rises = np.zeros(len(entries.ids), np.bool_)
    rises[1:] = (
        (entries.ids[1:] == entries.ids[:-1])
        & entries.usable[1:]
        & entries.usable[:-1]
        & (entries.logprob[1:] > entries.logprob[:-1])
    )
    lowest = segment_min(np.where(entries.usable, entries.logprob, np.inf), offsets)
    return {
        "invalid_alternatives": (segment_count(status == tokens.INVALID, offsets) > 0)
        & ~is_invalid,
        "duplicated_alternatives": _has_duplicates(block, entries.ids, is_copy),
        "no_alternatives": (np.diff(offsets) == 0) & ~_begins_prompt(block.tokens),
        "short_lists": (n_entries > 0) & (n_entries < k),
        "extra_entry": (n_entries == k + 1) & (entries.listed == lowest),
        "repeated_entry": segment_count(is_copy, offsets) > 0,
        "unsorted_lists": segment_count(rises, offsets) > 0,
        "sampled_unlisted": (np.diff(offsets) > 0) & (n_sampled == 0),
    }


def _has_sentinel(entries: tokens.Entries, own: Counts, logprob: Array, usual: Habits) -> Flags:
    """Return which tokens, or entries of their lists, have a logprob that is a sentinel."""
    flags = np.zeros(len(own), np.bool_)
    if usual.low:
        rows = np.flatnonzero(_is_low(logprob))
        pairs = zip(own[rows].tolist(), logprob[rows].tolist(), strict=True)
        flags[rows] = [pair in usual.low for pair in pairs]
        rows = np.flatnonzero(entries.usable & _is_low(entries.logprob))
        among = [pair in usual.low for pair in _low(entries, own, rows)]
        flags[entries.ids[rows[np.array(among, np.bool_)]]] = True
    return flags


def _has_duplicates(block: Block, ids: Counts, is_copy: Flags) -> Flags:
    """Return which tokens have an alternative twice; a copy of the sampled token is none."""
    table = block.alternatives
    text = table["token"].combine_chunks().dictionary_encode().indices.to_numpy()
    rows = np.flatnonzero(~is_copy)
    key = ids[rows] * len(ids) + text[rows]
    order = np.lexsort((pc.fill_null(table["token_id"], -1).to_numpy()[rows], key))
    rows, key = rows[order], key[order]
    same = np.flatnonzero(key[1:] == key[:-1])
    left, right = rows[same], rows[same + 1]
    flags = np.zeros(len(block.offsets) - 1, np.bool_)
    flags[ids[left[tokens.is_same_token(table, left, right)]]] = True
    return flags
