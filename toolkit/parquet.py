"""Write the tables as Parquet: `export` from sources, `write_tables` from memory.

A directory appears whole or not at all (`toolkit.commit`), and its manifest tells of every file how
many rows and bytes it has, and their hash.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit import __version__, schema
from toolkit.commit import staged
from toolkit.dataset import MANIFEST, STORED, is_dataset
from toolkit.load import STREAM_WINDOW, scan
from toolkit.recording import OnError
from toolkit.tables import LogprobTables

PART_ROWS = 16_000_000
"""Rows of a table after which a new file begins."""
ROW_GROUP = 1 << 18
"""Most rows of a row group; engines skip those whose ``response_key`` they do not look for."""
_GROUP_BYTES = 8 << 20  # of a table, after which a row group ends earlier
_SMALL_BYTES = 4 << 20
# They repeat in short cycles: plainly written they are compressed faster, and to less.
_SMALL_NUMBERS = {"choice", "slot", "rank", "sampled_rank", "n_alternatives"}
_GIVE_BACK = 3  # batches; memory that was given back must be had anew
_WRITERS = 2  # threads: one for the alternatives, which are most of it, and one for the rest
_BATCH_BYTES = 32 << 20  # of the sources; what is in memory grows with it


def export(
    sources: Any,
    directory: str | os.PathLike[str],
    *,
    on_error: OnError = "reject",
    overwrite: bool = False,
    progress: bool | None = False,
    stream_window: int = STREAM_WINDOW,
    path: str | None = None,
    threads: int | None = None,
) -> Path:
    """Load recordings and write the five tables as Parquet, in bounded memory.

    Reading, decoding and writing go on at the same time.

    Parameters
    ----------
    sources, on_error, progress, stream_window, path, threads
        As in `toolkit.scan`.
    directory : path
        Made by the call: one folder of Parquet files for each table, and a manifest.
    overwrite : bool
        Replace an earlier export of that name. Anything else that is there is left alone.

    Returns
    -------
    pathlib.Path
        The directory; `toolkit.read_parquet` reads it, and so do DuckDB, Polars and Spark.

    Raises
    ------
    ExportError
        If the directory is there already, or cannot be written.
    SourceError, NoRecordsError, RecordError
        As in `toolkit.read`.

    Examples
    --------
    >>> import tempfile, toolkit
    >>> answer = (b'{"choices": [{"message": {"content": "Hi"}, "logprobs": {"content":'
    ...           b' [{"token": "Hi", "logprob": -0.25}]}}]}')
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = toolkit.export(answer, f"{folder}/answers")
    ...     [path.name for path in sorted(out.iterdir()) if path.is_file()]
    ['_SUCCESS', 'manifest.json']
    """
    parts = scan(
        sources,
        batch_bytes=_BATCH_BYTES,
        on_error=on_error,
        progress=progress,
        stream_window=stream_window,
        path=path,
        threads=threads,
    )
    return _write(parts, directory, overwrite)


def write_tables(
    lp: LogprobTables, directory: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write tables that are in memory; see `LogprobTables.write_parquet`."""
    return _write([lp], directory, overwrite)


def _write(
    parts: Iterable[LogprobTables], directory: str | os.PathLike[str], overwrite: bool
) -> Path:
    target = Path(directory)
    with staged(target, overwrite=overwrite, is_ours=is_dataset) as staging:
        files = _write_files(parts, staging)
        manifest = {
            "schema": schema.SCHEMA_VERSION,
            "toolkit": __version__,
            "tables": {
                name: {
                    "rows": sum(part["rows"] for part in written),
                    "files": [_verified(staging / name, part) for part in written],
                }
                for name, written in files.items()
            },
        }
        (staging / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return target


def _verified(folder: Path, part: dict[str, str | int]) -> dict[str, str | int]:
    """Read a file back: its rows must be there, and its hash tells if it is ever changed."""
    path = folder / str(part["name"])
    with path.open("rb") as file:
        rows = pq.read_metadata(file).num_rows
        if rows != part["rows"]:
            raise OSError(
                f"{path.name} has {rows} rows on the disk, and {part['rows']} were written"
            )
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {**part, "bytes": path.stat().st_size, "sha256": digest}


def _write_files(
    parts: Iterable[LogprobTables], folder: Path
) -> dict[str, list[dict[str, str | int]]]:
    """Write parts on other threads while the next is made; return each table's files."""
    with ExitStack() as stack:
        writers = [stack.enter_context(_TableWriter(table, folder)) for table in reversed(STORED)]
        # The largest tables come first, so that the threads end together.
        pool = stack.enter_context(ThreadPoolExecutor(_WRITERS))
        pending: list[Future[None]] = []
        for i, part in enumerate(parts, start=1):
            _wait(pending)  # never more than one part waits
            if i % _GIVE_BACK == 0:
                _give_back()
            pending = [pool.submit(each.add, part[each.declared.name]) for each in writers]
        _wait(pending)
        _wait([pool.submit(writer.finish) for writer in writers])
    return {writer.declared.name: writer.files for writer in reversed(writers)}


def _wait(pending: list[Future[None]]) -> None:
    for future in pending:
        future.result()


def _give_back() -> None:
    """Return freed memory to the system: in pieces, the allocators keep more the longer it goes."""
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:  # the GNU C library
        trim(0)


class _TableWriter:
    """Writes one table: row groups of a good size, whatever the size of the parts.

    Texts have dictionaries, integers their deltas, logprobs their bytes in streams of one place
    each. Statistics are for numbers: of texts and labels they cost much and let nothing be skipped.
    """

    def __init__(self, declared: schema.Table, folder: Path) -> None:
        self.declared = declared
        self.files: list[dict[str, str | int]] = []
        self._folder = folder / declared.name
        self._folder.mkdir()
        self._waiting: list[pa.Table] = []
        self._file: pq.ParquetWriter | None = None
        self._rows = 0  # in the open file

    def __enter__(self) -> _TableWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:  # something failed, and the folder goes
            self._file.close()

    def add(self, table: pa.Table) -> None:
        """Take more rows."""
        if table.nbytes < _SMALL_BYTES:  # a copy, lest small things that wait pin large memory
            table = table.take(pa.array(np.arange(table.num_rows)))
        self._waiting.append(table)
        rows = sum(waiting.num_rows for waiting in self._waiting)
        if rows >= ROW_GROUP or sum(waiting.nbytes for waiting in self._waiting) >= _GROUP_BYTES:
            self._flush()

    def finish(self) -> None:
        """Write what waits, at least one file."""
        if self._waiting or not self.files:
            self._flush()
        self._end_file()

    def _flush(self) -> None:
        table = pa.concat_tables([self.declared.empty(), *self._waiting])
        self._waiting = []
        if self._file is None:
            name = f"part-{len(self.files):05d}.parquet"
            self._file = pq.ParquetWriter(
                self._folder / name, self.declared.arrow, **_encodings(self.declared)
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
        self.files[-1]["rows"] = self._rows
        self._file, self._rows = None, 0


def _encodings(declared: schema.Table) -> dict[str, Any]:
    """Return how pyarrow is to write the columns of a table."""
    texts, encodings, ordered = [], {}, []
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
