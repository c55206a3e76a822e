"""Read many small records in one load, because a load costs more than they do."""

from collections.abc import Callable
from typing import Any, NamedTuple

import toolkit
from tests.oracle import assert_conserved, rows_by_response

Row = dict[str, Any]
TABLES = ("responses", "choices", "tokens", "alternatives")


class Found(NamedTuple):
    """What one part of a load gave, as if it had been loaded alone.

    Attributes
    ----------
    tables : the rows of each table, by its name
    rows : for each response its rows without their place, as in `rows_by_response`
    ledger : the row of its source, where the part is a source
    """

    tables: dict[str, list[Row]]
    rejects: list[Row]
    rows: list[Row]
    ledger: Row

    def column(self, table: str, name: str) -> list[Any]:
        """Return the values of one column."""
        return [row[name] for row in self.tables[table]]


def read_each(sources: list[bytes], **options: Any) -> list[Found]:
    """Read all sources in one load; return what each gave."""
    lp = toolkit.read(sources, **options)
    parts = parts_of(lp, len(sources), lambda source, record: source)
    for part, row in zip(parts, lp.ledger.to_pylist(), strict=True):
        part.ledger.update(row)
    return parts


def parts_of(
    lp: toolkit.LogprobTables, n_parts: int, part_of: Callable[[int, int], int]
) -> list[Found]:
    """Split a load into parts, by the ordinals of source and record; check that it is whole."""
    assert_conserved(lp)
    parts = [Found({name: [] for name in TABLES}, [], [], {}) for _ in range(n_parts)]
    for name in TABLES:
        for row in lp[name].to_pylist():
            parts[part_of(*divmod(row["response_key"], 1 << 32))].tables[name].append(row)
    sources = lp.ledger["source"].to_pylist()
    for row in lp.rejects.to_pylist():
        parts[part_of(sources.index(row["source"]), row["record"])].rejects.append(row)
    rows = iter(rows_by_response(lp))
    for part in parts:
        part.rows.extend(next(rows) for _ in part.tables["responses"])
    return parts
