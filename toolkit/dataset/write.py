"""Write tables in memory as a dataset, verify the files of a dataset, and write its manifest."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from toolkit import __version__, arguments, schema
from toolkit.dataset.layout import MANIFEST, STORED, FinishedShard, Part, objection
from toolkit.dataset.parquet_writer import write_files
from toolkit.dataset.publish import Staging, staged
from toolkit.tables import LogprobTables


def write_tables(
    lp: LogprobTables, directory: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write tables that are in memory as a dataset; see `LogprobTables.write_parquet`."""
    target = arguments.target("directory", directory)
    arguments.flag("overwrite", overwrite)
    with staged(target, overwrite=overwrite, objection=objection) as staging:
        for table in STORED:
            (staging.content / table.name).mkdir()
        tables = write_files([lp], staging.content, 0)
        write_manifest(staging, [{"sources": [], "tables": verified(staging, tables)}])
    return target


def write_manifest(staging: Staging, finished: Sequence[FinishedShard]) -> None:
    """Write the manifest of a dataset from its finished shards."""
    tables: dict[str, dict[str, Any]] = {}
    for table in STORED:
        parts = [part for shard in finished for part in shard["tables"].get(table.name, ())]
        tables[table.name] = {"rows": sum(part["rows"] for part in parts), "files": parts}
    manifest = {
        "schema": schema.SCHEMA_VERSION,
        "toolkit": __version__,
        "sources": [source for shard in finished for source in shard["sources"]],
        "tables": tables,
    }
    (staging.content / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")


def verified(staging: Staging, tables: dict[str, list[Part]]) -> dict[str, list[Part]]:
    """Read the ends of files back to verify their rows and bytes; return the files.

    Raises
    ------
    OSError
        If a file has not the rows or bytes that were written.
    """
    for name, parts in tables.items():
        for part in parts:
            _verify(staging.content / name / part["name"], part)
    return tables


def _verify(path: Path, part: Part) -> None:
    with path.open("rb") as handle:
        rows, size = pq.read_metadata(handle).num_rows, path.stat().st_size
    if (rows, size) != (part["rows"], part["bytes"]):
        raise OSError(
            f"{path.name} has {rows} rows and {size} bytes on the disk, but {part['rows']} rows "
            f"and {part['bytes']} bytes were written"
        )
