"""Every error and warning of the toolkit, one tree.

::

    ToolkitError
    ├── SourceError       a path, URI or file object could not be opened or read
    │   └── NoRecordsError    everything was read and there was no record in it
    ├── RecordError       a record was rejected and on_error="raise" was asked for
    ├── SchemaError       a table does not have the columns that were declared
    ├── SelectionError    no response, choice or channel answers to a selector
    ├── ArgumentError     an argument is of the wrong type or out of range
    └── ExportError       an export could not be written

    ToolkitWarning        something was read, but not all of it is usable

Each error is also the built-in that fits (`ValueError`, `LookupError`, `OSError`), so code that
knows nothing of the toolkit catches it too. Messages tell where, what was found, what was
expected and what to do; they never quote the text of a response.
"""

from __future__ import annotations

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
    """Base of every error that the toolkit raises on purpose."""


class SourceError(ToolkitError, OSError):
    """A path, URI or file object could not be opened or read."""


class NoRecordsError(SourceError):
    """All sources were read and none held a record."""


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


class SchemaError(ToolkitError, ValueError):
    """A table lacks a declared column, or a column holds what its declaration forbids."""


class SelectionError(ToolkitError, LookupError):
    """No response, choice or channel answers to a selector."""


class ArgumentError(ToolkitError, ValueError):
    """An argument is of the wrong type or out of range."""


class ExportError(ToolkitError, OSError):
    """An export could not be written."""


class ToolkitWarning(UserWarning):
    """Something was read, but part of it was rejected or is not usable."""
