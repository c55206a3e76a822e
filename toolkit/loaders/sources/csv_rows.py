"""Turn CSV into JSON lines: every cell is the text that it holds, and no value is converted.

The standard library's reader limits the size of a cell for the whole process, and Arrow's needs a
row to fit its block; answers with logprobs are larger than both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain

from toolkit.loaders.sources.rows import line, unique
from toolkit.loaders.sources.size_limits import OverLimitError

_BOM = b"\xef\xbb\xbf"
_DELIMITERS = (b",", b";", b"\t", b"|")
_QUOTED = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"?')


@cache
def _cell(delimiter: bytes) -> re.Pattern[bytes]:
    """Return the pattern of a cell: quoted text or not, and what ends it."""
    other = b"[^" + re.escape(delimiter) + rb"\r\n]*+"
    quoted = rb'"([^"]*+(?:""[^"]*+)*+)"(' + other + b")"
    return re.compile(
        b"(?:" + quoted + rb'|(?!")(' + other + b"))(" + re.escape(delimiter) + rb"|\r\n|\n|\r|\Z)"
    )


def csv_lines(blocks: Iterable[bytes], delimiter: bytes | None, max_bytes: int) -> Iterator[bytes]:
    """Yield one line for each row of CSV, whose first row names the columns.

    An empty cell is omitted, unless it is quoted. A row without any cell is a blank line. Cells
    beyond the names are named ``column_3`` and so on.

    Parameters
    ----------
    blocks : iterable of bytes
    delimiter : bytes or None
        None: the likeliest in the first row.
    max_bytes : int
        Bytes of a row, at most.

    Raises
    ------
    OverLimitError
        If a row is longer, perhaps because a quote is never closed.

    Examples
    --------
    >>> list(csv_lines([b'id,response\\n7,"{""a"": 1}"\\n'], None, 100))
    [b'{"id": "7", "response": "{\\\\"a\\\\": 1}"}\\n']
    """
    rows = _rows(blocks, delimiter, max_bytes)
    names = unique(_text(cell or b"") for cell in next(filter(None, rows), []))
    for cells in rows:
        while len(names) < len(cells):
            names.append(f"column_{len(names) + 1}")
        pairs = zip(names, cells, strict=False)
        yield line({name: _text(cell) for name, cell in pairs if cell is not None})


def _text(cell: bytes) -> str:
    """Return the text of a cell; bytes that are not UTF-8 are kept, so that the row is rejected."""
    return cell.decode("utf-8", "surrogateescape")


def _rows(
    blocks: Iterable[bytes], delimiter: bytes | None, max_bytes: int
) -> Iterator[list[bytes | None]]:
    """Yield the cells of each row; None for an empty cell without quotes."""
    held: list[bytes] = []  # blocks since the last whole row
    size = 0
    wanted = 0  # bytes from which it is tried again whether a row is whole, so that this is linear
    is_first = True
    block: bytes | None
    for block in chain(blocks, (None,)):
        if block is not None:
            held.append(block)
            size += len(block)
            if size < wanted:
                continue
        text = b"".join(held)
        if is_first and (len(text) > len(_BOM) or block is None):
            text = text.removeprefix(_BOM)
            is_first = False
        if delimiter is None and (b"\n" in text or b"\r" in text or block is None):
            delimiter = _likeliest(text)
        at = 0
        while delimiter is not None and at < len(text):
            found = _row(text, at, _cell(delimiter), is_last=block is None)
            if found is None:
                break
            cells, at = found
            yield cells
        rest = text[at:]
        if len(rest) > max_bytes:
            raise OverLimitError(
                f"a row of this CSV file has more than {max_bytes:,} bytes (Limits.record_bytes), "
                "perhaps because a quote is never closed; what came before was read"
            )
        held, size = [rest], len(rest)
        wanted = 2 * size


def _likeliest(text: bytes) -> bytes:
    """Return the delimiter that is most frequent in the first row."""
    row = _QUOTED.sub(b"", text).lstrip(b"\r\n").partition(b"\n")[0]
    return max(_DELIMITERS, key=row.count)


def _row(
    text: bytes, start: int, cell: re.Pattern[bytes], *, is_last: bool
) -> tuple[list[bytes | None], int] | None:
    """Return the cells of the row that begins somewhere and its end; None if it may go on."""
    cells: list[bytes | None] = []
    at = start
    while True:
        match = cell.match(text, at)
        if match is None:  # a quote that is not closed
            return ([*cells, text[at:]], len(text)) if is_last else None
        quoted, after, other, end = match.groups()
        at = match.end()
        if at == len(text) and not is_last and end != b"\n":
            return None
        cells.append(other or None if quoted is None else quoted.replace(b'""', b'"') + after)
        if end in (b"", b"\r\n", b"\n", b"\r"):
            return ([] if cells == [None] else cells), at
