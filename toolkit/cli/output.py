"""Printing for the command line: text that is safe on a terminal, tables, JSON and CSV.

Tokens are foreign text. What a terminal would obey (controls, ANSI sequences, bidi marks) is shown
as an escape in every form; JSON stays exact all the same, and so does CSV in a pipe.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from toolkit.errors import ArgumentError

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 40
"""Rows of a readable table, unless --limit says otherwise."""
_FORMULA = tuple("=+-@\t\r\n\0＝＋－＠'")  # a spreadsheet may run what starts so; ' is our mark


class Number(str):
    """A number that is formatted already: goes to the right of its column."""


def _is_new_emoji(char: str) -> bool:
    # Emoji of a later Unicode than this Python's, in blocks that have nothing but pictures.
    return "\U0001f300" <= char <= "\U0001faff" and unicodedata.category(char) == "Cn"


def visible(text: str) -> str:
    """Escape all that a terminal obeys or hides: controls, ANSI, bidi marks, odd blanks."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or _is_new_emoji(c) else c.encode("unicode_escape").decode()
        for c in text
    )


def token_text(token: str, raw: bytes | None) -> str:
    """Show a token: blanks as ␣, pieces of a character as their bytes, no text as ∅."""
    if not token:
        return "∅"
    if raw is not None and "\ufffd" in token:
        token = raw.decode("utf-8", "backslashreplace")
    mark = "◌" if unicodedata.category(token[0]).startswith("M") else ""
    return mark + visible(token).replace(" ", "␣")


def _width(text: str) -> int:
    """Count the columns of a terminal: two for wide characters, none for combining marks."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" or _is_new_emoji(c) for c in text)
    return len(text) + wide - sum(unicodedata.category(c) in ("Mn", "Me") for c in text)


def clip(text: str, width: int, *, at_start: bool = False) -> str:
    """Shorten a text to a number of columns, an ellipsis for the rest."""
    if _width(text) <= width:
        return text
    kept, room = "", width - 1
    for char in reversed(text) if at_start else text:
        room -= _width(char)
        if room < 0:
            break
        kept = char + kept if at_start else kept + char
    return f"…{kept}" if at_start else f"{kept}…"


def _cell(value: Any) -> str:
    """Show one value; null is a dash."""
    if value is None or value != value:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        fixed = value == 0 or 1e-4 <= abs(value) < 1e6
        return f"{value:.4f}" if fixed else f"{value:.2g}"
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    return visible(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def terminal_columns() -> int:
    """Return the width of the terminal; 100 in a pipe, unless COLUMNS says otherwise."""
    return shutil.get_terminal_size((100, 24)).columns


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Number | None) and not isinstance(value, bool)


def grid(
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    tint: Callable[[Sequence[Any]], str | None] = lambda row: None,
    lead: int = 0,
) -> Iterator[str]:
    """Lay rows out in columns that fit the terminal: numbers right, long texts clipped.

    A name is broken at underscores if it is longer than what stands below it.
    `tint` gives the colour of a row, `lead` is the least width of the first column.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    right, heads, widths = [], [], []
    for i, name in enumerate(names):
        right.append(all(_is_number(row[i]) for row in rows))
        width = max([10, *(_width(row[i]) for row in cells)])
        # Blanks hold together while the name is broken.
        lines = textwrap.wrap(
            visible(name).translate({32: "\xa0", 95: " "}), width, break_long_words=False
        )
        heads.append([line.replace("\xa0", " ") for line in lines] or [""])
        texts = [*heads[i], *(row[i] for row in cells)]
        widths.append(max([0 if i else lead, *map(_width, texts)]))
    room = terminal_columns()
    widths = [min(width, room) for width in widths]
    while sum(widths) + 2 * len(widths) > room:
        widest = max(range(len(names)), key=lambda i: 0 if right[i] else widths[i])
        if right[widest] or widths[widest] <= 6:
            break
        widths[widest] -= 1

    def line(texts: Iterable[str]) -> str:
        padded = []
        for name, text, width, to_right in zip(names, texts, widths, right, strict=True):
            text = clip(text, width, at_start=name == "source")
            space = " " * (width - _width(text))
            padded.append(space + text if to_right else text + space)
        return "  " + "  ".join(padded).rstrip()

    height = max(map(len, heads))
    for head in zip(*([""] * (height - len(head)) + head for head in heads), strict=True):
        yield click.style(line(head), bold=True)
    for row, texts in zip(rows, cells, strict=True):
        colour = tint(row)
        yield click.style(line(texts), fg=colour) if colour else line(texts)


def _plain(value: Any) -> Any:
    """Turn a value into what JSON has: NaN is null, bytes are integers, times ISO 8601."""
    if isinstance(value, float):
        if value != value:
            return None
        return value if abs(value) < float("inf") else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def json_text(value: Any, indent: int | None = None) -> str:
    """Write JSON that is safe to print: what is not printable is escaped, and no text is lost."""
    text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, indent=indent)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def _csv(values: Iterable[Any], *, raw: bool) -> str:
    """Write one line of CSV; unless raw, an apostrophe disarms texts that look like formulas."""
    cells = []
    for value in values:
        if not isinstance(value, float) or value != value:
            value = _plain(value)
        if isinstance(value, bool | list | dict):
            value = json_text(value)
        elif isinstance(value, str) and value.startswith(_FORMULA) and not raw:
            value = f"'{value}"
        if isinstance(value, str) and sys.stdout.isatty():
            value = visible(value)
        cells.append(value)
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().removesuffix("\r\n")


def print_lines(lines: Iterable[str], *, exact: bool = False) -> None:
    """Print lines as they come, without holding all of them.

    Off a terminal, styles are taken away, and so is all in the data that looks like one: what has
    to be `exact` has neither.
    """
    lines = iter(lines)
    while block := list(itertools.islice(lines, 500)):
        click.echo("\n".join(block), color=exact or None)


def print_rows(
    table: pa.Table,
    form: str | None,
    limit: int | None,
    columns: str | None,
    shown: Callable[[pa.Table], Iterable[str]],
) -> None:
    """Print the rows of a table in the form that was asked for, or that suits stdout."""
    if columns is not None:
        names = [name.strip() for name in columns.split(",")]
        if unknown := [name for name in names if name not in table.column_names]:
            raise ArgumentError(f"no column {unknown[0]!r}; choose from {table.column_names}")
        table = table.select(names)
    form = form or ("text" if sys.stdout.isatty() else "json")
    total = table.num_rows
    limit = ROWS if limit is None and form == "text" else limit
    table = table.slice(0, limit or None)
    if form == "text":
        rows = table.to_pylist() if columns else []
        print_lines(grid(names, [list(row.values()) for row in rows]) if columns else shown(table))
        if table.num_rows < total:
            more = f"  … {total - table.num_rows:,} more rows; --limit 0 shows all"
            click.echo(click.style(more, dim=True))
        return
    rows = (row for batch in table.to_batches(max_chunksize=500) for row in batch.to_pylist())
    if form == "json":
        print_lines(map(json_text, rows))
    else:
        lines = (_csv(row.values(), raw=form == "csv-raw") for row in rows)
        print_lines(itertools.chain([_csv(table.column_names, raw=True)], lines), exact=True)
