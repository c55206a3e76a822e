"""Keep a dataset in an object store, where nothing is renamed and no lock can be held: `Runs`.

::

    answers/
      manifest.json                                 the pointer: names the run; it is written last
      <run>/tokens/part-00000-<12 of SHA-256>.parquet
      <run>/responses/ choices/ alternatives/ rejects/ ledger/

No file is ever written with other content, so a reader that has the pointer reads one dataset
whole, whatever is published meanwhile. Arrow may read an object that is replaced as a mixture of
both: the hash in the pointer shows that, and the pointer is read again.
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
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NoReturn, Self

import pyarrow as pa
from pyarrow import fs

from toolkit import arguments
from toolkit.dataset.layout import MANIFEST, parse_manifest
from toolkit.dataset.snapshot import Replaced
from toolkit.errors import ExportError, SourceError, ToolkitError
from toolkit.files import write_file
from toolkit.loaders.sources.source import describe_error
from toolkit.loaders.sources.stores import Store

FAULTS = (OSError, ValueError, pa.ArrowException)
"""What file systems of Arrow raise."""
RUN = re.compile(r"[0-9a-f]{12}")
"""The name of a run."""
OWN = re.compile(r"[0-9a-f]{12}/[a-z]+/part-[0-9-]+-[0-9a-f]{12}\.parquet")
"""The key of a file of a run, which an export wrote."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TRIES = 10  # to read a manifest that is replaced again and again
_PAUSE = 0.02  # seconds before the second try; each further pause is so much longer


class Runs:
    """The runs of a dataset in an object store, and the manifest that names one of them.

    Parameters
    ----------
    uri : str

    Attributes
    ----------
    name : str
        The URI, without passwords and options.

    Raises
    ------
    ArgumentError, SourceError
        If it is not the URI of a dataset in a store that can be opened.
    """

    def __init__(self, uri: str) -> None:
        expected = "a URI, such as s3://bucket/answers"
        scheme, found, _ = arguments.text("uri", uri, expected).partition("://")
        if not found:
            raise arguments.invalid("uri", uri, expected)
        self._store = Store.open(uri.rstrip("/"), scheme)
        self.name = self._store.name
        if "/" not in self._store.path.strip("/"):
            expected = "bucket and name, such as s3://bucket/answers"
            raise arguments.invalid("uri", self.name, expected)

    def pointer(self) -> dict[str, Any] | None:
        """Return the manifest; None if there is none.

        Raises
        ------
        ValueError
            If it is not a manifest, or not whole.
        """
        for n in range(_TRIES):
            time.sleep(_PAUSE * n)
            try:
                with self._store.filesystem.open_input_stream(self._path(MANIFEST)) as file:
                    return _document(file.read())
            except FileNotFoundError:
                return None
            except ValueError as error:  # it was replaced while it was read, or is none
                reason = error
        raise reason

    def require_free(self, overwrite: bool) -> None:
        """Raise `ExportError` if there is a dataset that may not be replaced."""
        try:
            found = self.pointer()
        except ValueError as error:
            reason = reason_of(error)
        else:
            if found is None or (overwrite and "run" in found):
                return
            reason = "it is that of a directory that was copied here"
            if not overwrite:
                raise ExportError(f"{self.name} exists; pass overwrite=True to replace it")
        raise ExportError(f"{self.name}/{MANIFEST} is not replaced ({reason})")

    def publish(self, manifest: dict[str, Any], overwrite: bool) -> dict[str, Any]:
        """Write the manifest of a run of which all files are there; return it as it is written.

        Raises
        ------
        ExportError
            If a file is missing, or there is a dataset that may not be replaced.
        """
        manifest = {"hash": _hash_of(manifest), **manifest}
        sizes = self.sizes(manifest["run"])
        for key, size in keys_of(manifest).values():
            if sizes.get(key) != size:
                raise ExportError(
                    f"{self.name}/{key} has not the {size:,} bytes that were uploaded; call again"
                )
        self.require_free(overwrite)
        self._put(MANIFEST, json.dumps(manifest).encode())
        return manifest

    def files(self) -> Iterator[tuple[str, Any]]:
        """Yield the key of each file, with what the store says of it."""
        yield from self._listed("")

    def sizes(self, run: str) -> dict[str, int]:
        """Return the size of each file of a run, by its key."""
        return {key: info.size for key, info in self._listed(f"/{run}")}

    def _listed(self, below: str) -> Iterator[tuple[str, Any]]:
        base = self._store.path
        selector = fs.FileSelector(f"{base}{below}", recursive=True, allow_not_found=True)
        for info in self._store.filesystem.get_file_info(selector):
            if info.type == fs.FileType.File:
                yield info.path[len(base) + 1 :], info

    def open(self, key: str) -> BinaryIO:
        """Open a file for reading at any place."""
        return self._store.filesystem.open_input_file(self._path(key))

    def upload(self, file: Path, key: str) -> None:
        """Upload a file; after an error it is removed, because Arrow publishes what has arrived."""
        path = self._path(key)
        if self._store.is_local:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            with (
                file.open("rb") as source,
                self._store.filesystem.open_output_stream(path) as sink,
            ):
                shutil.copyfileobj(source, sink, 8 << 20)
        except BaseException:
            with suppress(*FAULTS):
                self._store.filesystem.delete_file(path)
            raise

    def remove(self, run: str) -> None:
        """Remove a run."""
        self._store.filesystem.delete_dir(self._path(run))

    def _put(self, key: str, data: bytes) -> None:
        """Write a small object at once: it is seen whole or not at all."""
        if self._store.is_local:
            write_file(self._path(key), data)
            return
        sink = self._store.filesystem.open_output_stream(self._path(key))
        sink.write(data)
        sink.close()

    def _path(self, key: str) -> str:
        return f"{self._store.path}/{key}"


