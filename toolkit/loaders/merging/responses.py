"""Merge the records of each response: column buffers in, column buffers out.

The response of each record is already decided. This module computes the fields of each response
(first and last values, joined texts, the order of the tokens) with operations on whole columns. A
whole response takes the same way as a stream, as the only record of its response.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import schema
from toolkit.arrow import (
    joined_texts,
    null_where,
    numpy,
    offsets,
    order_by,
    take,
    take_runs,
    truth,
    valid,
)
from toolkit.loaders import buffers
from toolkit.loaders.buffers import (
    KIND_CHUNK,
    KIND_COPY,
    KIND_FINAL_COPY,
    PART_COUNTS,
    PART_TEXTS,
    Decoded,
    Flags,
    Ints,
)
from toolkit.loaders.merging.cumulative import Evidence, Runs, without_repeats
from toolkit.loaders.merging.final_copies import without_copies
from toolkit.loaders.merging.tool_calls import merge_tool_calls

_FIRST = ("response_id", "custom_id", "model", "object", "error", "kept")  # the first, not null
_JOINED = "openai_chat"  # format whose chunks may be joined before they are merged
_IS_CHUNK = np.isin(np.arange(6), (KIND_CHUNK, KIND_FINAL_COPY, KIND_COPY))  # by kind
_LAST = ("system_fingerprint", "service_tier")  # the last that is not null


class Merged(NamedTuple):
    """Responses, sorted by their first record.

    Attributes
    ----------
    bodies : pyarrow.Table
        One row for each response, as `buffers.BODIES`.
    n_chunks : int64 array
        Number of records that were merged into each response; -1 for whole responses.
    parts : pyarrow.Table
        One row for each choice, sorted by response and choice, as `buffers.PARTS`.
    part_response : int64 array
        The response of each part.
    tokens : pyarrow.Table
        Sorted by part and channel, then as they came, as `buffers.TOKENS`.
    token_chunk : pyarrow.Array of int32
        For each token the ordinal of its chunk in its response; null for whole responses.
    alternatives : pyarrow.Table
        In the order of the tokens, as `buffers.ALTERNATIVES`.
    rejects : pyarrow.Table
        As `buffers.REJECTS`.
    """

    bodies: pa.Table
    n_chunks: Ints
    parts: pa.Table
    part_response: Ints
    tokens: pa.Table
    token_chunk: pa.Array
    alternatives: pa.Table
    rejects: pa.Table


def merge_responses(
    decoded: Decoded, owner: Ints, rows: Ints, notes: dict[int, set[str]]
) -> Merged:
    """Merge some of the bodies into responses.

    Parameters
    ----------
    decoded : Decoded
    owner : int64 array
        For each body the first record of its response.
    rows : int64 array
        The bodies to merge.
    notes : dict of int to set of str
        Codes of notes about responses, by their first record; those that are used are removed.

    Returns
    -------
    Merged
        With the rejects of `decoded`.
    """
    if np.any(numpy(decoded.bodies, "kind") >= KIND_FINAL_COPY):
        by_record = order_by(numpy(decoded.bodies, "record"))
        rows, owner = np.flatnonzero(np.isin(by_record, rows)), owner[by_record]
        decoded = without_copies(decoded.take(by_record), owner)
    order = _by_response(decoded, owner, rows)
    is_first = _changes(owner[order])
    response = np.cumsum(is_first) - 1
    starts = np.flatnonzero(is_first)
    n = len(starts)
    bodies = take(decoded.bodies, order)
    is_stream = _any(response, _IS_CHUNK[numpy(bodies, "kind")], n)
    records = offsets(numpy(bodies, "n_records"))
    chunk = np.where(is_stream[response], records[:-1] - records[starts][response], -1)

    n_parts = numpy(bodies, "n_parts")
    part_rows = take_runs(offsets(numpy(decoded.bodies, "n_parts")), order)
    part_body = np.repeat(np.arange(len(order)), n_parts)
    choice = numpy(decoded.parts, "choice")[part_rows]
    by_choice = order_by(response[part_body], choice)  # stable: arrival order stays
    part_rows, part_body, choice = part_rows[by_choice], part_body[by_choice], choice[by_choice]
    part_response = response[part_body]
    new = _changes(part_response, choice)
    group = np.cumsum(new) - 1

    pieces = take(decoded.parts, part_rows)
    parts = _merge_parts(pieces, group, is_stream[part_response])
    runs = _order_tokens(decoded, part_rows, group, chunk[part_body])
    of = part_response[new]
    if is_stream.any():
        known = _Known(bodies, response, pieces, group, part_body, of)
        runs, parts, repeated = without_repeats(runs, parts, known)
        for record in numpy(bodies, "record")[starts[of[repeated]]].tolist():
            notes.setdefault(record, set()).add("cumulative_logprobs")
        brings = _any(part_body, buffers.brings(pieces), len(order))
        several = np.bincount(of, minlength=n) > 1
        _note_usage(notes, bodies, response, brings, several)
        bodies = _merge_bodies(bodies, response, n, notes)
    else:
        bodies = take(bodies, starts)
    n_choices = pa.array(np.bincount(of, minlength=n).astype(np.int32))
    return Merged(
        bodies=bodies.set_column(buffers.BODIES.get_field_index("n_parts"), "n_parts", n_choices),
        n_chunks=np.where(is_stream, np.diff(records[np.append(starts, len(order))]), -1),
        parts=parts,
        part_response=of,
        tokens=runs.tokens,
        token_chunk=_token_chunk(runs.chunk),
        alternatives=runs.alternatives,
        rejects=decoded.rejects,
    )


def _by_response(decoded: Decoded, owner: Ints, rows: Ints) -> Ints:
    """Sort bodies by their response, then by their record."""
    rows = rows[order_by(numpy(decoded.bodies, "record")[rows])]
    return rows[order_by(owner[rows])]


def _changes(*keys: Ints) -> Flags:
    """Return the rows, sorted by some keys, at which one of them differs from the row before."""
    changes = np.ones(len(keys[0]), bool)
    changes[1:] = np.logical_or.reduce([np.diff(key) != 0 for key in keys])
    return changes


# One row for each response


def _any(group: Ints, flags: Flags, n: int) -> Flags:
    out = np.zeros(n, bool)
    out[group[flags]] = True
    return out


def _pick(group: Ints, good: Flags, n: int, *, last: bool) -> pa.Array:
    """Return for each group its first (or last) good row; null if it has none."""
    rows = np.flatnonzero(good)
    chosen = np.full(n, -1)
    rows = rows if last else rows[::-1]
    chosen[group[rows]] = rows  # of several rows of a group, the last assignment remains
    return pa.array(chosen, mask=chosen < 0)


def _merge_bodies(bodies: pa.Table, group: Ints, n: int, notes: dict[int, set[str]]) -> pa.Table:
    first = _pick(group, np.ones(len(group), bool), n, last=False)
    merged = {name: bodies[name].take(first) for name in bodies.column_names}
    for name in _FIRST:
        merged[name] = bodies[name].take(_pick(group, valid(bodies, name), n, last=False))
    since = pc.fill_null(bodies["created"], 0).to_numpy()
    created = bodies["created"].take(_pick(group, since > 0, n, last=False))
    merged["created"] = pc.coalesce(created, merged["created"])  # Azure's first chunk says 0
    for name in _LAST:
        merged[name] = bodies[name].take(_pick(group, valid(bodies, name), n, last=True))
    usage = _pick(group, numpy(bodies, "has_usage"), n, last=True)
    for column in schema.USAGE_COLUMNS:
        merged[column.name] = bodies[column.name].take(usage)
    merged["notes"] = _merge_notes(bodies, group, merged["record"].to_pylist(), notes)
    return pa.table(merged, schema=buffers.BODIES)


def _note_usage(
    notes: dict[int, set[str]],
    bodies: pa.Table,
    group: Ints,
    payload: Flags,
    several: Flags,
) -> None:
    """Note usage that is not the whole response's: sent too early, or for one choice of several."""
    has_usage = numpy(bodies, "has_usage")
    usage = _pick(group, has_usage, len(several), last=True)
    text = _pick(group, payload, len(several), last=True)
    early = truth(pc.less(usage, text))
    last_usage = pc.fill_null(usage, 0).to_numpy()
    single = several & (numpy(bodies, "n_parts")[last_usage] > 0) & usage.is_valid().to_numpy(False)
    single &= _any(group, numpy(bodies, "kind") == KIND_CHUNK, len(several))
    first = numpy(bodies, "record")[np.searchsorted(group, np.arange(len(several)))]
    again = np.zeros(len(several), bool)
    again[group[_usage_changes(bodies, group)]] = True
    codes = (("early_usage", early), ("cumulative_usage", single), ("late_usage", again))
    for code, flags in codes:
        for record in first[flags].tolist():
            notes.setdefault(record, set()).add(code)


