"""Write the tables as Parquet: `export` from sources, `write_tables` from memory.

A directory appears whole or not at all (`toolkit.commit`). Its manifest tells of every source what
was read, and of every file how many rows and bytes it has; of both their hash.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from toolkit import __version__, schema
from toolkit.commit import Staging, staged
from toolkit.dataset import MANIFEST, STORED, is_dataset
from toolkit.errors import ArgumentError
from toolkit.limits import LIMITS, Limits
from toolkit.loading import STREAM_WINDOW, Loading
from toolkit.recording import OnError
from toolkit.shards import SHARD_BYTES, Finished, Shard, digest, shards
from toolkit.sources import resolve
from toolkit.tables import LogprobTables
from toolkit.writers import Part, write_files

_BATCH_BYTES = 32 << 20  # of the sources; what is in memory grows with it


def export(
    sources: Any,
    directory: str | os.PathLike[str],
    *,
    on_error: OnError = "reject",
    overwrite: bool = False,
    resume: bool = False,
    progress: bool | None = False,
    stream_window: int = STREAM_WINDOW,
    path: str | None = None,
    threads: int | None = None,
    limits: Limits = LIMITS,
) -> Path:
    """Load recordings and write the five tables as Parquet, in bounded memory.

    Reading, decoding and writing go on at the same time.

    Parameters
    ----------
    sources, on_error, progress, stream_window, path, threads, limits
        As in `toolkit.scan`.
    directory : path
        Made by the call: one folder of Parquet files for each table, and a manifest.
    overwrite : bool
        Replace an earlier export of that name. Anything else that is there is left alone.
    resume : bool
        If the export is stopped, keep what is finished, in a hidden directory beside the target;
        and begin with what an earlier call kept. Sources are taken together up to 256 MiB; what was
        made of them is taken over if neither they (by size, time and hash) nor the options
        changed, so the files are those of an export in one go. A call without `resume` removes what
        was kept.

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
    if isinstance(sources, str | os.PathLike) and is_dataset(sources):
        raise ArgumentError(f"{os.fspath(sources)} is an exported dataset already")
    loading = Loading(
        batch_bytes=_BATCH_BYTES,
        on_error=on_error,
        progress=progress,
        stream_window=stream_window,
        path=path,
        threads=threads,
        limits=limits,
        watch=True,
    )
    settings = {
        "schema": schema.SCHEMA_VERSION,
        "toolkit": __version__,
        "pyarrow": pa.__version__,
        "shard_bytes": SHARD_BYTES,
        "on_error": on_error,
        "stream_window": stream_window,
        "path": path,
        "limits": asdict(limits),
    }
    target = Path(directory)
    with staged(target, overwrite=overwrite, is_ours=is_dataset, keep=resume) as staging:
        _export(list(shards(resolve(sources))), loading, staging, settings, keep=resume)
        loading.finish()
    return target


def _export(
    found: list[Shard],
    loading: Loading,
    staging: Staging,
    settings: dict[str, Any],
    *,
    keep: bool,
) -> None:
    """Make the shards that are not there yet, and the manifest."""
    finished = Finished(staging, settings)
    notes = [finished.get(shard) if keep else None for shard in found]
    finished.clear([note for note in notes if note is not None])
    for i, shard in enumerate(found):
        if (note := notes[i]) is not None:
            loading.total.add_note(note["total"])
            continue
        before = loading.total.note()
        tables = write_files(loading.batches(shard.sources), staging.content, shard.ordinal)
        notes[i] = {
            "sources": loading.total.seen[-len(shard.sources) :] if shard.sources else [],
            "tables": _verified(staging, tables),
            "total": loading.total.note(since=before),
        }
        if keep:
            finished.add(shard, notes[i])
    _write_manifest(staging, [note for note in notes if note is not None])


def write_tables(
    lp: LogprobTables, directory: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write tables that are in memory; see `LogprobTables.write_parquet`."""
    target = Path(directory)
    with staged(target, overwrite=overwrite, is_ours=is_dataset) as staging:
        for table in STORED:
            (staging.content / table.name).mkdir()
        tables = write_files([lp], staging.content, 0)
        _write_manifest(staging, [{"sources": [], "tables": _verified(staging, tables)}])
    return target


def _write_manifest(staging: Staging, notes: list[dict[str, Any]]) -> None:
    """Put the notes on all shards together."""
    tables: dict[str, dict[str, Any]] = {}
    for table in STORED:
        parts = [part for note in notes for part in note["tables"].get(table.name, ())]
        tables[table.name] = {"rows": sum(part["rows"] for part in parts), "files": parts}
    manifest = {
        "schema": schema.SCHEMA_VERSION,
        "toolkit": __version__,
        "sources": [source for note in notes for source in note["sources"]],
        "tables": tables,
    }
    (staging.content / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")


def _verified(staging: Staging, tables: dict[str, list[Part]]) -> dict[str, list[Part]]:
    """Read files back: their rows must be there, and their hash tells if they are ever changed."""
    return {
        name: [_verified_part(staging.content / name / part["name"], part) for part in parts]
        for name, parts in tables.items()
    }


def _verified_part(path: Path, part: Part) -> Part:
    rows = pq.read_metadata(path).num_rows
    if rows != part["rows"]:
        raise OSError(f"{path.name} has {rows} rows on the disk, and {part['rows']} were written")
    return {**part, "bytes": path.stat().st_size, "sha256": digest(path)}
