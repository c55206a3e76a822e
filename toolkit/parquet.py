"""Write the tables as Parquet: `export` from sources, `write_tables` from memory.

A directory appears whole or not at all: everything is written into a hidden directory beside it,
which is renamed at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from toolkit import schema
from toolkit.dataset import MANIFEST, STORED, is_dataset
from toolkit.errors import ExportError, ToolkitError
from toolkit.load import STREAM_WINDOW, OnError, load_each
from toolkit.tables import LogprobTables

PART_ROWS = 2_000_000
"""Rows of tokens and alternatives after which a new part begins."""
_ROW_GROUP = 1 << 18


def export(
    sources: Any,
    directory: str | os.PathLike[str],
    *,
    on_error: OnError = "reject",
    overwrite: bool = False,
    progress: bool | None = False,
    stream_window: int = STREAM_WINDOW,
) -> Path:
    """Load recordings and write the five tables as Parquet, source by source.

    Parameters
    ----------
    sources, on_error, progress, stream_window
        As in `toolkit.read`.
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
    ...     sorted(path.name for path in out.iterdir())
    ['alternatives', 'choices', 'ledger', 'manifest.json', 'rejects', 'responses', 'tokens']
    """
    parts = load_each(sources, on_error=on_error, progress=progress, stream_window=stream_window)
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
    with _staged(target, overwrite) as staging:
        files: dict[str, list[dict[str, Any]]] = {table.name: [] for table in STORED}
        for number, tables in enumerate(_portions(parts)):
            for declared in STORED:
                name = f"part-{number:05d}.parquet"
                path = staging / declared.name / name
                path.parent.mkdir(exist_ok=True)
                _write_part(tables[declared.name], declared, path)
                files[declared.name].append({"name": name, "rows": tables[declared.name].num_rows})
        manifest = {
            "schema": schema.SCHEMA_VERSION,
            "tables": {
                name: {"rows": sum(part["rows"] for part in written), "files": written}
                for name, written in files.items()
            },
        }
        (staging / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return target


def _portions(parts: Iterable[LogprobTables]) -> Iterator[dict[str, pa.Table]]:
    """Put small parts together, so that many small sources do not make many small files."""
    waiting: list[LogprobTables] = []
    rows = 0
    for part in parts:
        waiting.append(part)
        rows += part.tokens.num_rows + part.alternatives.num_rows
        if rows >= PART_ROWS:
            yield _join(waiting)
            waiting, rows = [], 0
    if waiting:
        yield _join(waiting)


def _join(parts: list[LogprobTables]) -> dict[str, pa.Table]:
    return {table.name: pa.concat_tables([part[table.name] for part in parts]) for table in STORED}


def _write_part(table: pa.Table, declared: schema.Table, path: Path) -> None:
    """Write one file: dictionaries for texts, deltas for integers, split bytes for logprobs."""
    texts, encodings = [], {}
    for field in declared.arrow:
        if pa.types.is_integer(field.type) or pa.types.is_timestamp(field.type):
            encodings[field.name] = "DELTA_BINARY_PACKED"
        elif pa.types.is_floating(field.type):
            encodings[field.name] = "BYTE_STREAM_SPLIT"
        elif pa.types.is_list(field.type):
            texts.append(f"{field.name}.list.element")
        elif not pa.types.is_boolean(field.type):
            texts.append(field.name)
    pq.write_table(
        table,
        path,
        row_group_size=_ROW_GROUP,
        compression="zstd",
        compression_level=1,
        use_dictionary=texts,
        column_encoding=encodings,
    )


@contextmanager
def _staged(target: Path, overwrite: bool) -> Iterator[Path]:
    """Give a directory to write into, which becomes `target` if nothing goes wrong."""
    if target.exists() and not overwrite:
        raise ExportError(f"{target} is there already: choose another name or overwrite=True")
    if target.exists() and not is_dataset(target):
        raise ExportError(f"{target} is there and is no export: it is not overwritten")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise ExportError(f"{target} cannot be written: {error}") from error
    try:
        staging.chmod(0o777 & ~_umask())
        yield staging
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
            target.rename(old / "was")
            staging.rename(target)
            shutil.rmtree(old)
        else:
            staging.rename(target)
    except OSError as error:
        if isinstance(error, ToolkitError):  # a source failed, not the export
            raise
        raise ExportError(f"{target} cannot be written: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
