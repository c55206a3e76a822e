"""Publish a directory atomically.

All files are written into a hidden directory beside the target and flushed to the disk. One rename
then publishes the directory; an earlier export is exchanged with it, so a reader finds either the
old export or the new one. A lock (`toolkit.dataset.lock`) excludes other exporters. The next
exporter removes what a killed process left::

    .answers.staging-<32 random digits>/
      toolkit-<the same digits>     an empty file: the mark of a directory that an export made
      content/                      becomes the target
      checkpoints/                  records of finished work; never published
      replaced/                     the earlier export, where two directories cannot be exchanged

Nothing else is ever removed: neither a directory without the mark, nor a target that holds a file
which its manifest does not list.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from toolkit.dataset.layout import SUCCESS
from toolkit.dataset.lock import Lock, locked
from toolkit.errors import ExportError, NoRecordsError, ToolkitError, warn
from toolkit.files import flush, sync

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of Linux
_RENAME_SWAP = 2  # of macOS
_PATIENCE, _PAUSE = 10.0, 0.01  # seconds: to wait for readers, in all and between two tries
_CANNOT = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)  # the file system has no such call


class Staging(NamedTuple):
    """The hidden directory that an export writes into before it is published.

    Attributes
    ----------
    folder : path
    """

    folder: Path

    @property
    def content(self) -> Path:
        """The directory that becomes the target."""
        return self.folder / "content"

    @property
    def checkpoints(self) -> Path:
        """The directory of the records of finished work; never published."""
        return self.folder / "checkpoints"

    @property
    def replaced(self) -> Path:
        """The earlier export, where two directories cannot be exchanged."""
        return self.folder / "replaced"

    @property
    def mark(self) -> Path:
        """The file that only a directory of ours holds: its name repeats the random digits."""
        return self.folder / f"toolkit-{self.folder.name[-32:]}"


@contextmanager
def staged(
    target: Path,
    *,
    overwrite: bool,
    objection: Callable[[Path], str | None],
    keep: bool = False,
) -> Iterator[Staging]:
    """Provide a directory to write into, which becomes `target` if no error occurs.

    Parameters
    ----------
    target : path
    overwrite : bool
        Replace an existing directory.
    objection : callable
        Returns why an existing path may not be replaced; None if it may be.
    keep : bool
        Keep the content after an error, and start from the content that an earlier call kept.

    Raises
    ------
    ExportError
        If the target exists and may not be replaced, another process is writing it, or it cannot be
        written.
    """
    has_gap = False
    try:
        with _parents(target.parent), locked(target, _staging_names(target)) as lock:
            kept = _sweep(target, lock, keep)
            _check(target, overwrite, objection)
            staging = kept or _new(target, lock)
            try:
                for each in (staging.content, staging.checkpoints):
                    each.mkdir(exist_ok=True)
                yield staging
                _seal(staging.content)
                _check(target, overwrite, objection)  # again, because the export may take hours
                has_gap = _put_in_place(staging, target)
                keep = False
            except NoRecordsError:  # nothing to start from
                keep = False
                raise
            finally:
                if not keep:
                    _remove(staging, target, lock)
    except OSError as error:
        if isinstance(error, ToolkitError):  # a source failed, not the export
            raise
        raise ExportError(f"{target} cannot be written: {error}") from error
    if has_gap:
        warn(
            f"{target} was replaced in two steps, because this system or disk cannot exchange "
            "directories: for a moment nothing had its name. read_parquet waits for it; other "
            "programs can miss it"
        )


@contextmanager
def _parents(folder: Path) -> Iterator[None]:
    """Create a directory and those above it; remove them after an error."""
    created: list[Path] = []
    try:
        for each in (*reversed(folder.parents), folder):
            if not each.is_dir():
                with suppress(FileExistsError):  # another process was faster
                    each.mkdir()
                    created.append(each)
        yield
    except BaseException:
        for each in reversed(created):
            with suppress(OSError):  # it holds something
                each.rmdir()
        raise


def _check(target: Path, overwrite: bool, objection: Callable[[Path], str | None]) -> None:
    if not os.path.lexists(target):
        return
    if reason := objection(target):
        raise ExportError(f"{target} {reason}")
    if not overwrite:
        raise ExportError(f"{target} already exists; choose another name or pass overwrite=True")


def _staging_names(target: Path) -> re.Pattern[str]:
    return re.compile(rf"\.{re.escape(target.name)}\.staging-[0-9a-f]{{32}}")


def _new(target: Path, lock: Lock) -> Staging:
    staging = Staging(target.with_name(f".{target.name}.staging-{uuid.uuid4().hex}"))
    lock.note = staging.folder.name  # until the directory has its mark
    staging.folder.mkdir()
    staging.mark.touch(exist_ok=False)
    lock.note = ""
    return staging


def _sweep(target: Path, lock: Lock, keep: bool) -> Staging | None:
    """Remove what a killed process left; the lock excludes a living one.

    Returns
    -------
    Staging or None
        The staging directory of an earlier process to start from, if `keep`.
    """
    if lock.note:  # the process ended before the mark was made, or after it was removed
        with suppress(OSError):  # gone, or not empty
            target.with_name(lock.note).rmdir()
        lock.note = ""
    kept = None
    names = _staging_names(target)
    for name in filter(names.fullmatch, os.listdir(target.parent)):
        staging = Staging(target.with_name(name))
        if staging.folder.is_symlink() or not staging.mark.is_file():
            continue  # not ours
        _restore(staging, target)
        if keep and kept is None and _has_no_links(staging.folder):
            kept = staging
        else:
            _remove(staging, target, lock)
    return kept


def _restore(staging: Staging, target: Path) -> None:
    """Bring an earlier export back if a process ended between its two renames."""
    if os.path.lexists(staging.replaced) and not os.path.lexists(target):
        os.rename(staging.replaced, target)


def _remove(staging: Staging, target: Path, lock: Lock) -> None:
    """Remove a staging directory, its mark last, so that a kill leaves no unmarked directory."""
    _restore(staging, target)
    if os.path.lexists(staging.replaced) and os.path.lexists(staging.content):
        return  # another program took the name between two renames: the earlier export is only here
    for each in (staging.replaced, staging.content, staging.checkpoints):
        _discard(each)
        if os.path.lexists(each):
            return  # with its mark, so the next exporter tries again
    with suppress(OSError):
        lock.note = staging.folder.name  # until the directory without a mark is gone
        os.unlink(staging.mark)
        os.rmdir(staging.folder)
        lock.note = ""


def _has_no_links(path: Path) -> bool:
    """Return whether a directory holds no links, so that writing below it stays below it."""
    if path.is_symlink() or not path.is_dir():
        return False
    return not any(
        os.path.islink(os.path.join(folder, name))
        for folder, folders, names in os.walk(path)
        for name in (*folders, *names)
    )


def _discard(path: Path) -> None:
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
        flush(mark.fileno())
    sync(content)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _put_in_place(staging: Staging, target: Path) -> bool:
    """Give the content its name; return whether nothing had the name for a moment."""
    has_gap = False
    if not os.path.lexists(target):
        _rename(staging.content, target)
    elif not _exchange(staging.content, target):
        has_gap = True
        _rename(target, staging.replaced)
        _rename(staging.content, target)
    sync(target.parent)
    return has_gap


def _rename(one: Path, other: Path) -> None:
    """Rename a directory; wait for programs that read it if the system is Windows."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            os.rename(one, other)
            return
        except PermissionError:
            if sys.platform != "win32" or time.monotonic() > end:
                raise
            time.sleep(_PAUSE)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two directories in one step; return False if the system cannot."""
    if sys.platform not in ("linux", "darwin"):
        return False
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if sys.platform == "linux" and hasattr(library, "renameat2"):
        result = library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)
    elif sys.platform == "darwin" and hasattr(library, "renamex_np"):
        result = library.renamex_np(*names, _RENAME_SWAP)
    else:
        return False
    if result == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code), os.fspath(other))
