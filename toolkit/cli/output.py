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
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import click

from toolkit.cli.sql import query
from toolkit.errors import ArgumentError
from toolkit.visible_text import plain, spelled_token

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 40
"""Most rows of a readable table, unless --limit sets another number."""
_LEAST_COLUMNS = 24  # of a terminal; lines are longer than a narrower one
_IDS = ("id", "custom_id", "response_id")  # clipped in the middle, because many share a beginning
_PATHS = ("source", "place")  # clipped at the start
_KEPT_WIDTH = {"place": 32} | dict.fromkeys(_IDS, 16)  # clipped last: they can be pasted back
_HEAD_WIDTH = 8  # terminal columns; longer heads are broken if their cells are narrower
_CELL_LENGTH = 4000  # characters of a text that a cell uses; no terminal is wider
_FORMULA = re.compile(
    r"['\t\r\n\0]|[\s\x00-\x1f\x7f-\xa0\xad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]*[=+\-@＝＋－＠]"
)
"""Begin of a text that a spreadsheet may run, after what it may skip; and of one that is marked."""


class Number(str):
    """A formatted number, which a table aligns to the right."""


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


def safe(text: object) -> str:
    """Write a text of the data whole, on one line, with its hidden characters visible."""
    return plain(text, None) if (text := str(text)) else ""


def _is_new_emoji(char: str) -> bool:
    # Blocks of emoji only, some of a later Unicode version than this Python's.
    return "\U0001f300" <= char <= "\U0001faff" and unicodedata.category(char) == "Cn"


