"""Lay out tables and lines that fit the terminal, with hidden characters visible."""

from __future__ import annotations

import shutil
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import click

from toolkit.visible_text import plain, spelled_token

_LEAST_COLUMNS = 24  # of a terminal; lines are longer than a narrower one
_IDS = ("id", "custom_id", "response_id")  # clipped in the middle, because many share a beginning
_PATHS = ("source", "place")  # clipped at the start
_LEAST_WIDTH = {"place": 32} | dict.fromkeys(_IDS, 16)  # they can be pasted back
_LEAST_TEXT = 20  # terminal columns of other texts, before columns are omitted
_HEAD_WIDTH = 8  # terminal columns; longer heads are broken, and all in a table that is too wide
_CELL_LENGTH = 4000  # characters of a text that a cell uses; no terminal is wider


class Number(str):
    """A formatted number, which a table aligns to the right."""


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
    return len(text) + wide - sum(map(_has_no_width, text))


def _has_no_width(char: str) -> bool:
    # Vowels and finals of Hangul (U+1160 to U+11FF) are drawn within their syllable.
    return "\u1160" <= char <= "\u11ff" or unicodedata.category(char) in ("Mn", "Me", "Cf")


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
        value = plain_number(value)
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
    for number, line in enumerate(wrapped(text, first, " " * indent) or [first]):
        line = line.replace("\xa0", " ")
        yield line if number else head + line[len(first) :]


def wrapped(text: str, first: str = "", after: str | None = None, most: int = 1000) -> list[str]:
    """Wrap a text by terminal columns, only at blanks, so that names with hyphens stay whole.

    Parameters
    ----------
    text : str
        Safe to print.
    first, after : str
        What the first line and the lines after it begin with. Default of `after`: `first`.
    most : int
        Most columns of a line, if the terminal is wider.
    """
    if not text.isascii():  # a wide character counts as two
        text = "".join(char + "\0" * (_width(char) - 1) for char in text)
    lines = textwrap.wrap(
        text,
        max(min(terminal_columns(), most), len(first) + 20),
        initial_indent=first,
        subsequent_indent=first if after is None else after,
        break_on_hyphens=False,
    )
    return [line.replace("\0", "") for line in lines]


def plain_number(value: Decimal) -> int | float:
    """Return a decimal number of SQL as a whole number, which is exact, or as a float."""
    return int(value) if value == value.to_integral_value() else float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal | Number | None) and not isinstance(value, bool)


