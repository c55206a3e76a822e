"""Export sources to a dataset, on a disk or in an object store: `export`.

The directory appears atomically (`toolkit.dataset.publish`). Its manifest lists every source that
was read, and every file with its rows, bytes and hash.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from toolkit import __version__, arguments, schema
from toolkit.dataset.appending import Earlier
from toolkit.dataset.checkpoints import Checkpoints
from toolkit.dataset.finishing import finish, tables_of
from toolkit.dataset.layout import MANIFEST, is_dataset, objection
from toolkit.dataset.pseudonyms import new_key
from toolkit.dataset.publish import Staging, staged
from toolkit.dataset.runs import Runs, export_faults, faults_of
from toolkit.dataset.shard_files import write_shard
from toolkit.dataset.shards import Shard, ShardReport, continued, files_to_repeat, plan
from toolkit.dataset.store_shards import (
    StoreReports,
    publish_run,
    run_of_plan,
    write_to_store,
)
from toolkit.dataset.workers import Workers, run_shards
from toolkit.dataset.write import sweep
from toolkit.errors import ArgumentError
from toolkit.files import write_file
from toolkit.limits import LIMITS, Limits
from toolkit.loaders.formats.shape import Shape
from toolkit.loaders.options import STREAM_WINDOW, OnError, ReadOptions, Rejects
from toolkit.loaders.session import LoadSummary, stored_size
from toolkit.loaders.sources.resolve import resolve
from toolkit.progress import progress_bar

_BATCH_BYTES = 32 << 20  # of decompressed sources; memory grows with it
_KEY_IN_STORE = (
    "resume=True with texts=False: expected a local directory, found a URI, because the key of the "
    "pseudonyms would have to be kept in the store beside them; keep the shards of "
    "plan_export(..., texts=False) in a safe place, and resume each with "
    "export_shard(shard, URI, resume=True)"
)


def export(
    sources: Any,
    directory: str | os.PathLike[str],
    *,
    on_error: OnError = "reject",
    rejects: Rejects = "first",
    overwrite: bool = False,
    append: bool = False,
    resume: bool = False,
    progress: bool | None = None,
    stream_window: int = STREAM_WINDOW,
    path: str | None = None,
    id: str | None = None,
    keep: str | Sequence[str] = (),
    shape: Shape | None = None,
    threads: int | None = None,
    limits: Limits = LIMITS,
    workers: int | None = None,
    executor: Executor | None = None,
    shard_bytes: int | None = None,
    texts: bool = True,
) -> Path | Any:
    """Load recordings and write their tables as Parquet, in bounded memory.

    Reading, decoding and writing overlap.

    Parameters
    ----------
    sources, on_error, rejects, progress, stream_window, path, id, keep, shape, threads, limits
        As in `toolkit.scan`.
    directory : path
        Created by the call: one folder of Parquet files for each table, and a manifest. Or a URI in
        an object store, such as ``s3://bucket/answers``: the files of each shard are written to a
        temporary directory, uploaded and removed, and the manifest is uploaded last.
    overwrite : bool
        Replace an earlier export of that name. It is refused if the directory holds a file that the
        manifest of the export does not list, or is not an export.
    append : bool
        Add sources to an earlier export of that name, if there is one. Those that it has are not
        read again, and keep their keys; new ones are numbered after them. The options should be
        those of the earlier export. In an object store its files stay where they are; if another
        process publishes meanwhile, the call fails.
    resume : bool
        If the export is interrupted, keep its finished work in a hidden directory beside the
        target; and start from the work that an earlier call kept. Work is checkpointed per
        shard. A shard is reused only if its sources (size, time and hash) and
        the options are unchanged, so a resumed export has the same files as an uninterrupted one. A
        call without `resume` removes the kept work. In an object store, finished shards are kept
        anyway (`toolkit.dataset.abandon_exports` removes them), and sources are compared by size
        and time only; not with ``texts=False``, because the key of the pseudonyms would have to be
        kept there: `toolkit.dataset.plan_export` and `export_shard` can resume that.
    workers : int, optional
        Number of processes that read and write, each with one thread, whatever `threads` is; a
        script guards the call with ``if __name__ == "__main__":``. A process that is killed is
        replaced, and its shard is run again. Default: this process, with threads.
    executor : concurrent.futures.Executor, optional
        Runs the shards instead, for example on the machines of a cluster that see the same disk. It
        is not shut down.
    shard_bytes : int, optional
        Bytes of sources in a shard, about. A plain file of JSON lines of at least twice this size
        is cut, unless it holds streams. Default: 256 MiB, and up to 4 GiB for more than 671 GB.
    texts : bool
        False: leave out what people and models wrote, so that the figures can be shared. Texts,
        reasoning, refusals, tool calls and errors are empty, kept columns and paths of rejects are
        null, and the message of a reject is that of its reason. Tokens and alternatives have
        pseudonyms: equal ones where the tokens are equal. See Notes.

    The files are the same, byte by byte, whoever runs the shards.

    Returns
    -------
    pathlib.Path
        The directory. `toolkit.read_parquet` reads it, and so do DuckDB, Polars and Spark. Of an
        object store: the URI, a str, without credentials.

    Raises
    ------
    ExportError
        If the directory already exists and may not be replaced, or cannot be written.
    SourceError, NoRecordsError, RecordError
        As in `toolkit.read`.

    Warns
    -----
    ToolkitWarning
        As `toolkit.read` does; if an earlier export was replaced in two steps, because the
        system cannot exchange directories (Windows, some network drives); and if shards had to be
        run again, because a worker died.

    Notes
    -----
    With ``texts=False`` a pseudonym is a hash of the token with a random key, which each call
    draws and none keeps once its export is finished. So nobody can find tokens by hashing a
    vocabulary, as with a plain hash, nor compare the tokens of two exports; and two calls write
    different files. The shards of one plan have one key, so their files do not depend on who runs
    them. Metrics that need no text are those of the same export with texts; ``bits_per_byte`` is
    null, and what shows or searches texts raises an error.

    What stays: ids that the caller gave (``custom_id``), names of models and sources, JSON paths,
    times, lengths, token counts and logprobs. Pseudonyms do not protect from those who know some
    of the texts, because a known answer shows which token each of its pseudonyms is; nor from
    counting, because frequent tokens have frequent pseudonyms; nor from those who have the model,
    because logprobs show whether a guess of a text is right.

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
    target = directory if arguments.is_uri(directory) else arguments.target("directory", directory)
    flags = {"overwrite": overwrite, "append": append, "resume": resume, "texts": texts}
    for name, value in flags.items():
        arguments.flag(name, value)
    if append and overwrite:
        raise ArgumentError("expected either append or overwrite, found both")
    if append and not texts:
        raise ArgumentError("expected either append or texts=False, found both")
    if isinstance(target, str) and resume and not texts:
        raise ArgumentError(_KEY_IN_STORE)
    if isinstance(sources, str | os.PathLike) and is_dataset(sources):
        raise ArgumentError(f"{os.fspath(sources)} is already an exported dataset")
    if shard_bytes is not None:
        arguments.whole("shard_bytes", shard_bytes)
    engine = _engine(workers, executor)
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
    if isinstance(target, str):
        write_all = partial(_to_store, sources, target, options, engine, shard_bytes)
        return write_all(overwrite=overwrite, append=append, resume=resume, texts=texts)
    with (
        staged(target, overwrite=overwrite or append, objection=objection, keep=resume) as staging,
        engine as chosen,
    ):
        earlier = _earlier_on_disk(target) if append else None
        found = resolve(sources) if earlier is None else earlier.new(resolve(sources))
        key = None if texts else _key(staging) if resume else new_key()
        shards = plan(found, options, shard_bytes, count=chosen is not None, texts_key=key)
        if earlier is not None:
            shards = earlier.renumbered(shards)
        checkpoints = Checkpoints(staging, _settings(options, key)) if resume else None
        finished = _finished(shards, checkpoints)
        sweep(staging.content, tables_of(finished.values()))
        write = partial(write_shard, folder=staging.content.absolute())
        reports = _run(shards, finished, write, options, chosen, checkpoints)
        finish(staging.content, reports, earlier)
        if found or earlier is None or not earlier.sources:  # nothing may be added to an export
            conclude(reports)
    return target


