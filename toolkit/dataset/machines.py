"""Export on many machines in three steps: `plan_export`, `export_shard`, `finish_export`.

The steps exchange plain data, so that any engine can carry it. Until the last step the files are in
a hidden directory beside the target (`toolkit.dataset.shard_folder`), on a disk that all machines
see; or, in an object store, in a run that no manifest names yet (`toolkit.dataset.runs`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from toolkit import arguments
from toolkit.dataset.exporting import conclude
from toolkit.dataset.finishing import finish, tables_of
from toolkit.dataset.layout import objection
from toolkit.dataset.pseudonyms import new_key
from toolkit.dataset.publish import staged
from toolkit.dataset.runs import Runs, export_faults, faults_of
from toolkit.dataset.shard_files import write_shard
from toolkit.dataset.shard_folder import ShardFolder
from toolkit.dataset.shards import Shard, ShardReport, files_to_repeat, plan, with_run
from toolkit.dataset.store_shards import publish_run, run_of_shard, stored_report, write_to_store
from toolkit.dataset.write import link_files, sweep
from toolkit.errors import ArgumentError, ExportError, ToolkitError
from toolkit.limits import LIMITS, Limits
from toolkit.loaders.formats.shape import Shape
from toolkit.loaders.options import STREAM_WINDOW, OnError, ReadOptions, Rejects
from toolkit.loaders.sources.resolve import resolve


def plan_export(
    sources: Any,
    *,
    shard_bytes: int | None = None,
    on_error: OnError = "reject",
    rejects: Rejects = "first",
    stream_window: int = STREAM_WINDOW,
    path: str | None = None,
    id: str | None = None,
    keep: str | Sequence[str] = (),
    shape: Shape | None = None,
    limits: Limits = LIMITS,
    texts: bool = True,
) -> list[Shard]:
    """Divide recordings into shards that machines can export apart.

    Parameters
    ----------
    sources : str, path, or an iterable of these
        As in `toolkit.read`, but only files, which all machines see under the same paths.
    shard_bytes, on_error, rejects, stream_window, path, id, keep, shape, limits, texts
        As in `toolkit.export`. Without texts, shards and their reports have the key of the
        pseudonyms: they are as confidential as the recordings.

    Returns
    -------
    list of Shard
        At least one; each is to be given to `export_shard`, on any machine.

    Raises
    ------
    ArgumentError
        If an option is out of range, or another process cannot open a source.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from toolkit.dataset import export_shard, finish_export, plan_export
    >>> answer = (b'{"choices": [{"message": {"content": "Hi"}, "logprobs": {"content":'
    ...           b' [{"token": "Hi", "logprob": -0.25}]}}]}')
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source = pathlib.Path(folder, "log.jsonl")
    ...     _ = source.write_bytes(answer)
    ...     reports = [export_shard(shard, f"{folder}/out") for shard in plan_export(source)]
    ...     finish_export(reports, f"{folder}/out")["tables"]["tokens"]["rows"]
    1
    """
    if shard_bytes is not None:
        shard_bytes = arguments.whole("shard_bytes", shard_bytes)
    options = ReadOptions(
        on_error=on_error,
        rejects=rejects,
        progress=None,
        stream_window=stream_window,
        path=path,
        id=id,
        keep=keep,
        shape=shape,
        limits=limits,
    )
    key = None if arguments.flag("texts", texts) else new_key()
    return with_run(plan(resolve(sources), options, shard_bytes, count=True, texts_key=key))


def export_shard(
    shard: Shard,
    out: str | os.PathLike[str],
    *,
    threads: int | None = 1,
    resume: bool = False,
) -> ShardReport:
    """Read the sources of a shard, and write its files beside the target, or into its store.

    A call can be repeated, and run twice at once: the files are the same, and each appears whole.

    Parameters
    ----------
    shard : Shard
    out : path
        The target of the export; or its URI in an object store, without credentials.
    threads : int, optional
        None: one for each core.
    resume : bool
        Only in an object store: return the report of an earlier call for this shard, if its sources
        have the sizes and times that they had, and its files are there. That is so without texts
        too, as long as the caller keeps the shard.

    Returns
    -------
    ShardReport
        To be given to `finish_export`. It also says if a part of a file cannot be read alone, which
        `finish_export` makes good.

    Raises
    ------
    RecordError, SourceError
        Only if the plan has ``on_error="raise"``.
    ExportError
        If the files cannot be written.

    Examples
    --------
    See `plan_export`.
    """
    arguments.instance("shard", shard, Shard, "one of those that plan_export returned")
    arguments.flag("resume", resume)
    if arguments.is_uri(out):
        run = run_of_shard(shard)
        found = stored_report(out, run, shard) if resume else None
        with export_faults():
            return found or write_to_store(shard, uri=out, run=run, threads=threads)
    if resume:
        raise ArgumentError("resume=True: expected a target in an object store, found a path")
    folder = ShardFolder.of(arguments.target("out", out), shard.run)
    try:
        folder.make()
        return write_shard(shard, folder.path, threads=threads)
    except OSError as error:
        if isinstance(error, ToolkitError):
            raise
        raise ExportError(f"{folder.path} cannot be written: {error}") from error


def finish_export(
    reports: Iterable[ShardReport], out: str | os.PathLike[str], *, overwrite: bool = False
) -> dict[str, Any]:
    """Publish the dataset of which all shards are written.

    Files that should not have been cut are exported here, whole. After an error the files of the
    shards are still there, so that the call can be repeated.

    Parameters
    ----------
    reports : iterable of ShardReport
        One for each shard, in any order; several of one shard count once.
    out : path
        The target of the export, as `export_shard` was given it.
    overwrite : bool
        As in `toolkit.export`.

    Returns
    -------
    dict
        The manifest of the dataset.

    Raises
    ------
    ExportError
        If reports are missing or of several plans, or as in `toolkit.export`.
    SourceError, NoRecordsError
        As in `toolkit.export`.

    Examples
    --------
    See `plan_export`.
    """
    arguments.flag("overwrite", overwrite)
    if arguments.is_uri(out):
        return _finish_in_store(_complete(reports), out, overwrite=overwrite)
    target = arguments.target("out", out)
    found = _complete(reports)
    folder = ShardFolder.of(target, found[0].shard.run)
    with staged(target, overwrite=overwrite, objection=objection) as staging:
        used = _with_whole_files(found, partial(write_shard, folder=folder.path, threads=None))
        sweep(staging.content, {})
        link_files(folder.path, staging.content, tables_of(used))
        manifest = finish(staging.content, used)
        conclude(used)
    folder.remove()
    return manifest


def _finish_in_store(found: list[ShardReport], uri: str, *, overwrite: bool) -> dict[str, Any]:
    runs, run = Runs(uri), run_of_shard(found[0].shard)
    with export_faults():
        with faults_of(runs):
            runs.require_free(overwrite)
        used = _with_whole_files(found, partial(write_to_store, uri=uri, run=run, threads=None))
        conclude(used)
        return publish_run(runs, run, used, overwrite=overwrite)


def _with_whole_files(
    found: list[ShardReport], write: Callable[[Shard], ShardReport]
) -> list[ShardReport]:
    """Export files that should not have been cut; return the reports to be used, in order."""
    repeated = [write(shard) for shard in files_to_repeat(found)]
    cut = {report.shard.sources[0][0] for report in repeated}
    used = [each for each in found if each.shard.part_of not in cut] + repeated
    return sorted(used, key=lambda report: report.shard.ordinal)


def _complete(reports: Iterable[ShardReport]) -> list[ShardReport]:
    """Return the reports in order, if they are those of all shards of a plan."""
    found: dict[int, ShardReport] = {}
    for report in arguments.instance("reports", reports, Iterable, "the reports of all shards"):
        arguments.instance("reports", report, ShardReport, "what export_shard returned")
        found[report.shard.ordinal] = report
    if not found:
        raise ArgumentError("reports is empty: expected the report of each shard of a plan")
    shards = [found[i].shard for i in sorted(found)]
    if {shard.run for shard in shards} != {with_run(shards)[0].run}:
        missing = sorted(set(range(max(found))) - set(found))
        which = (
            f"that of shard {missing[0]} is missing"
            if missing
            else "the last ones are missing, or they are of several plans, or of a plan by another "
            "version of the toolkit or of pyarrow"
        )
        raise ExportError(
            f"found {len(found)} reports, expected those of all shards of one plan: {which}"
        )
    return [found[i] for i in sorted(found)]