def _usage_changes(bodies: pa.Table, group: Ints) -> Ints:
    """Return the chunks of nothing but usage that differ from such a chunk just before them."""
    is_bare = numpy(bodies, "has_usage") & (numpy(bodies, "n_parts") == 0)
    rows = np.flatnonzero(is_bare[1:] & is_bare[:-1] & (group[1:] == group[:-1])) + 1
    if not len(rows):
        return rows
    names = [column.name for column in schema.USAGE_COLUMNS]
    one, other = (take(bodies.select(names), at).to_pylist() for at in (rows - 1, rows))
    return rows[[a != b for a, b in zip(one, other, strict=True)]]


def _merge_notes(
    bodies: pa.Table, group: Ints, first: list[int], notes: dict[int, set[str]]
) -> pa.Array:
    """Return the notes of each response: those of its chunks and those about its stream."""
    merged = [notes.pop(record, set()) for record in first]
    noted = np.flatnonzero(truth(pc.greater(pc.list_value_length(bodies["notes"]), 0)))
    for row, codes in zip(noted, bodies["notes"].take(pa.array(noted)).to_pylist(), strict=True):
        merged[group[row]] = merged[group[row]] | set(codes)
    return pa.array([sorted(codes) for codes in merged], bodies.schema.field("notes").type)


