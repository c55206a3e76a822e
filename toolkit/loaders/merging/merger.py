"""Merge the chunks of streams into responses: column buffers in, column buffers out.

`assign`, or `assign_block` for whole blocks at once, finds the response of each chunk; `responses`
merges them. This module keeps the responses that are not over from one batch to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import schema
from toolkit.arrow import numpy, offsets, take, take_runs, truth, valid
from toolkit.loaders import buffers
from toolkit.loaders.buffers import KIND_WHOLE, SCOPE, Decoded
from toolkit.loaders.merging.assign import LATE, Assigner, Chunk
from toolkit.loaders.merging.assign_block import Chunks, assign_orderly
from toolkit.loaders.merging.responses import Merged, unite

_TEXTS = ("content", "refusal", "reasoning")
_COUNTS = tuple(f"n_{channel}" for channel in schema.CHANNELS)


class _Facts(NamedTuple):
    """What each part does to its choice; boolean arrays."""

    opens: np.ndarray
    payload: np.ndarray
    finishes: np.ndarray


class Merger:
    """Merge the records of one source, batch by batch.

    A response is given out in the batch in which it can change no more; until then its records are
    kept back.

    Parameters
    ----------
    window : int
        A stream without a chunk for this many records is closed.
    """

    def __init__(self, window: int) -> None:
        self._assigner = Assigner(window)
        self._held: Decoded | None = None
        self._held_owner = np.empty(0, np.int64)
        self._now = 0  # the last record

    def merge(self, decoded: Decoded, *, is_last: bool, scope: int = 0) -> Merged:
        """Merge the next records.

        Parameters
        ----------
        decoded : Decoded
            The records of the source that follow those given before.
        is_last : bool
            Whether there are no more: nothing is kept back.
        scope : int
            Nothing is kept back of an earlier scope, see `columns.SCOPE`.

        Returns
        -------
        Merged
            Its rejects are those of `decoded` and the chunks that came too late.
        """
        facts = _facts(decoded.parts)
        last = _last_records(decoded)
        owner = self._owners(decoded, facts, last)
        rejects = _with_late(decoded, owner)
        decoded = decoded._replace(members=buffers.MEMBERS.empty_table())
        if self._held is not None:
            decoded = Decoded.concat([self._held, decoded])
            owner = np.concatenate([self._held_owner, owner])
            facts = _facts(decoded.parts)
            self._held = None
        rows = np.flatnonzero(owner != LATE)
        self._now = max(self._now, int(last.max(initial=0)))
        if not is_last:
            self._assigner.begin_scope(scope)
            waits = np.isin(owner, self._assigner.unfinished(self._now))
            rows = np.flatnonzero((owner != LATE) & ~waits)
            if waits.any():
                self._held = _subset(decoded, np.flatnonzero(waits))
                self._held_owner = owner[waits]
        notes = self._assigner.notes
        return unite(decoded, facts.payload, owner, rows, notes)._replace(rejects=rejects)

    def _owners(self, decoded: Decoded, facts: _Facts, last: np.ndarray) -> np.ndarray:
        """Return the first record of the response of each body (or LATE)."""
        owner = numpy(decoded.bodies, "record").copy()
        rejected = list(
            zip(*(numpy(decoded.rejects, n).tolist() for n in ("record", "epoch")), strict=True)
        )
        firsts = [numpy(decoded.bodies, "epoch")[:1].tolist(), [e for _, e in rejected[:1]]]
        self._assigner.begin_scope(min(sum(firsts, []), default=0) // SCOPE)
        rows = np.flatnonzero(numpy(decoded.bodies, "kind") != KIND_WHOLE)
        if len(rows):
            chunks = _chunks(decoded, facts, last, rows)
            found = assign_orderly(self._assigner, chunks, rejected)
            owner[rows] = self._one_by_one(chunks, rejected) if found is None else found
        else:
            for record, epoch in rejected:
                self._assigner.gap(record, epoch)
        return owner

    def _one_by_one(self, chunks: Chunks, rejected: list[tuple[int, int]]) -> list[int]:
        """Assign chunks that do not all behave."""
        rejected = rejected[::-1]
        owner = []
        for chunk in _each(chunks):
            while rejected and rejected[-1][0] < chunk.record:
                self._assigner.gap(*rejected.pop())
            owner.append(self._assigner.assign(chunk))
        while rejected:
            self._assigner.gap(*rejected.pop())
        return owner


def _subset(decoded: Decoded, rows: np.ndarray) -> Decoded:
    """Return some bodies with all that hangs on them; no rejects."""
    part_rows = take_runs(offsets(numpy(decoded.bodies, "n_parts")), rows)
    per_part = np.add.reduce([numpy(decoded.parts, name) for name in _COUNTS])
    token_rows = take_runs(offsets(per_part), part_rows)
    entries = take_runs(offsets(numpy(decoded.tokens, "n_alternatives")), token_rows)
    return Decoded(
        *(
            take(table, taken)
            for table, taken in zip(
                decoded[:4], (rows, part_rows, token_rows, entries), strict=True
            )
        ),
        buffers.REJECTS.empty_table(),
        buffers.MEMBERS.empty_table(),
    )


# Which chunk belongs where


def _facts(parts: pa.Table) -> _Facts:
    payload = np.add.reduce([numpy(parts, name) for name in _COUNTS]) > 0
    for name in (*_TEXTS, "tool_calls"):
        payload |= truth(pc.greater(pc.binary_length(parts[name]), 0))
    finishes = valid(parts, "finish_reason")
    first_text = truth(pc.equal(parts["content"], pa.scalar("", schema.TEXT)))
    opens = valid(parts, "role") | (first_text & ~payload & ~finishes)
    return _Facts(opens, payload, finishes)


def _chunks(decoded: Decoded, facts: _Facts, last: np.ndarray, rows: np.ndarray) -> Chunks:
    """Return what is to be known of these bodies to find their responses."""
    n_parts = numpy(decoded.bodies, "n_parts")
    parts = take_runs(offsets(n_parts), rows)
    ids = decoded.bodies["response_id"].combine_chunks()
    return Chunks(
        record=numpy(decoded.bodies, "record")[rows],
        last=last[rows],
        epoch=numpy(decoded.bodies, "epoch")[rows],
        kind=numpy(decoded.bodies, "kind")[rows],
        has_usage=numpy(decoded.bodies, "has_usage")[rows],
        id=ids if len(rows) == len(ids) else ids.take(pa.array(rows)),
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
    columns_ = zip(
        *(c.tolist() for c in (chunks.record, chunks.last, chunks.epoch)),
        *(c.tolist() for c in (chunks.kind, chunks.has_usage)),
        chunks.id.to_pylist(),
        chunks.bounds[:-1].tolist(),
        chunks.bounds[1:].tolist(),
        strict=True,
    )
    for *places, kind, has_usage, id_, start, stop in columns_:
        yield Chunk(*places, kind, id_ or "", has_usage, deltas[start:stop])


def _last_records(decoded: Decoded) -> np.ndarray:
    """Return the last record of each body."""
    last = numpy(decoded.bodies, "record").copy()
    if decoded.members.num_rows:
        n_more = numpy(decoded.bodies, "n_records") - 1
        ends = np.cumsum(n_more)[n_more > 0] - 1
        last[n_more > 0] = numpy(decoded.members, "record")[ends]
    return last


def _with_late(decoded: Decoded, owner: np.ndarray) -> pa.Table:
    """Return the rejects with a row for each late chunk."""
    late = np.flatnonzero(owner == LATE)
    if not len(late):
        return decoded.rejects
    n_more = numpy(decoded.bodies, "n_records")[late] - 1
    bounds = offsets(numpy(decoded.bodies, "n_records") - 1)
    bodies = decoded.bodies.select([*buffers.MEMBERS.names, "epoch"]).take(pa.array(late))
    members = take(decoded.members, take_runs(bounds, late))
    epoch = np.repeat(numpy(bodies, "epoch"), n_more)
    places = pa.concat_tables([bodies, members.append_column("epoch", pa.array(epoch))])
    n = places.num_rows
    message = "expected no chunk after its stream had closed"
    rows = {name: places[name] for name in places.column_names}
    rows["reason"] = pa.array(["late_chunk"] * n, pa.string())
    rows["path"] = pa.nulls(n, schema.TEXT)
    rows["message"] = pa.array([message] * n, schema.TEXT)
    late_rows = pa.table(rows).select(buffers.REJECTS.names).cast(buffers.REJECTS)
    return pa.concat_tables([decoded.rejects, late_rows]).sort_by("record")
