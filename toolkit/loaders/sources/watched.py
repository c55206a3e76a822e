"""Files that can tell whether they are still what they were when they were opened."""

from __future__ import annotations

import io
import os
from typing import ClassVar

from toolkit.errors import SourceError


class ChangedSourceError(SourceError):
    """A file changed while it was read."""

    reason: ClassVar[str] = "changed_source"


class Watched(io.FileIO):
    """A file opened to be read, unbuffered.

    Parameters
    ----------
    path : str
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, "rb")
        self._before = os.fstat(self.fileno())

    def check(self) -> None:
        """Raise `ChangedSourceError` if it was written to since it was opened."""
        now = os.fstat(self.fileno())
        if now.st_size != self._before.st_size:
            raise ChangedSourceError(
                f"the file had {self._before.st_size:,} bytes when it was opened and has "
                f"{now.st_size:,} now; what was read is kept"
            )
        if now.st_mtime_ns != self._before.st_mtime_ns:
            raise ChangedSourceError("the file was written to while it was read; that is kept")
