"""Concatenate tables: of one load, or of several."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import arguments, schema
from toolkit.arrow import numpy, take
from toolkit.tables.logprob_tables import LogprobTables
from toolkit.tables.required import require_tables

_KEYED = ("responses", "choices", "tokens", "alternatives")  # tables with a response_key


def concat(parts: Iterable[LogprobTables]) -> LogprobTables:
    """Concatenate tables.

    Parts of one `scan` give the tables that `read` would have returned. Parts of different loads
    keep their order; their sources are renumbered, so that keys stay unique.

    Parameters
    ----------
    parts : iterable of LogprobTables

    Returns
    -------
    LogprobTables

    Examples
    --------
    >>> import toolkit
    >>> logprobs = {"content": [{"token": "Hello", "logprob": -0.5}]}
    >>> choice = {"message": {"content": "Hello"}, "logprobs": logprobs}
    >>> a = toolkit.from_responses({"choices": [choice]})
    >>> both = toolkit.concat([a, a])
    >>> both.responses["response_key"].to_pylist() == [0, 2**32]
    True
    """
    if not isinstance(parts, Iterable):
        raise arguments.invalid("parts", parts, "several LogprobTables, such as those of scan")
    parts = [require_tables(part, "a part of concat") for part in parts]
    if not parts:
        return LogprobTables(*(table.empty() for table in schema.TABLES))
    one_load = _one_load(parts)
    if not one_load:
        parts = _renumber(parts)
    tables = {
        name: pa.concat_tables([part[name] for part in parts]) for name in LogprobTables.__slots__
    }
    if one_load:  # its parts may repeat the rows of a source
        for name in ("rejects", "ledger"):
            tables[name] = _distinct(tables[name])
    return in_order(tables)


def joined(parts: list[LogprobTables]) -> LogprobTables:
    """Concatenate the batches of one load; the batches must be disjoint."""
    if len(parts) == 1:
        return parts[0]
    names = LogprobTables.__slots__
    return in_order({name: pa.concat_tables([part[name] for part in parts]) for name in names})


def in_order(tables: dict[str, pa.Table]) -> LogprobTables:
    """Sort rows by their keys, because a stream may end in a later batch than it began in."""
    for name in _KEYED:
        keys = numpy(tables[name], "response_key")
        if np.any(keys[1:] < keys[:-1]):
            tables[name] = take(tables[name], np.argsort(keys, kind="stable"))
    return LogprobTables(**tables)


def _distinct(table: pa.Table) -> pa.Table:
    """Return a table without repeated rows."""
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    first = {row: i for i, row in reversed(list(enumerate(rows)))}
    return table.take(pa.array(sorted(first.values()), pa.int64()))


def _one_load(parts: list[LogprobTables]) -> bool:
    """Return whether keys are unique over the parts, and source ordinals name one source each."""
    keys = np.concatenate([numpy(part.responses, "response_key") for part in parts])
    if len(np.unique(keys)) != len(keys):
        return False
    named: set[tuple[int, str]] = set()
    for part in parts:
        ordinals, first = np.unique(numpy(part.responses, "response_key") >> 32, return_index=True)
        sources = part.responses["source"].take(pa.array(first)).to_pylist()
        named |= set(zip(ordinals.tolist(), sources, strict=True))
    return len({ordinal for ordinal, _ in named}) == len(named)


def _renumber(parts: list[LogprobTables]) -> list[LogprobTables]:
    """Add to the source ordinals in the keys, so that no two parts share one."""
    renumbered, base = [], 0
    for part in parts:
        tables = {name: part[name] for name in LogprobTables.__slots__}
        for name in _KEYED:
            key = pc.add(part[name]["response_key"], base << 32)
            tables[name] = part[name].set_column(0, schema.TOKENS["response_key"].field, key)
        renumbered.append(LogprobTables(**tables))
        keys = numpy(part.responses, "response_key")
        base += int(keys.max() >> 32) + 1 if len(keys) else 0
    return renumbered
