"""What the rules of streams are about: chunks as they come, and streams as they grow."""

from __future__ import annotations

from heapq import heapify, heappop, heappush, heapreplace
from typing import NamedTuple, cast

# Shared by all closed responses, to save memory. It is frozen so that adding to it fails; the cast
# is right because nobody adds to the choices of a closed response.
NO_CHOICES = cast("set[int]", frozenset())

Delta = tuple[int, bool, bool, bool]
"""An entry of ``choices`` in a chunk: the choice; whether it opens the choice (a role, or an empty
text and nothing else); whether it brings text, tool calls or tokens; whether it has a finish
reason. A plain tuple, because there are as many as chunks."""


class Chunk(NamedTuple):
    """The properties of a chunk, or of an error in mid-stream, that decide its response.

    Attributes
    ----------
    record, last : int
        Its ordinal, and the ordinal of the last chunk that was joined to it (else the same).
    scope, done : int
        As in `toolkit.loaders.decoding.ordinals.Ordinals`.
    kind : int
        One of the kinds in `toolkit.loaders.buffers`, but not `KIND_WHOLE`.
    id : str
        Empty if it has none.
    has_usage : bool
    deltas : list of Delta
    custom_id : str
        The id of the row around it; empty if there is none.
    item, item_id : int and str
        The item of the answer that it is about.
    """

    record: int
    last: int
    scope: int
    done: int
    kind: int
    id: str
    has_usage: bool
    deltas: list[Delta]
    custom_id: str = ""
    item: int = 0
    item_id: str = ""


class Rejected(NamedTuple):
    """A rejected record: responses that are open around it may lack tokens."""

    record: int
    scope: int = 0
    done: int = 0


class Progress(NamedTuple):
    """What the chunks of one block add to one stream; see `Assigner.advance`.

    Attributes
    ----------
    id : str
    record, last : int
        The first record of the response, and the last record of the block that belongs to it.
    done : int
        Number of ``[DONE]`` markers before its last chunk.
    choices, finished : set of int
        Choices in these chunks, and those of them that have a finish reason.
    has_payload, has_usage : bool
    closes : bool
        Whether the last chunk has usage and no choices, after some text came.
    custom_id : str
        That of the first chunk.
    """

    id: str
    record: int
    last: int
    done: int
    choices: set[int]
    finished: set[int]
    has_payload: bool
    has_usage: bool
    closes: bool
    custom_id: str


class Stream:
    """A response that is being received, or was.

    Attributes
    ----------
    record, last : int
        Its first record, and its last record so far.
    id, custom_id : str
    choices, finished : set of int
        The choices that it has, and those of them that have a finish reason.
    last_named : int
        The last record that had its id, even if it came too late.
    has_payload, has_usage, closed : bool
    item, item_id : int and str
        Those of its last copy.
    items : list of str
        The ids of its items, while it is open.
    gaps : int
        Rejected records up to its first record, or up to those that it has a note about.
    """

    __slots__ = (
        "choices",
        "closed",
        "custom_id",
        "finished",
        "gaps",
        "has_payload",
        "has_usage",
        "id",
        "item",
        "item_id",
        "items",
        "last",
        "last_named",
        "record",
    )

    def __init__(self, record: int, id_: str, custom_id: str = "", gaps: int = 0) -> None:
        self.record = record
        self.id = id_
        self.custom_id = custom_id
        self.gaps = gaps
        self.item = 0
        self.item_id = ""
        self.items: list[str] = []
        self.choices: set[int] = set()
        self.finished: set[int] = set()
        self.has_payload = False
        self.has_usage = False
        self.closed = False
        self.last = self.last_named = record

    @property
    def complete(self) -> bool:
        """Whether every choice has its finish reason."""
        return bool(self.choices) and self.finished >= self.choices


class OpenStreams(dict[int, Stream]):
    """Open responses by their first record; finds the ones active last and longest ago.

    They are not in order, because chunks that were joined to one end later than others that begin
    later. Two heaps are, and nothing is removed from these before it is first.

    Examples
    --------
    >>> streams = OpenStreams()
    >>> for record in (3, 5):
    ...     streams.activate(Stream(record, ""))
    >>> streams.latest().record, streams.oldest(before=4).record, streams.oldest(before=3)
    (5, 3, None)
    """

    def __init__(self) -> None:
        super().__init__()
        # An entry of each stream: a record that its last is not before, and its first
        self._oldest: list[tuple[int, int]] = []
        # The last record of each stream, and earlier ones, negative, and its first
        self._latest: list[tuple[int, int]] = []

    def activate(self, stream: Stream) -> None:
        """Add a stream, or remember that its last record is another, which is a later one."""
        if stream.record not in self:
            self[stream.record] = stream
            heappush(self._oldest, (stream.last, stream.record))
        entry = (-stream.last, stream.record)
        if self._latest and self._latest[0][1] == stream.record:
            heapreplace(self._latest, entry)
        else:
            heappush(self._latest, entry)
        if len(self._latest) > 2 * len(self) + 100:
            self._latest = [(-each.last, each.record) for each in self.values()]
            heapify(self._latest)

    def latest(self) -> Stream | None:
        """Return the stream with the highest last record."""
        while self._latest:
            last, record = self._latest[0]
            stream = self.get(record)
            if stream is not None and stream.last == -last:
                return stream
            heappop(self._latest)
        return None

    def oldest(self, *, before: int) -> Stream | None:
        """Return the stream with the lowest last record if that is before a record."""
        while self._oldest and self._oldest[0][0] < before:
            last, record = self._oldest[0]
            stream = self.get(record)
            if stream is None:
                heappop(self._oldest)
            elif stream.last > last:
                heapreplace(self._oldest, (stream.last, record))
            else:
                return stream
        return None
