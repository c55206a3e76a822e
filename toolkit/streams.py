"""Merge the chunks of streams into responses: column buffers in, column buffers out.

Which chunk belongs to which response is told by `toolkit.assign`; everything that follows (first
and last values, joined texts, the order of tokens) is done on whole columns. Completions take the
same way, each a response of its own, so both kinds come out alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import columns, schema
from toolkit.assign import LATE, Assigner, Chunk
from toolkit.columns import KIND_CHUNK, KIND_WHOLE, Decoded, numpy, offsets, take_runs, valid
from toolkit.strict_json import compact

_TEXTS = ("content", "refusal", "reasoning")
_COUNTS = tuple(f"n_{channel}" for channel in schema.CHANNELS)
_FIRST = ("response_id", "custom_id", "model", "object", "error")
_LAST = ("system_fingerprint", "service_tier")


class Merged(NamedTuple):
    """The responses of one source, sorted by their first record.

    Attributes
    ----------
    bodies : pyarrow.Table
        One row a response, as `columns.BODIES`.
    n_chunks : int64 array
        Records merged into each response; -1 for completions.
    parts : pyarrow.Table
        One row a choice, sorted by response and choice, as `columns.PARTS`.
    part_response : int64 array
        The response of each part.
    tokens : pyarrow.Table
        Sorted by part and channel, then as they came, as `columns.TOKENS`.
    token_chunk : int64 array
        For each token the ordinal of its chunk in its response; -1 for completions.
    alternatives : pyarrow.Table
        In the order of the tokens, as `columns.ALTERNATIVES`.
    rejects : pyarrow.Table
        As `columns.REJECTS`.
    """

    bodies: pa.Table
    n_chunks: np.ndarray
    parts: pa.Table
    part_response: np.ndarray
    tokens: pa.Table
    token_chunk: np.ndarray
    alternatives: pa.Table
    rejects: pa.Table


class _Facts(NamedTuple):
    """What each part does to its choice; boolean arrays."""

    opens: np.ndarray
    payload: np.ndarray
    finishes: np.ndarray


def merge(decoded: Decoded, window: int) -> Merged:
    """Merge all records of one source.

    Parameters
    ----------
    decoded : Decoded
        Everything that was decoded from the source, in order.
    window : int
        A stream without a chunk for this many records is closed.

    Returns
    -------
    Merged
        Its rejects are those of `decoded` and the chunks that came too late.
    """
    facts = _facts(decoded.parts)
    owner, notes = _owners(decoded, facts, window)
    rejects = _with_late(decoded, owner)
    order = np.argsort(owner, kind="stable")
    order = order[np.searchsorted(owner[order], LATE, side="right") :]
    _, response = np.unique(owner[order], return_inverse=True)
    bodies = decoded.bodies.take(pa.array(order))
    n = int(response[-1]) + 1 if len(response) else 0
    is_stream = _any(response, numpy(bodies, "kind") == KIND_CHUNK, n)
    starts = np.searchsorted(response, np.arange(n))
    ordinal = np.where(is_stream[response], np.arange(len(order)) - starts[response], -1)

    n_parts = numpy(bodies, "n_parts")
    part_rows = take_runs(offsets(numpy(decoded.bodies, "n_parts")), order)
    part_body = np.repeat(np.arange(len(order)), n_parts)
    choice = numpy(decoded.parts, "choice")[part_rows]
    by_choice = np.lexsort((choice, response[part_body]))  # stable: arrival order stays
    part_rows, part_body, choice = part_rows[by_choice], part_body[by_choice], choice[by_choice]
    part_response = response[part_body]
    new = np.ones(len(part_rows), bool)
    new[1:] = (np.diff(part_response) != 0) | (np.diff(choice) != 0)
    group = np.cumsum(new) - 1

    parts = _merge_parts(decoded.parts.take(pa.array(part_rows)), group, is_stream[part_response])
    tokens, alternatives, run_part, lengths = _order_tokens(decoded, part_rows, group)
    if is_stream.any():
        payload = _any(part_body, facts.payload[part_rows], len(order))
        several = np.bincount(part_response[new], minlength=n) > 1
        _note_usage(notes, bodies, response, payload, several)
        bodies = _merge_bodies(bodies, response, n, notes)
    else:
        bodies = bodies.take(pa.array(starts))
    n_choices = pa.array(np.bincount(part_response[new], minlength=n).astype(np.int32))
    return Merged(
        bodies=bodies.set_column(columns.BODIES.get_field_index("n_parts"), "n_parts", n_choices),
        n_chunks=np.where(is_stream, np.bincount(response, minlength=n), -1),
        parts=parts,
        part_response=part_response[new],
        tokens=tokens,
        token_chunk=np.repeat(ordinal[part_body][run_part], lengths),
        alternatives=alternatives,
        rejects=rejects,
    )


# Which chunk belongs where


def _facts(parts: pa.Table) -> _Facts:
    payload = np.add.reduce([numpy(parts, name) for name in _COUNTS]) > 0
    for name in (*_TEXTS, "tool_calls"):
        payload |= _truth(pc.greater(pc.binary_length(parts[name]), 0))
    finishes = valid(parts, "finish_reason")
    first_text = _truth(pc.equal(parts["content"], pa.scalar("", schema.TEXT)))
    opens = valid(parts, "role") | (first_text & ~payload & ~finishes)
    return _Facts(opens, payload, finishes)


def _truth(flags: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return a boolean column as NumPy, null as False; writable."""
    return np.array(pc.fill_null(flags, False), dtype=bool)


