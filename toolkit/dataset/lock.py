"""Lock the place of a directory, so that one process at a time writes it.

The system ends the lock with its process. While the holder makes or removes a directory, the file
of the lock names it, so that the next holder can finish that work.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from toolkit.errors import ExportError

try:
    import fcntl
except ImportError:  # Windows, where a rename onto an existing directory fails
    fcntl = None  # type: ignore[assignment]  # a module has no optional type

_MOST_BYTES = 1024  # of a name


class Lock:
    """A lock that is held.

    Parameters
    ----------
    handle : int or None
        The file of the lock; None where the system has no such locks.
    """

    def __init__(self, handle: int | None) -> None:
        self._handle = handle

    @property
    def note(self) -> str:
        """The name of a directory that is being made or removed; empty if there is none."""
        if self._handle is None:
            return ""
        os.lseek(self._handle, 0, os.SEEK_SET)
        return os.fsdecode(os.read(self._handle, _MOST_BYTES))

    @note.setter
    def note(self, name: str) -> None:
        if self._handle is None:
            return
        raw = os.fsencode(name)
        os.ftruncate(self._handle, 0)
        os.lseek(self._handle, 0, os.SEEK_SET)
        if raw and os.write(self._handle, raw) != len(raw):
            os.ftruncate(self._handle, 0)
            raise OSError("the disk is full")


@contextmanager
def locked(target: Path, noted: re.Pattern[str]) -> Iterator[Lock]:
    """Exclude other writers of the target.

    Parameters
    ----------
    target : path
    noted : pattern
        The names that a note of this target can hold. A file that holds something else is not one
        of ours, and is never changed.

    Raises
    ------
    ExportError
        If another process holds the lock, or a foreign file has its name.
    """
    if fcntl is None:
        yield Lock(None)
        return
    path = _path(target)
    handle = _acquired(path, target)
    lock = Lock(handle)
    try:
        if lock.note and not noted.fullmatch(lock.note):
            raise ExportError(f"{path} is not a lock of the toolkit; move it away")
        yield lock
    finally:
        with suppress(OSError):  # a file that remains excludes nobody
            if not lock.note:
                os.unlink(path)
        os.close(handle)


def is_locked(target: Path) -> bool:
    """Return whether an export may be at work: the file of its lock exists.

    Parameters
    ----------
    target : path
    """
    return _path(target).exists()


def _path(target: Path) -> Path:
    return target.with_name(f".{target.name}.export-lock")


def _acquired(path: Path, target: Path) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # An earlier holder may have removed the file just before it was locked here.
            if _is_same(handle, path):
                return handle
        except BlockingIOError:
            os.close(handle)
            raise ExportError(f"{target} is being written by another export") from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_same(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False
