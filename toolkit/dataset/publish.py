"""Publish a directory atomically.

All files are written into a hidden directory beside the target and flushed to the disk. One rename
then publishes the directory; an earlier export is exchanged with it, so a reader finds either the
old export or the new one. A lock, which ends with its process, excludes other exporters. The next
exporter removes what a killed process left.
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
except ImportError:  # Windows, where a rename onto an existing directory fails
    fcntl = None  # type: ignore[assignment]  # a module has no optional type

SUCCESS = "_SUCCESS"
"""Name of the empty file that is written last."""
_STAGING, _OLD = "staging", "old"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


class Staging(NamedTuple):
    """The directories that an export writes into before it is published.

    Attributes
    ----------
    content : path
        Becomes the target.
    checkpoints : path
        Records of finished work; never published.
    """

    content: Path
    checkpoints: Path


@contextmanager
def staged(
    target: Path, *, overwrite: bool, is_ours: Callable[[Path], bool], keep: bool = False
) -> Iterator[Staging]:
    """Provide a directory to write into, which becomes `target` if no error occurs.

    Parameters
    ----------
    target : path
    overwrite : bool
        Replace an existing directory.
    is_ours : callable
        Returns whether an existing directory may be replaced.
    keep : bool
        Keep the content after an error, and start from the content that an earlier call kept.

    Raises
    ------
    ExportError
        If the target exists and may not be replaced, another process is writing it, or it cannot be
        written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target):
            kept = _sweep(target, is_ours, keep)
            _check(target, overwrite, is_ours)
            folder = kept or _beside(target, _STAGING)
            staging = Staging(folder / "content", folder / "checkpoints")
            is_done = False
            try:
                for each in (folder, *staging):
                    each.mkdir(exist_ok=True)
                yield staging
                _seal(staging.content)
                _put_in_place(staging.content, target)
                is_done = True
            finally:
                if is_done or not keep:
                    shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        if isinstance(error, ToolkitError):  # a source failed, not the export
            raise
        raise ExportError(f"{target} cannot be written: {error}") from error


def _check(target: Path, overwrite: bool, is_ours: Callable[[Path], bool]) -> None:
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise ExportError(f"{target} already exists; choose another name or pass overwrite=True")
    if not is_ours(target):
        raise ExportError(f"{target} is not an export of the toolkit, so it is not overwritten")


def _beside(target: Path, kind: str) -> Path:
    return target.with_name(f".{target.name}.{kind}-{uuid.uuid4().hex}")


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    """Exclude other exporters of the target; the system ends the lock with its process."""
    if fcntl is None:
        yield
        return
    path = target.with_name(f".{target.name}.lock")
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # An earlier holder may have removed the file just before it was locked here.
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
        with suppress(OSError):  # a file that remains excludes nobody
            os.unlink(path)
        os.close(handle)


def _is_same(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _sweep(target: Path, is_ours: Callable[[Path], bool], keep: bool) -> Path | None:
    """Remove what a killed process left; the lock excludes a living one.

    Returns
    -------
    path or None
        The staging directory of an earlier process to start from, if `keep`.
    """
    kept = None
    names = os.listdir(target.parent)
    for name in names:
        if name.startswith(f".{target.name}.{_OLD}-") and not os.path.lexists(target):
            old = target.with_name(name)
            if is_ours(old):  # the process ended between its two renames
                os.rename(old, target)
    for name in names:
        path = target.with_name(name)
        is_staging = name.startswith(f".{target.name}.{_STAGING}-")
        if keep and kept is None and is_staging and _has_no_links(path):
            kept = path
        elif is_staging or name.startswith(f".{target.name}.{_OLD}-"):
            _remove(path)
    return kept


def _has_no_links(path: Path) -> bool:
    """Return whether a directory holds no links, so that writing below it stays below it."""
    if path.is_symlink() or not path.is_dir():
        return False
    return not any(
        os.path.islink(os.path.join(folder, name))
        for folder, folders, names in os.walk(path)
        for name in (*folders, *names)
    )


def _remove(path: Path) -> None:
    if path.is_symlink():  # its target is not ours
        with suppress(OSError):
            os.unlink(path)
    else:
        shutil.rmtree(path, ignore_errors=True)


def _seal(content: Path) -> None:
    """Flush all files and folders to the disk, then write the success mark."""
    for folder, _, names in os.walk(content, topdown=False):
        for name in names:
            sync(os.path.join(folder, name))
        sync(folder)
    with open(content / SUCCESS, "xb") as mark:
        os.fsync(mark.fileno())
    sync(content)


def sync(path: str | os.PathLike[str]) -> None:
    """Flush a file, or the entries of a directory, to the disk."""
    if os.name == "nt" and os.path.isdir(path):  # Windows cannot open directories
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


def _put_in_place(content: Path, target: Path) -> None:
    if not os.path.lexists(target):
        os.rename(content, target)
    elif not _exchange(content, target):
        old = _beside(target, _OLD)
        os.rename(target, old)
        os.rename(content, target)
        shutil.rmtree(old, ignore_errors=True)
    sync(target.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two directories in one step; return False if the system cannot."""
    if sys.platform != "linux":
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):  # the file system cannot
        return False
    raise OSError(code, os.strerror(code), os.fspath(other))
