"""Open the locations that bytes come from: files, URIs, memory, open files, standard input."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any, ClassVar, Protocol, Self

import pyarrow as pa

from toolkit.errors import SourceError
from toolkit.loaders.sources.compression import Reader
from toolkit.loaders.sources.suffixes import ARCHIVE_SUFFIXES, TABLE_SUFFIXES, suffix_of


class ChangedSourceError(SourceError):
    """A file changed while it was read."""

    reason: ClassVar[str] = "changed_source"


class Location(Protocol):
    """A location that bytes come from."""

    def open(self) -> AbstractContextManager[Reader]:
        """Open the location to read it from its start."""

    def size(self) -> int | None:
        """Return the size in bytes; None if it is unknown and the bytes can be read only once."""


class WatchedFile(io.FileIO):
    """A file that is open for reading, unbuffered, and can check that nobody changed it.

    Parameters
    ----------
    path : str
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, "rb")
        self._before = os.fstat(self.fileno())

    def check_unchanged(self) -> None:
        """Raise `ChangedSourceError` if the file was written to since it was opened."""
        now = os.fstat(self.fileno())
        if now.st_size != self._before.st_size:
            raise ChangedSourceError(
                f"the file had {self._before.st_size:,} bytes when it was opened and has "
                f"{now.st_size:,} now; what was read is kept"
            )
        if now.st_mtime_ns != self._before.st_mtime_ns:
            raise ChangedSourceError(
                "the file was written to while it was read; what was read is kept"
            )


class File:
    """A file that is named by its path."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def open(self) -> WatchedFile:
        """Open the file if it is a regular one."""
        mode = os.stat(self.path).st_mode
        if stat.S_ISDIR(mode):
            raise SourceError("this is a directory, expected a file")
        if not stat.S_ISREG(mode):  # opening a pipe could wait for ever
            raise SourceError(
                "this is a pipe or a device, expected a file; for a pipe, use '-' (standard input)"
            )
        return WatchedFile(self.path)

    def size(self) -> int:
        """Return the size in bytes."""
        return os.path.getsize(self.path)


class Remote:
    """A file in a filesystem of Arrow, with its size and time as they were listed.

    Parameters
    ----------
    filesystem : pyarrow.fs.FileSystem
    path : str
    root : str, optional
        URI of the filesystem, without credentials; None: no other process can open it.
    n_bytes, modified_ns : int, optional
    """

    __slots__ = ("filesystem", "modified_ns", "n_bytes", "path", "root")

    def __init__(
        self,
        filesystem: Any,
        path: str,
        root: str | None = None,
        n_bytes: int | None = None,
        modified_ns: int | None = None,
    ) -> None:
        self.filesystem = filesystem
        self.path = path
        self.root = root
        self.n_bytes = n_bytes
        self.modified_ns = modified_ns

    def open(self) -> AbstractContextManager[Reader]:
        """Open the file without decompressing it, so that it can seek if its reader needs that."""
        if suffix_of(self.path) in (*TABLE_SUFFIXES, *ARCHIVE_SUFFIXES):
            return self.filesystem.open_input_file(self.path)
        return _Stream(self.filesystem.open_input_stream(self.path, compression=None))

    def size(self) -> int | None:
        """Return the size in bytes."""
        return self.n_bytes

    def check_unchanged(self) -> None:
        """Raise `ChangedSourceError` if the file was replaced since it was listed."""
        now = self.filesystem.get_file_info(self.path)
        if (now.size, now.mtime_ns) != (self.n_bytes, self.modified_ns):
            raise ChangedSourceError(
                "the object was replaced after it was listed; what was read is kept"
            )


class _Stream:
    """A stream of Arrow that knows its position, as files do."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._position = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stream.close()

    def read(self, size: int, /) -> bytes:
        data: bytes = self._stream.read(size)
        self._position += len(data)
        return data

    def tell(self) -> int:
        return self._position


class Memory:
    """Bytes in memory."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def open(self) -> AbstractContextManager[Reader]:
        """Open the bytes as a file."""
        return pa.BufferReader(self.data)

    def size(self) -> int:
        """Return the number of bytes."""
        return len(self.data)


class FileObject:
    """A file object of the caller, which can be read once and is left open."""

    __slots__ = ("reader",)

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def open(self) -> AbstractContextManager[Reader]:
        """Return the file object at its current position."""
        return nullcontext(self.reader)

    def size(self) -> None:
        """Return None."""


class Stdin:
    """Standard input, looked up when it is read."""

    __slots__ = ()

    def open(self) -> AbstractContextManager[Reader]:
        """Return the bytes of standard input."""
        if sys.stdin is None:
            raise SourceError("there is no standard input")
        return nullcontext(getattr(sys.stdin, "buffer", sys.stdin))

    def size(self) -> None:
        """Return None."""


class Unavailable:
    """A named source that cannot be opened, with the reason."""

    __slots__ = ("message",)

    def __init__(self, message: str) -> None:
        self.message = message

    def open(self) -> AbstractContextManager[Reader]:
        """Raise the stored error."""
        raise SourceError(self.message)

    def size(self) -> None:
        """Return None."""


class Folder:
    """A folder, which has no bytes of its own: its files are sources."""

    __slots__ = ()

    def open(self) -> AbstractContextManager[Reader]:
        """Return an empty file object."""
        return io.BytesIO()

    def size(self) -> int:
        """Return 0."""
        return 0


# What another process can open: its kind and its place, without handles and credentials


def address(location: Location) -> tuple[str, str] | None:
    """Return kind and place of a location that another process can open; else None.

    Examples
    --------
    >>> address(File("/logs/a.jsonl")), address(Memory(b"{}"))
    (('file', '/logs/a.jsonl'), None)
    """
    if isinstance(location, File):
        return "file", os.path.abspath(location.path)
    if isinstance(location, Remote) and location.root is not None:
        place = [location.root, location.path, location.n_bytes, location.modified_ns]
        return "uri", json.dumps(place)
    if isinstance(location, Unavailable):
        return "unavailable", location.message
    return ("folder", "") if isinstance(location, Folder) else None


def located(kind: str, place: str) -> Location:
    """Return the location of an address."""
    if kind == "file":
        return File(place)
    if kind == "uri":
        root, path, n_bytes, modified_ns = json.loads(place)
        return Remote(_filesystem(root), path, root, n_bytes, modified_ns)
    return Folder() if kind == "folder" else Unavailable(place)


@lru_cache(maxsize=16)
def _filesystem(root: str) -> Any:
    """Open the filesystem of a URI; its credentials are those of this process."""
    from pyarrow import fs

    return fs.FileSystem.from_uri(root)[0]


def state_of(location: Location) -> tuple[int | None, int | None] | None:
    """Return size and time of the last change of a file; None if there is none."""
    if isinstance(location, Remote):
        return location.n_bytes, location.modified_ns
    if not isinstance(location, File):
        return None
    try:
        found = os.stat(location.path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