def _owners(decoded: Decoded, facts: _Facts, window: int) -> tuple[np.ndarray, dict[int, set[str]]]:
    """Return the first record of the response of each body (or LATE), and notes by it."""
    owner = numpy(decoded.bodies, "record").copy()
    rows = np.flatnonzero(numpy(decoded.bodies, "kind") != KIND_WHOLE)
    if not len(rows):
        return owner, {}
    assigner = Assigner(window)
    rejected = decoded.rejects.select(["record", "epoch"]).to_pylist()
    rejected.reverse()
    for row, chunk in zip(rows.tolist(), _chunks(decoded, facts, rows), strict=True):
        while rejected and rejected[-1]["record"] < chunk.record:
            assigner.gap(**rejected.pop())
        owner[row] = assigner.assign(chunk)
    while rejected:
        assigner.gap(**rejected.pop())
    return owner, assigner.notes


def _chunks(decoded: Decoded, facts: _Facts, rows: np.ndarray) -> Iterable[Chunk]:
    """Yield what the assigner needs to know of these bodies."""
    bodies = decoded.bodies.take(pa.array(rows))
    bounds = offsets(numpy(decoded.bodies, "n_parts"))
    choice = numpy(decoded.parts, "choice").tolist()
    deltas = list(zip(choice, *(fact.tolist() for fact in facts), strict=True))
    columns_ = zip(
        numpy(bodies, "record").tolist(),
        numpy(bodies, "epoch").tolist(),
        (numpy(bodies, "kind") == KIND_CHUNK).tolist(),
        bodies["response_id"].to_pylist(),
        numpy(bodies, "has_usage").tolist(),
        bounds[rows].tolist(),
        bounds[rows + 1].tolist(),
        strict=True,
    )
    for record, epoch, is_chunk, id_, has_usage, start, stop in columns_:
        yield Chunk(record, epoch, is_chunk, id_ or "", has_usage, deltas[start:stop])


def _with_late(decoded: Decoded, owner: np.ndarray) -> pa.Table:
    """Return the rejects with a row for each late chunk."""
    late = owner == LATE
    if not late.any():
        return decoded.rejects
    bodies = decoded.bodies.filter(pa.array(late))
    n = bodies.num_rows
    message = "expected no chunk after its stream had closed"
    rows = {name: bodies[name] for name in ("record", "line", "byte_offset", "length", "epoch")}
    rows["reason"] = pa.array(["late_chunk"] * n, pa.string())
    rows["path"] = pa.nulls(n, schema.TEXT)
    rows["message"] = pa.array([message] * n, schema.TEXT)
    late_rows = pa.table(rows).select(columns.REJECTS.names).cast(columns.REJECTS)
    return pa.concat_tables([decoded.rejects, late_rows]).sort_by("record")


