"""Write the files of one shard: `write_shard`. Any process may do it, any number of times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from toolkit import schema
from toolkit.dataset.parquet_writer import write_files
from toolkit.dataset.pseudonyms import without_texts
from toolkit.dataset.shards import Shard, ShardReport, place_of
from toolkit.dataset.write import verified
from toolkit.loaders.plan import CannotCutError
from toolkit.loaders.session import ReadSession
from toolkit.tables import LogprobTables


def write_shard(
    shard: Shard,
    folder: Path,
    *,
    threads: int | None = 1,
    on_stored: Callable[[int], object] = lambda n: None,
) -> ShardReport:
    """Read the sources of a shard and write its files.

    Parameters
    ----------
    shard : Shard
    folder : path
        The parent of the folders of the tables, which exist.
    threads : int, optional
        None: one for each core.
    on_stored : callable
        Called with the bytes that were read, as they are stored.
    """
    options = replace(shard.options, threads=threads)
    session = ReadSession(options, fingerprints=True)
    batches = session.batches(shard.sources, on_stored)
    ledger: list[dict[str, Any]] = []
    if shard.part_of is not None:
        batches = _without_ledger(batches, ledger)
    if shard.texts_key is not None:
        batches = map(partial(without_texts, key=shard.texts_key), batches)
    try:
        tables = write_files(batches, folder, shard.ordinal, options.thread_count)
    except CannotCutError as error:
        return ShardReport(shard, {}, [], {}, [], refused=str(error))
    sources = session.summary.fingerprints
    if shard.part_of is not None:
        sources = [sources[0] | place_of(shard.sources[0][1])]
    return ShardReport(shard, verified(folder, tables), sources, session.summary.counts(), ledger)


def _without_ledger(
    batches: Iterable[LogprobTables], rows: list[dict[str, Any]]
) -> Iterator[LogprobTables]:
    """Move the rows of the ledger to a list, because those of all parts are added at the end."""
    for batch in batches:
        rows += batch.ledger.to_pylist()
        yield LogprobTables(**{table.name: batch[table.name] for table in schema.TABLES})
