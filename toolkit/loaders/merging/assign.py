"""Assign chunks to responses: the rules of streams, chunk by chunk.

A response is named by the ordinal of its first record. The rules, in short:

- A chunk with an id joins the response of that id; a chunk without one joins the response that was
  active last, or, if a row around it has an id, the one of that row's id, or the one that has its
  item. If a stream begins with a chunk without id and choices (Azure's prompt filter), the next
  chunk with a new id joins it.
- A response is closed by its ``[DONE]``, by a chunk with usage and no choices after some text came,
  by a final copy of it, and by ``window`` records without a chunk of it.
- A ``[DONE]`` does not name its response, and streams may interleave: it belongs to the finished
  response that has waited longest for one. If none waits and one response alone is open, it closes
  that one; else it closes nothing.
- Where no response has an id, the copy of another item with no higher number is another response.
- What may be the last chunk or a whole response is a whole response if nothing is open under its
  id; without an id it belongs to no response that has one.
- After a choice has its finish reason, a chunk that opens it again (a role, or an empty first text)
  or brings more text is a new response under the same id. OpenRouter's last chunk, which has a role
  but also usage and no text, is not. A choice that finishes twice otherwise earns a note.
- Any other chunk after closing is late. Only usage is still accepted, if it comes within
  `LATE_USAGE` records: with a note if the response has none yet, alone if it has.
- A closed response is remembered for ``10 * window`` records after the last chunk that had its id;
  an id that comes again later names a new response.
- No stream leaves its scope, which is a source or an exchange.

`assign_block` does the same for a whole block of chunks at a time, if only the first rule is needed
for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from heapq import heappop, heappush, heapreplace

from toolkit.loaders.buffers import KIND_COPY, KIND_EITHER, KIND_ERROR, KIND_FINAL_COPY
from toolkit.loaders.merging.streams import (
    NO_CHOICES,
    Chunk,
    OpenStreams,
    Progress,
    Rejected,
    Stream,
)

LATE = -1
"""Assigned to a chunk that came after its response was closed."""
LATE_USAGE = 1000
"""Number of records within which a closed response still accepts its usage."""


class Assigner:
    """Assign the chunks of a load to responses, in order.

    Parameters
    ----------
    window : int
        A response without a chunk for this many records is closed.

    Attributes
    ----------
    scope, done : int
        The scope of the last record, and the ``[DONE]`` markers so far in it.
    open : OpenStreams
        Open responses by their first record.
    by_id : dict of str to Stream
        The newest response of each id, open or closed.
    by_row : dict of str to Stream
        The open response of each row's id that was active last, if it is open.
    any_closed : bool
    owed : dict of int to Stream
        Responses that have finished and wait for their ``[DONE]``, by their first record.

    Examples
    --------
    >>> assigner = Assigner(window=100)
    >>> from toolkit.loaders.buffers import KIND_CHUNK
    >>> first = Chunk(0, 0, 0, 0, KIND_CHUNK, "a", False, [(0, True, False, False)])
    >>> last = Chunk(1, 1, 0, 0, KIND_CHUNK, "a", False, [(0, False, True, True)])
    >>> assigner.assign(first), assigner.assign(last)
    (0, 0)
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self._memory = 10 * window  # records for which a closed response is remembered
        self._notes: dict[int, set[str]] = defaultdict(set)
        self._gaps = 0  # rejected records so far; a response compares it when it closes
        self.scope = self.done = 0
        self.open = OpenStreams()
        self.by_id: dict[str, Stream] = {}
        self.by_row: dict[str, Stream] = {}
        self._by_item: dict[str, Stream] = {}  # open responses by the ids of their items
        self.any_closed = False
        self.owed: dict[int, Stream] = {}
        # Heap of what is owed: its last record when it was added, and its first
        self._oldest_owed: list[tuple[int, int]] = []
        self._lately: list[Stream] = []  # closed not long ago
        self._forgotten = 0  # responses that were last named before this record are forgotten

    @property
    def notes(self) -> dict[int, set[str]]:
        """Codes of notes about responses, by their first record."""
        self._note_gaps(self.open.values())
        return self._notes

    def gap(self, rejected: Rejected) -> None:
        """Count a rejected record, which is a gap in every response that is open here."""
        self._move_to(*rejected)
        self._gaps += 1

    def _note_gaps(self, streams: Iterable[Stream]) -> None:
        """Note which responses were open when a record was rejected."""
        for stream in streams:
            if stream.gaps < self._gaps:
                stream.gaps = self._gaps
                self._notes[stream.record].add("gap")

    def assign(self, chunk: Chunk) -> int:
        """Return the first record of the chunk's response, or LATE."""
        self._move_to(chunk.record, chunk.scope, chunk.done)
        if chunk.kind == KIND_ERROR:
            return self._assign_error(chunk)
        stream = self._find(chunk)
        if stream is None:
            stream = Stream(chunk.record, chunk.id, chunk.custom_id, self._gaps)
        elif stream.closed:
            if not self._accepts_late_usage(stream, chunk):
                stream.last_named = chunk.last
                return LATE
            if not stream.has_usage:
                self._notes[stream.record].add("late_usage")
        self._join(stream, chunk)
        if chunk.kind == KIND_EITHER and chunk.record == stream.record and stream.complete:
            self._close(stream)  # because it was a whole response, which needs no [DONE]
            self.owed.pop(stream.record, None)
        return stream.record

    def _assign_error(self, chunk: Chunk) -> int:
        """Return the response that the error interrupted, else the error's own record."""
        stream = self.by_id.get(chunk.id) if chunk.id else self._last_active(chunk.custom_id)
        if stream is None or stream.closed or stream.complete:
            return chunk.record
        stream.last = stream.last_named = chunk.record
        self.open.activate(stream)
        return stream.record

    def advance(self, progress: list[Progress], gaps: set[int], done: int) -> None:
        """Update the streams after a block that `assign_block` has assigned.

        Parameters
        ----------
        progress : list of Progress
        gaps : set of int
            First records of the responses that were open around a rejected record.
        done : int
            Number of ``[DONE]`` markers in this scope up to the end of the block.
        """
        for record in gaps:
            self._notes[record].add("gap")
        progress = sorted(progress, key=lambda each: each.last)
        for each in progress:
            new = (each.record, each.id, each.custom_id, self._gaps)
            stream = self.by_id.get(each.id) or Stream(*new)
            stream.last = stream.last_named = each.last
            stream.choices |= each.choices
            stream.finished |= each.finished
            stream.has_payload |= each.has_payload
            stream.has_usage |= each.has_usage
            self.by_id[each.id] = stream
            self._activate(stream)
            if each.closes:
                self._close(stream)
            self._owe(stream)
        if done > self.done:  # each of these had its [DONE] in the block
            later = {each.record for each in progress if each.done == done}
            for record in [record for record in self.owed if record not in later]:
                self._close(self.owed.pop(record))
        self.done = done

    def unfinished(self, record: int) -> list[int]:
        """Return the first records of the responses that may still change at this record."""
        self._expire(record)
        self._lately = [each for each in self._lately if record - each.last <= LATE_USAGE]
        return [*self.open, *(stream.record for stream in self._lately)]

    # Finding the response of a chunk

    def _find(self, chunk: Chunk) -> Stream | None:
        """Return the response that the chunk belongs to, perhaps a closed one; None: a new one."""
        if chunk.id:
            stream = self.by_id.get(chunk.id)
            if stream is None or chunk.record - stream.last_named > self._memory:
                return self._nameless()
            if stream.closed:
                return None if _opens(chunk) or chunk.kind == KIND_EITHER else stream
        else:
            stream = self._by_item.get(chunk.item_id) or self._last_active(chunk.custom_id)
            if stream is None:
                return self._last_closed(chunk)
            if chunk.kind == KIND_EITHER and stream.id:
                return None
            if chunk.kind == KIND_COPY and _is_of_another(stream, chunk):
                return None
        for choice, opens, payload, _ in chunk.deltas:
            if choice in stream.finished and (payload or (opens and not chunk.has_usage)):
                return None
        return stream

    def _last_active(self, custom_id: str = "") -> Stream | None:
        last = self.open.latest()
        if not custom_id or (last is not None and last.custom_id == custom_id):
            return last
        return self.by_row.get(custom_id)

    def _last_closed(self, chunk: Chunk) -> Stream | None:
        """Return the closed response that a chunk without an id can only be the end of."""
        if not self.any_closed or not _is_trailing(chunk):
            return None
        last = self._lately[-1] if self._lately else _FORGOTTEN
        is_known = not chunk.deltas and not last.id and last.custom_id == chunk.custom_id
        return last if is_known else _FORGOTTEN

    def _nameless(self) -> Stream | None:
        """Return the response opened last if it has neither id nor choice yet."""
        stream = self._last_active()
        return stream if stream is not None and not stream.id and not stream.choices else None

    def _accepts_late_usage(self, stream: Stream, chunk: Chunk) -> bool:
        is_near = chunk.record - stream.last <= min(self.window, LATE_USAGE)
        is_usage = chunk.has_usage and not _has_payload(chunk)
        return is_usage and is_near and not (stream.has_usage and chunk.deltas)

    # Changing the state

    def _join(self, stream: Stream, chunk: Chunk) -> None:
        stream.last = stream.last_named = chunk.last
        if stream.closed:
            stream.has_usage |= chunk.has_usage
            return
        if chunk.id:
            old = self.by_id.get(chunk.id)
            if old is not None and old is not stream and not old.closed:
                self._close(old)  # because another response begins under its id
            stream.id = stream.id or chunk.id
            self.by_id[chunk.id] = stream
        for choice, _, payload, finishes in chunk.deltas:
            stream.choices.add(choice)
            stream.has_payload |= payload
            if finishes and choice in stream.finished and not chunk.has_usage:
                self._notes[stream.record].add("index_finished_twice")
            if finishes:
                stream.finished.add(choice)
        stream.has_usage |= chunk.has_usage
        if chunk.item_id and chunk.item_id not in self._by_item:
            self._by_item[chunk.item_id] = stream
            stream.items.append(chunk.item_id)
        if chunk.kind == KIND_COPY:
            stream.item, stream.item_id = chunk.item, chunk.item_id
        self._activate(stream)
        is_last = chunk.has_usage and not chunk.deltas and stream.has_payload
        if is_last or chunk.kind == KIND_FINAL_COPY:
            self._close(stream)
        self._owe(stream)

    def _activate(self, stream: Stream) -> None:
        """Remember an open response as active at its last record."""
        self.open.activate(stream)
        if stream.custom_id:
            self.by_row[stream.custom_id] = stream

    def _owe(self, stream: Stream) -> None:
        """Remember whether a response waits for its ``[DONE]``."""
        if stream.closed or stream.complete:
            if stream.record not in self.owed:
                heappush(self._oldest_owed, (stream.last, stream.record))
            self.owed[stream.record] = stream
        else:
            self.owed.pop(stream.record, None)

    def _close(self, stream: Stream) -> None:
        if stream.closed:
            return
        self._note_gaps([stream])
        stream.closed = self.any_closed = True
        stream.choices = stream.finished = NO_CHOICES
        self.open.pop(stream.record, None)
        self._lately.append(stream)
        for item_id in stream.items:
            del self._by_item[item_id]
        stream.items = []
        if self.by_row.get(stream.custom_id) is stream:
            del self.by_row[stream.custom_id]

    def _close_at_done(self, record: int) -> None:
        """Close the response to which a ``[DONE]`` belongs, if it is clear which."""
        while self._oldest_owed:
            last, first = self._oldest_owed[0]
            stream = self.owed.get(first)
            if stream is not None and stream.last > last:  # it went on since it was added
                heapreplace(self._oldest_owed, (stream.last, first))
                continue
            heappop(self._oldest_owed)
            if stream is not None:
                del self.owed[first]
                if record - last <= self.window:
                    self._close(stream)
                    return
        if len(self.open) == 1:
            self._close(next(iter(self.open.values())))

    def begin_scope(self, scope: int) -> None:
        """Forget all responses if this scope is a later one."""
        if scope > self.scope:
            self._note_gaps(self.open.values())
            self.open = OpenStreams()
            self.by_id.clear()
            self.by_row.clear()
            self._by_item.clear()
            self._lately.clear()
            self.owed.clear()
            self._oldest_owed.clear()
            self.any_closed = False
            self.scope, self.done = scope, 0

    def _move_to(self, record: int, scope: int, done: int) -> None:
        """Close the responses that ended before this record."""
        self._expire(record)
        self.begin_scope(scope)
        while self.done < done:
            self.done += 1
            self._close_at_done(record)

    def _expire(self, record: int) -> None:
        """Close responses without a recent chunk, and forget those that were closed long ago."""
        while (oldest := self.open.oldest(before=record - self.window)) is not None:
            self._close(oldest)
            self.owed.pop(oldest.record, None)
        horizon = record - self._memory
        if horizon > self._forgotten + self.window:
            self._forgotten = horizon
            self.owed = {key: each for key, each in self.owed.items() if each.last >= horizon}
            self.by_id = {
                id_: stream
                for id_, stream in self.by_id.items()
                if not stream.closed or stream.last_named >= horizon
            }


_FORGOTTEN = Stream(LATE, "")
"""Used instead of a closed response that is not known any more, so that its chunk is late."""
_FORGOTTEN.closed = _FORGOTTEN.has_usage = True


def _has_payload(chunk: Chunk) -> bool:
    return any(payload for _, _, payload, _ in chunk.deltas)


def _is_of_another(stream: Stream, chunk: Chunk) -> bool:
    """Return whether a copy begins another response, in a log of nothing but copies."""
    known = stream.item_id if not stream.id else ""
    return known not in ("", chunk.item_id) and chunk.item <= stream.item


def _opens(chunk: Chunk) -> bool:
    """Return whether the chunk looks like the first one of a response."""
    opens = any(opens for _, opens, _, _ in chunk.deltas)
    return opens and (_has_payload(chunk) or not chunk.has_usage)


def _is_trailing(chunk: Chunk) -> bool:
    """Return whether the chunk can only end a response: Azure's filter results, or usage."""
    has_content = _has_payload(chunk) or _opens(chunk)
    return not has_content and bool(chunk.deltas or chunk.has_usage)
