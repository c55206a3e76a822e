"""Finish a dataset of which all shards are written: ledger, small files, manifest."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from toolkit import schema
from toolkit.dataset.appending import Earlier
from toolkit.dataset.layout import STORED, Part, part_name
from toolkit.dataset.parquet_writer import write_part
from toolkit.dataset.shards import ShardReport
from toolkit.dataset.write import link_files, manifest_of, sweep, write_manifest

_MOST_FILES = 1000  # of a table, above which small files are joined
_JOINED_BYTES = 16 << 20  # of a file that is joined of others, at most
_LEAST_JOINED = 16  # files that become one, on average; else to join them costs more than it gains


def finish(
    content: Path, reports: Sequence[ShardReport], earlier: Earlier | None = None
) -> dict[str, Any]:
    """Write what depends on all shards, remove what none of them reports, write the manifest.

    Parameters
    ----------
    content : path
        The parent of the folders of the tables.
    reports : list of ShardReport
        One for each shard, in order.
    earlier : Earlier, optional
        The export that they are added to.

    Returns
    -------
    dict
        The manifest.
    """
    tables = _with_ledger(content, reports)
    sweep(content, tables)
    _check_sizes(content, tables)
    if earlier is not None:
        link_files(Path(earlier.name), content, earlier.tables)
    return write_manifest(content, _finished(content, reports, tables, earlier))


def finish_elsewhere(
    content: Path,
    reports: Sequence[ShardReport],
    fetch: Callable[[str, list[Part]], None],
    earlier: Earlier | None = None,
) -> dict[str, Any]:
    """Write only what depends on all shards, while their files are elsewhere.

    Parameters
    ----------
    content : path
        The parent of the folders of the tables, which are empty.
    reports : list of ShardReport
        One for each shard, in order.
    fetch : callable
        Copies files of a table here, because they are to be joined.
    earlier : Earlier, optional
        The export that they are added to.

    Returns
    -------
    dict
        The manifest, of which `content` holds the files that were written or joined here.
    """
    return _finished(content, reports, _with_ledger(content, reports), earlier, fetch)


def _fetch_none(table: str, parts: list[Part]) -> None:
    """Fetch nothing: the files are here."""


def _finished(
    content: Path,
    reports: Sequence[ShardReport],
    tables: dict[str, list[Part]],
    earlier: Earlier | None,
    fetch: Callable[[str, list[Part]], None] = _fetch_none,
) -> dict[str, Any]:
    """Join small files; return the manifest of all sources and files."""
    sources = _sources(reports)
    if earlier is not None:
        sources = earlier.sources + sources
        tables = {name: earlier.tables[name] + parts for name, parts in tables.items()}
    tables = _all_joined(content, tables, fetch)
    return manifest_of(sources, tables, texts=_has_texts(reports))


def _has_texts(reports: Sequence[ShardReport]) -> bool:
    return all(report.shard.texts_key is None for report in reports)


def _with_ledger(content: Path, reports: Sequence[ShardReport]) -> dict[str, list[Part]]:
    """Return the files of all shards, with the ledger of files that were cut."""
    tables = tables_of(reports)
    tables["ledger"] = _with_added_rows(content / "ledger", tables["ledger"], reports)
    return tables


def _check_sizes(content: Path, tables: dict[str, list[Part]]) -> None:
    """Raise if a file is gone or was written again otherwise, by a process thought to be dead."""
    for name, parts in tables.items():
        for part in parts:
            size = (content / name / part["name"]).stat().st_size
            if size != part["bytes"]:
                raise OSError(
                    f"{name}/{part['name']} has {size} bytes, but {part['bytes']} were reported"
                )


def tables_of(reports: Iterable[ShardReport]) -> dict[str, list[Part]]:
    """Return the files of each table."""
    found: dict[str, list[Part]] = {table.name: [] for table in STORED}
    for report in reports:
        for name, parts in report.tables.items():
            found[name] += parts
    return found


def _parts_of_files(reports: Iterable[ShardReport]) -> dict[int, list[ShardReport]]:
    """Return the reports of the parts of each file that was cut."""
    found: dict[int, list[ShardReport]] = {}
    for report in reports:
        if report.shard.part_of is not None:
            found.setdefault(report.shard.part_of, []).append(report)
    return found


def _sources(reports: Sequence[ShardReport]) -> list[dict[str, Any]]:
    """Return what the manifest says of each source.

    Of an export without texts it has no hashes, because a hash of what was read would show whether
    a guess of its text is right.
    """
    sources = list(_hashed_sources(reports))
    if _has_texts(reports):
        return sources
    named = ("source", "bytes", "modified_ns")
    return [{name: source[name] for name in named} for source in sources]


def _hashed_sources(reports: Sequence[ShardReport]) -> Iterator[dict[str, Any]]:
    """Yield what the manifest says of each source; one that was cut has a hash of each part."""
    parts = _parts_of_files(reports)
    for report in reports:
        of = report.shard.part_of
        if of is None:
            yield from report.sources
        elif report is parts[of][0]:
            [first] = report.sources
            yield {
                "source": first["source"],
                "bytes": first["file_bytes"],
                "modified_ns": first["modified_ns"],
                "parts": [
                    {name: part.sources[0].get(name) for name in ("start", "stop", "sha256")}
                    for part in parts[of]
                ],
            }


def _with_added_rows(folder: Path, files: list[Part], reports: Sequence[ShardReport]) -> list[Part]:
    """Write the row of the ledger of each file that was cut; return all files, in order."""
    found = {part["name"]: part for part in files}
    for parts in _parts_of_files(reports).values():
        first = parts[0].shard
        name = part_name(first.ordinal, 0)
        counts: Counter[str] = Counter()
        for part in parts:
            for row in part.ledger:
                counts.update({key: n for key, n in row.items() if key != "source"})
        rows = [{"source": first.sources[0][1].name, **counts}]
        table = pa.Table.from_pylist(rows, schema.LEDGER.arrow)
        hidden = folder / f".{name}.new"
        found[name] = {**write_part(hidden, schema.LEDGER, table), "name": name}
        os.replace(hidden, folder / name)
    return [found[name] for name in sorted(found, key=_numbers)]


def _numbers(name: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", name)]


def _all_joined(
    content: Path, tables: dict[str, list[Part]], fetch: Callable[[str, list[Part]], None]
) -> dict[str, list[Part]]:
    """Join the small files of each table that has very many."""
    return {
        table.name: _joined(content / table.name, table, tables[table.name], fetch)
        for table in STORED
    }


def _joined(
    folder: Path,
    declared: schema.Table,
    parts: list[Part],
    fetch: Callable[[str, list[Part]], None],
) -> list[Part]:
    """Join small files that follow each other, if there are very many."""
    n_bytes = sum(part["bytes"] for part in parts)
    if len(parts) <= _MOST_FILES or n_bytes * _LEAST_JOINED > _JOINED_BYTES * len(parts):
        return parts
    joined = []
    for group in _groups(parts):
        if len(group) == 1:
            joined += group
            continue
        fetch(declared.name, group)
        tables = [schema.conform(_read(folder / part["name"]), declared) for part in group]
        name = group[0]["name"]
        hidden = folder / f".{name}.new"
        joined.append({**write_part(hidden, declared, pa.concat_tables(tables)), "name": name})
        for part in group[1:]:
            os.unlink(folder / part["name"])
        os.replace(hidden, folder / name)
    return joined


def _groups(parts: list[Part]) -> Iterator[list[Part]]:
    group: list[Part] = []
    size = 0
    for part in parts:
        if group and size + part["bytes"] > _JOINED_BYTES:
            yield group
            group, size = [], 0
        group.append(part)
        size += part["bytes"]
    yield group


def _read(path: Path) -> pa.Table:
    # A file object, because pyarrow would take a path with a colon for a URI.
    with path.open("rb") as file:
        return pq.read_table(file)
