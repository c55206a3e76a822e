"""How much of what foreign data can ask for is given: the limits of a load."""

from __future__ import annotations

from dataclasses import dataclass, fields

from toolkit.errors import ArgumentError

MOST_NESTING = 256
"""Values are walked by functions that call themselves, so `Limits.nesting` cannot be more."""


@dataclass(frozen=True)
class Limits:
    """What a record or a source may at most be; beyond it a record or the source is rejected.

    A record over a limit costs itself alone. A source over a limit is read up to there, and what
    was read is kept.

    Attributes
    ----------
    record_bytes : int
        Bytes from the first of a record to its last, in the decompressed source. Longer ones are
        passed over without being held in memory (``too_long``).
    nesting : int
        Levels of objects and arrays, at most 256 (``too_deep``). Below 64 the native scanner is
        not used.
    alternatives : int
        Top alternatives of one token (``too_many_alternatives``); no known vocabulary has more
        tokens than the limit.
    expansion : int
        How many times larger than its compressed bytes a source may become, told once 64 MiB came
        out of it (``source_over_limit``). JSON of logprobs becomes 5 to 40 times larger.
    source_bytes : int, optional
        Decompressed bytes of a source (``source_over_limit``); None: any number, in bounded memory.

    Raises
    ------
    ArgumentError
        If a limit is no whole number from 1, or there can be no such limit.

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
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ArgumentError(f"limits: {field.name}={value!r}; give a whole number from 1")
        if self.nesting > MOST_NESTING:
            raise ArgumentError(f"limits: nesting={self.nesting}; give at most {MOST_NESTING}")


LIMITS = Limits()
"""Those of a load that names none."""
