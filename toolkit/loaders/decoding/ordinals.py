"""Positions of records: `Place` in a source, and `Ordinals`, the counters of a load."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple


class Place(NamedTuple):
    """The position of a record in its decompressed source.

    Attributes
    ----------
    line : int
        Line of its first byte, from 1.
    byte_offset : int
        Offset of its first byte, from 0.
    length : int
        Bytes from its first to its last.
    """

    line: int
    byte_offset: int
    length: int


@dataclass
class Ordinals:
    """Counters over the sources of a load; only the decoders advance them.

    Attributes
    ----------
    record : int
        Ordinal of the next record: the number of records so far, rejected ones included.
    scope : int
        Ordinal of the source, or of the exchange inside a record, that is being read. It begins
        anew after an exchange too, because no stream crosses the boundary of a scope.
    done : int
        Number of ``[DONE]`` markers so far in this scope.

    Examples
    --------
    >>> ordinals = Ordinals()
    >>> ordinals.begin_scope()
    >>> before = ordinals.copy()
    >>> ordinals.advance(records=2, done=1)
    >>> ordinals
    Ordinals(record=2, scope=1, done=1)
    >>> ordinals.rewind(before)
    >>> ordinals
    Ordinals(record=0, scope=1, done=0)
    """

    record: int = 0
    scope: int = 0
    done: int = 0

    def advance(self, records: int = 0, done: int = 0) -> None:
        """Count records and ``[DONE]`` markers."""
        self.record += records
        self.done += done

    def begin_scope(self, n: int = 1) -> None:
        """Begin another source or exchange, or go on after an exchange; or do so n times."""
        self.scope += n
        self.done = self.done if n == 0 else 0

    def copy(self) -> Ordinals:
        """Return the counters as they are now."""
        return replace(self)

    def rewind(self, before: Ordinals) -> None:
        """Return to an earlier copy, because what came since is decoded again."""
        self.record, self.scope, self.done = before.record, before.scope, before.done
