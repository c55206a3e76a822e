"""Export sources to a dataset on disk: `export`.

The directory appears atomically (`toolkit.dataset.publish`). Its manifest lists every source that
was read, and every file with its rows, bytes and hash.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from toolkit import __version__, arguments, schema
from toolkit.dataset.checkpoints import Checkpoint, Checkpoints
from toolkit.dataset.layout import is_dataset, objection
from toolkit.dataset.parquet_writer import write_files
from toolkit.dataset.publish import Staging, staged
from toolkit.dataset.shards import SHARD_BYTES, Shard, shards
from toolkit.dataset.write import verified, write_manifest
from toolkit.errors import ArgumentError
from toolkit.limits import LIMITS, Limits
from toolkit.loaders.formats.shape import Shape
from toolkit.loaders.options import STREAM_WINDOW, OnError, ReadOptions, Rejects
from toolkit.loaders.session import ReadSession
from toolkit.loaders.sources.resolve import resolve

_BATCH_BYTES = 32 << 20  # of decompressed sources; memory grows with it


def export(
    sources: Any,
    directory: str | os.PathLike[str],
    *,
    on_error: OnError = "reject",
    rejects: Rejects = "first",
    overwrite: bool = False,
    resume: bool = False,
    progress: bool | None = False,
    stream_window: int = STREAM_WINDOW,
    path: str | None = None,
    id: str | None = None,
    keep: str | Sequence[str] = (),
    shape: Shape | None = None,
    threads: int | None = None,
    limits: Limits = LIMITS,
) -> Path:
    """Load recordings and write their tables as Parquet, in bounded memory.

    Reading, decoding and writing overlap.

    Parameters
    ----------
    sources, on_error, rejects, progress, stream_window, path, id, keep, shape, threads, limits
        As in `toolkit.scan`.
    directory : path
        Created by the call: one folder of Parquet files for each table, and a manifest.
    overwrite : bool
        Replace an earlier export of that name. It is refused if the directory holds a file that the
        manifest of the export does not list, or is not an export.
    resume : bool
        If the export is interrupted, keep its finished work in a hidden directory beside the
        target; and start from the work that an earlier call kept. Work is checkpointed per shard of
        about 256 MiB of sources. A shard is reused only if its sources (size, time and hash) and
        the options are unchanged, so a resumed export has the same files as an uninterrupted one. A
        call without `resume` removes the kept work.

    Returns
    -------
    pathlib.Path
        The directory. `toolkit.read_parquet` reads it, and so do DuckDB, Polars and Spark.

    Raises
    ------
    ExportError
        If the directory already exists and may not be replaced, or cannot be written.
    SourceError, NoRecordsError, RecordError
        As in `toolkit.read`.

    Warns
    -----
    ToolkitWarning
        As `toolkit.read` does; and if an earlier export was replaced in two steps, because the
        system cannot exchange directories (Windows, some network drives).

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
    target = arguments.target("directory", directory)
    for name, value in (("overwrite", overwrite), ("resume", resume)):
        arguments.flag(name, value)
    if isinstance(sources, str | os.PathLike) and is_dataset(sources):
        raise ArgumentError(f"{os.fspath(sources)} is already an exported dataset")
    options = ReadOptions(
        batch_bytes=_BATCH_BYTES,
        on_error=on_error,
        rejects=rejects,
        progress=progress,
        stream_window=stream_window,
        path=path,
        id=id,
        keep=keep,
        shape=shape,
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
        "rejects": options.rejects,
        "stream_window": options.stream_window,
        "lookup": asdict(options.lookup),
        "limits": asdict(options.limits),
    }
    with staged(target, overwrite=overwrite, objection=objection, keep=resume) as staging:
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
    """Write the shards that have no checkpoint, then the manifest."""
    checkpoints = Checkpoints(staging, settings)
    reusable = [checkpoints.get(shard) if keep else None for shard in found]
    checkpoints.clear(filter(None, reusable))
    finished = []
    for shard, checkpoint in zip(found, reusable, strict=True):
        if checkpoint is not None:
            session.summary.add_counts(checkpoint["counts"])
        else:
            checkpoint = _written(shard, session, staging)
            if keep:
                checkpoints.add(shard, checkpoint)
        finished.append(checkpoint)
    write_manifest(staging, finished)


def _written(shard: Shard, session: ReadSession, staging: Staging) -> Checkpoint:
    """Read the sources of a shard, write its files and return its checkpoint."""
    before = session.summary.counts()
    batches = session.batches(shard.sources)
    threads = session.options.thread_count
    tables = write_files(batches, staging.content, shard.ordinal, threads)
    n = len(shard.sources)
    return {
        "sources": session.summary.fingerprints[-n:] if n else [],
        "tables": verified(staging, tables),
        "counts": session.summary.counts(since=before),
    }
