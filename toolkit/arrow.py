"""Convert between Arrow and NumPy: columns, offsets, runs of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from toolkit.errors import ArgumentError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

_FEW_RUNS, _LONG_RUN = (
    256,
    64,
)  # slice at most this many runs, of at least this many rows on average


def numbers(array: pa.Array) -> np.ndarray:
    """Return numbers or flags without nulls as a NumPy array, without a copy of numbers.

    The interpreter lock is kept, because to hand it over for each small array costs more than the
    conversion.
    """
    n, (_, data) = len(array), array.buffers()
    if pa.types.is_boolean(array.type):
        return _bits(data, array.offset, n)
    dtype = np.dtype(array.type.to_pandas_dtype())
    return np.frombuffer(data or b"", dtype, n, array.offset * dtype.itemsize if n else 0)


def _bits(data: pa.Buffer | None, start: int, n: int) -> np.ndarray:
    packed = np.frombuffer(data or b"", np.uint8)
    return np.unpackbits(packed, count=start + n, bitorder="little")[start:].view(bool)


def _is_valid(array: pa.Array) -> np.ndarray:
    if not array.null_count:
        return np.ones(len(array), bool)
    return _bits(array.buffers()[0], array.offset, len(array))


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _chunks(column: pa.ChunkedArray) -> list[pa.Array]:
    return column.chunks or [column.combine_chunks()]


def numpy(table: pa.Table, name: str) -> np.ndarray:
    """Return a column of numbers or flags without nulls as one NumPy array."""
    return _joined([numbers(chunk) for chunk in _chunks(table[name])])


def valid(table: pa.Table, name: str) -> np.ndarray:
    """Return which rows of a column are not null."""
    return _joined([_is_valid(chunk) for chunk in _chunks(table[name])])


def text_lengths(texts: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return the number of bytes of each large string or binary; 0 for null."""
    lengths = []
    for chunk in _chunks(texts):
        bounds = np.frombuffer(chunk.buffers()[1] or bytes(8), np.int64)[chunk.offset :]
        lengths.append(np.diff(bounds[: len(chunk) + 1]))
        if chunk.null_count:
            lengths[-1] *= _is_valid(chunk)
    return _joined(lengths)


