"""Which chunk belongs to which response: the rules of streams, record by record.

A response is named by the ordinal of its first record. The rules, in short:

- A chunk with an id joins the response of that id; a chunk without one joins the response that was
  active last. A first chunk without id and choices (Azure's prompt filter) is taken over by the id
  that follows.
- A response is closed by ``[DONE]`` (the finished ones; if none is, the last active), by a chunk
  with usage and no choices after some text came, by a final copy of it, and by ``window`` records
  without a chunk of it.
- What may be the last chunk or a whole response is whole if it begins one.
- After a choice has its finish reason, a chunk that opens it again (a role, or an empty first text)
  or brings more text is a new response under the same id. OpenRouter's last chunk, which has a role
  but also usage and no text, is not.
- Any other chunk after closing is late. Only usage that the response lacks is still taken, with a
  note, if it comes soon (`LATE_USAGE`).
- A closed response is remembered for ``10 * window`` records after the last that named it: an id
  that comes again after that is a new one's.

`assign_block` does the same for a whole block of chunks at a time, where only the first rule is
needed.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from typing import NamedTuple

from toolkit.loaders.buffers import KIND_EITHER, KIND_ERROR, KIND_FINAL_COPY, SCOPE

LATE = -1
LATE_USAGE = 1000
"""Records within which a closed response still takes its usage."""
_NONE: frozenset[int] = frozenset()


class Chunk(NamedTuple):
    """What is to be known of a chunk, or of an error in mid-stream, to find its response.

    Attributes
    ----------
    record, last, epoch : int
        Its ordinal; that of the last of the chunks that go on with it, if it stands for several;
        and the ``[DONE]`` markers before it (and `SCOPE` for each new scope).
    kind : int
        `columns.KIND_CHUNK`, or one of its kin: an error, either chunk or whole, a final copy.
    id : str
        Empty if it has none.
    has_usage : bool
    deltas : list of (int, bool, bool, bool)
        For each entry of ``choices``: the choice; whether it opens the choice (a role, or an empty
        text and nothing else); whether it brings text, tool calls or tokens; whether it has a
        finish reason. Plain tuples, because there are as many as chunks.
    """

    record: int
    last: int
    epoch: int
    kind: int
    id: str
    has_usage: bool
    deltas: list[tuple[int, bool, bool, bool]]


class Stream:
    """A response that is being received, or was.

    Attributes
    ----------
    record, last : int
        Its first record and its last one so far.
    id : str
    seen, finished : set of int
        Choices that it has, and those of them that have a finish reason.
    heard : int
        The last record that named it, even if too late.
    has_payload, has_usage, closed : bool
    """

    __slots__ = (
        "closed",
        "finished",
        "has_payload",
        "has_usage",
        "heard",
        "id",
        "last",
        "record",
        "seen",
    )

    def __init__(self, record: int, id_: str) -> None:
        self.record = record
        self.id = id_
        self.seen: set[int] | frozenset[int] = set()
        self.finished: set[int] | frozenset[int] = set()
        self.has_payload = False
        self.has_usage = False
        self.closed = False
        self.last = self.heard = record

    @property
    def complete(self) -> bool:
        """Whether every choice has its finish reason."""
        return bool(self.seen) and self.finished >= self.seen


class Assigner:
    """Assign the chunks of one source, in order.

    Parameters
    ----------
    window : int
        A response without a chunk for this many records is closed.

    Attributes
    ----------
    notes : dict of int to set of str
        Notes earned by responses, by their first record.
    epoch : int
        ``[DONE]`` markers so far.
    open : OrderedDict of int to Stream
        Open responses by their first record, the one active last at the end.
    by_id : dict of str to Stream
        The newest response of each id, open or closed.
    any_closed : bool
    closed_since_done : bool
        Whether a response was closed by its usage since the last ``[DONE]``: the next is its own.

    Examples
    --------
    >>> assigner = Assigner(window=100)
    >>> from toolkit.loaders.buffers import KIND_CHUNK
    >>> first = Chunk(0, 0, 0, KIND_CHUNK, "a", False, [(0, True, False, False)])
    >>> last = Chunk(1, 1, 0, KIND_CHUNK, "a", False, [(0, False, True, True)])
    >>> assigner.assign(first), assigner.assign(last)
    (0, 0)
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self._memory = 10 * window  # records for which a closed response is remembered
        self.notes: dict[int, set[str]] = defaultdict(set)
        self.epoch = 0
        self.open: OrderedDict[int, Stream] = OrderedDict()
        self.by_id: dict[str, Stream] = {}
        self.any_closed = self.closed_since_done = False
        self._without_usage: list[Stream] = []  # closed not long ago
        self._forgotten = 0  # record at which the old were forgotten last
        self._newest = LATE  # the last record of any
        self._is_mixed = False  # `open` is to be sorted

    def gap(self, record: int, epoch: int = 0) -> None:
        """Say that a record was rejected here: open responses may lack tokens."""
        self._move_to(record, epoch)
        for stream in self.open.values():
            self.notes[stream.record].add("gap")

    def assign(self, chunk: Chunk) -> int:
        """Return the first record of the chunk's response, or LATE."""
        self._move_to(chunk.record, chunk.epoch)
        if chunk.kind == KIND_ERROR:
            return self._assign_error(chunk)
        stream = self._find(chunk)
        if stream is None:
            stream = Stream(chunk.record, chunk.id)
            self.open[stream.record] = stream
        elif stream.closed:
            if not self._takes_late_usage(stream, chunk):
                stream.heard = chunk.last
                return LATE
            self.notes[stream.record].add("late_usage")
        self._join(stream, chunk)
        if chunk.kind == KIND_EITHER and chunk.record == stream.record and stream.complete:
            self.close(stream)  # it was whole
        return stream.record

    def _assign_error(self, chunk: Chunk) -> int:
        """An error belongs to the stream that it broke off, else it is a response of its own."""
        stream = self.by_id.get(chunk.id) if chunk.id else self._last_active()
        if stream is None or stream.closed or stream.complete:
            return chunk.record
        stream.last = stream.heard = chunk.record
        self.open.move_to_end(stream.record)
        return stream.record

    def unfinished(self, record: int) -> list[int]:
        """Return the first records of the responses that may still change at this record."""
        self.expire(record)
        self._without_usage = [
            stream
            for stream in self._without_usage
            if not stream.has_usage and record - stream.last <= LATE_USAGE
        ]
        return [*self.open, *(stream.record for stream in self._without_usage)]

    # Finding

    def _find(self, chunk: Chunk) -> Stream | None:
        """Return the response that the chunk belongs to, perhaps a closed one; None: a new one."""
        if chunk.id:
            stream = self.by_id.get(chunk.id)
            if stream is None or chunk.record - stream.heard > self._memory:
                return self._nameless()
            if stream.closed:
                return None if _opens(chunk) or chunk.kind == KIND_EITHER else stream
        else:
            stream = self._last_active()
            if stream is None:
                return _GONE if self.any_closed and _trails(chunk) else None
        for choice, opens, payload, _ in chunk.deltas:
            if choice in stream.finished and (payload or (opens and not chunk.has_usage)):
                return None
        return stream

    def _last_active(self) -> Stream | None:
        return next(reversed(self.open.values()), None)

    def _nameless(self) -> Stream | None:
        """Return the response opened last if it has neither id nor choice yet."""
        stream = self._last_active()
        return stream if stream is not None and not stream.id and not stream.seen else None

    def _takes_late_usage(self, stream: Stream, chunk: Chunk) -> bool:
        near = chunk.record - stream.last <= min(self.window, LATE_USAGE)
        return chunk.has_usage and not stream.has_usage and not _brings(chunk) and near

    # Changing

    def _join(self, stream: Stream, chunk: Chunk) -> None:
        stream.last = stream.heard = chunk.last
        if stream.closed:
            stream.has_usage |= chunk.has_usage
            return
        if chunk.id:
            old = self.by_id.get(chunk.id)
            if old is not None and old is not stream and not old.closed:
                self.close(old)  # superseded under its own id
            stream.id = stream.id or chunk.id
            self.by_id[chunk.id] = stream
        for choice, _, payload, finishes in chunk.deltas:
            stream.seen.add(choice)
            stream.has_payload |= payload
            if finishes:
                stream.finished.add(choice)
        stream.has_usage |= chunk.has_usage
        self.open.move_to_end(stream.record)
        self._is_mixed |= chunk.last < self._newest
        self._newest = max(self._newest, chunk.last)
        is_last = chunk.has_usage and not chunk.deltas and stream.has_payload
        if is_last or chunk.kind == KIND_FINAL_COPY:
            self.close(stream)
            self.closed_since_done = True

    def close(self, stream: Stream) -> None:
        """Close a response."""
        stream.closed = self.any_closed = True
        stream.seen = stream.finished = _NONE  # not asked for any more
        self.open.pop(stream.record, None)
        if not stream.has_usage:
            self._without_usage.append(stream)

    def _done(self) -> None:
        """A [DONE] names no stream: it closes the finished ones.

        If there is none it is that of a response closed by its usage, else it ends the one active
        last.
        """
        finished = [stream for stream in self.open.values() if stream.complete]
        last = self._last_active()
        if not finished and last is not None and not self.closed_since_done:
            finished = [last]
        for stream in finished:
            self.close(stream)
        self.closed_since_done = False

    def begin_scope(self, scope: int) -> None:
        """Forget all responses, if this is another scope."""
        if scope > self.epoch // SCOPE:
            self.open.clear()
            self.by_id.clear()
            self._without_usage.clear()
            self.any_closed = self.closed_since_done = False
            self.epoch = scope * SCOPE

    def _move_to(self, record: int, epoch: int) -> None:
        """Close what is over before this record."""
        self.expire(record)
        self.begin_scope(epoch // SCOPE)
        while self.epoch < epoch:
            self.epoch += 1
            self._done()

    def expire(self, record: int) -> None:
        """Close what had no chunk for long, and forget what was closed long ago."""
        if self._is_mixed:
            self.open = OrderedDict(sorted(self.open.items(), key=lambda item: item[1].last))
            self._is_mixed = False
        while self.open:
            oldest = next(iter(self.open.values()))
            if record - oldest.last <= self.window:
                break
            self.close(oldest)
        horizon = record - self._memory
        if horizon > self._forgotten + self.window:
            self._forgotten = horizon
            kept = {id_: s for id_, s in self.by_id.items() if not s.closed or s.heard >= horizon}
            self.by_id = kept


_GONE = Stream(LATE, "")
_GONE.closed = _GONE.has_usage = True


def _brings(chunk: Chunk) -> bool:
    return any(payload for _, _, payload, _ in chunk.deltas)


def _opens(chunk: Chunk) -> bool:
    """Tell whether the chunk has the shape of a first one."""
    opens = any(opens for _, opens, _, _ in chunk.deltas)
    return opens and (_brings(chunk) or not chunk.has_usage)


def _trails(chunk: Chunk) -> bool:
    """Tell whether the chunk can only be the end of something: Azure's filter results, usage."""
    return not _brings(chunk) and not _opens(chunk) and bool(chunk.deltas or chunk.has_usage)
