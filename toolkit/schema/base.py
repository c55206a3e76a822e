"""Declare columns and tables, and check tables against their declaration with `conform`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cache, cached_property

import pyarrow as pa
import pyarrow.compute as pc

from toolkit.errors import SchemaError

SCHEMA_VERSION = "3"
"""Version of the stored tables; `toolkit.dataset.versions` declares what each one changed."""


@dataclass(frozen=True)
class Column:
    """One declared column.

    Attributes
    ----------
    name : str
    type : pyarrow.DataType
    doc : str
        Its meaning, in one sentence.
    required : bool
        True if it is never null.
    unit : str
        Unit of a number (``nats``, ``bits``, ``tokens``, ``1``), or empty.
    direction : str
        ``higher`` or ``lower``: which end means a more certain model; empty where neither does.
    labels : tuple of str
        The texts that a `LABEL` column may hold, in the order of their codes.
    formula : str
        How a metric is computed from other columns; empty if the column is not a metric.
    source : str
        Who proposed the metric; empty for plain arithmetic.
    caveat : str
        What the metric does not say: the end of a sentence that begins with "Does not say".
    """

    name: str
    type: pa.DataType
    doc: str
    required: bool = False
    unit: str = ""
    direction: str = ""
    labels: tuple[str, ...] = ()
    formula: str = ""
    source: str = ""
    caveat: str = ""

    @property
    def field(self) -> pa.Field:
        """The Arrow field, with doc, unit, direction and facts about a metric as metadata."""
        metadata = {
            "doc": self.doc,
            "unit": self.unit,
            "more_certain": self.direction,
            "formula": self.formula,
            "source": self.source,
            "does_not_say": self.caveat,
        }
        return pa.field(
            self.name,
            self.type,
            nullable=not self.required,
            metadata={key: value for key, value in metadata.items() if value},
        )


@dataclass(frozen=True)
class Table:
    """One declared table: its columns, and the key columns that sort its rows."""

    name: str
    doc: str
    keys: tuple[str, ...]
    columns: tuple[Column, ...]

    @cached_property
    def arrow(self) -> pa.Schema:
        """The Arrow schema, with name, schema version and doc as metadata."""
        metadata = {"toolkit.table": self.name, "toolkit.schema": SCHEMA_VERSION, "doc": self.doc}
        return pa.schema([column.field for column in self.columns], metadata=metadata)

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return [column.name for column in self.columns]

    def __getitem__(self, name: str) -> Column:
        """Return the column of that name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise SchemaError(f"table {self.name} has no column {name!r}; it has {self.names}")

    def of(self, names: Collection[str]) -> Table:
        """Return the table with some of its columns."""
        columns = (column for column in self.columns if column.name in names)
        return replace(self, columns=tuple(columns))

    def empty(self) -> pa.Table:
        """Return a table of this schema with no rows."""
        return self._empty

    @cached_property
    def _empty(self) -> pa.Table:
        return self.arrow.empty_table()


TEXT = pa.large_string()
BINARY = pa.large_binary()
LABEL = pa.dictionary(pa.int8(), pa.string())
"""A text from a short declared list, such as `CHANNELS`; one byte per row."""


def tokens_column(name: str, doc: str) -> Column:
    """Declare a nullable count of tokens."""
    return Column(name, pa.int64(), doc, unit="tokens")


def count(name: str, doc: str, unit: str = "tokens") -> Column:
    """Declare a 32-bit count that is never null."""
    return Column(name, pa.int32(), doc, required=True, unit=unit)


def metric(
    name: str, unit: str, direction: str, doc: str, *, formula: str, caveat: str, source: str = ""
) -> Column:
    """Declare a nullable real number that is a metric, which needs a formula and a caveat."""
    return Column(
        name,
        pa.float64(),
        doc,
        unit=unit,
        direction=direction,
        formula=formula,
        source=source,
        caveat=caveat,
    )


def setting(name: str, unit: str, doc: str) -> Column:
    """Declare a nullable real number that is not a metric: an edge, a weight, an argument."""
    return Column(name, pa.float64(), doc, unit=unit)


def total(name: str, doc: str, unit: str = "tokens") -> Column:
    """Declare a 64-bit count that is never null."""
    return Column(name, pa.int64(), doc, required=True, unit=unit)


def known(
    name: str, unit: str, direction: str, doc: str, *, formula: str = "", caveat: str = ""
) -> Column:
    """Declare a nullable whole number with its unit, and with a formula if it is a metric."""
    return Column(
        name, pa.int64(), doc, unit=unit, direction=direction, formula=formula, caveat=caveat
    )


def label_array(codes: object, labels: tuple[str, ...]) -> pa.DictionaryArray:
    """Build a `LABEL` array from small integer codes into one of the declared lists."""
    codes = codes if isinstance(codes, pa.Array) else pa.array(codes, pa.int8())
    return pa.DictionaryArray.from_arrays(codes, _label_values(labels))


@cache
def _label_values(labels: tuple[str, ...]) -> pa.Array:
    return pa.array(labels, pa.string())


def conform(table: pa.Table, declared: Table) -> pa.Table:
    """Cast a table to the declared columns, types and order.

    Every table that a caller or a file brings passes through here, because Arrow does not enforce
    ``nullable=False`` and other writers use other text types (``string_view``, plain strings for
    labels).

    Parameters
    ----------
    table : pyarrow.Table
    declared : Table

    Returns
    -------
    pyarrow.Table
        With the schema ``declared.arrow``; undeclared columns are dropped.

    Raises
    ------
    SchemaError
        If a column is missing, cannot be cast, or holds a null that its declaration forbids.

    Examples
    --------
    >>> from toolkit import schema
    >>> schema.conform(schema.REJECTS.empty(), schema.REJECTS).num_rows
    0
    """
    arrays = []
    names = table.column_names
    is_declared = table.schema.equals(declared.arrow, check_metadata=True)
    for declared_column in declared.columns:
        name = declared_column.name
        if name not in names:
            raise SchemaError(f"table {declared.name} lacks column {name!r}; it has {names}")
        given = table[name]
        column = _cast(given, declared_column, declared.name)
        is_declared &= column is given
        if declared_column.required and column.null_count:
            raise SchemaError(
                f"column {declared.name}.{name} must not be null, but "
                f"{column.null_count} of {len(column)} rows are"
            )
        arrays.append(column)
    return table if is_declared else pa.Table.from_arrays(arrays, schema=declared.arrow)


def _cast(column: pa.ChunkedArray, declared: Column, table: str) -> pa.ChunkedArray:
    try:
        if declared.labels:
            return _labelled(column, declared, table)
        return column if column.type == declared.type else column.cast(declared.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaError(
            f"column {table}.{declared.name} is {column.type}, expected {declared.type}"
        ) from error


def _labelled(column: pa.ChunkedArray, declared: Column, table: str) -> pa.ChunkedArray:
    """Encode labels with the declared codes, whatever codes they had."""
    labels = _label_values(declared.labels)
    if column.type == LABEL and all(chunk.dictionary.equals(labels) for chunk in column.chunks):
        return column
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    codes = pc.index_in(column.cast(pa.string()), value_set=labels)
    unknown = codes.null_count - column.null_count
    if unknown:
        raise SchemaError(
            f"column {table}.{declared.name} has {unknown} rows whose value is not one of "
            f"{declared.labels}"
        )
    chunks = [pa.DictionaryArray.from_arrays(c.cast(pa.int8()), labels) for c in codes.chunks]
    return pa.chunked_array(chunks, LABEL)
