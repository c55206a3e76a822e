"""Lock the place of a directory, so that one process at a time writes it.

The system ends the lock with its process. While the holder makes or removes a directory, the file
of the lock names it, so that the next holder can finish that work.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from toolkit.errors import ExportError
from toolkit.files import try_lock

_MOST_BYTES = 1024  # of a name
_FLAGS = os.O_RDWR | os.O_CREAT
for _name in ("O_CLOEXEC", "O_NOFOLLOW", "O_BINARY"):  # those that the system has
    _FLAGS |= getattr(os, _name, 0)


class Lock:
    """A lock that is held.

    Parameters
    ----------
    handle : int
        The file of the lock.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle

    @property
    def note(self) -> str:
        """The name of a directory that is being made or removed; empty if there is none."""
        os.lseek(self._handle, 0, os.SEEK_SET)
        return os.fsdecode(os.read(self._handle, _MOST_BYTES))

    @note.setter
    def note(self, name: str) -> None:
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
        If another process holds the lock, a foreign file has its name, or the file system has no
        locks.
    """
    path = _path(target)
    handle = _acquired(path, target)
    lock = Lock(handle)
    try:
        if lock.note and not noted.fullmatch(lock.note):
            raise ExportError(f"{path} is not a lock of the toolkit; move it away")
        yield lock
    finally:
        is_idle = False
        with suppress(OSError):
            is_idle = not lock.note
        if sys.platform == "win32":  # an open file cannot be removed, nor one that the next has
            os.close(handle)
            _remove(path, is_idle)
        else:
            _remove(path, is_idle)
            os.close(handle)


def _remove(path: Path, is_idle: bool) -> None:
    if is_idle:
        with suppress(OSError):  # a file that remains excludes nobody
            os.unlink(path)


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
        handle = os.open(path, _FLAGS, 0o666)
        try:
            if not _is_free(handle, path, target):
                raise ExportError(f"{target} is being written by another export")
            # An earlier holder may have removed the file just before it was locked here.
            if sys.platform == "win32" or _is_same(handle, path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_free(handle: int, path: Path, target: Path) -> bool:
    try:
        return try_lock(handle)
    except OSError as error:
        _remove(path, is_idle=os.fstat(handle).st_size == 0)
        raise ExportError(
            f"{target} cannot be written, because its file system has no locks "
            f"({error.strerror}); write to a local disk, and move the directory"
        ) from error


def _is_same(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False
