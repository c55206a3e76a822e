"""Define every error and warning of the toolkit, in one tree.

::

    ToolkitError
    ├── SourceError       a path, URI or file object could not be opened or read
    │   └── NoRecordsError    the sources were read, but no record could be
    ├── RecordError       a record was rejected, and on_error="raise" was requested
    ├── SchemaError       a table does not have the declared columns
    ├── SelectionError    no response or choice matches a selector
    ├── ArgumentError     an argument has a wrong type or is out of range
    └── ExportError       an export could not be written

    ToolkitWarning        a result is less than was asked for: the message says what, and why

Each error also derives from the matching built-in (`ValueError`, `LookupError`, `OSError`), so code
that does not know the toolkit can catch it. A message contains the place, what was found, what was
expected and what to do; it never quotes the text of a response. Errors can be pickled, so that they
cross from one process to another with their attributes.
"""

from __future__ import annotations

import copyreg
import sys
import warnings
from types import FrameType
from typing import Any

__all__ = [
    "ArgumentError",
    "ExportError",
    "NoRecordsError",
    "RecordError",
    "SchemaError",
    "SelectionError",
    "SourceError",
    "ToolkitError",
    "ToolkitWarning",
]


class ToolkitError(Exception):
    """Base class of every error that the toolkit raises on purpose."""


class SourceError(ToolkitError, OSError):
    """A path, URI or file object could not be opened or read."""


class NoRecordsError(SourceError):
    """All sources were read, but none holds a record that could be read.

    Attributes
    ----------
    tables : LogprobTables or None
        The rejects and the ledger of the load, if there were records, and all were rejected.
    """

    tables: Any = None


class RecordError(ToolkitError, ValueError):
    """A record was rejected while ``on_error="raise"``.

    Attributes
    ----------
    source, line, byte_offset, reason, path : str, int, int, str, str or None
        As in the rejects table.
    """

    def __init__(
        self,
        message: str,
        *,
        source: str,
        line: int,
        byte_offset: int,
        reason: str,
        path: str | None,
    ) -> None:
        at = f" at {path}" if path else ""
        super().__init__(f"{source}:{line}{at}: {message} ({reason})")
        self.source = source
        self.line = line
        self.byte_offset = byte_offset
        self.reason = reason
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        # Unpickled without `__init__`, which words the message from its parts.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class SchemaError(ToolkitError, ValueError):
    """A table lacks a declared column, or a column holds what its declaration forbids."""


class SelectionError(ToolkitError, LookupError):
    """No response or choice matches a selector."""


class ArgumentError(ToolkitError, ValueError):
    """An argument has a wrong type or is out of range."""


class ExportError(ToolkitError, OSError):
    """An export could not be written."""


class ToolkitWarning(UserWarning):
    """A result is less than was asked for; the message says what, and why."""


def warn(message: str) -> None:
    """Emit a `ToolkitWarning` that names the line which called the toolkit."""
    level = 2
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_inside(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, ToolkitWarning, stacklevel=level)


def _is_inside(module: str) -> bool:
    return module.startswith("toolkit.") or module == "contextlib"