# One row a response


def _any(group: np.ndarray, flags: np.ndarray, n: int) -> np.ndarray:
    out = np.zeros(n, bool)
    out[group[flags]] = True
    return out


def _pick(group: np.ndarray, good: np.ndarray, n: int, *, last: bool) -> pa.Array:
    """Return for each group its first (or last) good row; null if it has none."""
    rows = np.flatnonzero(good)
    chosen = np.full(n, -1)
    rows = rows if last else rows[::-1]
    chosen[group[rows]] = rows  # where a group comes again, the last assignment stands
    return pa.array(chosen, mask=chosen < 0)


def _merge_bodies(
    bodies: pa.Table, group: np.ndarray, n: int, notes: dict[int, set[str]]
) -> pa.Table:
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
    return pa.table(merged, schema=columns.BODIES)


def _note_usage(
    notes: dict[int, set[str]],
    bodies: pa.Table,
    group: np.ndarray,
    payload: np.ndarray,
    several: np.ndarray,
) -> None:
    """Note usage that is not the whole response's: sent too early, or for one choice of several."""
    has_usage = numpy(bodies, "has_usage")
    usage = _pick(group, has_usage, len(several), last=True)
    text = _pick(group, payload, len(several), last=True)
    early = _truth(pc.less(usage, text))
    last_usage = pc.fill_null(usage, 0).to_numpy()
    single = several & (numpy(bodies, "n_parts")[last_usage] > 0) & usage.is_valid().to_numpy(False)
    single &= _any(group, numpy(bodies, "kind") == KIND_CHUNK, len(several))
    first = numpy(bodies, "record")[np.searchsorted(group, np.arange(len(several)))]
    for code, flags in (("early_usage", early), ("cumulative_usage", single)):
        for record in first[flags].tolist():
            notes.setdefault(record, set()).add(code)


def _merge_notes(
    bodies: pa.Table, group: np.ndarray, first: list[int], notes: dict[int, set[str]]
) -> pa.Array:
    """Unite the notes of each response's chunks and those that its stream earned."""
    united = [notes.get(record, set()) for record in first]
    noted = np.flatnonzero(_truth(pc.greater(pc.list_value_length(bodies["notes"]), 0)))
    for row, codes in zip(noted, bodies["notes"].take(pa.array(noted)).to_pylist(), strict=True):
        united[group[row]] = united[group[row]] | set(codes)
    return pa.array([sorted(codes) for codes in united], bodies.schema.field("notes").type)


# One row a choice


def _merge_parts(parts: pa.Table, group: np.ndarray, streamed: np.ndarray) -> pa.Table:
    """Merge the deltas of each choice; a completion's choice is one delta."""
    n = int(group[-1]) + 1 if len(group) else 0
    starts = np.searchsorted(group, np.arange(n + 1))
    first = starts[:-1]
    merged: dict[str, Any] = {name: parts[name].take(pa.array(first)) for name in ("choice",)}
    merged["role"] = parts["role"].take(_pick(group, valid(parts, "role"), n, last=False))
    finished = _pick(group, valid(parts, "finish_reason"), n, last=True)
    merged["finish_reason"] = parts["finish_reason"].take(finished)
    for name in _TEXTS:
        merged[name] = _join_texts(parts[name], starts)
    merged["tool_calls"] = _merge_tool_calls(parts["tool_calls"], group, n, streamed)
    state = np.zeros(n, np.int8)
    np.maximum.at(state, group, numpy(parts, "state"))
    merged["state"] = pa.array(state)
    for name in _COUNTS:
        sums = np.bincount(group, weights=numpy(parts, name), minlength=n)
        merged[name] = pa.array(sums.astype(np.int32))
    return pa.table({name: merged[name] for name in columns.PARTS.names}, schema=columns.PARTS)


