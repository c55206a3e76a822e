"""Write tables to Parquet files, on all threads, while the next batch is decoded."""

from __future__ import annotations

import ctypes
import hashlib
import io
import os
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit import arrow, schema
from toolkit.dataset.layout import STORED, Part, part_name
from toolkit.tables import LogprobTables

PART_ROWS = 1 << 22
"""Most rows of a file."""
ROW_GROUP = 1 << 18
"""Most rows of a row group; engines skip row groups by their range of ``response_key``."""
_PART_BYTES = 12 << 20  # of a table in memory, after which a file ends, at the end of a batch
_RELEASE_BYTES = 16 << 20  # of tables, after which freed memory is returned to the system
_WRITE_BYTES = 1 << 20  # that are hashed and written at a time
_RUN_ROWS = 1 << 14  # of each file that are decoded at a time, where several are merged
_SMALL_BYTES = 4 << 20  # copy waiting tables below this size, so that they hold no large buffers
# These repeat in short cycles, so that plain encoding compresses faster and to fewer bytes.
_SMALL_NUMBERS = {"choice", "slot", "rank", "sampled_rank", "n_alternatives"}


def write_files(
    batches: Iterable[LogprobTables], folder: Path, shard: int, threads: int | None = None
) -> dict[str, list[Part]]:
    """Write the Parquet files of a shard, each on one of several threads.

    Where a file ends depends on the batches alone, so the files do not depend on the threads. They
    get their names when all are written, so what another process wrote of the shard is replaced.

    Parameters
    ----------
    batches : iterable of LogprobTables
    folder : path
        The parent of the folders of the tables.
    shard : int
        Its ordinal. The first shard has a file of each table, even of one without rows.
    threads : int, optional
        Default: the number of cores. One: the files are written on this thread.

    Returns
    -------
    dict of str to list of Part
        The files of each table.
    """
    n_writers = threads or os.cpu_count() or 1
    writing: deque[Future[None]] = deque()
    tables = [_Files(table, folder / table.name, shard) for table in reversed(STORED)]
    try:
        with ThreadPoolExecutor(n_writers) as pool:
            for files, part, content in _due(tables, batches):
                if n_writers == 1:
                    files.write(part, content)
                    continue
                while len(writing) >= n_writers:
                    writing.popleft().result()
                writing.append(pool.submit(files.write, part, content))
            for future in writing:
                future.result()
        for files in tables:
            files.sort()
        for files in tables:
            files.publish()
    except BaseException:
        for files in tables:
            files.discard()
        raise
    return {files.declared.name: files.parts for files in reversed(tables)}


def _due(
    tables: list[_Files], batches: Iterable[LogprobTables]
) -> Iterator[tuple[_Files, Part, pa.Table]]:
    """Yield the files that are to be written, the largest first, with their rows."""
    freed = 0  # bytes of the batches since memory was returned
    for batch in batches:
        if freed >= _RELEASE_BYTES:
            _release_memory()
            freed = 0
        freed += sum(batch[files.declared.name].nbytes for files in tables)
        for files in tables:
            for part, content in files.add(batch[files.declared.name]):
                yield files, part, content
    for files in tables:
        for part, content in files.finish():
            yield files, part, content


def _release_memory() -> None:
    """Return what this thread freed to the system, because allocators keep ever more of it."""
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:  # the GNU C library
        trim(0)


class _Files:
    """The files of one table of a shard, in which keys rise.

    A stream that ends late is in a later batch than responses that began after it. Its rows are put
    aside if rows after them are in a file already; then all files are written again, in order.

    Texts are encoded with dictionaries, integers as deltas, logprobs as byte streams. Only numbers
    have statistics, because those of texts and labels cost much and skip no row group.
    """

    def __init__(self, declared: schema.Table, folder: Path, shard: int) -> None:
        self.declared = declared
        self.parts: list[Part] = []
        self._folder = folder
        self._shard = shard
        self._attempt = uuid.uuid4().hex  # others may write the same shard
        self._waiting: list[pa.Table] = []
        self._bytes = 0  # of the waiting tables
        self._is_keyed = "response_key" in declared.names
        self._last = -1  # the greatest key in the files
        self._late: list[pa.Table] = []
        self._late_bytes = 0
        self._runs: list[Path] = []  # files of late rows, each sorted

    def add(self, table: pa.Table) -> Iterator[tuple[Part, pa.Table]]:
        """Queue the rows of a batch; yield the files that are due, with their rows."""
        if self._is_keyed:
            table = self._on_time(table)
        n_bytes = _n_bytes(table)
        if n_bytes < _SMALL_BYTES:
            table = _copied(table)
        self._waiting.append(table)
        self._bytes += n_bytes
        if self._bytes >= _PART_BYTES:
            yield from self._all()

    def finish(self) -> list[tuple[Part, pa.Table]]:
        """Return the last files, with their rows."""
        if self._late:
            self._end_run()
        if any(table.num_rows for table in self._waiting):
            return list(self._all())
        return [] if self.parts or self._shard else [(self._part(), self.declared.empty())]

    def _all(self) -> Iterator[tuple[Part, pa.Table]]:
        table = pa.concat_tables(self._waiting)
        self._waiting, self._bytes = [], 0
        if self._is_keyed and table.num_rows:
            table = sorted_by_key(table)
            self._last = table["response_key"][-1].as_py()
        for start in range(0, table.num_rows, PART_ROWS):
            yield self._part(), table.slice(start, PART_ROWS)

    def _part(self) -> Part:
        name = part_name(self._shard, len(self.parts))
        self.parts.append({"name": name, "rows": 0, "bytes": 0, "sha256": ""})
        return self.parts[-1]

    def write(self, part: Part, table: pa.Table) -> None:
        """Write a file, flush it to the disk, and note its rows, bytes and hash."""
        written = write_part(self._hidden(part), self.declared, table)
        part.update({**written, "name": part["name"]})
        if table.nbytes >= _RELEASE_BYTES:
            _release_memory()  # each thread has its own

    def _on_time(self, table: pa.Table) -> pa.Table:
        """Return the rows after those in the files; put the others aside."""
        keys = arrow.numpy(table, "response_key")
        if not np.any(is_late := keys < self._last):
            return table
        late = _copied(arrow.take(table, np.flatnonzero(is_late)))
        self._late.append(late)
        self._late_bytes += _n_bytes(late)
        if self._late_bytes >= _PART_BYTES:
            self._end_run()
        return arrow.take(table, np.flatnonzero(~is_late))

    def _end_run(self) -> None:
        """Write the late rows to a file, so that memory does not grow with them."""
        run = self._folder / f".late-{len(self._runs)}.{self._attempt}"
        self._runs.append(run)
        write_part(run, self.declared, sorted_by_key(pa.concat_tables(self._late)))
        self._late, self._late_bytes = [], 0

    def sort(self) -> None:
        """Write the files again, if rows are late."""
        if not self._runs:
            return
        again = _Files(self.declared, self._folder, self._shard)
        try:
            paths = [[self._hidden(part) for part in self.parts], *([run] for run in self._runs)]
            for table in in_order([_rows(own, self.declared) for own in paths]):
                for part, content in again.add(table):
                    again.write(part, content)
            for part, content in again.finish():
                again.write(part, content)
        except BaseException:
            again.discard()
            raise
        self.discard()
        self.parts, self._attempt, self._runs = again.parts, again._attempt, []

    def publish(self) -> None:
        """Give the files their names."""
        for part in self.parts:
            os.replace(self._hidden(part), self._folder / part["name"])

    def discard(self) -> None:
        """Remove the files that have no name yet."""
        for path in [*map(self._hidden, self.parts), *self._runs]:
            with suppress(OSError):
                os.unlink(path)

    def _hidden(self, part: Part) -> Path:
        return self._folder / f".{part['name']}.{self._attempt}"


