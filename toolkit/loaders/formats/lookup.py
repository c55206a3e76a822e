"""`Lookup`: where the answer of a record is, its id and its columns, as the caller says it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from toolkit.loaders.formats.body import Body, Exchange
from toolkit.loaders.formats.paths import along, find, steps_of
from toolkit.loaders.formats.row_ids import as_id
from toolkit.loaders.formats.shape import Shape


@dataclass(frozen=True)
class Lookup:
    """What to look for in each record; by default all is found by content.

    Attributes
    ----------
    path : str, optional
        Where the answer is.
    id : str, optional
        Where the id of the row is.
    keep : tuple of str
        Columns of the row to keep.
    shape : Shape, optional
        The format of the answer.
    """

    path: str | None = None
    id: str | None = None
    keep: tuple[str, ...] = ()
    shape: Shape | None = None

    def with_row(self, body: Body | Exchange, record: object) -> Body | Exchange:
        """Return a body with the id and the columns of the row around it.

        They are looked for in the objects around the body, the innermost first, then in it.
        """
        if self.id is None and not self.keep:
            return body
        *around, own = along(record, body.path)
        rows = [each for each in (*reversed(around), own) if isinstance(each, dict)]
        if self.id is not None:
            found = next(_nearest(rows, self.id), None)
            body = body._replace(custom_id=body.custom_id if found is None else as_id(found))
        kept = {name: value for name in self.keep for value in _nearest(rows, name)}
        return body._replace(kept=kept or body.kept)


def _nearest(rows: list[dict[str, Any]], path: str) -> Iterator[Any]:
    """Yield the value at a path in the first of some objects that has one."""
    steps = steps_of(path)
    for row in rows:
        for value, _ in find(row, steps):
            yield value
            return
