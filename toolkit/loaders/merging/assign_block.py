"""Which chunk belongs to which response, for a whole block of chunks at a time.

Most streams behave: every chunk has the id of its response, nothing comes after the end, and a
``[DONE]`` follows a response that is finished. Then the id alone says where a chunk belongs. This
is checked on whole columns; where anything else is found, nothing is assigned, and
`toolkit.loaders.merging.assign` goes chunk by chunk. Both give the same owners, notes and state.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from toolkit.loaders.buffers import KIND_CHUNK, SCOPE
from toolkit.loaders.merging.assign import Assigner, Stream

_NEVER = np.iinfo(np.int64).max


class Chunks(NamedTuple):
    """Chunks and errors in mid-stream, in the order of their records, as columns.

    Attributes
    ----------
    record, last, epoch : int64 array, shape (n,)
        As in `toolkit.loaders.merging.assign.Chunk`.
    kind : int8 array, shape (n,)
        As in `toolkit.loaders.merging.assign.Chunk`.
    has_usage : bool array, shape (n,)
    id : pyarrow.Array of strings, length n
        Null for none.
    bounds : int64 array, shape (n + 1,)
        Chunk ``i`` has the deltas ``bounds[i]`` to ``bounds[i + 1] - 1``.
    choice : int64 array, shape (n_deltas,)
    opens, payload, finishes : bool array, shape (n_deltas,)
        As in `toolkit.loaders.merging.assign.Chunk`.
    """

    record: np.ndarray
    last: np.ndarray
    epoch: np.ndarray
    kind: np.ndarray
    has_usage: np.ndarray
    id: pa.Array
    bounds: np.ndarray
    choice: np.ndarray
    opens: np.ndarray
    payload: np.ndarray
    finishes: np.ndarray


class _Groups(NamedTuple):
    """Chunks by their ids; the arrays have an element for each id, but for the first two."""

    of: np.ndarray  # of each chunk
    order: np.ndarray  # chunks by group, then as they came
    starts: np.ndarray  # of the groups in `order`, and the end
    streams: list[Stream | None]  # those that are open already
    last: np.ndarray  # the last chunk
    complete: np.ndarray  # all choices finished at the end
    closed_by_usage: np.ndarray


def assign_orderly(
    assigner: Assigner, chunks: Chunks, rejected: list[tuple[int, int]]
) -> np.ndarray | None:
    """Assign the chunks of a block, if all of them behave.

    Parameters
    ----------
    assigner : Assigner
        What came before; moved on if the block behaves, else left as it is.
    chunks : Chunks
    rejected : list of (int, int)
        Record and epoch of the rejected records in between.

    Returns
    -------
    int64 array or None
        The first record of the response of each chunk; None if something does not behave.
    """
    n = len(chunks.record)
    if not n or np.any(chunks.kind != KIND_CHUNK) or chunks.id.null_count:
        return None
    ends = [chunks.epoch[-1], *(epoch for _, epoch in rejected)]
    if max(ends) // SCOPE > assigner.epoch // SCOPE or any(
        not s.id for s in assigner.open.values()
    ):
        return None
    coded = chunks.id.dictionary_encode()
    ids = coded.dictionary.to_pylist()
    of = coded.indices.to_numpy()
    streams = [assigner.by_id.get(id_) for id_ in ids]
    if any(stream is not None and stream.closed for stream in streams):
        return None
    order = np.argsort(of, kind="stable")
    starts = np.searchsorted(of[order], np.arange(len(ids) + 1))
    groups = _progress(chunks, of, order, starts, streams)
    if groups is None or not _in_window(assigner, chunks, groups):
        return None
    if not _done_as_expected(assigner, chunks, groups, int(max(ends))):
        return None
    first = chunks.record[order[starts[:-1]]]
    owner = np.array(
        [record if s is None else s.record for record, s in zip(first, streams, strict=True)]
    )
    _note_gaps(assigner, chunks, groups, owner, first, rejected)
    _move_on(assigner, chunks, groups, ids, owner, int(max(ends)))
    return owner[of]


def _progress(
    chunks: Chunks,
    of: np.ndarray,
    order: np.ndarray,
    starts: np.ndarray,
    streams: list[Stream | None],
) -> _Groups | None:
    """Follow each response to its end; None if something comes after the end, or starts anew."""
    n = len(of)
    row = np.repeat(np.arange(n), np.diff(chunks.bounds))  # of each delta
    span = int(chunks.choice.max(initial=0)) + 1
    key = of[row].astype(np.int64) * span + chunks.choice
    before = [(g, s) for g, s in enumerate(streams) if s is not None]
    seen_before = {g * span + c for g, s in before for c in s.seen}
    finished_before = np.array(sorted({g * span + c for g, s in before for c in s.finished}), int)
    # A choice is seen and finished at the first of its deltas that says so.
    firsts = _first_of_each(key, np.arange(len(key)))
    finishing = np.flatnonzero(chunks.finishes)
    ends = _first_of_each(key[finishing], finishing)
    is_old_end = np.isin(key[ends], finished_before)
    known = np.concatenate([finished_before, key[ends[~is_old_end]]])
    end_row = np.concatenate([np.full(len(finished_before), -1), row[ends[~is_old_end]]])
    by_key = np.argsort(known)
    known, end_row = known[by_key], end_row[by_key]
    place = np.minimum(np.searchsorted(known, key), max(len(known) - 1, 0))
    if len(known):
        ended = np.where(known[place] == key, end_row[place], n)
        again = chunks.payload | (chunks.opens & ~chunks.has_usage[row])
        if np.any(again & (row > ended)):
            return None
    # Choices seen and choices finished, up to each chunk of its group.
    balance = np.zeros(n, np.int64)
    new = firsts[~np.isin(key[firsts], np.array(sorted(seen_before), int))]
    np.add.at(balance, row[new], 1)
    np.add.at(balance, row[ends[~is_old_end]], -1)
    carried = np.array([0 if s is None else len(s.seen) - len(s.finished) for s in streams])
    unfinished = _running(balance[order], starts) + np.repeat(carried, np.diff(starts))
    has_choice = np.zeros(n, np.int64)
    has_choice[row] = 1
    carried_any = np.array([s is not None and bool(s.seen) for s in streams])
    any_seen = _running(has_choice[order], starts) + np.repeat(carried_any, np.diff(starts)) > 0
    complete = (unfinished == 0) & any_seen
    # Within a group no [DONE] may come after it was complete, and nothing after a closing usage.
    goes_on = np.ones(n, bool)
    goes_on[starts[1:] - 1] = False
    next_epoch = np.append(chunks.epoch[order][1:], 0)
    if np.any(goes_on & complete & (next_epoch > chunks.epoch[order])):
        return None
    paid = np.zeros(n, np.int64)
    paid[row[chunks.payload]] = 1
    carried_pay = np.array([s is not None and s.has_payload for s in streams])
    has_payload = _running(paid[order], starts) + np.repeat(carried_pay, np.diff(starts)) > 0
    bare_usage = (chunks.has_usage & (np.diff(chunks.bounds) == 0))[order]
    closes = bare_usage & has_payload
    if np.any(closes & goes_on):
        return None
    at_end = starts[1:] - 1
    return _Groups(of, order, starts, streams, order[at_end], complete[at_end], closes[at_end])


def _first_of_each(key: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the first of the rows with each key."""
    return rows[np.unique(key, return_index=True)[1]]


