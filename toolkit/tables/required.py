"""Check that an argument is the tables of a load: `require_tables`."""

from __future__ import annotations

from toolkit import arguments
from toolkit.tables.logprob_tables import LogprobTables


def require_tables(value: object, name: str = "lp") -> LogprobTables:
    """Return an argument that is `LogprobTables`.

    Examples
    --------
    >>> require_tables("answers.jsonl")
    Traceback (most recent call last):
    toolkit.errors.ArgumentError: lp is a str: expected LogprobTables: toolkit.read(...
    """
    expected = "LogprobTables: toolkit.read(path) returns them"
    found: LogprobTables = arguments.instance(name, value, LogprobTables, expected)  # type: ignore[assignment]
    return found
