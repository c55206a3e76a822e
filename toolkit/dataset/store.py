"""Publish datasets in an object store, where nothing is renamed and no lock can be held.

::

    answers/
      manifest.json                                 the pointer: names the run; it is written last
      <run>/tokens/part-00000-<12 of SHA-256>.parquet
      <run>/responses/ choices/ alternatives/ rejects/ ledger/

A run is named by the hash of its manifest, and no file is ever written with other content, so a
reader that has the pointer reads one dataset whole, whatever is published meanwhile. Arrow may read
an object that is replaced as a mixture of both: the hash shows that, and the pointer is read again.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import fs

from toolkit import arguments
from toolkit.dataset.layout import MANIFEST, is_dataset, parse_manifest
from toolkit.dataset.snapshot import Replaced
from toolkit.errors import ArgumentError, ExportError, SourceError, ToolkitError
from toolkit.files import write_file
from toolkit.loaders.sources.source import describe_error
from toolkit.loaders.sources.stores import Store

_RUN = re.compile(r"[0-9a-f]{12}")
_OWN = re.compile(r"/[0-9a-f]{12}/[a-z]+/part-[0-9-]+-[0-9a-f]{12}\.parquet$")
_TRIES = 10  # to read a manifest that is replaced again and again
_PAUSE = 0.02  # seconds before the second try; each further pause is so much longer
_DAY = timedelta(days=1)
_FAULTS = (OSError, ValueError, pa.ArrowException)


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
    store = _open(uri)
    raw = (root / MANIFEST).read_bytes()
    parse_manifest(raw)
    manifest = json.loads(raw)
    manifest = {"run": _run_of(manifest), **manifest}
    try:
        _require_free(store, overwrite)
        sizes = _sizes(store, manifest["run"])
        keys = dict(_keys(manifest))
        for name, (key, size) in keys.items():
            if sizes.get(key) != size:
                _upload(root / name, store, key)
        sizes = _sizes(store, manifest["run"])
        for key, size in keys.values():
            if sizes.get(key) != size:
                raise ExportError(
                    f"{store.name}/{key} has not the {size:,} bytes that were uploaded; call again"
                )
        _require_free(store, overwrite)
        _put(store, MANIFEST, json.dumps(manifest).encode())
    except _FAULTS as error:
        if isinstance(error, ToolkitError):
            raise
        raise ExportError(f"{store.name}: {describe_error(error)}") from error
    return manifest


def abandon_exports(uri: str, *, older_than: timedelta = _DAY) -> list[str]:
    """Remove the runs of a dataset in an object store that its manifest does not name.

    These are replaced datasets, and what killed processes have uploaded. A run in which there is a
    foreign file stays. Parts of files whose upload was cut off are not listed: a lifecycle rule of
    the bucket removes those.

    Parameters
    ----------
    uri : str
    older_than : datetime.timedelta
        Least age of the newest file of a run; longer than any upload and any reader takes.

    Returns
    -------
    list of str
        The runs that were removed.

    Raises
    ------
    ExportError
        If the store cannot be read or written, or its manifest is damaged.

    Examples
    --------
    >>> import tempfile
    >>> from toolkit.dataset import abandon_exports
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     abandon_exports(f"file://{folder}/answers")
    []
    """
    arguments.instance("older_than", older_than, timedelta, "a datetime.timedelta")
    store = _open(uri)
    before = datetime.now(UTC) - older_than
    try:
        pointer = _pointer(store)
        run = None if pointer is None else _document(pointer)["run"]
        selector = fs.FileSelector(store.path, recursive=True, allow_not_found=True)
        files: dict[str, list[Any]] = {}
        for info in store.filesystem.get_file_info(selector):
            name = info.path[len(store.path) + 1 :].split("/")[0]
            if info.type == fs.FileType.File and _RUN.fullmatch(name) and name != run:
                files.setdefault(name, []).append(info)
        old = [
            name
            for name, infos in files.items()
            if all(info.mtime < before and _OWN.search(info.path) for info in infos)
        ]
        for name in old:
            store.filesystem.delete_dir(_path(store, name))
    except _FAULTS as error:
        raise ExportError(f"{store.name}: {describe_error(error)}") from error
    return sorted(old)


class StoreSnapshot:
    """The files of a dataset in an object store, all of the run that its manifest names.

    Parameters
    ----------
    uri : str

    Attributes
    ----------
    name : str
        The URI, without passwords and options.

    Raises
    ------
    SourceError
        If there is no such dataset.
    """

    def __init__(self, uri: str) -> None:
        self._store = _open(uri)
        self.name = self._store.name
        try:
            raw = _pointer(self._store)
        except _FAULTS as error:
            raise SourceError(f"{self.name}: {describe_error(error)}") from error
        if raw is None:
            raise SourceError(
                f"{self.name} is not a dataset of the toolkit, because it has no {MANIFEST}"
            )
        try:
            self._keys = dict(_keys(_document(raw)))
        except ValueError as error:
            raise SourceError(
                f"{self.name}/{MANIFEST} is not a manifest of a store ({_reason(error)})"
            ) from error
        self._raw = raw

    def open(self, name: str) -> BinaryIO:
        """Open a file of the dataset.

        Raises
        ------
        Replaced
            If the file is gone, because its run was abandoned.
        """
        if name == MANIFEST:
            return io.BytesIO(self._raw)
        try:
            return self._store.filesystem.open_input_file(_path(self._store, self._keys[name][0]))
        except FileNotFoundError:
            raise Replaced from None

    def open_all(self, names: Sequence[str]) -> Generator[BinaryIO, None, None]:
        """Yield files one after the other."""
        for name in names:
            with self.open(name) as file:
                yield file


def _open(uri: str) -> Store:
    expected = "a URI, such as s3://bucket/answers"
    scheme, found, _ = arguments.text("uri", uri, expected).partition("://")
    if not found:
        raise arguments.invalid("uri", uri, expected)
    store = Store.open(uri.rstrip("/"), scheme)
    if "/" not in store.path.strip("/"):
        raise arguments.invalid("uri", store.name, "bucket and name, such as s3://bucket/answers")
    return store


def _path(store: Store, key: str) -> str:
    return f"{store.path}/{key}"


def _pointer(store: Store) -> bytes | None:
    """Return the manifest; None if there is none."""
    raw = b""
    for n in range(_TRIES):
        time.sleep(_PAUSE * n)
        try:
            with store.filesystem.open_input_stream(_path(store, MANIFEST)) as file:
                raw = file.read()
            _document(raw)
            break
        except FileNotFoundError:
            return None
        except ValueError:  # it was replaced while it was read, or is not one of the toolkit
            continue
    return raw


def _run_of(manifest: dict[str, Any]) -> str:
    """Return the name of the run of a manifest: a hash of all but this name."""
    others = {name: manifest[name] for name in manifest if name != "run"}
    return hashlib.sha256(json.dumps(others).encode()).hexdigest()[:12]


def _document(raw: bytes) -> dict[str, Any]:
    """Return a manifest, if it is one of a store and whole."""
    parse_manifest(raw)
    manifest = json.loads(raw)
    if manifest.get("run") != _run_of(manifest):
        raise ValueError("it is damaged, or that of a directory that was copied here")
    return manifest


def _reason(error: ValueError) -> str:
    return (
        "it is not JSON"
        if isinstance(error, UnicodeDecodeError | json.JSONDecodeError)
        else str(error)
    )


def _keys(manifest: dict[str, Any]) -> Iterator[tuple[str, tuple[str, int]]]:
    """Yield the name of each file as in a directory, with its key and size in the store."""
    for table, listed in manifest["tables"].items():
        for part in listed["files"]:
            stem, suffix = os.path.splitext(part["name"])
            key = f"{manifest['run']}/{table}/{stem}-{part['sha256'][:12]}{suffix}"
            yield f"{table}/{part['name']}", (key, part["bytes"])


def _require_free(store: Store, overwrite: bool) -> None:
    raw = _pointer(store)
    if raw is None:
        return
    if not overwrite:
        raise ExportError(f"{store.name} exists; pass overwrite=True to replace it")
    try:
        _document(raw)
    except ValueError as error:
        raise ExportError(f"{store.name}/{MANIFEST} is not replaced ({_reason(error)})") from error


def _sizes(store: Store, run: str) -> dict[str, int]:
    """Return the size of each file of a run."""
    selector = fs.FileSelector(_path(store, run), recursive=True, allow_not_found=True)
    infos = store.filesystem.get_file_info(selector)
    files = (info for info in infos if info.type == fs.FileType.File)
    return {info.path[len(store.path) + 1 :]: info.size for info in files}


def _upload(file: Path, store: Store, key: str) -> None:
    """Upload a file; if that fails, what arrived has another size, and no manifest names it."""
    if store.is_local:
        os.makedirs(os.path.dirname(_path(store, key)), exist_ok=True)
    with file.open("rb") as source, store.filesystem.open_output_stream(_path(store, key)) as sink:
        shutil.copyfileobj(source, sink, 8 << 20)


def _put(store: Store, key: str, data: bytes) -> None:
    """Write a small object at once: it is seen whole or not at all."""
    if not store.is_local:
        sink = store.filesystem.open_output_stream(_path(store, key))
        sink.write(data)
        sink.close()
        return
    write_file(Path(_path(store, key)), data.decode())
