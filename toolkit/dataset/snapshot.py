"""Hold a published directory open, so that all of its files are of one export.

A path leads to another directory once an export has replaced it. An open directory does not: its
files are found in it until they are removed, and those that are open can be read even then.
Windows has no open directories, but an open file keeps its directory from being renamed there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NoReturn, Protocol, Self

from toolkit.errors import SourceError

_MOST_OPEN = 200  # files at once; systems allow a process 256 and more
_HAS_HANDLES = os.open in os.supports_dir_fd


class Replaced(Exception):
    """The directory was replaced before all of its files had been opened."""


class OpenExport(Protocol):
    """An export that is open: all of its files are of the same one.

    Attributes
    ----------
    name : str
        Its directory or URI, as messages name it.
    is_remote : bool
        Whether to read few large pieces of files rather than many small ones.
    """

    name: str
    is_remote: bool

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def path(self, name: str) -> str:
        """Return the path or URI of a file."""

    def open(self, name: str) -> BinaryIO:
        """Open a file; raise `Replaced` if it is gone, because another export replaced this one."""

    def open_all(self, names: Sequence[str], share: int = 1) -> Generator[BinaryIO, None, None]:
        """Yield files one after the other."""

    def fail(self, name: str, error: Exception) -> NoReturn:
        """Raise the error of a file that cannot be read."""


class Snapshot:
    """The files of a directory, all of the same one.

    Parameters
    ----------
    root : path
    """

    is_remote = False

    def __init__(self, root: Path) -> None:
        self.name = str(root)
        self._root = root
        self._flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)
        self._handle = os.open(root, self._flags | os.O_DIRECTORY) if _HAS_HANDLES else None
        self._anchor: BinaryIO | None = None  # the first file, if there is no handle
        if self._handle is None:
            os.scandir(root).close()  # raises what opening it would raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._handle is not None:
            os.close(self._handle)
        if self._anchor is not None:
            self._anchor.close()

    def path(self, name: str) -> str:
        """Return the path of a file."""
        return str(self._root / name)

    def open(self, name: str) -> BinaryIO:
        """Open a regular file of the directory.

        Raises
        ------
        Replaced
            If the file is gone, and the path of the directory leads to another one.
        OSError
            If it cannot be opened.
        """
        try:
            if self._handle is None:
                if self._anchor is None:
                    self._anchor = open(self._root / name, "rb")  # noqa: SIM115
                return open(self._root / name, "rb")
            # A pipe would be waited for.
            handle = os.open(name, self._flags | os.O_NONBLOCK, dir_fd=self._handle)
        except FileNotFoundError:
            if self._is_replaced():
                raise Replaced from None
            raise
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError("it is not a file")
        return os.fdopen(handle, "rb")

    def open_all(self, names: Sequence[str], share: int = 1) -> Generator[BinaryIO, None, None]:
        """Yield files one after the other; many are opened before they are needed.

        Parameters
        ----------
        names : sequence of str
        share : int
            How many such generators are used at once; each opens as many times fewer.
        """
        most = max(_MOST_OPEN // share, 1)
        with ExitStack() as stack:
            files: list[BinaryIO] = []
            for i in range(len(names)):
                for name in names[len(files) : i + most]:
                    files.append(stack.enter_context(self.open(name)))
                yield files[i]
                files[i].close()

    def fail(self, name: str, error: Exception) -> NoReturn:
        """Raise the error of a file that cannot be read."""
        raise SourceError(f"{self.path(name)} cannot be read: {error}") from error

    def _is_replaced(self) -> bool:
        if self._handle is None:
            return not self._root.exists()
        try:
            return not os.path.samestat(os.fstat(self._handle), os.stat(self._root))
        except FileNotFoundError:
            return True
