"""Write the data dictionary from the declarations of `toolkit.schema`."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from toolkit import schema


def stored_tables() -> str:
    """Return the dictionary of the five tables and the ledger, as Markdown."""
    return _tables((*schema.TABLES, schema.LEDGER))


def result_tables() -> str:
    """Return the dictionary of the tables that `toolkit.metrics` returns, as Markdown."""
    return _tables(schema.RESULTS)


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


def _tables(tables: Iterable[schema.Table]) -> str:
    lines = []
    for table in tables:
        keys = ", ".join(f"`{key}`" for key in table.keys)
        lines += [f"({table.name}-table)=", f"## {table.name}", ""]
        lines += [cell(table.doc) + (f" Key: {keys}." if keys else ""), ""]
        lines += ["| column | type | unit | meaning |", "| --- | --- | --- | --- |"]
        for column in table.columns:
            name = f"`{column.name}`" + "!" * column.required
            unit = cell(column.unit)
            lines.append(f"| {name} | {short(column.type)} | {unit} | {cell(column.doc)} |")
        lines.append("")
    return "\n".join(lines)
