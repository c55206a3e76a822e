"""Turn the rows of tables into JSON lines: DataFrames, Arrow tables and columns.

A row becomes one JSON object on one line, so everything after the sources reads tables as it reads
JSONL. Null members of objects are omitted, because Arrow and pandas fill in what a row lacks.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import pyarrow as pa

from toolkit.errors import SourceError
from toolkit.loaders.sources.arrow_values import values
from toolkit.loaders.sources.cells import listed, plain
from toolkit.loaders.sources.compression import Reader

_FRAME_ROWS = 256  # rows of a DataFrame that are converted at a time
_SLICE_BYTES = 4 << 20  # bytes of an Arrow table that are converted at a time, about
_READ_BYTES = 1 << 20  # bytes that are enough to return from one read
_TOO_DEEP = json.loads("[" * 300 + "]" * 300)  # deeper than any limit, so the row is rejected
_ARROW = ("__arrow_c_stream__", "__arrow_c_array__")
_FIRST_ROWS = 10_000  # rows of a table of which one must hold an answer
_CAN_ANSWER = re.compile(rb"[\[{]|data:|log_?prob", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_. -]{0,39}")
_MOST_NAMES = 8  # columns that a message lists
_SURROGATE = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # those that stand for no byte
_COLUMN = "response"  # key of the values of a column without a name


class NoAnswersError(SourceError):
    """A table has no column that holds answers."""

    reason: ClassVar[str] = "unknown_format"


def is_table(value: object) -> bool:
    """Return whether an object is a DataFrame, an Arrow table or a column of one.

    pandas, Polars and Arrow are recognised by their attributes; none of them is imported for it.

    Examples
    --------
    >>> import pyarrow as pa
    >>> is_table(pa.table({"response": ["{}"]})), is_table(b"{}"), is_table([{}])
    (True, False, False)
    """
    return _is_pandas(value) or any(hasattr(value, name) for name in _ARROW)


def _is_pandas(value: object) -> bool:
    return hasattr(value, "iloc") and hasattr(value, "to_dict")


class Table:
    """A table in memory, which is read as JSON lines."""

    __slots__ = ("table",)

    def __init__(self, table: Any) -> None:
        self.table = table

    def open(self) -> AbstractContextManager[Reader]:
        """Return a reader of the rows from the first one."""
        table = self.table
        lines = pandas_lines(table) if _is_pandas(table) else _arrow_object_lines(table)
        return nullcontext(LineReader(holding_answers(lines)))

    def size(self) -> None:
        """Return None."""


class LineReader:
    """A file object that gives lines which are made while it is read.

    Parameters
    ----------
    lines : iterable of bytes
        Each with its line end. If it raises, the lines before are given first.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._held = memoryview(b"")
        self._fault: Exception | None = None

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        if not self._held:
            self._held = memoryview(self._next(min(size, _READ_BYTES)))
        piece, self._held = self._held[:size], self._held[size:]
        return bytes(piece)

    def _next(self, size: int) -> bytes:
        if self._fault is not None:
            raise self._fault
        held: list[bytes] = []
        n = 0
        try:
            while n < size:
                held.append(next(self._lines))
                n += len(held[-1])
        except StopIteration:
            pass
        except Exception as error:
            if not held:
                raise
            self._fault = error
        return b"".join(held)


# Rows to lines


