"""Where bytes come from: files, URIs, memory, open files, standard input."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import pyarrow as pa

from toolkit.errors import SourceError
from toolkit.loaders.sources.compression import Reader
from toolkit.loaders.sources.watched import Watched


class Place(Protocol):
    """Somewhere that bytes come from."""

    def open(self) -> AbstractContextManager[Reader]:
        """Open it to be read from its start."""

    def size(self) -> int | None:
        """Return how many bytes there are; None: that is not known, and it can be read but once."""


class File:
    """A file by its path."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def open(self) -> Watched:
        """Open it, if it is a regular file."""
        mode = os.stat(self.path).st_mode
        if stat.S_ISDIR(mode):
            raise SourceError("this is a directory, expected a file")
        if not stat.S_ISREG(mode):  # opening a pipe could wait for ever
            raise SourceError(
                "this is a pipe or a device, expected a file; for a pipe, use '-' (standard input)"
            )
        return Watched(self.path)

    def size(self) -> int:
        """Return its size."""
        return os.path.getsize(self.path)


class Remote:
    """A file in a filesystem of Arrow."""

    __slots__ = ("filesystem", "path")

    def __init__(self, filesystem: Any, path: str) -> None:
        self.filesystem = filesystem
        self.path = path

    def open(self) -> AbstractContextManager[Reader]:
        """Open it as it is stored."""
        return self.filesystem.open_input_stream(self.path, compression=None)

    def size(self) -> int | None:
        """Return its size."""
        return self.filesystem.get_file_info(self.path).size


class Memory:
    """Bytes."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def open(self) -> AbstractContextManager[Reader]:
        """Open them as a file."""
        return pa.BufferReader(self.data)

    def size(self) -> int:
        """Return how many they are."""
        return len(self.data)


class Once:
    """A file that somebody else opened; it is left open."""

    __slots__ = ("reader",)

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def open(self) -> AbstractContextManager[Reader]:
        """Return it as it stands."""
        return nullcontext(self.reader)

    def size(self) -> None:
        """Return None."""


class Stdin:
    """Standard input, as it is when it is read."""

    __slots__ = ()

    def open(self) -> AbstractContextManager[Reader]:
        """Return its bytes."""
        if sys.stdin is None:
            raise SourceError("there is no standard input")
        return nullcontext(getattr(sys.stdin, "buffer", sys.stdin))

    def size(self) -> None:
        """Return None."""


class Nowhere:
    """What was named and is not there."""

    __slots__ = ("message",)

    def __init__(self, message: str) -> None:
        self.message = message

    def open(self) -> AbstractContextManager[Reader]:
        """Tell why."""
        raise SourceError(self.message)

    def size(self) -> None:
        """Return None."""
