"""Read an export batch by batch, in bounded memory: whole responses with all of their rows.

Within a file, and from one file to the next, every table has its responses in the same order. So
the rows of the next responses are the next rows of each table.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import pairwise
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from toolkit import arrow, schema
from toolkit.dataset.layout import STORED, Listed
from toolkit.dataset.snapshot import OpenExport
from toolkit.dataset.versions import Changes, add_columns, conform_earlier
from toolkit.errors import SchemaError, SourceError
from toolkit.tables import LogprobTables, in_order

_RESPONSES = 1 << 13  # rows that are read at a time
_TOKENS = 1 << 16  # of a batch, about: more only if one response has more
_ROWS = 1 << 16  # that are decoded at a time
_DECLARED = {table.name: table for table in STORED}
_KEYED = ("responses", "choices", "tokens", "alternatives")


class ExportReader:
    """One export that is open: its manifest is read, its files are not.

    Parameters
    ----------
    snapshot : OpenExport
    listed : Listed
    changes : list of Changes
        Since its version of the schema.
    """

    def __init__(self, snapshot: OpenExport, listed: Listed, changes: list[Changes]) -> None:
        self._snapshot, self._listed, self._changes = snapshot, listed, changes

    def files(self, table: str) -> list[str]:
        """Return the paths or URIs of the files of a table."""
        return [self._snapshot.path(f"{table}/{name}") for name, _ in self._listed.files[table]]

    def n_rows(self, table: str) -> int:
        """Return the number of rows of a table."""
        return sum(rows for _, rows in self._listed.files[table])

    def rows(self, table: str, columns: Collection[str]) -> Iterator[pa.Table]:
        """Yield some columns of a table, some rows at a time; no other column is read."""
        declared = _DECLARED[table].of(columns)
        for content in self._rows(declared):
            found = {table: content}
            add_columns(found, self._changes, [declared])
            yield found[table]

    def some(self, columns: Mapping[str, Collection[str]]) -> Iterator[dict[str, pa.Table]]:
        """Yield some columns of responses, and of other tables the rows that belong to them.

        No other column or table is read. The first tables have no rows.
        """
        tables = [_DECLARED[name].of({"response_key", *columns[name]}) for name in columns]
        with self._cursors(tables) as cursors:
            responses = cursors.pop("responses")
            found = {table.name: self._empty(table) for table in tables}
            some: pa.Table | None = found["responses"]
            while some is not None:
                found |= {"responses": some}
                add_columns(found, self._changes, tables)
                yield found
                if (some := responses.some(_RESPONSES)) is not None:
                    found = {name: cursor.of(some) for name, cursor in cursors.items()}

    def responses(self, keys: NDArray[np.int64], columns: Collection[str]) -> pa.Table:
        """Return the key and some columns of the responses with these keys, sorted."""
        found = []
        for tables in self.some({"responses": columns}):
            table = tables["responses"]
            own = np.flatnonzero(np.isin(arrow.numpy(table, "response_key"), keys))
            found.append(arrow.take(table, own))
        return pa.concat_tables(found).sort_by("response_key")

    def _rows(self, table: schema.Table) -> Generator[pa.Table, None, None]:
        """Yield the rows of a table, some at a time, in the order of its files."""
        parts = self._listed.files[table.name]
        names = [f"{table.name}/{name}" for name, _ in parts]
        columns = [*table.names, *(old for each in self._changes for old in each.renamed.values())]
        with closing(self._snapshot.open_all(names, len(_KEYED))) as files:
            for name, n_rows in parts:
                path = self._snapshot.path(f"{table.name}/{name}")
                found = 0
                for content in self._decoded(f"{table.name}/{name}", files, columns):
                    found += content.num_rows
                    try:
                        yield conform_earlier(content, table, self._changes)
                    except SchemaError as error:
                        raise SchemaError(f"{path}: {error}") from error
                if found != n_rows:
                    raise SourceError(f"{path} has {found} rows; the manifest lists {n_rows}")

    def _decoded(
        self, name: str, files: Iterator[BinaryIO], columns: list[str]
    ) -> Iterator[pa.Table]:
        """Yield the rows of the next file, some at a time."""
        try:
            with pq.ParquetFile(next(files), pre_buffer=self._snapshot.is_remote) as file:
                for batch in file.iter_batches(_ROWS, columns=columns):
                    yield pa.Table.from_batches([batch])
        except (OSError, pa.ArrowException) as error:
            self._snapshot.fail(name, error)

    def batches(self) -> Iterator[LogprobTables]:
        """Yield whole responses with their rows.

        The first batch has no rows, so that a result has its types without any response.
        """
        with self._cursors([_DECLARED[name] for name in _KEYED]) as cursors:
            yield self._tables({})
            while (responses := cursors["responses"].some(_RESPONSES)) is not None:
                choices = cursors["choices"].of(responses)
                for some in _runs(responses, choices):
                    found = {name: cursors[name].of(some) for name in _KEYED[2:]}
                    own = np.flatnonzero(_belongs(choices, some))
                    found |= {"responses": some, "choices": arrow.take(choices, own)}
                    yield self._tables(found)

    @contextmanager
    def _cursors(self, tables: Sequence[schema.Table]) -> Iterator[dict[str, _Cursor]]:
        """Open tables that are read together, and check that no row is left."""
        with ExitStack() as stack:
            cursors = {}
            for table in tables:
                cursor = _Cursor(self._rows(table), self._empty(table))
                cursors[table.name] = stack.enter_context(closing(cursor))
            yield dict(cursors)
            for name, cursor in cursors.items():
                if cursor.some(1) is not None:
                    raise SchemaError(
                        f"{self._snapshot.name}: a row of {name} belongs to no response, or the "
                        "rows are not in the order of the responses"
                    )

    def _tables(self, found: dict[str, pa.Table]) -> LogprobTables:
        tables = {
            name: found[name] if name in found else self._empty(table)
            for name, table in _DECLARED.items()
        }
        add_columns(tables, self._changes)
        return in_order(tables)

    def _empty(self, table: schema.Table) -> pa.Table:
        return conform_earlier(table.empty(), table, self._changes)


class _Cursor:
    """The rows of a table that are still to come.

    Its first files are opened at once, so that they are there when they are needed.
    """

    def __init__(self, tables: Generator[pa.Table, None, None], empty: pa.Table) -> None:
        self._tables, self._empty = tables, empty
        self._table = next(tables, None)

    def close(self) -> None:
        """Close the files."""
        self._tables.close()

    def some(self, n: int) -> pa.Table | None:
        """Return the next rows, n at most; None at the end."""
        table = self._peek()
        if table is None:
            return None
        self._table = table.slice(n)
        return table.slice(0, n)

    def of(self, responses: pa.Table) -> pa.Table:
        """Return the next rows, as far as they belong to some responses."""
        found = []
        while (table := self._peek()) is not None:
            strange = np.flatnonzero(~_belongs(table, responses))
            n = int(strange[0]) if len(strange) else table.num_rows
            found.append(table.slice(0, n))
            self._table = table.slice(n)
            if len(strange):
                break
        return pa.concat_tables(found) if found else self._empty

    def _peek(self) -> pa.Table | None:
        while self._table is not None and not self._table.num_rows:
            self._table = next(self._tables, None)
        return self._table


def _belongs(table: pa.Table, responses: pa.Table) -> NDArray[np.bool_]:
    """Return which rows belong to some responses."""
    return np.isin(arrow.numpy(table, "response_key"), arrow.numpy(responses, "response_key"))


def _runs(responses: pa.Table, choices: pa.Table) -> Iterator[pa.Table]:
    """Cut responses where they have so many tokens that a batch is large enough."""
    counts = sum(
        arrow.numpy(choices, name).astype(np.int64)
        for name in choices.column_names
        if name.startswith("n_") and name.endswith("_tokens")
    )
    keys = arrow.numpy(responses, "response_key")
    order = np.argsort(keys, kind="stable")
    at = order[np.searchsorted(keys[order], arrow.numpy(choices, "response_key"))]
    before = arrow.offsets(np.bincount(at, counts, minlength=len(keys)))
    cuts = np.searchsorted(before, np.arange(_TOKENS, before[-1], _TOKENS))
    bounds = np.unique(np.concatenate([[0], cuts, [len(keys)]])).tolist()
    for start, stop in pairwise(bounds):
        yield responses.slice(start, stop - start)
