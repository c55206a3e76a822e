"""Putting a directory in place: whole or not at all, whatever happens meanwhile.

Everything is written into a hidden directory beside the target, made sure of on the disk, and put
in place by one rename; an earlier export is exchanged with it, so whoever reads finds the old one
or the new one. A lock, which dies with its process, keeps others out; what a killed process left
behind is swept by the next one.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from toolkit.errors import ExportError, ToolkitError

try:
    import fcntl
except ImportError:  # Windows: there a rename onto what is there fails by itself
    fcntl = None

SUCCESS = "_SUCCESS"
"""Written last into what is put in place; empty."""
_STAGING, _OLD = "staging", "old"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


class Staging(NamedTuple):
    """Where something is made that shall appear whole.

    Attributes
    ----------
    content : path
        What becomes the target.
    notes : path
        Stays behind; notes on how far the work has come.
    """

    content: Path
    notes: Path


@contextmanager
def staged(
    target: Path, *, overwrite: bool, is_ours: Callable[[Path], bool], keep: bool = False
) -> Iterator[Staging]:
    """Give a directory to write into, which becomes `target` if nothing goes wrong.

    Parameters
    ----------
    target : path
    overwrite : bool
        Take the place of what is there.
    is_ours : callable
        Tells whether a directory is one that may be replaced.
    keep : bool
        If something goes wrong, leave what was made; and begin with what was left so.

    Raises
    ------
    ExportError
        If the target is there and may not be replaced, another process is writing it, or it cannot
        be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target):
            left = _sweep(target, is_ours, keep)
            _check(target, overwrite, is_ours)
            staging = left or _beside(target, _STAGING)
            made = Staging(staging / "content", staging / "notes")
            is_done = False
            try:
                for folder in (staging, *made):
                    folder.mkdir(exist_ok=True)
                yield made
                _seal(made.content)
                _put_in_place(made.content, target)
                is_done = True
            finally:
                if is_done or not keep:
                    shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        if isinstance(error, ToolkitError):  # a source failed, not the export
            raise
        raise ExportError(f"{target} cannot be written: {error}") from error


def _check(target: Path, overwrite: bool, is_ours: Callable[[Path], bool]) -> None:
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise ExportError(f"{target} is there already: choose another name or overwrite=True")
    if not is_ours(target):
        raise ExportError(f"{target} is there and is no export: it is not overwritten")


def _beside(target: Path, kind: str) -> Path:
    return target.with_name(f".{target.name}.{kind}-{uuid.uuid4().hex}")


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    """Keep other exporters of the same target out; the system lets go when the process ends."""
    if fcntl is None:
        yield
        return
    path = target.with_name(f".{target.name}.lock")
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had it may have taken the file away before it was locked here.
            if _is_same(handle, path):
                break
        except BlockingIOError:
            os.close(handle)
            raise ExportError(f"{target} is being written by another export") from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
    try:
        yield
    finally:
        with suppress(OSError):  # a file that stays locks nobody out
            os.unlink(path)
        os.close(handle)


def _is_same(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _sweep(target: Path, is_ours: Callable[[Path], bool], keep: bool) -> Path | None:
    """Clear up after a process that was killed: nobody else can be at work here.

    Returns
    -------
    path or None
        A staging directory that was left, if it is to be kept.
    """
    left = None
    names = os.listdir(target.parent)
    for name in names:
        if name.startswith(f".{target.name}.{_OLD}-") and not os.path.lexists(target):
            old = target.with_name(name)
            if is_ours(old):  # taken away, and nothing put in its place
                os.rename(old, target)
    for name in names:
        path = target.with_name(name)
        is_staging = name.startswith(f".{target.name}.{_STAGING}-")
        if keep and left is None and is_staging and _has_no_links(path):
            left = path
        elif is_staging or name.startswith(f".{target.name}.{_OLD}-"):
            _remove(path)
    return left


def _has_no_links(path: Path) -> bool:
    """Tell whether writing below a path stays below it."""
    if path.is_symlink() or not path.is_dir():
        return False
    return not any(
        os.path.islink(os.path.join(folder, name))
        for folder, folders, names in os.walk(path)
        for name in (*folders, *names)
    )


def _remove(path: Path) -> None:
    if path.is_symlink():  # what it leads to is not ours
        with suppress(OSError):
            os.unlink(path)
    else:
        shutil.rmtree(path, ignore_errors=True)


def _seal(staging: Path) -> None:
    """Make sure that all of it is on the disk, and say so last."""
    for folder, _, names in os.walk(staging, topdown=False):
        for name in names:
            sync(os.path.join(folder, name))
        sync(folder)
    with open(staging / SUCCESS, "xb") as mark:
        os.fsync(mark.fileno())
    sync(staging)


def sync(path: str | os.PathLike[str]) -> None:
    """Make sure that a file, or what a directory lists, is on the disk."""
    if os.name == "nt" and os.path.isdir(path):  # directories cannot be opened there
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _put_in_place(staging: Path, target: Path) -> None:
    if not os.path.lexists(target):
        os.rename(staging, target)
    elif not _exchange(staging, target):
        old = _beside(target, _OLD)
        os.rename(target, old)
        os.rename(staging, target)
        shutil.rmtree(old, ignore_errors=True)
    sync(target.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Let two directories change places in one step, where the system can do that."""
    if sys.platform != "linux":
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):  # this file system cannot
        return False
    raise OSError(code, os.strerror(code), os.fspath(other))