def _earlier_on_disk(target: Path) -> Earlier:
    """Return the export in a directory that sources are added to."""
    found = json.loads((target / MANIFEST).read_bytes()) if target.exists() else None
    earlier = Earlier(str(target), found)
    earlier.require_recordings()
    return earlier


def _earlier_in_store(runs: Runs, manifest: dict[str, Any] | None) -> Earlier:
    """Return the export in an object store that sources are added to."""
    earlier = Earlier(runs.name, manifest)
    earlier.require_recordings()
    if manifest is not None:
        with faults_of(runs):
            runs.require_files(manifest, "export all sources anew, with overwrite=True")
    return earlier


def _engine(
    workers: int | None, executor: Executor | None
) -> AbstractContextManager[Executor | None]:
    """Return what runs the shards; None if this process does."""
    if workers is None:
        if executor is not None and not callable(getattr(executor, "submit", None)):
            raise arguments.invalid("executor", executor, "a concurrent.futures.Executor")
        return nullcontext(executor)
    if executor is not None:
        raise ArgumentError("expected either workers or executor, found both")
    return Workers(arguments.whole("workers", workers))


def _to_store(
    sources: Any,
    uri: str,
    options: ReadOptions,
    engine: AbstractContextManager[Executor | None],
    shard_bytes: int | None,
    *,
    overwrite: bool,
    append: bool,
    resume: bool,
    texts: bool,
) -> str:
    """Export to an object store; return the URI without credentials."""
    runs = Runs(uri)
    with export_faults(), engine as executor:
        if executor is not None and not runs.is_portable:
            raise ArgumentError(
                f"{runs.name} is given with credentials, which are not handed to other processes: "
                "expected them in the environment of each process"
            )
        with faults_of(runs):
            manifest = runs.require_free(overwrite or append)
        earlier = _earlier_in_store(runs, manifest) if append else None
        found = resolve(sources) if earlier is None else earlier.new(resolve(sources))
        if earlier is not None and earlier.sources and not found:  # nothing may be added
            return runs.name
        key = None if texts else new_key()
        shards = plan(found, options, shard_bytes, count=True, texts_key=key)
        if earlier is not None:
            shards = earlier.renumbered(shards)
        run = run_of_plan(shards)
        finished = _finished(shards, StoreReports(runs, run) if resume else None)
        write = partial(write_to_store, uri=uri, run=run)
        reports = _run(shards, finished, write, options, executor, None)
        conclude(reports)
        publish_run(runs, run, reports, overwrite=overwrite, earlier=earlier)
    return runs.name


