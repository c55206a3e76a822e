"""Collect rejects in columns, and list only the first of each reason in a source."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping

import pyarrow as pa

from toolkit import schema
from toolkit.loaders import buffers
from toolkit.loaders.decoding.ordinals import Ordinals, Place
from toolkit.loaders.json_values import Reject

LISTED = 100_000
"""Rejects of one reason in one source that are listed; the others are only counted."""


class Listing:
    """Count the rejects of a load, and say which are listed: the first of each reason in a source.

    Parameters
    ----------
    most : int, optional
        Rejects of one reason in one source that are listed; None: all.

    Attributes
    ----------
    most : int or None
    found : Counter of str
        Rejects of this source so far, by reason.
    unlisted : Counter of str
        Rejects of the load that are not listed, by reason.

    Examples
    --------
    >>> listing = Listing(most=2)
    >>> listing.add({"not_json": 5})
    >>> listing.found["not_json"], listing.unlisted["not_json"]
    (5, 3)
    """

    def __init__(self, most: int | None = LISTED) -> None:
        self.most = most
        self.found: Counter[str] = Counter()
        self.unlisted: Counter[str] = Counter()

    def begin_source(self) -> None:
        """Begin another source."""
        self.found = Counter()

    def add(self, reasons: Mapping[str, int]) -> None:
        """Count the next rejects of this source, by reason."""
        for reason, n in reasons.items():
            before, self.found[reason] = self.found[reason], self.found[reason] + n
            if self.most is not None:
                beyond = max(self.found[reason] - self.most, 0) - max(before - self.most, 0)
                self.unlisted += Counter({reason: beyond})


class RejectColumns:
    """Columns of the rejects of one call of a decoder.

    Parameters
    ----------
    listing : Listing
        The rejects before them, which decide whether these are listed; it is not changed.

    Attributes
    ----------
    reasons : Counter of str
        Rejects by reason, those that are not listed included.
    """

    def __init__(self, listing: Listing) -> None:
        self.reasons: Counter[str] = Counter()
        self._found, self._most = listing.found, listing.most
        # Arrays of numbers, also of texts, take a tenth of the memory of tuples.
        self._places = tuple(array("q") for _ in range(1 + len(Place._fields)))
        self._what = tuple(array("q") for _ in ("reason", "path", "message"))
        self._texts: dict[str | None, int] = {}
        self._runs = tuple(array("q") for _ in buffers.REJECTED)
        self._next = (-1, -1, -1)  # record, scope and done that continue the last run

    def add(self, reject: Reject, at: Ordinals, place: Place) -> None:
        """Add a rejected record."""
        reason = reject.reason
        is_listed = self._has_room(reason)
        self.reasons[reason] += 1
        self._extend_run(1, at)
        if not is_listed:
            return
        for numbers, number in zip(self._places, (at.record, *place), strict=True):
            numbers.append(number)
        for codes, text in zip(self._what, (reason, reject.path, reject.message), strict=True):
            codes.append(self._texts.setdefault(text, len(self._texts)))

    def count(self, reasons: Counter[str], at: Ordinals) -> bool:
        """Count rejected records by reason, if none of them is to be listed.

        Returns
        -------
        bool
            Whether they were counted; else all must be added.
        """
        if any(map(self._has_room, reasons)):
            return False
        self.reasons.update(reasons)
        self._extend_run(reasons.total(), at)
        return True

    def _has_room(self, reason: str) -> bool:
        """Return whether the next reject of a reason is listed."""
        return self._most is None or self._found[reason] + self.reasons[reason] < self._most

    def _extend_run(self, n: int, at: Ordinals) -> None:
        if (at.record, at.scope, at.done) == self._next:
            self._runs[1][-1] += n
        else:
            for values, value in zip(self._runs, (at.record, n, at.scope, at.done), strict=True):
                values.append(value)
        self._next = (at.record + n, at.scope, at.done)

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """Return those that are listed, and the runs of all, as `REJECTS` and `REJECTED`."""
        places = [pa.array(values, pa.int64()) for values in self._places]
        texts = pa.array(list(self._texts), schema.TEXT)
        what = [texts.take(pa.array(codes, pa.int64())) for codes in self._what]
        listed = [
            values.cast(field.type)
            for values, field in zip((*places, *what), buffers.REJECTS, strict=True)
        ]
        runs = [pa.array(values, pa.int64()) for values in self._runs]
        return (
            pa.Table.from_arrays(listed, schema=buffers.REJECTS),
            pa.Table.from_arrays(runs, schema=buffers.REJECTED),
        )
