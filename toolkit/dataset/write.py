"""Write tables in memory as a dataset, verify the files of a dataset, and write its manifest."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from toolkit import __version__, arguments, schema
from toolkit.dataset.layout import MANIFEST, STORED, Part, objection
from toolkit.dataset.parquet_writer import write_files
from toolkit.dataset.publish import staged
from toolkit.errors import ExportError
from toolkit.tables import LogprobTables, has_texts


def write_tables(
    lp: LogprobTables, directory: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write tables that are in memory as a dataset; see `LogprobTables.write_parquet`."""
    target = arguments.target("directory", directory)
    arguments.flag("overwrite", overwrite)
    with staged(target, overwrite=overwrite, objection=objection) as staging:
        sweep(staging.content, {})
        tables = write_files([lp], staging.content, 0)
        files = verified(staging.content, tables)
        texts = bool(has_texts(lp.responses).all())
        write_manifest(staging.content, manifest_of([], files, texts=texts))
    return target


def manifest_of(
    sources: list[dict[str, Any]], tables: dict[str, list[Part]], *, texts: bool = True
) -> dict[str, Any]:
    """Return the manifest of a dataset."""
    return {
        "schema": schema.SCHEMA_VERSION,
        "toolkit": __version__,
        **({} if texts else {"texts": False}),
        "sources": sources,
        "tables": {
            table.name: {
                "rows": sum(part["rows"] for part in tables[table.name]),
                "files": tables[table.name],
            }
            for table in STORED
        },
    }


def write_manifest(content: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """Write the manifest of a dataset; return it."""
    (content / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    return manifest


def sweep(content: Path, tables: dict[str, list[Part]]) -> None:
    """Remove files that are none of these, such as those of a killed process; create the folders.

    Parameters
    ----------
    content : path
        The parent of the folders of the tables.
    tables : dict of str to list of Part
        The files of each table that are kept.
    """
    kept = {content / name / part["name"] for name, parts in tables.items() for part in parts}
    for folder, _, names in os.walk(content):
        for name in names:
            if Path(folder, name) not in kept:
                os.unlink(os.path.join(folder, name))
    for table in STORED:
        with suppress(FileExistsError):
            (content / table.name).mkdir()


def link_files(folder: Path, content: Path, tables: dict[str, list[Part]]) -> None:
    """Give files of another folder a second name here, so that they stay there too.

    Raises
    ------
    ExportError
        If one is missing, or has another size than was written.
    """
    for name, parts in tables.items():
        for part in parts:
            file = folder / name / part["name"]
            if not file.is_file() or file.stat().st_size != part["bytes"]:
                raise ExportError(
                    f"{file} is missing or changed; all machines have to export to the same disk"
                )
            try:
                os.link(file, content / name / part["name"])
            except OSError:  # a file system without links
                shutil.copyfile(file, content / name / part["name"])


def verified(content: Path, tables: dict[str, list[Part]]) -> dict[str, list[Part]]:
    """Read the ends of files back to verify their rows and bytes; return the files.

    Raises
    ------
    OSError
        If a file has not the rows or bytes that were written.
    """
    for name, parts in tables.items():
        for part in parts:
            _verify(content / name / part["name"], part)
    return tables


def _verify(path: Path, part: Part) -> None:
    with path.open("rb") as handle:
        rows, size = pq.read_metadata(handle).num_rows, path.stat().st_size
    if (rows, size) != (part["rows"], part["bytes"]):
        raise OSError(
            f"{path.name} has {rows} rows and {size} bytes on the disk, but {part['rows']} rows "
            f"and {part['bytes']} bytes were written"
        )
