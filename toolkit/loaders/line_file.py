"""Append whole lines to a file to which other threads and processes may append too."""

from __future__ import annotations

import os
import time

from toolkit.files import try_lock

_FLAGS = os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
_PATIENCE = 1.0  # seconds to wait for a lock, once; whoever holds it longer does not append lines
_PAUSE = 0.001  # seconds


class LineFile:
    r"""Appends lines to a file, which is open only while a line is written.

    Parameters
    ----------
    path : str

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     n = file.write(b"cut")
    ...     file.flush()
    ...     LineFile(file.name).append(b"whole")
    ...     int(file.seek(0)), file.read()
    (0, b'cut\nwhole\n')
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._waits = True

    def append(self, line: bytes) -> None:
        """Append a line, on a line of its own even if the last one was cut.

        Raises
        ------
        OSError
            If it cannot be written, or not whole.
        """
        self._path = os.path.abspath(self._path)  # the process may change its directory
        file = _open(self._path)
        try:
            if self._waits:
                self._lock(file)
            rest = memoryview((b"\n" if _is_cut(file) else b"") + line + b"\n")
            while rest:  # as a rule one write; it takes several if a signal interrupts a long one
                rest = rest[os.write(file, rest) :]
        finally:
            os.close(file)  # which also unlocks it

    def _lock(self, file: int) -> None:
        """Lock the file, unless another program keeps it locked or it cannot be locked."""
        end = time.monotonic() + _PATIENCE
        try:
            while not try_lock(file):
                self._waits = time.monotonic() < end
                if not self._waits:
                    return
                time.sleep(_PAUSE)
        except OSError:  # a file system without locks; a line is still one write
            self._waits = False


def _open(path: str) -> int:
    try:
        return os.open(path, _FLAGS | os.O_RDWR, 0o666)
    except PermissionError:  # a file that may be written only
        return os.open(path, _FLAGS | os.O_WRONLY, 0o666)


def _is_cut(file: int) -> bool:
    """Return whether a file ends inside a line; False if it cannot be read."""
    try:
        if not os.fstat(file).st_size:  # also of what is not a file
            return False
        os.lseek(file, -1, os.SEEK_END)
        return os.read(file, 1) != b"\n"
    except OSError:
        return False