def _join_texts(texts: pa.ChunkedArray, starts: np.ndarray) -> pa.Array:
    """Join consecutive texts: the same bytes under fewer offsets; null if nothing is there."""
    if len(starts) == 1:
        return pa.array([], schema.TEXT)
    pieces = pc.fill_null(texts, "").combine_chunks()
    _, bounds, data = pieces.buffers()
    every = np.frombuffer(bounds, np.int64)[pieces.offset :]
    joined = pa.Array.from_buffers(
        schema.TEXT, len(starts) - 1, [None, pa.py_buffer(every[starts].copy()), data]
    )
    return pc.if_else(pc.equal(pc.binary_length(joined), 0), pa.scalar(None, schema.TEXT), joined)


def _merge_tool_calls(
    pieces: pa.ChunkedArray, group: np.ndarray, n: int, streamed: np.ndarray
) -> pa.Array:
    merged: list[str | None] = [None] * n
    fragments: dict[int, list[list[dict[str, Any]]]] = {}
    rows = np.flatnonzero(pieces.is_valid().to_numpy())
    for row, text in zip(rows.tolist(), pieces.take(pa.array(rows)).to_pylist(), strict=True):
        calls = json.loads(text)
        if not streamed[row]:  # each entry is a call, whatever its index says
            calls = [call | {"index": i} for i, call in enumerate(calls)]
        fragments.setdefault(int(group[row]), []).extend(calls)
    for i, calls in fragments.items():
        merged[i] = compact(_join_calls(calls))
    return pa.array(merged, schema.TEXT)


def _join_calls(fragments: list[Any]) -> list[dict[str, Any]]:
    """Join fragments of one index; one without an index belongs to the last unless it names one."""
    calls: dict[Any, dict[str, Any]] = {}
    last = None
    for fragment in fragments:
        index = fragment.get("index")
        if not isinstance(index, int | float):
            names_one = fragment.get("id") is not None or last is None
            index = len(calls) if names_one else last
        last = index
        rest = {key: value for key, value in fragment.items() if key != "index"}
        calls[index] = _join_objects(calls.get(index, {}), rest)
    return [calls[index] for index in sorted(calls)]


def _join_objects(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    joined = dict(old)
    for key, value in new.items():
        before = joined.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            joined[key] = _join_objects(before, value)
        elif key in ("arguments", "input") and isinstance(before, str) and isinstance(value, str):
            joined[key] = before + value
        elif before is None:
            joined[key] = value
    return joined


# Tokens


def _order_tokens(
    decoded: Decoded, part_rows: np.ndarray, group: np.ndarray
) -> tuple[pa.Table, pa.Table, np.ndarray, np.ndarray]:
    """Bring tokens and alternatives into the order of the merged parts.

    Returns
    -------
    tokens, alternatives : pyarrow.Table
    run_part : int64 array
        For each run of tokens (a channel of a delta) the place of its part in `part_rows`.
    lengths : int64 array
        Tokens of each run.
    """
    n_channels = len(_COUNTS)
    counts = np.stack([numpy(decoded.parts, name) for name in _COUNTS], axis=1).astype(np.int64)
    runs = (part_rows[:, None] * n_channels + np.arange(n_channels)).ravel()
    order = np.argsort((group[:, None] * n_channels + np.arange(n_channels)).ravel(), kind="stable")
    tokens, alternatives = decoded.tokens, decoded.alternatives
    rows = take_runs(offsets(counts.ravel()), runs[order])
    if len(rows) != tokens.num_rows or np.any(rows[1:] < rows[:-1]):
        bounds = offsets(numpy(tokens, "n_alternatives"))
        alternatives = alternatives.take(pa.array(take_runs(bounds, rows)))
        tokens = tokens.take(pa.array(rows))
    return tokens, alternatives, order // n_channels, counts.ravel()[runs[order]]
