"""Which chunk belongs to which response: the rules of streams, record by record.

A response is named by the ordinal of its first record. The rules, in short:

- A chunk with an id joins the response of that id; a chunk without one joins the response that was
  active last. A first chunk without id and choices (Azure's prompt filter) is taken over by the id
  that follows.
- A response is closed by ``[DONE]`` (the finished ones; if none is, the last active), by a chunk
  with usage and no choices after some text came, and by ``window`` records without a chunk of it.
- After a choice has its finish reason, a chunk that opens it again (a role, or an empty first text)
  or brings more text is a new response under the same id. OpenRouter's last chunk, which has a role
  but also usage and no text, is not.
- Any other chunk after closing is late. Only usage that the response lacks is still taken, with a
  note.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from typing import NamedTuple

from toolkit.columns import SCOPE

LATE = -1


class Chunk(NamedTuple):
    """What is to be known of a chunk, or of an error in mid-stream, to find its response.

    Attributes
    ----------
    record, epoch : int
        Its ordinal, and the ``[DONE]`` markers before it (and `SCOPE` for each new scope).
    is_chunk : bool
        False for an error.
    id : str
        Empty if it has none.
    has_usage : bool
    deltas : list of (int, bool, bool, bool)
        For each entry of ``choices``: the choice; whether it opens the choice (a role, or an empty
        text and nothing else); whether it brings text, tool calls or tokens; whether it has a
        finish reason. Plain tuples, because there are as many as chunks.
    """

    record: int
    epoch: int
    is_chunk: bool
    id: str
    has_usage: bool
    deltas: list[tuple[int, bool, bool, bool]]


class _Stream:
    """A response that is being received."""

    __slots__ = ("closed", "finished", "has_payload", "has_usage", "id", "last", "record", "seen")

    def __init__(self, record: int, id_: str) -> None:
        self.record = record
        self.id = id_
        self.seen: set[int] = set()
        self.finished: set[int] = set()
        self.has_payload = False
        self.has_usage = False
        self.closed = False
        self.last = record

    @property
    def complete(self) -> bool:
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

    Examples
    --------
    >>> assigner = Assigner(window=100)
    >>> first = Chunk(0, 0, True, "a", False, [(0, True, False, False)])
    >>> last = Chunk(1, 0, True, "a", False, [(0, False, True, True)])
    >>> assigner.assign(first), assigner.assign(last)
    (0, 0)
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self.notes: dict[int, set[str]] = defaultdict(set)
        self._epoch = 0
        self._open: OrderedDict[int, _Stream] = OrderedDict()  # by first record, last active last
        self._by_id: dict[str, _Stream] = {}  # the newest of each id, open or closed
        self._any_closed = False

    def gap(self, record: int, epoch: int = 0) -> None:
        """Say that a record was rejected here: open responses may lack tokens."""
        self._move_to(record, epoch)
        for stream in self._open.values():
            self.notes[stream.record].add("gap")

    def assign(self, chunk: Chunk) -> int:
        """Return the first record of the chunk's response, or LATE."""
        self._move_to(chunk.record, chunk.epoch)
        if not chunk.is_chunk:
            return self._assign_error(chunk)
        stream = self._find(chunk)
        if stream is None:
            stream = _Stream(chunk.record, chunk.id)
            self._open[stream.record] = stream
        elif stream.closed:
            if not self._takes_late_usage(stream, chunk):
                return LATE
            self.notes[stream.record].add("late_usage")
        self._join(stream, chunk)
        return stream.record

    def _assign_error(self, chunk: Chunk) -> int:
        """An error belongs to the stream that it broke off, else it is a response of its own."""
        stream = self._by_id.get(chunk.id) if chunk.id else self._last_active()
        if stream is None or stream.closed or stream.complete:
            return chunk.record
        stream.last = chunk.record
        self._open.move_to_end(stream.record)
        return stream.record

    # Finding

    def _find(self, chunk: Chunk) -> _Stream | None:
        """Return the response that the chunk belongs to, perhaps a closed one; None: a new one."""
        if chunk.id:
            stream = self._by_id.get(chunk.id)
            if stream is None:
                return self._nameless()
            if stream.closed:
                return None if _opens(chunk) else stream
        else:
            stream = self._last_active()
            if stream is None:
                return _GONE if self._any_closed and _trails(chunk) else None
        for choice, opens, payload, _ in chunk.deltas:
            if choice in stream.finished and (payload or (opens and not chunk.has_usage)):
                return None
        return stream

    def _last_active(self) -> _Stream | None:
        return next(reversed(self._open.values()), None)

    def _nameless(self) -> _Stream | None:
        """Return the response opened last if it has neither id nor choice yet."""
        stream = self._last_active()
        return stream if stream is not None and not stream.id and not stream.seen else None

    def _takes_late_usage(self, stream: _Stream, chunk: Chunk) -> bool:
        near = chunk.record - stream.last <= self.window
        return chunk.has_usage and not stream.has_usage and not _brings(chunk) and near

    # Changing

    def _join(self, stream: _Stream, chunk: Chunk) -> None:
        stream.last = chunk.record
        if chunk.id:
            old = self._by_id.get(chunk.id)
            if old is not None and old is not stream and not old.closed:
                self._close(old)  # superseded under its own id
            stream.id = stream.id or chunk.id
            self._by_id[chunk.id] = stream
        for choice, _, payload, finishes in chunk.deltas:
            stream.seen.add(choice)
            stream.has_payload |= payload
            if finishes:
                stream.finished.add(choice)
        stream.has_usage |= chunk.has_usage
        if stream.closed:
            return
        self._open.move_to_end(stream.record)
        if chunk.has_usage and not chunk.deltas and stream.has_payload:
            self._close(stream)

    def _close(self, stream: _Stream) -> None:
        stream.closed = self._any_closed = True
        self._open.pop(stream.record, None)

    def _done(self) -> None:
        """A [DONE] names no stream: it closes the finished ones, else the one active last."""
        finished = [stream for stream in self._open.values() if stream.complete]
        last = self._last_active()
        for stream in finished or ([last] if last else []):
            self._close(stream)

    def _move_to(self, record: int, epoch: int) -> None:
        """Close what is over before this record."""
        self._expire(record)
        if epoch // SCOPE > self._epoch // SCOPE:
            self._open.clear()
            self._by_id.clear()
            self._any_closed = False
            self._epoch = epoch
        while self._epoch < epoch:
            self._epoch += 1
            self._done()

    def _expire(self, record: int) -> None:
        while self._open:
            oldest = next(iter(self._open.values()))
            if record - oldest.last <= self.window:
                return
            self._close(oldest)


_GONE = _Stream(LATE, "")
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
