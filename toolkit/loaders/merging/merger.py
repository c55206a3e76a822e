"""Merge the chunks of streams into responses: column buffers in, column buffers out.

`Merger` goes through the batches in order: `assign_block`, or `assign` chunk by chunk, finds the
response of each chunk, and the records of unfinished responses are held for the next batch. What is
settled is merged by `responses`, for each batch alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import schema
from toolkit.arrow import numpy, offsets, order_by, take, take_runs, text_lengths, valid
from toolkit.loaders import buffers
from toolkit.loaders.buffers import KIND_WHOLE, Decoded, Flags, Ints
from toolkit.loaders.merging.assign import LATE, Assigner
from toolkit.loaders.merging.assign_block import Chunks, assign_block
from toolkit.loaders.merging.responses import Merged, merge_responses
from toolkit.loaders.merging.streams import Chunk, Rejected

LATE_CHUNK = "late_chunk"
"""The reason of the rejects that the merger adds."""


class _Facts(NamedTuple):
    """What each part does to its choice; see `toolkit.loaders.merging.streams.Delta`."""

    opens: Flags
    payload: Flags
    finishes: Flags


class Settled(NamedTuple):
    """Records whose responses are decided and complete; `merge` needs nothing else.

    Attributes
    ----------
    decoded : Decoded
    owner : int64 array
        For each body the first record of its response, or `LATE`.
    rows : int64 array
        The bodies to merge.
    notes : dict of int to set of str
        Codes of notes about these responses, by their first record.
    rejects : pyarrow.Table
        As `buffers.REJECTS`; with the chunks that came too late.
    """

    decoded: Decoded
    owner: Ints
    rows: Ints
    notes: dict[int, set[str]]
    rejects: pa.Table


def merge(settled: Settled) -> Merged:
    """Merge settled records into responses, on any thread."""
    decoded, owner, rows, notes, rejects = settled
    return merge_responses(decoded, owner, rows, notes)._replace(rejects=rejects)


class Merger:
    """Settle which records make which response, batch by batch.

    A response is settled with the batch after which it cannot change any more; its records are held
    until then.

    Parameters
    ----------
    window : int
        A stream without a chunk for this many records is closed.
    """

    def __init__(self, window: int) -> None:
        self._assigner = Assigner(window)
        self._held: Decoded | None = None
        self._held_owner = np.empty(0, np.int64)
        self._newest = 0  # the last record so far

    def settle(self, decoded: Decoded, *, is_last: bool, scope: int = 0) -> Settled:
        """Decide the responses of the next records.

        Parameters
        ----------
        decoded : Decoded
            The records that follow those of the call before.
        is_last : bool
            Whether their last source has ended, so that nothing is held.
        scope : int
            The scope in which that source began; nothing is held of earlier scopes.

        Returns
        -------
        Settled
            Of the records that were held before and of these, those whose response is complete.
        """
        last = _last_records(decoded)
        owner = self._owners(decoded, last)
        rejects = _with_late(decoded, owner)
        decoded = decoded._replace(members=buffers.nothing().members)
        if self._held is not None:
            decoded = Decoded.concat([self._held, decoded])
            owner = np.concatenate([self._held_owner, owner])
            self._held = None
        rows = np.flatnonzero(owner != LATE)
        self._newest = max(self._newest, int(last.max(initial=0)))
        if not is_last:
            self._assigner.begin_scope(scope)
            is_held = np.isin(owner, self._assigner.unfinished(self._newest))
            rows = np.flatnonzero((owner != LATE) & ~is_held)
            if is_held.any():
                self._held = decoded.take(np.flatnonzero(is_held))
                self._held_owner = owner[is_held]
        return Settled(decoded, owner, rows, self._notes(owner[rows]), rejects)

    def _notes(self, owner: Ints) -> dict[int, set[str]]:
        """Return, and forget, the notes about some responses."""
        notes = self._assigner.notes
        if not notes:
            return {}
        noted = np.array(list(notes), np.int64)
        return {record: notes.pop(record) for record in noted[np.isin(noted, owner)].tolist()}

    def _owners(self, decoded: Decoded, last: Ints) -> Ints:
        """Return the first record of the response of each body (or LATE)."""
        owner = numpy(decoded.bodies, "record").copy()
        rejected = _rejected(decoded.rejected)
        scopes = np.unique(numpy(decoded.bodies, "scope"))[:1].tolist()
        scopes += [each.scope for each in rejected[:1]]
        self._assigner.begin_scope(min(scopes, default=0))
        rows = np.flatnonzero(numpy(decoded.bodies, "kind") != KIND_WHOLE)
        if len(rows):
            rows = rows[order_by(owner[rows])]
            chunks = _chunks(decoded, last, rows)
            found = assign_block(self._assigner, chunks, rejected)
            owner[rows] = self._one_by_one(chunks, rejected) if found is None else found
        else:
            for each in rejected:
                self._assigner.gap(each)
        return owner

    def _one_by_one(self, chunks: Chunks, rejected: list[Rejected]) -> list[int]:
        """Assign chunks that `assign_block` does not assign."""
        rejected = rejected[::-1]
        owner = []
        for chunk in _each(chunks):
            while rejected and rejected[-1].record < chunk.record:
                self._assigner.gap(rejected.pop())
            owner.append(self._assigner.assign(chunk))
        while rejected:
            self._assigner.gap(rejected.pop())
        return owner


# The properties of chunks that decide their responses


def _rejected(runs: pa.Table) -> list[Rejected]:
    """Return the first and the last record of each run; those between them change nothing more."""
    rows = zip(*(numpy(runs, name).tolist() for name in buffers.REJECTED.names), strict=True)
    return [
        Rejected(each, scope, done)
        for record, n, scope, done in rows
        for each in sorted({record, record + n - 1})
    ]


def _facts(parts: pa.Table) -> _Facts:
    payload = buffers.brings(parts)
    finishes = valid(parts, "finish_reason")
    first_text = valid(parts, "content") & (text_lengths(parts["content"]) == 0)
    opens = valid(parts, "role") | (first_text & ~payload & ~finishes)
    return _Facts(opens, payload, finishes)


def _chunks(decoded: Decoded, last: Ints, rows: Ints) -> Chunks:
    """Return the properties of these bodies that decide their responses."""
    facts = _facts(decoded.parts)
    n_parts = numpy(decoded.bodies, "n_parts")
    parts = take_runs(offsets(n_parts), rows)
    bodies = decoded.bodies.select(["response_id", "custom_id", "item", "item_id"])
    bodies = take(bodies, rows)
    ids, custom_ids, items, item_ids = (column.combine_chunks() for column in bodies.columns)
    return Chunks(
        record=numpy(decoded.bodies, "record")[rows],
        last=last[rows],
        scope=numpy(decoded.bodies, "scope")[rows],
        done=numpy(decoded.bodies, "done")[rows],
        kind=numpy(decoded.bodies, "kind")[rows],
        has_usage=numpy(decoded.bodies, "has_usage")[rows],
        id=ids,
        custom_id=custom_ids,
        item=pc.fill_null(items, 0).to_numpy(),
        item_id=item_ids,
        bounds=offsets(n_parts[rows]),
        choice=numpy(decoded.parts, "choice")[parts].astype(np.int64),
        opens=facts.opens[parts],
        payload=facts.payload[parts],
        finishes=facts.finishes[parts],
    )


def _each(chunks: Chunks) -> Iterator[Chunk]:
    """Yield the chunks one by one."""
    facts = (chunks.choice, chunks.opens, chunks.payload, chunks.finishes)
    deltas = list(zip(*(fact.tolist() for fact in facts), strict=True))
    columns = (chunks.record, chunks.last, chunks.scope, chunks.done, chunks.kind)
    rows = zip(
        *(column.tolist() for column in columns),
        chunks.id.to_pylist(),
        chunks.custom_id.to_pylist(),
        chunks.has_usage.tolist(),
        chunks.item.tolist(),
        chunks.item_id.to_pylist(),
        chunks.bounds[:-1].tolist(),
        chunks.bounds[1:].tolist(),
        strict=True,
    )
    for record, last, scope, done, kind, id_, custom_id, has_usage, item, item_id, *bounds in rows:
        place, own = (record, last, scope, done, kind), deltas[slice(*bounds)]
        about = (custom_id or "", item, item_id or "")
        yield Chunk(*place, id_ or "", has_usage, own, *about)


def _last_records(decoded: Decoded) -> Ints:
    """Return the last record of each body, which differs from its first if chunks were joined."""
    last = numpy(decoded.bodies, "record").copy()
    if decoded.members.num_rows:
        n_more = numpy(decoded.bodies, "n_records") - 1
        ends = np.cumsum(n_more)[n_more > 0] - 1
        last[n_more > 0] = numpy(decoded.members, "record")[ends]
    return last


def _with_late(decoded: Decoded, owner: Ints) -> pa.Table:
    """Return the rejects with a row for each record of a late chunk."""
    late = np.flatnonzero(owner == LATE)
    if not len(late):
        return decoded.rejects
    bounds = offsets(numpy(decoded.bodies, "n_records") - 1)
    bodies = decoded.bodies.select(buffers.MEMBERS.names).take(pa.array(late))
    places = pa.concat_tables([bodies, take(decoded.members, take_runs(bounds, late))])
    n = places.num_rows
    message = "expected no chunk after its stream had closed"
    rows = {name: places[name] for name in places.column_names}
    rows["reason"] = pa.array([LATE_CHUNK] * n, pa.string())
    rows["path"] = pa.nulls(n, schema.TEXT)
    rows["message"] = pa.array([message] * n, schema.TEXT)
    late_rows = pa.table(rows).select(buffers.REJECTS.names).cast(buffers.REJECTS)
    return pa.concat_tables([decoded.rejects, late_rows]).sort_by("record")
