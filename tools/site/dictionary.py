"""Write the data dictionary from the declarations of `toolkit.schema`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from toolkit import schema


def stored_tables() -> str:
    """Return the dictionary of the five tables and the ledger, as Markdown."""
    lines = []
    for table in (*schema.TABLES, schema.LEDGER):
        keys = ", ".join(f"`{key}`" for key in table.keys)
        lines += [f"({table.name}-table)=", f"## {table.name}", ""]
        lines += [f"{cell(table.doc)} Key: {keys}.", "", *column_table(table.columns), ""]
    return "\n".join(lines)


def column_table(columns: Iterable[schema.Column]) -> Iterator[str]:
    """Yield the rows of a Markdown table of columns."""
    yield from ("| column | type | unit | meaning |", "| --- | --- | --- | --- |")
    for column in columns:
        name = f"`{column.name}`" + "!" * column.required
        yield f"| {name} | {short(column.type)} | {cell(column.unit)} | {cell(column.doc)} |"


def codes() -> str:
    """Return what the codes of notes and rejects mean, as Markdown."""
    lines = []
    for title, meanings in (
        ("Codes of `responses.notes`", schema.NOTES),
        ("Codes of `rejects.reason`", schema.REASONS),
    ):
        lines += [f"## {title}", "", "| code | meaning |", "| --- | --- |"]
        lines += [f"| `{code}` | {cell(doc)} |" for code, doc in meanings.items()] + [""]
    return "\n".join(lines)


def cell(text: str) -> str:
    """Return a text as a cell of a Markdown table, where no character has a meaning."""
    for char in "\\`*_[]<>|$":
        text = text.replace(char, f"\\{char}")
    return text


def short(type_: pa.DataType) -> str:
    """Return the short name of an Arrow type."""
    if pa.types.is_dictionary(type_):
        return "label"
    if pa.types.is_list(type_):
        return f"list of {short(type_.value_type)}"
    if pa.types.is_map(type_):
        return f"map of {short(type_.key_type)} to {short(type_.item_type)}"
    if pa.types.is_struct(type_):
        return " and ".join(field.name for field in type_)
    return {"large_string": "string", "large_binary": "binary", "double": "float64"}.get(
        str(type_), str(type_).removesuffix("[ms, tz=UTC]")
    )