def truth(flags: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return a boolean column as a writable NumPy array, null as False."""
    chunks = _chunks(flags) if isinstance(flags, pa.ChunkedArray) else [flags]
    return _joined([numbers(chunk) & _is_valid(chunk) for chunk in chunks])


def offsets(counts: np.ndarray) -> np.ndarray:
    """Return the n + 1 boundaries of n consecutive runs with these lengths."""
    bounds = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=bounds[1:])
    return bounds


def joined_texts(texts: pa.ChunkedArray, bounds: np.ndarray) -> pa.Array:
    """Join the texts of consecutive runs, without copying them.

    Parameters
    ----------
    texts : pyarrow.ChunkedArray of large strings or binaries, without nulls
    bounds : int64 array, shape (n + 1,)
        Boundaries of the runs, as `offsets` returns them.

    Examples
    --------
    >>> import numpy as np
    >>> texts = pa.chunked_array([["a", "b", "c"]], pa.large_string())
    >>> joined_texts(texts, np.array([0, 2, 2, 3])).to_pylist()
    ['ab', '', 'c']
    """
    pieces = texts.combine_chunks()
    _, starts, data = pieces.buffers()
    every = np.frombuffer(starts or bytes(8), np.int64)[pieces.offset :]
    joined = pa.py_buffer(every[bounds].copy())
    return pa.Array.from_buffers(texts.type, len(bounds) - 1, [None, joined, data])


def null_where(is_null: Any, texts: Any) -> Any:
    """Return texts with null where a mask is true.

    With a null scalar, `if_else` gives a slice of texts wrong offsets in pyarrow 17 to 21.

    Examples
    --------
    >>> null_where(pa.array([True, False]), pa.array(["", "b"])).to_pylist()
    [None, 'b']
    """
    return pc.if_else(is_null, pa.nulls(len(texts), texts.type), texts)


def take(table: pa.Table, rows: np.ndarray) -> pa.Table:
    """Return some rows of a table, without a copy if they are a few runs of consecutive rows."""
    n = len(rows)
    if n == 0:
        return table.slice(0, 0)
    starts = np.append(0, np.flatnonzero(np.diff(rows) != 1) + 1)
    if len(starts) == 1:
        return table.slice(int(rows[0]), n)
    if len(starts) > min(_FEW_RUNS, n // _LONG_RUN + 1):
        return table.take(pa.array(rows))
    lengths = np.diff(starts, append=n)
    return pa.concat_tables(
        [table.slice(*run) for run in zip(rows[starts].tolist(), lengths.tolist(), strict=True)]
    )


def take_runs(bounds: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Return the row indices of whole runs, in the requested order.

    Parameters
    ----------
    bounds : int64 array, shape (n + 1,)
        Boundaries of the runs, as `offsets` returns them.
    runs : integer array
        Which runs to take.

    Returns
    -------
    int64 array
        Indices of their rows.

    Examples
    --------
    >>> import numpy as np
    >>> take_runs(np.array([0, 2, 2, 5]), np.array([2, 0])).tolist()
    [2, 3, 4, 0, 1]
    """
    return run_rows(bounds[runs], bounds[runs + 1] - bounds[runs])


def order_by(*keys: np.ndarray) -> NDArray[np.int64]:
    """Return the stable order by some keys, the first one first."""
    same = np.ones(max(len(keys[0]) - 1, 0), bool)
    rises = np.zeros_like(same)
    for key in keys:
        step = np.diff(key)
        rises |= same & (step > 0)
        same &= step == 0
    if np.all(rises | same):  # already in order, as a rule
        return np.arange(len(keys[0]))
    return np.lexsort(keys[::-1])


def run_rows(starts: np.ndarray, lengths: np.ndarray) -> NDArray[np.int64]:
    """Return the row indices of runs that begin at some rows, one run after the other.

    Examples
    --------
    >>> import numpy as np
    >>> run_rows(np.array([2, 0]), np.array([3, 2])).tolist()
    [2, 3, 4, 0, 1]
    """
    before = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)


def codes(column: pa.ChunkedArray, labels: tuple[str, ...]) -> np.ndarray:
    """Return the codes of a label column in its declared list, whatever codes it has."""
    parts = []
    for chunk in column.chunks:
        codes, found = chunk.indices.to_numpy(), tuple(chunk.dictionary.to_pylist())
        if found != labels[: len(found)]:
            codes = np.array([labels.index(label) for label in found], np.int8)[codes]
        parts.append(codes)
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.int8), *parts])


def floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a numeric column as float64, null as NaN."""
    return column.to_numpy().astype(np.float64, copy=False)


def flags(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Return a boolean column without nulls as an array."""
    return np.asarray(column.to_numpy(), np.bool_)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values of a column, without its dictionary."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def is_in(column: pa.ChunkedArray, values: list[Any]) -> np.ndarray:
    """Return which rows of a column hold one of the values; None matches null."""
    kind = plain_type(column.type)
    found = pc.is_in(column.cast(kind), pa.array(values, kind))
    return found.to_numpy(zero_copy_only=False)


BACKENDS = ("pyarrow", "numpy_nullable")
"""Values of ``dtype_backend``."""


def to_pandas(table: pa.Table, backend: str | None = None) -> pd.DataFrame:
    """Return a table as a DataFrame with the types of one of `BACKENDS`; None: of NumPy."""
    if backend is None:
        return table.to_pandas()
    import pandas as pd

    if backend == "pyarrow":
        return table.to_pandas(types_mapper=pd.ArrowDtype)
    nullable = {
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.float64(): pd.Float64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
        pa.string(): pd.StringDtype(),
        pa.large_string(): pd.StringDtype(),
    }
    return table.to_pandas(types_mapper=nullable.get)


def to_polars(table: pa.Table) -> pl.DataFrame:
    """Return a table as a DataFrame of Polars."""
    try:
        import polars
    except ImportError:
        raise ArgumentError("to_polars needs the package polars: pip install polars") from None
    frame = polars.from_arrow(table)
    assert isinstance(frame, polars.DataFrame)  # of a table
    return frame