# One row for each choice


def _merge_parts(parts: pa.Table, group: Ints, is_stream: Flags) -> pa.Table:
    """Merge the deltas of each choice; the choice of a whole response is one delta."""
    n = int(group[-1]) + 1 if len(group) else 0
    merged = dict(zip(parts.column_names, parts.columns, strict=True))
    if n < parts.num_rows:
        merged |= _merge_deltas(parts, group, n)
    for name in PART_TEXTS:
        merged[name] = null_where(pc.equal(pc.binary_length(merged[name]), 0), merged[name])
    merged["tool_calls"] = merge_tool_calls(parts["tool_calls"], group, n, is_stream)
    return pa.table(merged, schema=buffers.PARTS)


def _merge_deltas(parts: pa.Table, group: Ints, n: int) -> dict[str, Any]:
    """Return the columns of merged parts, but for the tool calls."""
    starts = np.searchsorted(group, np.arange(n + 1))
    merged: dict[str, Any] = {"choice": parts["choice"].take(pa.array(starts[:-1]))}
    merged["role"] = parts["role"].take(_pick(group, valid(parts, "role"), n, last=False))
    finished = _pick(group, valid(parts, "finish_reason"), n, last=True)
    merged["finish_reason"] = parts["finish_reason"].take(finished)
    for name in PART_TEXTS:  # joining them keeps the bytes and drops offsets
        merged[name] = joined_texts(pc.fill_null(parts[name], ""), starts)
    state = np.zeros(n, np.int8)
    np.maximum.at(state, group, numpy(parts, "state"))
    merged["state"] = pa.array(state)
    for name in PART_COUNTS:
        sums = np.bincount(group, weights=numpy(parts, name), minlength=n)
        merged[name] = pa.array(sums.astype(np.int32))
    return merged


# Tokens


class _Known:
    """What is known of the tokens of a merged part besides themselves."""

    def __init__(
        self, bodies: pa.Table, response: Ints, pieces: pa.Table, group: Ints, body: Ints, of: Ints
    ) -> None:
        self._bodies, self._response = bodies, response
        self._pieces, self._group, self._body = pieces, group, body
        self._of = of  # the response of each merged part

    def __call__(self, part: int, channel: str) -> Evidence:
        first, last = np.searchsorted(self._group, [part, part + 1]).tolist()
        if channel not in PART_TEXTS:
            return Evidence(None, [], None)
        sent = self._pieces[channel].slice(first, last - first).to_pylist()
        texts = [text for text in sent if text]
        text = "".join(texts)
        if self._bodies["format"][int(self._body[first])].as_py() == _JOINED:
            texts = []
        at, end = np.searchsorted(self._of, [self._of[part], self._of[part] + 1]).tolist()
        return Evidence(text, texts, self._n_tokens(int(self._of[part])) if end - at == 1 else None)

    def _n_tokens(self, response: int) -> int | None:
        """Return the last count of tokens that the usage of a response has."""
        first, last = np.searchsorted(self._response, [response, response + 1]).tolist()
        counts = self._bodies["completion_tokens"].slice(first, last - first).drop_null()
        return counts[-1].as_py() if len(counts) else None


def _token_chunk(chunk: Ints) -> pa.Array:
    if np.all(chunk < 0):
        return pa.nulls(len(chunk), pa.int32())
    return pa.array(chunk.astype(np.int32), mask=chunk < 0)


def _order_tokens(decoded: Decoded, part_rows: Ints, group: Ints, chunk: Ints) -> Runs:
    """Bring tokens and alternatives into the order of the merged parts.

    Parameters
    ----------
    decoded : Decoded
    part_rows : int64 array
        The parts, sorted by group.
    group, chunk : int64 array
        For each of them its merged part, and the ordinal of its chunk (-1: whole).
    """
    n_channels = len(PART_COUNTS)
    counts = np.stack([numpy(decoded.parts, name) for name in PART_COUNTS], axis=1).astype(np.int64)
    runs = (part_rows[:, None] * n_channels + np.arange(n_channels)).ravel()
    order = np.argsort((group[:, None] * n_channels + np.arange(n_channels)).ravel(), kind="stable")
    runs, lengths = runs[order], counts.ravel()[runs[order]]
    tokens, alternatives = decoded.tokens, decoded.alternatives
    sent = runs[lengths > 0]
    if int(lengths.sum()) != tokens.num_rows or np.any(sent[1:] < sent[:-1]):
        rows = take_runs(offsets(counts.ravel()), runs)
        bounds = offsets(numpy(tokens, "n_alternatives"))
        alternatives = take(alternatives, take_runs(bounds, rows))
        tokens = take(tokens, rows)
    token_chunk = np.full(tokens.num_rows, -1)
    if np.any(chunk >= 0):
        token_chunk = np.repeat(chunk[order // n_channels], lengths)
        token_chunk += np.where(token_chunk < 0, 0, numpy(tokens, "chunk"))
    part_and_channel = group[order // n_channels] * n_channels + order % n_channels
    return Runs(tokens, alternatives, part_and_channel, lengths, token_chunk)
