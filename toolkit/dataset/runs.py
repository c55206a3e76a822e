"""Keep a dataset in an object store, where nothing is renamed and no lock can be held: `Runs`.

::

    answers/
      manifest.json                                 the pointer: names the run; it is written last
      <run>/tokens/part-00000-<12 of SHA-256>.parquet
      <run>/responses/ choices/ alternatives/ rejects/ ledger/
      <run>/_reports/00000-<12 digits of a shard>.json     what an export wrote; for `resume`

No file is ever written with other content, so a reader that has the pointer reads one dataset
whole, whatever is published meanwhile. Arrow may read an object that is replaced as a mixture of
both: the hash in the pointer shows that, and the pointer is read again.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NoReturn, Self, TypeVar

import pyarrow as pa
from pyarrow import fs

from toolkit import arguments
from toolkit.dataset.layout import MANIFEST
from toolkit.dataset.pointer import checked, is_part, keys_of, reason_of, runs_of, signed
from toolkit.dataset.snapshot import Replaced
from toolkit.errors import ExportError, SourceError, ToolkitError
from toolkit.files import write_file
from toolkit.loaders.sources.source import describe_error
from toolkit.loaders.sources.stores import Store

T = TypeVar("T")
FAULTS = (OSError, ValueError, pa.ArrowException)
"""What file systems of Arrow raise."""
AT_ONCE = 8
"""Requests to a store at the same time."""
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
    is_portable : bool
        Whether another process can open the URI, because it has no credentials.

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
        self.is_portable = self._store.root is not None
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
                return checked(self.read(MANIFEST))
            except FileNotFoundError:
                return None
            except ValueError as error:  # it was replaced while it was read, or is none
                reason = error
        raise reason

    def is_dataset(self) -> bool:
        """Return whether there is a manifest of the toolkit that can be read."""
        try:
            checked(self.read(MANIFEST))
        except FAULTS:
            return False
        return True

    def require_free(self, overwrite: bool) -> dict[str, Any] | None:
        """Return the manifest that is to be replaced; None if there is none.

        Raises
        ------
        ExportError
            If there is a dataset that may not be replaced.
        """
        try:
            found = self.pointer()
        except ValueError as error:
            reason = reason_of(error)
        else:
            if found is None or (overwrite and "run" in found):
                return found
            reason = "it is that of a directory that was copied here"
            if not overwrite:
                raise ExportError(f"{self.name} exists; pass overwrite=True to replace it")
        raise ExportError(f"{self.name}/{MANIFEST} is not replaced ({reason})")

    def require_files(self, manifest: dict[str, Any], advice: str) -> dict[str, int]:
        """Return the size of each file of the runs of a dataset, by its key.

        Raises
        ------
        ExportError
            If a file that the manifest names is missing. `advice` says what to do.
        """
        with ThreadPoolExecutor(AT_ONCE) as pool:
            listed = list(pool.map(self.sizes, runs_of(manifest)))
        sizes = {key: size for each in listed for key, size in each.items()}
        for key, size in keys_of(manifest).values():
            if sizes.get(key) != size:
                raise ExportError(
                    f"{self.name}/{key} has not the {size:,} bytes that were uploaded; {advice}"
                )
        return sizes

    def publish(
        self,
        manifest: dict[str, Any],
        overwrite: bool,
        is_expected: Callable[[dict[str, Any] | None], bool] = lambda found: True,
    ) -> dict[str, Any]:
        """Write the manifest of a run of which all files are there; return it as it is written.

        Then files of the run that it does not name are removed, such as those that were joined: who
        reads all files of the folder reads no row twice.

        Parameters
        ----------
        manifest : dict
        overwrite : bool
        is_expected : callable
            Returns whether the manifest that is there, if any, is still the one to be replaced.

        Raises
        ------
        ExportError
            If a file is missing, or there is a dataset that may not be replaced.
        """
        manifest = signed(manifest)
        keys = dict(keys_of(manifest).values())
        run = f"{manifest['run']}/"
        sizes = self.require_files(manifest, "call again")
        others = [key for key in sizes if key.startswith(run) and is_part(key) and key not in keys]
        if not is_expected(self.require_free(overwrite)):
            raise ExportError(f"{self.name} was replaced while sources were added; call again")
        raw = json.dumps(manifest).encode()
        checked(raw)
        self.put(MANIFEST, raw)
        self.remove_files(others)
        return manifest

    def files(self) -> Iterator[tuple[str, Any]]:
        """Yield the key of each file, with what the store says of it."""
        yield from self._listed("")

    def sizes(self, run: str) -> dict[str, int]:
        """Return the size of each file of a run, by its key."""
        return {key: info.size for key, info in self._listed(f"/{run}")}

    def size(self, key: str) -> int | None:
        """Return the size of a file; None if there is none."""
        return self._store.filesystem.get_file_info(self._path(key)).size

    def _listed(self, below: str) -> Iterator[tuple[str, Any]]:
        base = self._store.path
        selector = fs.FileSelector(f"{base}{below}", recursive=True, allow_not_found=True)
        for info in self._store.filesystem.get_file_info(selector):
            if info.type == fs.FileType.File:
                yield info.path[len(base) + 1 :], info

    def open(self, key: str) -> BinaryIO:
        """Open a file for reading at any place."""
        return self._store.filesystem.open_input_file(self._path(key))

    def read(self, key: str) -> bytes:
        """Read a small file."""
        with self._store.filesystem.open_input_stream(self._path(key)) as file:
            return file.read()

    def each(self, call: Callable[[T], object], items: Iterable[T]) -> None:
        """Call a method for each of several files, some at the same time."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            futures = [pool.submit(call, item) for item in items]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def copy(self, key: str, to: str) -> None:
        """Copy a file within the store."""
        self._make_folder(to)
        self._store.filesystem.copy_file(self._path(key), self._path(to))

    def _make_folder(self, key: str) -> None:
        if self._store.is_local:
            os.makedirs(os.path.dirname(self._path(key)), exist_ok=True)

    def upload(self, file: Path, key: str) -> None:
        """Upload a file, unless it is there: its key has its hash.

        It is written at once, because Arrow would publish the part of it that has arrived before an
        error. Files have about as many bytes as a batch.
        """
        if self.size(key) != file.stat().st_size:
            self.put(key, file.read_bytes())

    def download(self, key: str, file: Path) -> None:
        """Copy a file to the local disk."""
        with self.open(key) as source, file.open("wb") as sink:
            shutil.copyfileobj(source, sink, 8 << 20)

    def remove(self, run: str, keys: Iterable[str]) -> None:
        """Remove a run, which has these files."""
        try:
            self._store.filesystem.delete_dir(self._path(run))
        except FileNotFoundError:  # a store without folders, when it has removed the files
            pass
        except FAULTS:  # not each store can remove many files in one request
            self.remove_files(keys)

    def remove_files(self, keys: Iterable[str]) -> None:
        """Remove some files, if they are still there."""
        self.each(self._remove_file, keys)

    def _remove_file(self, key: str) -> None:
        with suppress(FileNotFoundError):
            self._store.filesystem.delete_file(self._path(key))

    def put(self, key: str, data: bytes) -> None:
        """Write an object at once: it is seen whole or not at all."""
        self._make_folder(key)
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

    is_remote = True

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


class UploadError(OSError):
    """A store, or scratch space, could not be written; another try may succeed."""


@contextmanager
def uploads_to(runs: Runs) -> Iterator[None]:
    """Raise what the store raises as an `UploadError`, without what it may quote."""
    try:
        yield
    except FAULTS as error:
        if isinstance(error, ToolkitError | UploadError):
            raise
        raise UploadError(f"{runs.name}: {describe_error(error, 'written')}") from None


@contextmanager
def faults_of(runs: Runs) -> Iterator[None]:
    """Raise faults of the store as an `ExportError`."""
    with export_faults(), uploads_to(runs):
        yield


@contextmanager
def export_faults() -> Iterator[None]:
    """Raise an `UploadError` as an `ExportError`."""
    try:
        yield
    except UploadError as error:
        raise ExportError(str(error)) from None