def sorted_by_key(table: pa.Table) -> pa.Table:
    """Sort whole responses by their keys; rows of one response keep their order."""
    return arrow.take(table, arrow.order_by(arrow.numpy(table, "response_key")))


def _copied(table: pa.Table) -> pa.Table:
    """Return a table with memory of its own."""
    return table.take(pa.array(np.arange(table.num_rows)))


def in_order(runs: Sequence[Iterator[pa.Table]]) -> Iterator[pa.Table]:
    """Merge the rows of several tables that are sorted by their keys, some rows at a time."""
    heads = [(run, table) for run in runs for table in [next(run, None)] if table is not None]
    while heads:
        keys = [arrow.numpy(table, "response_key") for _, table in heads]
        last = min(own[-1] for own in keys)  # rows up to here are known of all
        found, rest = [], []
        for (run, table), own in zip(heads, keys, strict=True):
            n = int(np.searchsorted(own, last, "right"))
            found.append(table.slice(0, n))
            if (left := table.slice(n) if n < len(own) else next(run, None)) is not None:
                rest.append((run, left))
        heads = rest
        yield sorted_by_key(pa.concat_tables(found))


def _rows(paths: Sequence[Path], declared: schema.Table) -> Iterator[pa.Table]:
    """Yield the rows of some files, some at a time."""
    for path in paths:
        with path.open("rb") as file, pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(_RUN_ROWS):
                yield schema.conform(pa.Table.from_batches([batch]), declared)


def write_part(path: Path, declared: schema.Table, table: pa.Table) -> Part:
    """Write a file of a table, flush it to the disk, and return its name, rows, bytes and hash."""
    # A file object, because pyarrow would take a path with a colon for a URI, and expand a ~. It
    # gets large pieces, because each needs the interpreter lock.
    with (
        _HashedFile(path) as file,
        pa.BufferedOutputStream(pa.PythonFile(file, "w"), _WRITE_BYTES) as sink,
        pq.ParquetWriter(sink, declared.arrow, **_encodings(declared)) as writer,
    ):
        writer.write_table(table, row_group_size=ROW_GROUP)
    sha256 = file.hash.hexdigest()
    return {"name": path.name, "rows": table.num_rows, "bytes": file.size, "sha256": sha256}


class _HashedFile(io.FileIO):
    """A new file that is hashed while it is written, and on the disk when it is closed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "xb")
        self.hash = hashlib.sha256()
        self.size = 0

    def write(self, data: Any, /) -> int:
        view = memoryview(data).cast("B")
        self.hash.update(view)
        done = 0
        while done < len(view):
            done += super().write(view[done:]) or 0
        self.size += done
        return done

    def close(self) -> None:
        try:
            if not self.closed:
                os.fsync(self.fileno())
        finally:
            super().close()


def _n_bytes(table: pa.Table) -> int:
    """Return the size of a table, whatever memory holds it: numbers, and the bytes of texts."""
    size = 0
    for column in table.columns:
        if pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type):
            size += sum(map(_text_bytes, column.chunks))
        elif pa.types.is_primitive(column.type):
            size += len(column) * column.type.bit_width // 8
    return size


def _text_bytes(texts: pa.Array) -> int:
    if not len(texts):
        return 0
    bounds = np.frombuffer(texts.buffers()[1], np.int64)
    return int(bounds[texts.offset + len(texts)] - bounds[texts.offset])


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
