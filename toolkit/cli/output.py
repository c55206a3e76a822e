"""Print tables, JSON and CSV so that no text of the data can control the terminal.

Control characters, ANSI sequences and bidi marks are made visible (`toolkit.visible_text`). JSON
escapes them, so it stays exact; CSV is exact in a pipe.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import click

from toolkit.cli.grid import grid, plain_number, safe
from toolkit.cli.sql import query
from toolkit.errors import ArgumentError

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 40
"""Most rows of a readable table, unless --limit sets another number."""
_FORMULA = re.compile(
    r"['\t\r\n\0]|[\s\x00-\x1f\x7f-\xa0\xad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]*[=+\-@＝＋－＠]"
)
"""Begin of a text that a spreadsheet may run, after what it may skip; and of one that is marked."""


class RowOptions(NamedTuple):
    """How rows are printed: the options of commands that print a table.

    Attributes
    ----------
    form : {"text", "json", "csv", "csv-raw"}, optional
        Default: text on a terminal, else json.
    limit, columns, sql : int, str, str, optional
        As --limit, --columns and --sql.
    """

    form: str | None
    limit: int | None
    columns: str | None
    sql: str | None


def fill_streams() -> None:
    """Open the null device in place of descriptors that are closed, and of a closed stderr.

    Else the next file that is opened would be standard output or standard error.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def discard(stream: TextIO | None) -> None:
    """Send what a stream still holds, and all that follows, to the null device."""
    with contextlib.suppress(OSError, AttributeError):  # a stream of a test has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # type: ignore[union-attr]


def colour() -> bool | None:
    """Return False if the user or the terminal wants no colours, else None: click decides."""
    return False if "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb" else None


def complain(text: str) -> None:
    """Print a line on stderr; if it cannot be written, the exit code alone remains."""
    try:
        click.echo(text, err=True, color=colour())
    except OSError:
        discard(sys.stderr)


def _json_value(value: Any) -> Any:
    """Convert a value to types of JSON: NaN to null, bytes to integers, times to ISO 8601."""
    if isinstance(value, float):
        if value != value:
            return None
        return value if abs(value) < float("inf") else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, Decimal):
        return plain_number(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _json_value(item) for key, item in value.items()}
    return [_json_value(item) for item in value] if isinstance(value, list | tuple) else value


def json_text(value: Any, indent: int | None = None) -> str:
    """Write exact JSON that is safe to print: characters that are not printable are escaped."""
    text = json.dumps(_json_value(value), ensure_ascii=False, allow_nan=False, indent=indent)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def _csv(values: Iterable[Any], *, raw: bool) -> str:
    """Write one line of CSV; unless `raw`, an apostrophe precedes texts that look like formulas."""
    cells = []
    for value in values:
        if not isinstance(value, float) or value != value:
            value = _json_value(value)
        if isinstance(value, bool | list | tuple | dict):
            value = json_text(value)
        elif isinstance(value, str) and _FORMULA.match(value) and not raw:
            value = f"'{value}"
        if isinstance(value, str) and sys.stdout.isatty():
            value = safe(value)
        cells.append(value)
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().removesuffix("\r\n")


def print_lines(lines: Iterable[str], *, exact: bool = False) -> None:
    """Print lines in blocks, without holding all of them in memory.

    Outside a terminal, styles are removed, and with them any part of the data that looks like one.
    Lines that are `exact` have no styles and are printed unchanged.
    """
    lines = iter(lines)
    while block := list(itertools.islice(lines, 500)):
        click.echo("\n".join(block), color=exact or None)


def print_texts(texts: Iterable[str]) -> None:
    """Print recorded texts: exactly, but with visible hidden characters on a terminal."""
    if sys.stdout.isatty():
        texts = (
            "\n".join(safe(line) if line else "" for line in text.splitlines()) for text in texts
        )
    print_lines(texts, exact=True)


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table; a map is a dict."""
    maps = [field.name for field in table.schema if str(field.type).startswith("map<")]
    for batch in table.to_batches(max_chunksize=500):
        for row in batch.to_pylist():
            yield row | {name: dict(row[name] or ()) for name in maps} if maps else row


def print_rows(
    table: pa.Table,
    options: RowOptions,
    shown: Callable[[pa.Table], Iterable[str]],
    views: Mapping[str, pa.Table],
) -> None:
    """Print the rows of a table, or of a query, as a readable table, JSON lines or CSV.

    Parameters
    ----------
    table : pyarrow.Table
    options : RowOptions
    shown : callable
        Returns the lines of the readable table from the rows that fit the limit.
    views : mapping of str to pyarrow.Table
        The tables that --sql may name.
    """
    form, limit, columns, sql = options
    names = None
    if sql is not None:
        table = query(sql, views)
        names = table.column_names
    if columns is not None:
        names = [name.strip() for name in columns.split(",")]
        if unknown := [name for name in names if name not in table.column_names]:
            listed = ", ".join(map(repr, table.column_names))
            raise ArgumentError(f"--columns={unknown[0]!r}: expected one of {listed}")
        table = table.select(names)
    form = form or ("text" if sys.stdout.isatty() else "json")
    total = table.num_rows
    limit = ROWS if limit is None and form == "text" else limit
    table = table.slice(0, limit or None)
    if form == "text":
        if names is None:
            print_lines(shown(table))
        else:
            print_lines(grid(names, [list(row.values()) for row in table.to_pylist()]))
        if table.num_rows < total:
            more = total - table.num_rows
            noun = "row" if more == 1 else "rows"
            click.echo(click.style(f"  … {more:,} more {noun}; --limit 0 shows all", dim=True))
        return
    rows = _rows(table)
    if form == "json":
        print_lines(map(json_text, rows))
    else:
        lines = (_csv(row.values(), raw=form == "csv-raw") for row in rows)
        is_raw = sql is None or form == "csv-raw"  # a query may name columns after values
        print_lines(itertools.chain([_csv(table.column_names, raw=is_raw)], lines), exact=True)
