"""Assign a whole block of chunks to responses at once, with operations on whole columns.

In most streams every chunk has the id of its response, nothing comes after the end, and a
``[DONE]`` follows a finished response. Then the id alone decides where a chunk belongs.
`assign_block` checks that this holds for a block; if it does not, it assigns nothing, and
`toolkit.loaders.merging.assign` goes chunk by chunk. Both give the same responses, notes and state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from toolkit.arrow import offsets
from toolkit.loaders.buffers import KIND_CHUNK, Flags, Ints
from toolkit.loaders.merging.assign import Assigner
from toolkit.loaders.merging.streams import Progress, Rejected, Stream

_NEVER = np.iinfo(np.int64).max


class Chunks(NamedTuple):
    """Chunks and errors in mid-stream, in the order of their records, as columns.

    Attributes
    ----------
    record, last, scope, done : int64 array, shape (n,)
        As in `toolkit.loaders.merging.streams.Chunk`.
    kind : int8 array, shape (n,)
        As in `toolkit.loaders.merging.streams.Chunk`.
    has_usage : bool array, shape (n,)
    id, custom_id, item_id : pyarrow.Array of strings, length n
        Null for none.
    item : int64 array, shape (n,)
    bounds : int64 array, shape (n + 1,)
        Chunk ``i`` has the deltas ``bounds[i]`` to ``bounds[i + 1] - 1``.
    choice : int64 array, shape (n_deltas,)
    opens, payload, finishes : bool array, shape (n_deltas,)
        As in `toolkit.loaders.merging.streams.Delta`.
    """

    record: Ints
    last: Ints
    scope: Ints
    done: Ints
    kind: NDArray[np.int8]
    has_usage: Flags
    id: pa.Array
    custom_id: pa.Array
    item: Ints
    item_id: pa.Array
    bounds: Ints
    choice: Ints
    opens: Flags
    payload: Flags
    finishes: Flags


class _Groups(NamedTuple):
    """Chunks grouped by their ids.

    Attributes
    ----------
    ids : list of str
    streams : list of Stream or None
        The stream of each id that is open already.
    of : integer array, shape (n,)
        The group of each chunk.
    order : int64 array, shape (n,)
        The chunks sorted by group, then as they came.
    starts : int64 array, shape (n_groups + 1,)
        The first chunk of each group in `order`, and the end.
    row : int64 array, shape (n_deltas,)
        The chunk of each delta.
    key : int64 array, shape (n_deltas,)
        Group and choice of each delta, as ``group * span + choice``.
    span : int
    """

    ids: list[str]
    streams: list[Stream | None]
    of: Ints
    order: Ints
    starts: Ints
    row: Ints
    key: Ints
    span: int

    @property
    def last(self) -> Ints:
        """The last chunk of each group."""
        return self.order[self.starts[1:] - 1]

    def carried(self, value: Callable[[Stream], int]) -> Ints:
        """Return a number of each stream that is open already; 0 for the others."""
        return np.array([0 if each is None else value(each) for each in self.streams], np.int64)

    def carried_keys(self, choices: Callable[[Stream], set[int]]) -> Ints:
        """Return the keys of some choices of the streams that are open already."""
        found = {
            g * self.span + choice
            for g, stream in enumerate(self.streams)
            if stream is not None
            for choice in choices(stream)
        }
        return np.array(sorted(found), np.int64)

    def running(self, values: NDArray[np.integer] | Flags, carried: Ints) -> Ints:
        """Return sums over the chunks of each group up to each chunk, in `order`.

        Parameters
        ----------
        values : integer or bool array, shape (n,)
            By chunk.
        carried : int64 array, shape (n_groups,)
            What each sum begins with.
        """
        sums = offsets(values[self.order])
        return sums[1:] + np.repeat(carried - sums[self.starts[:-1]], np.diff(self.starts))


class _Ends(NamedTuple):
    """The state of each group after its last chunk."""

    complete: Flags  # whether every choice has its finish reason
    closes: Flags  # whether the chunk has usage and no choices, after some text came


def assign_block(assigner: Assigner, chunks: Chunks, rejected: list[Rejected]) -> Ints | None:
    """Assign a block of chunks if the ids alone decide where they belong.

    Parameters
    ----------
    assigner : Assigner
        The state before the block; it is advanced if the block is assigned, else left as it is.
    chunks : Chunks
    rejected : list of Rejected
        The rejected records among them.

    Returns
    -------
    int64 array or None
        The first record of the response of each chunk; None if another rule may be needed.
    """
    if not len(chunks.record) or np.any(chunks.kind != KIND_CHUNK) or chunks.id.null_count:
        return None
    scope = max([int(chunks.scope[-1]), *(each.scope for each in rejected)])
    if scope > assigner.scope or any(not stream.id for stream in assigner.open.values()):
        return None
    groups = _groups(assigner, chunks)
    if any(stream is not None and stream.closed for stream in groups.streams):
        return None
    ends = _follow(assigner, chunks, groups)
    if (
        ends is None
        or not _is_in_window(assigner, chunks, groups, rejected)
        or not _explains_done(assigner, chunks, groups, ends, rejected)
    ):
        return None
    first = chunks.record[groups.order[groups.starts[:-1]]]
    opened = groups.carried(lambda stream: stream.record)
    owner: Ints = np.where([stream is None for stream in groups.streams], first, opened)
    gaps = _gaps(assigner, chunks, groups, ends, owner, rejected)
    done = max([int(chunks.done[-1]), *(each.done for each in rejected)])
    assigner.advance(_progress(chunks, groups, ends, owner), gaps, done)
    return owner[groups.of]


def _groups(assigner: Assigner, chunks: Chunks) -> _Groups:
    coded = chunks.id.dictionary_encode()
    ids, of = coded.dictionary.to_pylist(), coded.indices.to_numpy()
    streams = [assigner.by_id.get(id_) for id_ in ids]
    order = np.argsort(of, kind="stable")
    starts = np.searchsorted(of[order], np.arange(len(ids) + 1))
    row = np.repeat(np.arange(len(of)), np.diff(chunks.bounds))
    span = int(chunks.choice.max(initial=0)) + 1
    span = max([span, *(1 + max(s.choices, default=0) for s in streams if s is not None)])
    key = of[row].astype(np.int64) * span + chunks.choice
    return _Groups(ids, streams, of, order, starts, row, key, span)


def _follow(assigner: Assigner, chunks: Chunks, groups: _Groups) -> _Ends | None:
    """Follow each stream to its end; None if a chunk comes after an end, or begins anew."""
    n, row, key = len(groups.of), groups.row, groups.key
    # A choice begins, and ends, at the first of its deltas that says so.
    begins = _first_of_each(key, np.arange(len(key)))
    begins = begins[~np.isin(key[begins], groups.carried_keys(lambda stream: stream.choices))]
    finished = groups.carried_keys(lambda stream: stream.finished)
    finishing = np.flatnonzero(chunks.finishes)
    ends = _first_of_each(key[finishing], finishing)
    ends = ends[~np.isin(key[ends], finished)]
    if _goes_on(chunks, groups, finished, ends):
        return None
    # Usage may come with the finish reason again.
    if np.count_nonzero(~chunks.has_usage[row[finishing]]) > np.count_nonzero(
        ~chunks.has_usage[row[ends]]
    ):
        return None
    change = np.bincount(row[begins], minlength=n) - np.bincount(row[ends], minlength=n)
    carried = groups.carried(lambda stream: len(stream.choices) - len(stream.finished))
    is_finished = groups.running(change, carried) == 0
    has_choice = groups.running(
        np.diff(chunks.bounds), groups.carried(lambda stream: len(stream.choices))
    )
    complete = is_finished & (has_choice > 0)
    paid = np.bincount(row[chunks.payload], minlength=n)
    has_payload = groups.running(paid, groups.carried(lambda stream: stream.has_payload)) > 0
    bare_usage = (chunks.has_usage & (np.diff(chunks.bounds) == 0))[groups.order]
    closes = bare_usage & has_payload
    # In a group, no [DONE] may follow a complete chunk, and nothing a closing one.
    at_end = groups.starts[1:] - 1
    is_end = np.zeros(n, bool)
    is_end[at_end] = True
    done = chunks.done[groups.order]
    done_follows = np.append(done[1:] > done[:-1], False)
    if np.any(~is_end & ((complete & done_follows) | closes)):
        return None
    was_complete = groups.carried(lambda stream: stream.complete) > 0
    if np.any(was_complete & (done[groups.starts[:-1]] > assigner.done)):
        return None
    return _Ends(complete[at_end], closes[at_end])


def _first_of_each(key: Ints, rows: Ints) -> Ints:
    """Return the first of the rows with each key."""
    return rows[np.unique(key, return_index=True)[1]]


def _goes_on(chunks: Chunks, groups: _Groups, finished: Ints, ends: Ints) -> bool:
    """Return whether a choice is opened, or gets more text, after its finish reason.

    Parameters
    ----------
    chunks, groups
    finished : int64 array
        Keys of the choices that had finished before the block.
    ends : int64 array
        Deltas at which the other choices finish.
    """
    known = np.concatenate([finished, groups.key[ends]])
    if not len(known):
        return False
    end_row = np.concatenate([np.full(len(finished), -1), groups.row[ends]])
    by_key = np.argsort(known)
    known, end_row = known[by_key], end_row[by_key]
    at = np.minimum(np.searchsorted(known, groups.key), len(known) - 1)
    is_after = (known[at] == groups.key) & (groups.row > end_row[at])
    again = chunks.payload | (chunks.opens & ~chunks.has_usage[groups.row])
    return bool(np.any(again & is_after))


def _is_in_window(
    assigner: Assigner, chunks: Chunks, groups: _Groups, rejected: list[Rejected]
) -> bool:
    """Return whether no response waits longer than the window for its next chunk."""
    records, lasts = chunks.record[groups.order], chunks.last[groups.order]
    waits = records[1:] - lasts[:-1]
    waits[groups.starts[1:-1] - 1] = 0
    if len(waits) and waits.max() > assigner.window:
        return False
    # Responses that are open already, with or without a chunk in this block
    first = dict(zip(groups.streams, records[groups.starts[:-1]].tolist(), strict=True))
    end = max([int(chunks.last.max()), *(each.record for each in rejected)])
    return all(
        first.get(stream, end) - stream.last <= assigner.window for stream in assigner.open.values()
    )


def _explains_done(
    assigner: Assigner, chunks: Chunks, groups: _Groups, ends: _Ends, rejected: list[Rejected]
) -> bool:
    """Return whether every [DONE] is that of the only response that waits for one."""
    record, done = chunks.record, chunks.done
    if rejected:
        record = np.append(record, [each.record for each in rejected])
        done = np.append(done, [each.done for each in rejected])
        by_record = np.argsort(record)
        record, done = record[by_record], done[by_record]
    if done[-1] == assigner.done:
        return True
    # A response explains the [DONE] after it, but not if the window closes it first.
    done_then, last = chunks.done[groups.last], chunks.last[groups.last]
    following = np.append(record, -1)[np.searchsorted(done, done_then, side="right")]
    ended = (ends.closes | ends.complete) & (following - last <= assigner.window)
    touched = {stream.record for stream in groups.streams if stream is not None}
    waiting = [each for each in assigner.owed.values() if each.record not in touched]
    if waiting:
        first = record[np.searchsorted(done, assigner.done, side="right")]
        if any(first - stream.last > assigner.window for stream in waiting):
            return False
    n_done = int(done[-1]) - assigner.done
    explained = np.bincount(done_then[ended] - assigner.done, minlength=n_done)[:n_done]
    explained[0] += len(waiting)
    return bool(np.all(explained == 1))


def _gaps(
    assigner: Assigner,
    chunks: Chunks,
    groups: _Groups,
    ends: _Ends,
    owner: Ints,
    rejected: list[Rejected],
) -> set[int]:
    """Return the responses that are open around a rejected record."""
    if not rejected:
        return set()
    record = np.array([each.record for each in rejected])  # rising, as is `done`
    done = np.array([each.done for each in rejected])
    last = chunks.last[groups.last]
    is_old = np.array([stream is not None for stream in groups.streams])
    # The rejects from `first` to `stop` came while the response was open.
    first = np.where(is_old, 0, np.searchsorted(record, owner, side="right"))
    ended = np.where(ends.complete, chunks.done[groups.last], _NEVER)
    stop = np.minimum(
        np.searchsorted(record, last + assigner.window, side="right"),
        np.searchsorted(done, ended, side="right"),
    )
    stop = np.maximum(stop, np.searchsorted(record, last))
    stop = np.where(ends.closes, np.minimum(stop, np.searchsorted(record, last)), stop)
    touched = set(owner[is_old].tolist())
    gaps = set(owner[first < stop].tolist())
    return gaps | {
        stream.record
        for stream in assigner.open.values()
        if stream.record not in touched
        and not (stream.complete and rejected[0].done > assigner.done)
        and rejected[0].record - stream.last <= assigner.window
    }


def _progress(chunks: Chunks, groups: _Groups, ends: _Ends, owner: Ints) -> list[Progress]:
    """Return what the block adds to each stream."""
    n = len(groups.ids)
    choices: list[set[int]] = [set() for _ in range(n)]
    finished: list[set[int]] = [set() for _ in range(n)]
    for sets, keys in ((choices, groups.key), (finished, groups.key[chunks.finishes])):
        for g, choice in zip(*np.divmod(np.unique(keys), groups.span), strict=True):
            sets[g].add(int(choice))
    has_payload = np.bincount(groups.of[groups.row[chunks.payload]], minlength=n) > 0
    has_usage = np.bincount(groups.of[chunks.has_usage], minlength=n) > 0
    columns = (owner, chunks.last[groups.last], chunks.done[groups.last])
    flags = (has_payload, has_usage, ends.closes)
    first = chunks.custom_id.take(pa.array(groups.order[groups.starts[:-1]]))
    rows = zip(
        groups.ids,
        *(column.tolist() for column in columns),
        choices,
        finished,
        *(flag.tolist() for flag in flags),
        (name or "" for name in first.to_pylist()),
        strict=True,
    )
    return [Progress(*row) for row in rows]