@dataclass(slots=True)
class _Column:
    """A column of a readable table.

    Attributes
    ----------
    name : str
    to_right : bool
        Whether all values are numbers.
    head, cells : list of str
        The lines of the head, and the values.
    width : int
        Terminal columns.
    """

    name: str
    to_right: bool
    head: list[str]
    cells: list[str]
    width: int

    @classmethod
    def of(cls, name: str, values: Sequence[Any], lead: int, head_width: int) -> _Column:
        """Return a column that is as wide as its longest value, and at least as `lead`."""
        cells = _times(values) or [_cell(value) for value in values]
        room = max([head_width, *map(_width, cells)])
        # A name is broken at its underscores, not at its blanks.
        head = textwrap.wrap(name.translate({32: "\xa0", 95: " "}), room, break_long_words=False)
        head = [line.replace("\xa0", " ") for line in head] or [""]
        width = max([lead, *map(_width, (*head, *cells))])
        has_any = any(value is not None for value in values)
        return cls(name, has_any and all(map(_is_number, values)), head, cells, width)

    def least(self, width: int) -> int:
        """Return the least width of this column, if texts should have some width at least."""
        if self.to_right:
            return self.width
        return min(self.width, _LEAST_WIDTH.get(self.name) or max([width, *map(_width, self.head)]))

    def fitted(self) -> list[str]:
        """Return the cells, each as wide as the column."""
        return [self._padded(text) for text in self._clipped()]

    def titled(self, height: int) -> list[str]:
        """Return the lines of the head, under blank ones."""
        lines = [""] * (height - len(self.head)) + self.head
        return [self._padded(clip(line, self.width)) for line in lines]

    def _clipped(self) -> list[str]:
        """Return the cells, clipped where as many as possible stay different."""
        if all(_width(cell) <= self.width for cell in self.cells):
            return self.cells
        ways: list[dict[str, bool]] = [{}, {"in_middle": True}, {"at_start": True}]
        if self.name in _IDS:
            ways = [ways[1], ways[2]]
        if self.name in _PATHS:
            ways = [ways[2], ways[1]]
        found = [[clip(cell, self.width, **way) for cell in self.cells] for way in ways]
        return max(found, key=lambda cells: len(set(cells)))  # of equal ones, the first

    def _padded(self, text: str) -> str:
        space = " " * (self.width - _width(text))
        return space + text if self.to_right else text + space


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
    room = terminal_columns()
    for head_width in (_HEAD_WIDTH, 1):
        columns = [
            _Column.of(safe(name), [row[i] for row in rows], 0 if i else lead, head_width)
            for i, name in enumerate(names)
        ]
        if sum(column.width + 2 for column in columns) <= room:
            break
    n = len(columns)
    while can_omit and n > 1 and sum(each.least(_LEAST_TEXT) + 2 for each in columns[:n]) > room:
        n -= 1
    _fit(columns[:n], room)
    shown = columns[:n]
    height = max(len(column.head) for column in shown)
    for line in zip(*(column.titled(height) for column in shown), strict=True):
        if any(map(str.strip, line)):
            yield click.style(_line(line), bold=True)
    for row, line in zip(
        rows, zip(*(column.fitted() for column in shown), strict=True), strict=True
    ):
        colour = tint(row)
        yield click.style(_line(line), fg=colour) if colour else _line(line)
    if not rows:
        yield click.style("  no rows", dim=True)
    if n < len(names):
        yield from _omitted([column.name for column in columns[n:]])


def _line(texts: Iterable[str]) -> str:
    return "  " + "  ".join(texts).rstrip()


def _fit(columns: Sequence[_Column], room: int) -> None:
    """Make the widest columns narrower until all fit, if they need not be too narrow for that."""
    room -= 2 * len(columns)
    for least_text in (_LEAST_TEXT, 6):
        least = [column.least(least_text) for column in columns]
        for column in columns:
            column.width = min(column.width, room + 2)
        while sum(column.width for column in columns) > room:
            wide = [
                column for column, width in zip(columns, least, strict=True) if column.width > width
            ]
            if not wide:
                break
            max(wide, key=lambda column: column.width).width -= 1


def _omitted(names: Sequence[str]) -> Iterator[str]:
    """Yield the lines that name the columns for which the terminal is too narrow."""
    noun, them = ("column", "it") if len(names) == 1 else ("columns", "them")
    more = f"… {len(names)} more {noun}; --columns prints {them}: {', '.join(names)}"
    for line in wrapped(more, "  ", "    "):
        yield click.style(line, dim=True)


def _times(values: Sequence[Any]) -> list[str] | None:
    """Write points of time in UTC, all as precisely as one of them needs; None: they are others."""
    if not any(isinstance(value, datetime) for value in values):
        return None
    if not all(isinstance(value, datetime | None) for value in values):
        return None
    times = [value and _in_utc(value) for value in values]
    parts = [each.time() for each in times if each is not None]
    if all(part == time() for part in parts):
        return ["–" if each is None else each.date().isoformat() for each in times]
    precise = "milliseconds" if any(part.microsecond for part in parts) else "seconds"
    spec = precise if any(part.replace(minute=0, hour=0) != time() for part in parts) else "minutes"
    return ["–" if each is None else each.isoformat(" ", spec) for each in times]


def _in_utc(value: datetime) -> datetime:
    return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