def _running(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return running sums that begin anew with each group."""
    sums = np.cumsum(values)
    before = np.concatenate([[0], sums])[starts[:-1]]
    return sums - np.repeat(before, np.diff(starts))


def _in_window(assigner: Assigner, chunks: Chunks, groups: _Groups) -> bool:
    """Tell whether no response waits for its next chunk longer than the window."""
    records, lasts = chunks.record[groups.order], chunks.last[groups.order]
    waits = records[1:] - lasts[:-1]
    waits[groups.starts[1:-1] - 1] = 0
    if len(waits) and waits.max() > assigner.window:
        return False
    # Those that are open already, with or without a chunk in this block.
    first = dict(zip(groups.streams, records[groups.starts[:-1]].tolist(), strict=True))
    end = int(chunks.last.max())
    return all(
        first.get(stream, end) - stream.last <= assigner.window for stream in assigner.open.values()
    )


def _done_as_expected(assigner: Assigner, chunks: Chunks, groups: _Groups, end: int) -> bool:
    """Tell whether every [DONE] follows a response that ended since the one before."""
    ended = groups.complete | groups.closed_by_usage
    explained = set(chunks.epoch[groups.last[ended]].tolist())
    touched = {s.record for s in groups.streams if s is not None}
    waiting = any(s.complete and s.record not in touched for s in assigner.open.values())
    if waiting or assigner.closed_since_done:
        explained.add(assigner.epoch)
    return all(epoch in explained for epoch in range(assigner.epoch, end))


def _note_gaps(
    assigner: Assigner,
    chunks: Chunks,
    groups: _Groups,
    owner: np.ndarray,
    first: np.ndarray,
    rejected: list[tuple[int, int]],
) -> None:
    """Note a rejected record on the responses that are open at that place."""
    if not rejected:
        return
    last = chunks.last[groups.last]
    closes = np.where(groups.closed_by_usage, last, _NEVER)
    done = np.where(groups.complete, chunks.epoch[groups.last], _NEVER)
    is_old = np.array([s is not None for s in groups.streams])
    touched = set(owner[is_old].tolist())
    others = [s for s in assigner.open.values() if s.record not in touched]
    for record, epoch in rejected:
        is_open = ((first < record) | is_old) & (record < closes)
        is_open &= (record < last) | ((epoch <= done) & (record - last <= assigner.window))
        for noted in owner[is_open].tolist():
            assigner.notes[noted].add("gap")
        for stream in others:
            if not (stream.complete and epoch > assigner.epoch) and (
                record - stream.last <= assigner.window
            ):
                assigner.notes[stream.record].add("gap")


def _move_on(
    assigner: Assigner,
    chunks: Chunks,
    groups: _Groups,
    ids: list[str],
    owner: np.ndarray,
    epoch: int,
) -> None:
    """Bring the state of the assigner to where it is behind the block."""
    row = np.repeat(np.arange(len(groups.of)), np.diff(chunks.bounds))
    n = len(ids)
    span = int(chunks.choice.max(initial=0)) + 1
    key = groups.of[row].astype(np.int64) * span + chunks.choice
    paid = np.bincount(groups.of[row[chunks.payload]], minlength=n) > 0
    used = np.bincount(groups.of[chunks.has_usage], minlength=n) > 0
    last = chunks.last[groups.last]
    for g in np.argsort(last).tolist():
        stream = groups.streams[g] or Stream(int(owner[g]), ids[g])
        stream.last = stream.heard = int(last[g])
        stream.has_payload |= bool(paid[g])
        stream.has_usage |= bool(used[g])
        assigner.by_id[ids[g]] = assigner.open[stream.record] = stream
        assigner.open.move_to_end(stream.record)
    for target, keys in (("seen", key), ("finished", key[chunks.finishes])):
        for g, choice in zip(*np.divmod(np.unique(keys), span), strict=True):
            getattr(assigner.by_id[ids[g]], target).add(int(choice))
    ended = np.flatnonzero(groups.closed_by_usage)
    for g in ended[np.argsort(last[ended])].tolist():
        assigner.close(assigner.by_id[ids[g]])
    waiting = [s for s in assigner.open.values() if s.complete]
    epochs = dict(zip(owner.tolist(), chunks.epoch[groups.last].tolist(), strict=True))
    for stream in waiting:
        if epochs.get(stream.record, assigner.epoch) < epoch:
            assigner.close(stream)
    since_done = chunks.epoch[groups.last[ended]] == epoch
    assigner.closed_since_done = bool(since_done.any()) or (
        assigner.closed_since_done and assigner.epoch == epoch
    )
    assigner.epoch = epoch
