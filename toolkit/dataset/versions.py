"""Bring exports of earlier schema versions up to date while they are read.

`CHANGES` declares what each version of the schema added and renamed, under the names of today. To
add a column: declare it, raise `schema.SCHEMA_VERSION`, and add an entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from toolkit import schema
from toolkit.dataset.layout import STORED
from toolkit.schema.derived import is_top1

Tables = dict[str, pa.Table]
Name = tuple[str, str]
"""A table and one of its columns."""


class Changes(NamedTuple):
    """What one version of the schema changed.

    Attributes
    ----------
    added : mapping of Name to callable or None
        How to compute a new column from the tables of an earlier export; None: it is null there.
    renamed : mapping of Name to str
        The earlier name of a column.
    """

    added: Mapping[Name, Callable[[Tables], pa.Array] | None] = {}
    renamed: Mapping[Name, str] = {}

    @property
    def unknown(self) -> list[Name]:
        """The new columns that are null in earlier exports."""
        return [name for name, compute in self.added.items() if compute is None]


def _zeros(table: pa.Table, type_: pa.DataType) -> pa.Array:
    return pa.array(np.zeros(table.num_rows, int), type_)


CHANGES = {
    "1": Changes(),
    "2": Changes(
        added={
            ("tokens", "is_top1"): lambda tables: is_top1(tables["tokens"], tables["alternatives"])
        }
    ),
    "3": Changes(
        added={
            ("responses", "path"): None,
            ("responses", "kept"): None,
            ("choices", "n_prompt_tokens"): lambda tables: _zeros(tables["choices"], pa.int32()),
            ("ledger", "skipped"): lambda tables: _zeros(tables["ledger"], pa.int64()),
            ("ledger", "unlisted"): lambda tables: _zeros(tables["ledger"], pa.int64()),
        }
    ),
}
"""The changes of each schema version, from the first to today's."""


def changes_since(version: str) -> list[Changes]:
    """Return the changes of all versions after this one, in order."""
    versions = list(CHANGES)
    return [CHANGES[later] for later in versions[versions.index(version) + 1 :]]


def conform_earlier(table: pa.Table, declared: schema.Table, changes: list[Changes]) -> pa.Table:
    """Return a table in the declared columns, except those that the changes added."""
    for change in changes:
        new_names = {
            old: new for (name, new), old in change.renamed.items() if name == declared.name
        }
        table = table.rename_columns([new_names.get(name, name) for name in table.column_names])
    added = {column for change in changes for name, column in change.added if name == declared.name}
    columns = tuple(column for column in declared.columns if column.name not in added)
    return schema.conform(table, replace(declared, columns=columns))


def add_columns(
    tables: Tables, changes: list[Changes], declared: Sequence[schema.Table] = STORED
) -> None:
    """Append the columns that the changes added to the tables of an earlier export.

    Parameters
    ----------
    tables : dict of str to pyarrow.Table
    changes : list of Changes
    declared : sequence of Table
        The tables that are there, with the columns that are wanted.
    """
    fields = {(table.name, each.name): each.field for table in declared for each in table.columns}
    for change in changes:
        for (name, column), compute in change.added.items():
            if (field := fields.get((name, column))) is not None:
                table = tables[name]
                values = compute(tables) if compute else pa.nulls(table.num_rows, field.type)
                tables[name] = table.append_column(field, values)
