"""Write tables to Parquet files on other threads, while the next batch is decoded."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit import schema
from toolkit.dataset.layout import STORED, Part, part_name
from toolkit.tables import LogprobTables

PART_ROWS = 16_000_000
"""Rows of a table after which a new file begins."""
ROW_GROUP = 1 << 18
"""Most rows of a row group; engines skip row groups by their range of ``response_key``."""
_GROUP_BYTES = 8 << 20  # of a table in memory, after which a row group ends earlier
_SMALL_BYTES = 4 << 20  # copy waiting tables below this size, so that they hold no large buffers
# These repeat in short cycles, so that plain encoding compresses faster and to fewer bytes.
_SMALL_NUMBERS = {"choice", "slot", "rank", "sampled_rank", "n_alternatives"}
_RELEASE_EVERY = 3  # batches; memory is released seldom, because re-allocating it is not free
_WRITERS = 2  # threads: one for the alternatives, which are most of the data, one for the rest


def write_files(
    batches: Iterable[LogprobTables], folder: Path, shard: int
) -> dict[str, list[Part]]:
    """Write the Parquet files of a shard, for each table one file after another.

    Parameters
    ----------
    batches : iterable of LogprobTables
    folder : path
        The parent of the folders of the tables.
    shard : int
        Its ordinal. The first shard has a file of each table, even of one without rows.

    Returns
    -------
    dict of str to list of Part
        The files of each table.
    """
    with ExitStack() as stack:
        # The largest tables come first, so that the threads finish together.
        writers = [
            stack.enter_context(_TableWriter(table, folder, shard)) for table in reversed(STORED)
        ]
        pool = stack.enter_context(ThreadPoolExecutor(_WRITERS))
        pending: list[Future[None]] = []
        for i, batch in enumerate(batches, start=1):
            _wait(pending)  # at most one batch is queued
            if i % _RELEASE_EVERY == 0:
                _release_memory()
            pending = [pool.submit(each.add, batch[each.declared.name]) for each in writers]
        _wait(pending)
        _wait([pool.submit(writer.finish) for writer in writers])
    return {writer.declared.name: writer.files for writer in reversed(writers)}


def _wait(pending: list[Future[None]]) -> None:
    for future in pending:
        future.result()


def _release_memory() -> None:
    """Return freed memory to the system, because allocators keep ever more of it in pieces."""
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:  # the GNU C library
        trim(0)


class _TableWriter:
    """Write one table in row groups of an even size, whatever the size of the batches.

    Texts are encoded with dictionaries, integers as deltas, logprobs as byte streams. Only numbers
    have statistics, because those of texts and labels cost much and skip no row group.
    """

    def __init__(self, declared: schema.Table, folder: Path, shard: int) -> None:
        self.declared = declared
        self.files: list[Part] = []
        self._folder = folder / declared.name
        self._shard = shard
        self._waiting: list[pa.Table] = []
        self._file: pq.ParquetWriter | None = None
        self._sink: pa.NativeFile  # of the open file
        self._rows = 0  # in the open file

    def __enter__(self) -> _TableWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:  # an error occurred; the folder will be removed
            self._file.close()
            self._sink.close()

    def add(self, table: pa.Table) -> None:
        """Queue more rows; write a row group if enough of them wait."""
        if table.nbytes < _SMALL_BYTES:
            table = table.take(pa.array(np.arange(table.num_rows)))
        self._waiting.append(table)
        rows = sum(waiting.num_rows for waiting in self._waiting)
        if rows >= ROW_GROUP or sum(waiting.nbytes for waiting in self._waiting) >= _GROUP_BYTES:
            self._flush()

    def finish(self) -> None:
        """Write the waiting rows and close the file."""
        has_rows = any(waiting.num_rows for waiting in self._waiting)
        if has_rows or not (self.files or self._shard):
            self._flush()
        self._end_file()

    def _flush(self) -> None:
        table = pa.concat_tables([self.declared.empty(), *self._waiting])
        self._waiting = []
        if self._file is None:
            name = part_name(self._shard, len(self.files))
            # A handle, because pyarrow would take a path with a colon for a URI, and expand a ~.
            self._sink = pa.OSFile(str(self._folder / name), "wb")
            self._file = pq.ParquetWriter(
                self._sink, self.declared.arrow, **_encodings(self.declared)
            )
            self.files.append({"name": name, "rows": 0})
        self._file.write_table(table, row_group_size=ROW_GROUP)
        self._rows += table.num_rows
        if self._rows >= PART_ROWS:
            self._end_file()

    def _end_file(self) -> None:
        if self._file is None:
            return
        self._file.close()
        self._sink.close()
        self.files[-1]["rows"] = self._rows
        self._file, self._rows = None, 0


def _encodings(declared: schema.Table) -> dict[str, Any]:
    """Return the options of `pyarrow.parquet.ParquetWriter` for the columns of a table."""
    texts: list[str] = []
    ordered: list[str] = []
    encodings: dict[str, str] = {}
    for field in declared.arrow:
        if pa.types.is_integer(field.type) or pa.types.is_timestamp(field.type):
            ordered.append(field.name)
            if field.name not in _SMALL_NUMBERS:
                encodings[field.name] = "DELTA_BINARY_PACKED"
        elif pa.types.is_floating(field.type):
            ordered.append(field.name)
            encodings[field.name] = "BYTE_STREAM_SPLIT"
        elif pa.types.is_list(field.type):
            texts.append(f"{field.name}.list.element")
        elif not pa.types.is_boolean(field.type):
            texts.append(field.name)
    return {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": texts,
        "column_encoding": encodings,
        "write_statistics": ordered,
    }
