"""Turn the rows of tables into JSON lines: DataFrames, Arrow tables and columns.

A row becomes one JSON object on one line, so everything after the sources reads tables as it reads
JSONL. Null members of objects are omitted, because Arrow and pandas fill in what a row lacks.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pyarrow as pa

from toolkit.errors import SourceError
from toolkit.loaders.sources.compression import Reader

_FRAME_ROWS = 256  # rows of a DataFrame that are converted at a time
_SLICE_BYTES = 4 << 20  # bytes of an Arrow table that are converted at a time, about
_READ_BYTES = 1 << 20  # bytes that are enough to return from one read
_TOO_DEEP = b"[" * 300 + b"]" * 300 + b"\n"  # deeper than any limit, so that the row is rejected
_ARROW = ("__arrow_c_stream__", "__arrow_c_array__")
_NULLS = ("NAType", "NaTType")  # types of missing values in pandas
_COLUMN = "response"  # key of the values of a column without a name


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
        return nullcontext(
            LineReader(pandas_lines(table) if _is_pandas(table) else _arrow_object_lines(table))
        )

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


def unique(names: Iterable[Any]) -> list[str]:
    """Return the names of columns as different texts: the second ``a`` is ``a.1``."""
    seen: Counter[str] = Counter()
    found = []
    for name in map(str, names):
        found.append(f"{name}.{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


def table_lines(names: list[str], columns: list[list[Any]], *, maps: bool) -> Iterator[bytes]:
    """Yield one line for each row of some columns; `maps`: lists of pairs are objects."""
    for values in zip(*columns, strict=True):
        yield _line(dict(zip(names, values, strict=True)), maps)


def column_lines(name: str, values: list[Any], *, maps: bool) -> Iterator[bytes]:
    """Yield one line for each value of a column: an object, or the JSON text of one, is a row."""
    for value in values:
        if isinstance(value, bytes):
            value = plain(value, maps)
        if isinstance(value, str) and value.lstrip().startswith("{"):
            # Line ends can only be blanks between the tokens of JSON.
            yield _encoded(value.replace("\r", " ").replace("\n", " ")) + b"\n"
            continue
        if hasattr(value, "model_dump"):
            value = value.model_dump()
        yield _line(value if isinstance(value, dict) else {name: value}, maps)


def _line(row: dict[str, Any], maps: bool) -> bytes:
    """Return a row as a line; a row of nulls alone is a blank one."""
    try:
        found = plain(row, maps)
        text = json.dumps(found, ensure_ascii=False)
    except (RecursionError, ValueError):  # an object that holds itself
        return _TOO_DEEP
    return _encoded(text, found) + b"\n" if found else b"\n"


def _encoded(text: str, value: object = None) -> bytes:
    """Return a JSON text in UTF-8; lone surrogates are escaped, so that a decoder notes them."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        if value is None:
            return "".join(
                f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in text
            ).encode()
        return json.dumps(value).encode()


def plain(value: Any, maps: bool = False) -> Any:
    """Return a cell as JSON values.

    Missing values are null, and null members of objects are omitted. Bytes are the text that they
    are in UTF-8, else a list of integers. Dates and decimals are texts.

    Parameters
    ----------
    value : object
    maps : bool
        Whether a list of pairs is an object, as Arrow returns the values of a map.

    Examples
    --------
    >>> plain({"a": float("nan"), "b": [None, b"hi"]})
    {'b': [None, 'hi']}
    """
    kind = type(value)
    if value is None or kind is str or kind is int or kind is bool:
        return value
    if kind is float:
        return value if value == value else None
    if isinstance(value, dict):
        members = ((str(key), plain(inner, maps)) for key, inner in value.items())
        return {key: inner for key, inner in members if inner is not None}
    if isinstance(value, list | tuple | set | frozenset):
        if maps and value and all(isinstance(each, tuple) for each in value):
            return plain(dict(value), maps)
        return [plain(each, maps) for each in value]
    if isinstance(value, bytes | bytearray | memoryview):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            return list(value)
    if hasattr(value, "tolist"):  # of NumPy
        return plain(value.tolist(), maps)
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(), maps)
    return None if kind.__name__ in _NULLS else str(value)


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
            yield from column_lines(str(frame.name or _COLUMN), part.tolist(), maps=False)
        else:
            columns = [part.iloc[:, i].tolist() for i in range(part.shape[1])]
            yield from table_lines(unique(frame.columns), columns, maps=False)


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
                    yield from column_lines(name, part.to_pylist(), maps=True)
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
    step = max(1, _SLICE_BYTES * n // max(1, part.nbytes))
    for start in range(0, n, step):
        yield part.slice(start, step)


def arrow_lines(batches: Iterable[Any]) -> Iterator[bytes]:
    """Yield the rows of record batches."""
    for batch in batches:
        names = unique(batch.schema.names)
        for part in _slices(batch):
            columns = [column.to_pylist() for column in part.columns]
            yield from table_lines(names, columns, maps=True)
