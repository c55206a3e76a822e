"""Put several `LogprobTables` together."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import schema
from toolkit.columns import numpy, take
from toolkit.errors import ArgumentError
from toolkit.tables import LogprobTables


def concat(parts: Iterable[LogprobTables]) -> LogprobTables:
    """Put tables together.

    Parts of one `scan` come out as `read` would have given them. Parts of different loads keep
    their order, and their sources are numbered on, so that keys stay unique.

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
    parts = list(parts)
    if not all(isinstance(part, LogprobTables) for part in parts):
        raise ArgumentError("concat takes an iterable of LogprobTables")
    if not parts:
        return LogprobTables(*(table.empty() for table in schema.TABLES))
    one_load = _one_load(parts)
    if not one_load:
        parts = _renumber(parts)
    tables = {
        name: pa.concat_tables([part[name] for part in parts]) for name in LogprobTables.__slots__
    }
    if one_load:  # its parts may each tell of the sources
        for name in ("rejects", "ledger"):
            tables[name] = _distinct(tables[name])
    return in_order(tables)


def joined(parts: list[LogprobTables]) -> LogprobTables:
    """Put the batches of one load together, none of which is there twice."""
    if len(parts) == 1:
        return parts[0]
    names = LogprobTables.__slots__
    return in_order({name: pa.concat_tables([part[name] for part in parts]) for name in names})


def in_order(tables: dict[str, pa.Table]) -> LogprobTables:
    """Sort the rows by their keys: streams may lie in a later batch than what began after them."""
    for name in ("responses", "choices", "tokens", "alternatives"):
        keys = numpy(tables[name], "response_key")
        if np.any(keys[1:] < keys[:-1]):
            tables[name] = take(tables[name], np.argsort(keys, kind="stable"))
    return LogprobTables(**tables)


def _distinct(table: pa.Table) -> pa.Table:
    """Return a table without its second copies of a row."""
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    first = {row: i for i, row in reversed(list(enumerate(rows)))}
    return table.take(pa.array(sorted(first.values()), pa.int64()))


def _one_load(parts: list[LogprobTables]) -> bool:
    """Tell whether the parts can share their keys: no key twice, no source number for two."""
    names: dict[int, str] = {}
    seen = np.concatenate([numpy(part.responses, "response_key") for part in parts])
    if len(np.unique(seen)) != len(seen):
        return False
    for part in parts:
        ordinals = numpy(part.responses, "response_key") >> 32
        first = np.unique(ordinals, return_index=True)
        sources = part.responses["source"].take(pa.array(first[1])).to_pylist()
        for ordinal, source in zip(first[0].tolist(), sources, strict=True):
            if names.setdefault(ordinal, source) != source:
                return False
    return True


def _renumber(parts: list[LogprobTables]) -> list[LogprobTables]:
    renumbered, base = [], 0
    for part in parts:
        shift = base << 32
        tables = {}
        for name in LogprobTables.__slots__:
            table = part[name]
            if "response_key" in table.column_names:
                field = table.schema.field("response_key")
                table = table.set_column(0, field, pc.add(table["response_key"], shift))
            tables[name] = table
        renumbered.append(LogprobTables(**tables))
        keys = numpy(part.responses, "response_key")
        base += int(keys.max() >> 32) + 1 if len(keys) else 0
    return renumbered
