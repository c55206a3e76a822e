"""Write the catalogue of metrics from the declarations of the result tables."""

from __future__ import annotations

from collections.abc import Iterator

import toolkit
from toolkit import schema
from tools.site.dictionary import cell, column_table

_DIRECTIONS = {"higher": "higher is more certain", "lower": "lower is more certain"}


def catalogue() -> str:
    """Return each result table with its metrics, and its other columns, as Markdown."""
    return "\n".join(line for table in schema.RESULTS for line in _table(table))


def _table(table: schema.Table) -> Iterator[str]:
    keys = ", ".join(f"`{key}`" for key in table.keys)
    yield from (f"({table.name}-table)=", f"## {table.name}", "")
    yield from (cell(table.doc) + (f" Key: {keys}." if keys else ""), "")
    yield from (f"Made by [`{_function(table)}`](made/api/{_function(table)}.rst).", "")
    others = [column for column in table.columns if not column.formula]
    for column in table.columns:
        if column.formula:
            yield from _metric(column, table.name)
    if others:
        yield from ("### Other columns", "", *column_table(others), "")


def _function(table: schema.Table) -> str:
    """Return the name of the function that returns the table; they are named alike."""
    home = "toolkit" if table.name in toolkit.__all__ else "toolkit.metrics"
    return f"{home}.{table.name}"


def _metric(column: schema.Column, table: str) -> Iterator[str]:
    """Yield an entry of the catalogue: a heading that can be linked, and a list of facts."""
    unit = "1 (a ratio)" if column.unit == "1" else column.unit
    facts = [unit, _DIRECTIONS.get(column.direction, "")]
    yield from (f"({table}-{column.name})=", f"### {cell(column.name)}", "")
    yield from (cell(column.doc), "")
    yield from ("formula", f": `` {column.formula} ``", "")
    yield from ("unit and direction", f": {cell(' · '.join(filter(None, facts)) or '–')}", "")
    yield from ("source", f": {cell(column.source or 'arithmetic')}", "")
    yield from ("does not say", f": {cell(column.caveat)}", "")