def holding_answers(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a table, unless no cell of its first rows can hold an answer.

    A cell that can is a list, an object, a text like JSON or an event stream, or a logprob.

    Raises
    ------
    NoAnswersError
        Once, so that a table without answers is not thousands of rejects.
    """
    held: list[bytes] = []
    lines = iter(lines)
    for each in lines:
        held.append(each)
        if _CAN_ANSWER.search(each, 1):
            break
        if len(held) >= _FIRST_ROWS:
            raise NoAnswersError(_describe_columns(held))
    else:
        if any(map(bytes.strip, held)):
            raise NoAnswersError(_describe_columns(held))
    yield from held
    del held
    yield from lines


def _describe_columns(lines: list[bytes]) -> str:
    """Describe a table without answers by its columns, as far as they look like names."""
    names = {name for each in lines[:_FRAME_ROWS] for name in json.loads(each.strip() or b"{}")}
    listed = ", ".join(sorted(filter(_NAME.fullmatch, names))[:_MOST_NAMES])
    return (
        f"no column of this table holds answers (found the columns {listed or 'without names'}); "
        "expected one with responses as JSON, or with lists of tokens and logprobs"
    )


def unique(names: Iterable[Any]) -> list[str]:
    """Return the names of columns as different texts: the second ``a`` is ``a.1``."""
    seen: Counter[str] = Counter()
    found = []
    for name in map(str, names):
        found.append(f"{name}.{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


def table_lines(names: list[str], columns: list[list[Any]]) -> Iterator[bytes]:
    """Yield one line for each row of some columns of JSON values."""
    for row in zip(*columns, strict=True):
        yield line(dict(zip(names, row, strict=True)))


def column_lines(name: str, column: list[Any]) -> Iterator[bytes]:
    """Yield one line for each value of a column: an object, or the JSON text of one, is a row."""
    for value in column:
        if isinstance(value, str) and value.lstrip().startswith("{"):
            # Line ends can only be blanks between the tokens of JSON.
            yield _encoded(value.replace("\r", " ").replace("\n", " ")) + b"\n"
        else:
            yield line(value if isinstance(value, dict) else {name: value})


def line(row: dict[str, Any]) -> bytes:
    """Return a row of JSON values as a line; a row without any value is a blank line."""
    cells = {
        name: listed(name, value) if isinstance(value, str) else value
        for name, value in row.items()
        if value is not None
    }
    return (_encoded(json.dumps(cells, ensure_ascii=False)) if cells else b"") + b"\n"


def _encoded(text: str) -> bytes:
    """Return a JSON text in UTF-8.

    Bytes of a file that are not UTF-8 are kept, so that a decoder rejects their row; other halves
    of surrogate pairs are escaped, so that it notes them.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode(
            "utf-8", "surrogateescape"
        )


# Tables of pandas, which may hold any object


def pandas_lines(frame: Any) -> Iterator[bytes]:
    """Yield the rows of a DataFrame or a Series of pandas; an index with a name is a column."""
    if frame.ndim == 2:
        index = [name for name in frame.index.names if name is not None]
        if index and not set(index) & set(frame.columns):
            frame = frame.reset_index(level=index)
    for start in range(0, len(frame), _FRAME_ROWS):
        part = frame.iloc[start : start + _FRAME_ROWS]
        if frame.ndim == 1:
            yield from column_lines(str(frame.name or _COLUMN), _cells(part))
        else:
            columns = [_cells(part.iloc[:, i]) for i in range(part.shape[1])]
            yield from table_lines(unique(frame.columns), columns)


def _cells(column: Any) -> list[Any]:
    return [_cell(value) for value in column.tolist()]


def _cell(value: Any) -> Any:
    try:
        return plain(value)
    except RecursionError:  # an object that holds itself
        return _TOO_DEEP


# Tables of Arrow


def _arrow_object_lines(value: Any) -> Iterator[bytes]:
    """Yield the rows of an object that Arrow can import: a table or a column."""
    try:
        if hasattr(value, "schema") or hasattr(value, "columns"):
            yield from arrow_lines(_batches(value))
        else:
            name = str(getattr(value, "name", None) or _COLUMN)
            for chunk in _chunks(value):
                for part in _slices(chunk):
                    yield from column_lines(name, values(part))
    except (pa.ArrowException, TypeError) as error:
        raise SourceError(
            f"this {type(value).__name__} is not read as a table ({type(error).__name__}); "
            "expected columns of text, numbers, lists and structs"
        ) from error


def _batches(value: Any) -> Iterable[Any]:
    if isinstance(value, pa.RecordBatch):
        return [value]
    if hasattr(value, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(value)
    return [pa.record_batch(value)]


def _chunks(value: Any) -> list[Any]:
    if isinstance(value, pa.Array):
        return [value]
    if hasattr(value, "__arrow_c_stream__"):
        return pa.chunked_array(value).chunks
    return [pa.array(value)]


def _slices(part: Any) -> Iterator[Any]:
    """Yield the rows of a batch or an array, few enough to be converted at a time."""
    n = len(part)
    step = max(1, _SLICE_BYTES * n // max(1, _n_bytes(part)))
    for start in range(0, n, step):
        yield part.slice(start, step)


def _n_bytes(part: Any) -> int:
    """Return the bytes of a batch or an array, about."""
    try:
        return part.nbytes
    except pa.ArrowTypeError:  # pyarrow 17 does not count views, such as the texts of Polars
        return part.get_total_buffer_size()


def arrow_lines(batches: Iterable[Any]) -> Iterator[bytes]:
    """Yield the rows of record batches."""
    for batch in batches:
        batch.validate(full=True)  # a damaged file may have offsets outside its buffers
        names = unique(batch.schema.names)
        for part in _slices(batch):
            yield from table_lines(names, list(map(values, part.columns)))
