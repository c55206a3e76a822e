"""Publish datasets in an object store, and remove those that nobody reads any more."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

from toolkit import arguments
from toolkit.dataset.layout import MANIFEST, is_dataset, parse_manifest
from toolkit.dataset.pointer import RUN, is_own, is_part, keys_of, reason_of, run_of, runs_of
from toolkit.dataset.runs import Runs, faults_of
from toolkit.dataset.shard_folder import remove_abandoned
from toolkit.errors import ArgumentError, ExportError

_DAY = timedelta(days=1)


def upload_dataset(
    directory: str | os.PathLike[str], uri: str, *, overwrite: bool = False
) -> dict[str, Any]:
    """Publish an exported dataset in an object store.

    The files are uploaded under names of their own, then the manifest. Until then readers see the
    dataset that was there before, also if this process is killed. A call can be repeated: it
    uploads only the files that are missing.

    Parameters
    ----------
    directory : path
        What `toolkit.export` wrote.
    uri : str
        Such as ``s3://bucket/answers``; `toolkit.read_parquet` reads it.
    overwrite : bool
        Replace the dataset of that name. Its files stay until `abandon_exports` removes them. If
        two processes publish at once, the last one wins.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    ExportError
        If there is a dataset and it may not be replaced, or the store cannot be written.

    Examples
    --------
    >>> import tempfile, toolkit
    >>> from toolkit.dataset import upload_dataset
    >>> lp = toolkit.from_responses({"choices": [{"message": {"content": "Hi"}, "logprobs":
    ...     {"content": [{"token": "Hi", "logprob": -0.1}]}}]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = lp.write_parquet(f"{folder}/answers")
    ...     upload_dataset(out, f"file://{folder}/store/answers")["tables"]["tokens"]["rows"]
    1
    """
    root = arguments.path("directory", directory)
    arguments.flag("overwrite", overwrite)
    if not is_dataset(root):
        raise ArgumentError(f"{root} is not an export of the toolkit")
    runs = Runs(uri)
    raw = (root / MANIFEST).read_bytes()
    parse_manifest(raw)
    manifest = json.loads(raw)
    manifest = {"run": run_of(manifest), **manifest}
    with faults_of(runs):
        runs.require_free(overwrite)
        sizes = runs.sizes(manifest["run"])
        keys = keys_of(manifest).items()
        missing = [(root / name, key) for name, (key, size) in keys if sizes.get(key) != size]
        runs.each(lambda file: runs.upload(*file), missing)
        return runs.publish(manifest, overwrite)


def abandon_exports(uri: str | os.PathLike[str], *, older_than: timedelta = _DAY) -> list[str]:
    """Remove what exports to a place have left, and nobody reads any more.

    In an object store these are the runs that the manifest does not name: replaced datasets, and
    what killed or failed processes have uploaded; and such files in the runs that it names. Parts
    of files whose upload was cut off are not listed: a lifecycle rule of the bucket removes those.
    Beside a local directory these are the hidden directories of exports by shards that
    `finish_export` never published. What holds a foreign file stays.

    Parameters
    ----------
    uri : str or path
        The dataset.
    older_than : datetime.timedelta
        Least age of the newest file of a run; longer than any export and any reader takes.

    Returns
    -------
    list of str
        The runs that were removed: 12 digits in an object store, 32 beside a directory.

    Raises
    ------
    ExportError
        If the place cannot be read or written, or the manifest of a store is damaged.

    Examples
    --------
    >>> import tempfile
    >>> from toolkit.dataset import abandon_exports
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     abandon_exports(f"file://{folder}/answers")
    []
    """
    arguments.instance("older_than", older_than, timedelta, "a datetime.timedelta")
    before = datetime.now(UTC) - older_than
    if not arguments.is_uri(uri):
        target = arguments.target("uri", uri)
        try:
            return remove_abandoned(target, before)
        except OSError as error:
            raise ExportError(f"{target.parent} cannot be read: {error}") from error
    runs = Runs(uri)
    with faults_of(runs):
        try:
            pointer = runs.pointer()
        except ValueError as error:
            raise ExportError(f"{runs.name}/{MANIFEST}: {reason_of(error)}") from error
        named = {} if pointer is None else dict(keys_of(pointer).values())
        found: dict[str, list[tuple[str, Any]]] = {}
        for key, info in runs.files():
            run = key.split("/")[0]
            if RUN.fullmatch(run):
                found.setdefault(run, []).append((key, info))
        kept = set() if pointer is None else runs_of(pointer)
        old = [
            run
            for run, files in found.items()
            if run not in kept
            and all(is_own(key) and _is_before(info, before) for key, info in files)
        ]
        for run in old:
            runs.remove(run, [key for key, _ in found[run]])
        unnamed = (
            (key, info)
            for run in kept & found.keys()
            for key, info in found[run]
            if is_part(key) and key not in named
        )
        runs.remove_files([key for key, info in unnamed if _is_before(info, before)])
    return sorted(old)


def _is_before(info: Any, before: datetime) -> bool:
    """Return whether a file is old; one of unknown age is not."""
    return info.mtime is not None and info.mtime < before
