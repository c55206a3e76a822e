"""Limit the resources that untrusted input may consume: `Limits`."""

from __future__ import annotations

from dataclasses import dataclass, fields

from toolkit import arguments

MOST_NESTING = 256  # levels
"""Greatest `Limits.nesting`, because recursive functions walk the values."""


@dataclass(frozen=True)
class Limits:
    """Limits on the size and shape of records and sources.

    A record over a limit is rejected; it does not affect others. A source over a limit is read up
    to the limit, and the records before it are kept.

    Attributes
    ----------
    record_bytes : int
        Bytes of a record in the decompressed source. Longer records are skipped without being held
        in memory (``too_long``).
    nesting : int
        Levels of nested objects and arrays, at most 256 (``too_deep``). Below 64 the native scanner
        is not used.
    alternatives : int
        Alternatives of one token (``too_many_alternatives``). The default exceeds every known
        vocabulary.
    expansion : int
        Ratio of decompressed to compressed bytes of a source, checked after 64 MiB of output
        (``source_over_limit``). JSON with logprobs typically expands 5 to 40 times.
    source_bytes : int, optional
        Decompressed bytes of a source (``source_over_limit``); None: any number, in bounded memory.

    Raises
    ------
    ArgumentError
        If a limit is not a whole number of at least 1, or `nesting` is above 256.

    Examples
    --------
    >>> import toolkit
    >>> small = toolkit.Limits(record_bytes=50)
    >>> lines = b'{"choices": []}\\n{"choices": [], "padding": "%s"}\\n' % (b"x" * 99)
    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):
    ...     toolkit.read(lines, limits=small).rejects["reason"].to_pylist()
    ['too_long']
    """

    record_bytes: int = 64 << 20
    nesting: int = 64
    alternatives: int = 1 << 19
    expansion: int = 1000
    source_bytes: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.default is None:
                continue
            most = MOST_NESTING if field.name == "nesting" else None
            object.__setattr__(self, field.name, arguments.whole(field.name, value, high=most))


LIMITS = Limits()
"""Default limits."""