def conclude(reports: Sequence[ShardReport]) -> None:
    """Raise if no record was read, else warn about rejects and missing logprobs."""
    summary = LoadSummary()
    for report in reports:
        summary.add_counts(report.counts)
    summary.require_records()
    summary.warn()


def _key(staging: Staging) -> str:
    """Return the key of pseudonyms: that of an interrupted export, or a random one."""
    path = staging.checkpoints / "key"
    if not path.exists():
        write_file(path, new_key())
    return path.read_text("ascii")


def _settings(options: ReadOptions, texts_key: str | None) -> dict[str, Any]:
    """Return what the files of a shard depend on besides its sources."""
    return {
        "schema": schema.SCHEMA_VERSION,
        "toolkit": __version__,
        "pyarrow": pa.__version__,
        "on_error": options.on_error,
        "rejects": options.rejects,
        "stream_window": options.stream_window,
        "lookup": asdict(options.lookup),
        "limits": asdict(options.limits),
        "texts_key": texts_key,
    }


def _stored(report: ShardReport) -> int:
    """Return the bytes of sources that a shard has read, as they are stored."""
    return sum(each["bytes"] for each in report.sources)


def _finished(
    shards: list[Shard], checkpoints: Checkpoints | StoreReports | None
) -> dict[int, ShardReport]:
    """Return the reports of the shards that an earlier export has finished, by their ordinals."""
    stored = [] if checkpoints is None else checkpoints.all(shards)
    return {report.shard.ordinal: report for report in stored if report is not None}


def _run(
    shards: list[Shard],
    finished: dict[int, ShardReport],
    write: Callable[..., ShardReport],
    options: ReadOptions,
    executor: Executor | None,
    checkpoints: Checkpoints | None,
) -> list[ShardReport]:
    """Run the shards that are not finished; then whole files that should not have been cut."""
    todo = [shard for shard in shards if shard.ordinal not in finished]

    def here(shard: Shard) -> ShardReport:
        return write(
            continued(shard, finished.get(shard.ordinal - 1)),
            threads=options.threads,
            on_stored=advance,
        )

    def total() -> int | None:
        return stored_size(source for shard in shards for _, source in shard.sources)

    is_apart = executor is not None  # then the first shard may take long
    with progress_bar("exporting", total, show=options.progress, at_once=is_apart) as advance:
        advance(sum(map(_stored, finished.values())))
        if isinstance(executor, Workers):
            executor.on_stored = advance
        is_silent = is_apart and not isinstance(executor, Workers)  # until a shard ends
        while todo:
            for report in run_shards(todo, write, executor, here):
                finished[report.shard.ordinal] = report
                if is_silent and report.shard.is_portable:
                    advance(_stored(report))
                if checkpoints is not None and not report.refused:
                    checkpoints.add(report)
            todo = files_to_repeat(finished.values())
            cut = {shard.sources[0][0] for shard in todo}
            finished = {i: each for i, each in finished.items() if each.shard.part_of not in cut}
    return [finished[ordinal] for ordinal in sorted(finished)]
