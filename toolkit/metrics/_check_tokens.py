"""Find oddities of tokens and of their lists of alternatives, for `check`."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import arrow, schema
from toolkit.metrics import tokens
from toolkit.metrics._arrays.logprobs import decimals
from toolkit.metrics._arrays.segments import segment_count, segment_min
from toolkit.metrics._arrays.types import Array, Counts, Flags
from toolkit.metrics._blocks import Block, over_blocks
from toolkit.metrics._findings import Finding, Origins, Tally
from toolkit.tables import LogprobTables

_CLAMP, _CLAMPED = -10.0, 5  # a clamp: a round least logprob at or below it, that many times
_FEW = 20  # tokens; below this number, decimals say nothing about a server
_SENTINEL, _REPEATED = -100.0, 2  # nats: a whole number at or below it, that many times
_SAME = 0.01  # nats, and share: more is not a rounding of one of two logprobs
_DECIMALS = 3  # of logprobs of low precision, at most


class _Habits(NamedTuple):
    """Properties of the lists and logprobs, by token and by group."""

    n_entries: Counts  # by token: usable alternatives
    k: Counts  # by token: the usual length of the lists of its group and source
    least: Array  # by group: the least usable logprob
    greatest: Array  # by group: the greatest absolute logprob
    decimals: Counts  # by group: the most decimals of a logprob
    n_ok: Counts  # by group: tokens of status ok
    sentinels: frozenset[tuple[int, float]]  # group and logprob: repeated whole numbers


def _habits(lp: LogprobTables, owners: Counts, n: int) -> _Habits:
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
        np.minimum.at(greatest, own[is_ok], 0.0)
        np.maximum.at(greatest, own[is_ok], np.abs(logprob[is_ok]))
        n_ok += np.bincount(own[is_ok], minlength=n)
        unlisted = np.flatnonzero(is_ok & np.isnan(entries.listed) & _is_low(logprob))
        listed = np.flatnonzero(entries.usable & _is_low(entries.logprob))
        low.update(zip(own[unlisted].tolist(), logprob[unlisted].tolist(), strict=True))
        low.update(_low(entries, own, listed))
    k = _usual(lp, owners, n_entries)
    sentinels = frozenset(pair for pair, count in low.items() if count >= _REPEATED)
    return _Habits(n_entries, k, least, greatest, written, n_ok, sentinels)


def _is_low(logprob: Array) -> Flags:
    """Return which logprobs are whole numbers so low that no model is likely to give one."""
    return (logprob <= _SENTINEL) & (logprob == np.round(logprob))


def _low(entries: tokens.Entries, own: Counts, rows: Counts) -> list[tuple[int, float]]:
    """Return the group and the logprob of some entries."""
    groups = own[entries.ids[rows]].tolist()
    return list(zip(groups, entries.logprob[rows].tolist(), strict=True))


def _usual(lp: LogprobTables, owners: Counts, n_entries: Counts) -> Counts:
    """Return for each token the most frequent length of lists of its group and source."""
    source = lp.tokens["response_key"].to_numpy() >> 32
    of, place = np.unique((owners << 32) + source, return_inverse=True)
    listed = n_entries > 0
    pairs, counts = np.unique(
        (place[listed].astype(np.int64) << 32) + n_entries[listed], return_counts=True
    )
    k = np.zeros(len(of), np.int64)
    order = np.argsort(counts, kind="stable")  # the most frequent length is written last
    k[pairs[order] >> 32] = pairs[order] & 0xFFFFFFFF
    return k[place]


def of_tokens(lp: LogprobTables, groups: Origins) -> list[Finding]:
    owners, n = groups.at(lp, lp.tokens), len(groups.names)
    tally = Tally(groups, "tokens", lp.tokens, owners)
    habits = _habits(lp, owners, n)
    n_least = np.zeros(n, np.int64)
    for block, (flags, at_least) in over_blocks(
        lambda block: _flags(block, owners[block.rows], habits), lp
    ):
        own = owners[block.rows]
        for code, values in flags.items():
            tally.add(code, values, block.rows.start)
        n_least += np.bincount(own, at_least, minlength=n).astype(np.int64)
    is_round = (habits.least == np.round(habits.least)) & (habits.least <= _CLAMP)
    is_clamp = is_round & (n_least >= _CLAMPED)
    is_zero = (habits.n_ok >= 2) & (habits.greatest == 0.0)
    is_coarse = (habits.n_ok >= _FEW) & (habits.decimals <= _DECIMALS) & ~is_zero
    found = [
        row
        for row in tally.findings()
        if row.code != "clamped" or is_clamp[groups.names.index((row.model, row.format))]
    ]
    for code, wanted in (("all_zero", is_zero), ("low_precision", is_coarse)):
        for group in np.flatnonzero(wanted).tolist():
            count = int(habits.n_ok[group])
            found.append(Finding(code, "tokens", count, count, *groups.names[group]))
    models = [model for model, _ in groups.names if model is not None]
    formats = [format_ for _, format_ in groups.names]
    for code, kinds, of, count in (
        ("mixed_models", models, "responses", len(lp)),
        ("mixed_formats", formats, "responses", len(lp)),
        ("mixed_k", habits.k[habits.k > 0].tolist(), "tokens", lp.tokens.num_rows),
    ):
        if len(set(kinds)) > 1:
            found.append(Finding(code, of, count, count))
    return found


def _flags(block: Block, own: Counts, habits: _Habits) -> tuple[dict[str, Flags], Counts]:
    """Return the flags of each token of a block, and how often it has the least logprob."""
    table, offsets = block.tokens, block.offsets
    entries = tokens.entries(block.alternatives, block.offsets)
    status = arrow.codes(table["status"], schema.STATUSES)
    codes = {name: status == code for code, name in enumerate(schema.STATUSES)}
    least = habits.least[own]
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
        "sentinel_logprobs": _has_sentinel(entries, own, logprob, habits),
        "clamped": at_least > 0,
        "replacement_characters": no_bytes & broken,
        "missing_bytes": no_bytes,
        **_list_flags(block, entries, codes["invalid"], habits),
    }, at_least


def _begins_prompt(table: pa.Table) -> Flags:
    """Return which tokens are the first of a prompt, for which no model gives a logprob."""
    is_prompt = arrow.codes(table["channel"], schema.CHANNELS) == schema.CHANNELS.index("prompt")
    return is_prompt & (table["position"].to_numpy() == 0)


def _list_flags(
    block: Block, entries: tokens.Entries, is_invalid: Flags, habits: _Habits
) -> dict[str, Flags]:
    """Return the flags of the list of each token of a block."""
    offsets = block.offsets
    n_entries, k = habits.n_entries[block.rows], habits.k[block.rows]
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


def _has_sentinel(entries: tokens.Entries, own: Counts, logprob: Array, habits: _Habits) -> Flags:
    """Return which tokens, or entries of their lists, have a logprob that is a sentinel."""
    flags = np.zeros(len(own), np.bool_)
    if habits.sentinels:
        rows = np.flatnonzero(_is_low(logprob))
        pairs = zip(own[rows].tolist(), logprob[rows].tolist(), strict=True)
        flags[rows] = [pair in habits.sentinels for pair in pairs]
        rows = np.flatnonzero(entries.usable & _is_low(entries.logprob))
        among = [pair in habits.sentinels for pair in _low(entries, own, rows)]
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
