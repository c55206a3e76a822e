"""Read a dataset: the tables of its Parquet files, of this schema version or an earlier one."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.dataset.layout import MANIFEST, STORED
from toolkit.dataset.versions import CHANGES, add_columns, changes_since, conform_earlier
from toolkit.errors import SchemaError, SourceError
from toolkit.tables import LogprobTables, in_order

_PART = re.compile(r"part-\d+(?:-\d+)?\.parquet")


def read_parquet(directory: str | os.PathLike[str]) -> LogprobTables:
    """Load tables that `toolkit.export` or `LogprobTables.write_parquet` wrote.

    Exports of earlier versions of the toolkit are read as well: columns that did not exist then are
    computed from the others if they can be, else null.

    Parameters
    ----------
    directory : path

    Returns
    -------
    LogprobTables
        Equal to the tables that were written.

    Raises
    ------
    SourceError
        If the directory is not an export, or a file that its manifest names is missing or damaged.
    SchemaError
        If a later version of the toolkit wrote it.

    Examples
    --------
    >>> import tempfile, toolkit
    >>> lp = toolkit.from_responses({"choices": [{"message": {"content": "Hi"}, "logprobs":
    ...     {"content": [{"token": "Hi", "logprob": -0.1}]}}]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     toolkit.read_parquet(lp.write_parquet(f"{folder}/answers")).equals(lp)
    True
    """
    root = Path(directory)
    manifest = _manifest(root)
    version = manifest.get("schema")
    if version not in list(CHANGES):
        raise SchemaError(
            f"{root} has schema version {version!r}: expected one of "
            f"{', '.join(map(repr, CHANGES))}; a later toolkit reads later versions"
        )
    changes = changes_since(version)
    tables = {}
    for declared in STORED:
        parts = [conform_earlier(declared.empty(), declared, changes)]
        for name, rows in _files(root, manifest, declared.name):
            path = root / declared.name / name
            table = _read_part(path)
            if table.num_rows != rows:
                raise SourceError(f"{path} has {table.num_rows} rows; the manifest lists {rows}")
            try:
                parts.append(conform_earlier(table, declared, changes))
            except SchemaError as error:
                raise SchemaError(f"{path}: {error}") from error
        tables[declared.name] = pa.concat_tables(parts)
    add_columns(tables, changes)
    return in_order(tables)


def _manifest(root: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((root / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise SourceError(
            f"{root} is not an export of the toolkit, because it has no {MANIFEST}; "
            "use read() for recordings"
        ) from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{root / MANIFEST} cannot be read: {error}") from error
    if not isinstance(manifest, dict):
        raise SourceError(f"{root / MANIFEST} is not a manifest of the toolkit: expected an object")
    return manifest


def _files(root: Path, manifest: dict[str, Any], table: str) -> list[tuple[str, int]]:
    """Return the files of a table with their rows, as the manifest lists them."""
    try:
        files = [(part["name"], part["rows"]) for part in manifest["tables"][table]["files"]]
    except (KeyError, TypeError) as error:
        raise SourceError(
            f"{root / MANIFEST} is not a manifest of the toolkit: it lists no files of {table}"
        ) from error
    for name, _ in files:
        if not isinstance(name, str) or not _PART.fullmatch(name):
            raise SourceError(f"{root / MANIFEST} names a file that is not a part of {table}")
    return files


def _read_part(path: Path) -> pa.Table:
    try:
        # The handle keeps pyarrow from reading a partition key out of the path.
        with pq.ParquetFile(path) as file:
            return file.read()
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