class StoreSnapshot:
    """The files of a dataset in an object store, all of the run that its manifest names.

    An export on a local disk that was copied into a store is read too, if its manifest is there.

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
        self._runs = Runs(uri)
        self.name = self._runs.name
        try:
            manifest = self._runs.pointer()
            keys = {} if manifest is None else keys_of(manifest)
        except ValueError as error:
            raise SourceError(
                f"{self.name}/{MANIFEST} is not a manifest of a store ({reason_of(error)})"
            ) from error
        except FAULTS as error:
            raise SourceError(f"{self.name}: {describe_error(error)}") from None
        if manifest is None:
            raise SourceError(
                f"{self.name} is not a dataset of the toolkit, because it has no {MANIFEST}"
            )
        self._manifest = json.dumps(manifest).encode()
        self._keys = {name: key for name, (key, _) in keys.items()} | {MANIFEST: MANIFEST}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def path(self, name: str) -> str:
        """Return the URI of a file, without credentials."""
        return f"{self.name}/{self._keys[name]}"

    def open(self, name: str) -> BinaryIO:
        """Open a file of the dataset.

        Raises
        ------
        Replaced
            If the file is gone, because its run was abandoned.
        """
        if name == MANIFEST:
            return io.BytesIO(self._manifest)
        try:
            return self._runs.open(self._keys[name])
        except FileNotFoundError:
            raise Replaced from None

    def open_all(self, names: Sequence[str], share: int = 1) -> Generator[BinaryIO, None, None]:
        """Yield files one after the other."""
        for name in names:
            with self.open(name) as file:
                yield file

    def fail(self, name: str, error: Exception) -> NoReturn:
        """Raise the error of a file that cannot be read, without what a store may quote in it."""
        raise SourceError(f"{self.path(name)}: {describe_error(error)}") from None


@contextmanager
def faults_of(runs: Runs) -> Iterator[None]:
    """Raise what the store raises as an `ExportError`, without what it may quote."""
    try:
        yield
    except FAULTS as error:
        if isinstance(error, ToolkitError):
            raise
        raise ExportError(f"{runs.name}: {describe_error(error)}") from None


def run_of(manifest: dict[str, Any]) -> str:
    """Return the name of the run of an export on a local disk: a hash of its manifest."""
    return _hash_of(manifest)[:12]


def keys_of(manifest: dict[str, Any]) -> dict[str, tuple[str, int]]:
    """Return the key and size in the store of each file, by its name as in a directory.

    Raises
    ------
    ValueError
        If they are not those that an export has.
    """
    found = {}
    for table, listed in manifest["tables"].items():
        for part in listed["files"]:
            name, sha256, size = part["name"], part.get("sha256"), part.get("bytes")
            if not _SHA256.fullmatch(str(sha256)) or type(size) is not int:
                raise ValueError("a file has no hash or size")
            stem, suffix = os.path.splitext(name)
            is_copied = "run" not in manifest
            named = name if is_copied else f"{stem}-{sha256[:12]}{suffix}"
            key = f"{table}/{named}" if is_copied else f"{manifest['run']}/{table}/{named}"
            found[f"{table}/{name}"] = key, size
    return found


def reason_of(error: ValueError) -> str:
    """Describe what is wrong with a manifest, without quoting it."""
    is_quoted = isinstance(error, UnicodeDecodeError | json.JSONDecodeError)
    return "it is not JSON" if is_quoted else str(error)


def _hash_of(manifest: dict[str, Any]) -> str:
    others = {name: manifest[name] for name in manifest if name != "hash"}
    return hashlib.sha256(json.dumps(others).encode()).hexdigest()


def _document(raw: bytes) -> dict[str, Any]:
    """Return a manifest, if it is whole."""
    parse_manifest(raw)
    manifest: dict[str, Any] = json.loads(raw)
    is_whole = RUN.fullmatch(str(manifest.get("run"))) and manifest.get("hash") == _hash_of(
        manifest
    )
    if "run" in manifest and not is_whole:
        raise ValueError("it is damaged")
    return manifest
