"""Write the tables as Parquet: `export` from sources, `write_tables` from memory.

A directory appears whole or not at all (`toolkit.dataset.publish`). Its manifest lists every source
that was read and every file with its rows, bytes and hash.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from toolkit import __version__, schema
from toolkit.dataset.checkpoints import Checkpoints
from toolkit.dataset.layout import is_dataset
from toolkit.dataset.parquet_writer import write_files
from toolkit.dataset.publish import Staging, staged
from toolkit.dataset.shards import SHARD_BYTES, Shard, shards
from toolkit.dataset.write import verified, write_manifest
from toolkit.errors import ArgumentError
from toolkit.limits import LIMITS, Limits
from toolkit.loaders.options import STREAM_WINDOW, OnError, ReadOptions
from toolkit.loaders.session import ReadSession
from toolkit.loaders.sources.resolve import resolve

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
    options = ReadOptions(
        batch_bytes=_BATCH_BYTES,
        on_error=on_error,
        progress=progress,
        stream_window=stream_window,
        path=path,
        threads=threads,
        limits=limits,
    )
    session = ReadSession(options, fingerprints=True)
    settings = {
        "schema": schema.SCHEMA_VERSION,
        "toolkit": __version__,
        "pyarrow": pa.__version__,
        "shard_bytes": SHARD_BYTES,
        "on_error": options.on_error,
        "stream_window": options.stream_window,
        "path": options.path,
        "limits": asdict(options.limits),
    }
    target = Path(directory)
    with staged(target, overwrite=overwrite, is_ours=is_dataset, keep=resume) as staging:
        _export(list(shards(resolve(sources))), session, staging, settings, keep=resume)
        session.finish()
    return target


def _export(
    found: list[Shard],
    session: ReadSession,
    staging: Staging,
    settings: dict[str, Any],
    *,
    keep: bool,
) -> None:
    """Make the shards that are not there yet, and the manifest."""
    finished = Checkpoints(staging, settings)
    notes = [finished.get(shard) if keep else None for shard in found]
    finished.clear([note for note in notes if note is not None])
    for i, shard in enumerate(found):
        if (note := notes[i]) is not None:
            session.summary.add_counts(note["total"])
            continue
        before = session.summary.counts()
        tables = write_files(session.batches(shard.sources), staging.content, shard.ordinal)
        notes[i] = {
            "sources": session.summary.fingerprints[-len(shard.sources) :] if shard.sources else [],
            "tables": verified(staging, tables),
            "total": session.summary.counts(since=before),
        }
        if keep:
            finished.add(shard, notes[i])
    write_manifest(staging, [note for note in notes if note is not None])
