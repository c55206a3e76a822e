"""Write a file whole or not at all: a temporary file beside it, and one rename.

Here is also what each system does in its own way with an open file: flush it, and lock it.
"""

from __future__ import annotations

import os
import stat
import sys
import uuid
from contextlib import suppress
from pathlib import Path

from toolkit.errors import ExportError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_LOCKED_BYTE = 1 << 30  # beyond the end of the file, because Windows lets nobody read a locked byte


def write_file(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write a file; an earlier one is replaced in one step, when the new one is on the disk.

    Links are followed, an earlier file keeps its permissions, and a device or pipe is written to
    directly. After an error the earlier file is unchanged, and the temporary file is removed.

    Parameters
    ----------
    path : path
    content : str or bytes
        A text is encoded as UTF-8.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ExportError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_file(f"{folder}/page.html", "<p>Hi").read_text()
    '<p>Hi'
    """
    target = Path(path)
    raw = content.encode() if isinstance(content, str) else content
    try:
        found = target.stat() if target.exists() else None
        if found is None or stat.S_ISREG(found.st_mode):
            _replace(Path(os.path.realpath(target)), raw, found)
        else:
            target.write_bytes(raw)  # a directory raises
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise ExportError(f"{target} cannot be written: {reason}") from error
    return target


def _replace(target: Path, raw: bytes, found: os.stat_result | None) -> None:
    if found is not None and not os.access(target, os.W_OK):
        raise PermissionError("the file is read-only")
    # The name does not hold that of the target, which may have the greatest length of a name.
    new = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with open(new, "xb") as file:
            if found is not None:
                os.chmod(new, stat.S_IMODE(found.st_mode))
            file.write(raw)
            file.flush()
            flush(file.fileno())
        os.replace(new, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(new)
        raise
    with suppress(OSError):  # some file systems cannot flush a folder; the file is in place
        sync(target.parent)


def sync(path: str | os.PathLike[str]) -> None:
    """Flush a file, or the entries of a directory, to the disk."""
    if sys.platform == "win32":
        if os.path.isdir(path):  # Windows cannot open directories
            return
        handle = os.open(path, os.O_RDWR)  # nor flush what is open for reading
    else:
        handle = os.open(path, os.O_RDONLY)
    try:
        flush(handle)
    finally:
        os.close(handle)


def flush(handle: int) -> None:
    """Flush an open file to the disk."""
    if sys.platform == "darwin":
        with suppress(OSError):  # a file system that cannot
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)  # fsync ends in the cache of the disk there
            return
    os.fsync(handle)


def try_lock(handle: int) -> bool:
    """Lock an open file until it is closed; return False if another process keeps it locked.

    Raises
    ------
    OSError
        If the file system has no locks.
    """
    try:
        if sys.platform == "win32":
            os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX, Windows
        return False
    return True