def _width(text: str) -> int:
    """Return the number of terminal columns: 2 per wide character, 0 per mark or joiner."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" or _is_new_emoji(c) for c in text)
    return len(text) + wide - sum(unicodedata.category(c) in ("Mn", "Me", "Cf") for c in text)


def clip(text: str, width: int, *, at_start: bool = False, in_middle: bool = False) -> str:
    """Shorten a text to a number of terminal columns; an ellipsis replaces the rest."""
    if _width(text) <= width:
        return text
    if in_middle:
        head = clip(text, width // 2)
        return head + clip(text, width + 1 - _width(head), at_start=True)[1:]
    kept, room = "", width - 1
    for char in reversed(text) if at_start else text:
        room -= _width(char)
        if room < 0:
            break
        kept = char + kept if at_start else kept + char
    return f"…{kept}" if at_start else f"{kept}…"


def _cell(value: Any) -> str:
    """Write one value; null is a dash."""
    if isinstance(value, Decimal):
        value = _plain_number(value)
    if value is None or value != value:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        fixed = value == 0 or 1e-4 <= abs(value) < 1e6
        return f"{value:.4f}" if fixed else f"{value:.2g}"
    if isinstance(value, bytes):
        return spelled_token("", value)
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return safe(text[:_CELL_LENGTH])


def terminal_columns() -> int:
    """Return the width of the terminal: COLUMNS if it is set; 100 in a pipe; at least 24."""
    return max(shutil.get_terminal_size((100, 24)).columns, _LEAST_COLUMNS)


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


def complain(text: str) -> None:
    """Print a line on stderr; if it cannot be written, the exit code alone remains."""
    try:
        click.echo(text, err=True)
    except OSError:
        discard(sys.stderr)


def beside(head: str, items: Iterable[str], indent: int) -> Iterator[str]:
    """Yield a styled head with items beside it, which are wrapped only between items.

    Parameters
    ----------
    head : str
    items : iterable of str
        Safe to print.
    indent : int
        Terminal columns of blanks before the lines after the first.
    """
    text = " · ".join(item.replace(" ", "\xa0") for item in items)
    first = " " * len(click.unstyle(head))
    blanks = " " * indent
    lines = textwrap.wrap(
        text,
        terminal_columns(),
        initial_indent=first,
        subsequent_indent=blanks,
        break_on_hyphens=False,
    )
    for number, line in enumerate(lines or [first]):
        line = line.replace("\xa0", " ")
        yield line if number else head + line[len(first) :]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal | Number | None) and not isinstance(value, bool)


def grid(
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    tint: Callable[[Sequence[Any]], str | None] = lambda row: None,
    lead: int = 0,
    *,
    can_omit: bool = False,
) -> Iterator[str]:
    """Yield the lines of a table that fits the terminal; numbers are aligned to the right.

    Parameters
    ----------
    names : sequence of str
        Heads of the columns, broken at underscores if they are wider than their cells.
    rows : sequence of sequences
        Values; long texts are clipped.
    tint : callable
        Returns the colour of a row.
    lead : int
        Least width of the first column.
    can_omit : bool
        Whether the last columns are named below the table if the terminal is too narrow for them.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    right: list[bool] = []
    heads: list[list[str]] = []
    widths: list[int] = []
    names = [safe(name) for name in names]
    for i, name in enumerate(names):
        right.append(all(_is_number(row[i]) for row in rows))
        width = max([_HEAD_WIDTH, *(_width(row[i]) for row in cells)])
        # A name is broken at its underscores, not at its blanks.
        lines = textwrap.wrap(name.translate({32: "\xa0", 95: " "}), width, break_long_words=False)
        heads.append([line.replace("\xa0", " ") for line in lines] or [""])
        texts = [*heads[i], *(row[i] for row in cells)]
        widths.append(max([0 if i else lead, *map(_width, texts)]))
    room = terminal_columns()
    least = [
        widths[i]
        if right[i]
        else min(widths[i], _KEPT_WIDTH.get(name) or max([6, *map(_width, heads[i])]))
        for i, name in enumerate(names)
    ]
    n = len(names)
    while can_omit and n > 1 and sum(least[:n]) + 2 * n > room:
        n -= 1
    widths = _shrunk([min(width, room) for width in widths[:n]], least, room - 2 * n)

    def line(texts: Iterable[str]) -> str:
        padded = []
        for name, text, width, to_right in zip(names, texts, widths, right, strict=False):
            text = clip(text, width, at_start=name in _PATHS, in_middle=name in _IDS)
            space = " " * (width - _width(text))
            padded.append(space + text if to_right else text + space)
        return "  " + "  ".join(padded).rstrip()

    height = max(map(len, heads[:n]))
    for head in zip(*([""] * (height - len(head)) + head for head in heads[:n]), strict=True):
        yield click.style(line(head), bold=True)
    for row, texts in zip(rows, cells, strict=True):
        colour = tint(row)
        yield click.style(line(texts), fg=colour) if colour else line(texts)
    if n < len(names):
        noun = "column" if n + 1 == len(names) else "columns"
        more = f"  … {len(names) - n} more {noun}; --columns prints them: {', '.join(names[n:])}"
        for each in textwrap.wrap(more, room, subsequent_indent="    "):
            yield click.style(each, dim=True)


def _shrunk(widths: list[int], least: Sequence[int], room: int) -> list[int]:
    """Return widths that fit the room, if they need not become less than the least ones."""
    while sum(widths) > room:
        wide = [i for i, width in enumerate(widths) if width > least[i]]
        if not wide:
            break
        widths[max(wide, key=lambda i: widths[i])] -= 1
    return widths


def _plain_number(value: Decimal) -> int | float:
    """Return a decimal number of SQL as a whole number, which is exact, or as a float."""
    return int(value) if value == value.to_integral_value() else float(value)


def _json_value(value: Any) -> Any:
    """Convert a value to types of JSON: NaN to null, bytes to integers, times to ISO 8601."""
    if isinstance(value, float):
        if value != value:
            return None
        return value if abs(value) < float("inf") else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, Decimal):
        return _plain_number(value)
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
            more = f"  … {total - table.num_rows:,} more rows; --limit 0 shows all"
            click.echo(click.style(more, dim=True))
        return
    rows = _rows(table)
    if form == "json":
        print_lines(map(json_text, rows))
    else:
        lines = (_csv(row.values(), raw=form == "csv-raw") for row in rows)
        is_raw = sql is None or form == "csv-raw"  # a query may name columns after values
        print_lines(itertools.chain([_csv(table.column_names, raw=is_raw)], lines), exact=True)
