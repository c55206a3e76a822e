"""The form of the tables on disk: a directory with a folder of Parquet files for each table.

::

    answers/
      manifest.json                 versions, and each table's files: rows, bytes, SHA-256
      _SUCCESS                      written last
      responses/part-00000.parquet
      choices/part-00000.parquet
      tokens/ alternatives/ rejects/ ledger/

Any Parquet reader takes a folder: ``SELECT * FROM 'answers/tokens/*.parquet'``. Unit, direction and
doc of each column are in the file's metadata. Our own reader trusts the manifest, not a listing.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from toolkit import schema
from toolkit.dataset.layout import MANIFEST, STORED
from toolkit.errors import SchemaError, SourceError
from toolkit.tables import LogprobTables, in_order

_PART = re.compile(r"part-\d+(?:-\d+)?\.parquet")


def read_parquet(directory: str | os.PathLike[str]) -> LogprobTables:
    """Load tables that `toolkit.export` or `LogprobTables.write_parquet` wrote.

    Parameters
    ----------
    directory : path

    Returns
    -------
    LogprobTables
        Equal to what was written.

    Raises
    ------
    SourceError
        If the directory is no export, or a file that its manifest names is missing or damaged.
    SchemaError
        If it was written under another version of the schema.

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
    if manifest.get("schema") != schema.SCHEMA_VERSION:
        raise SchemaError(
            f"{root} has schema {manifest.get('schema')!r}; this toolkit reads "
            f"{schema.SCHEMA_VERSION!r}"
        )
    tables = {}
    for declared in STORED:
        parts = [declared.empty()]
        for name, rows in _files(root, manifest, declared.name):
            path = root / declared.name / name
            table = _read_part(path)
            if table.num_rows != rows:
                raise SourceError(f"{path} has {table.num_rows} rows; the manifest says {rows}")
            try:
                parts.append(schema.conform(table, declared))
            except SchemaError as error:
                raise SchemaError(f"{path}: {error}") from error
        tables[declared.name] = pa.concat_tables(parts)
    return in_order(tables)


def _manifest(root: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((root / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise SourceError(
            f"{root} is no export of the toolkit: it has no {MANIFEST}; read recordings with read()"
        ) from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{root / MANIFEST} cannot be read: {error}") from error
    if not isinstance(manifest, dict):
        raise SourceError(f"{root / MANIFEST} is no manifest of the toolkit: expected an object")
    return manifest


def _files(root: Path, manifest: dict[str, Any], table: str) -> list[tuple[str, int]]:
    """Return the files of a table with their rows, as the manifest lists them."""
    try:
        files = [(part["name"], part["rows"]) for part in manifest["tables"][table]["files"]]
    except (KeyError, TypeError) as error:
        raise SourceError(
            f"{root / MANIFEST} is no manifest of the toolkit: it lists no files of {table}"
        ) from error
    for name, _ in files:
        if not isinstance(name, str) or not _PART.fullmatch(name):
            raise SourceError(f"{root / MANIFEST} names a file that is no part of {table}")
    return files


def _read_part(path: Path) -> pa.Table:
    try:
        # The handle keeps pyarrow from reading a partition key out of the path.
        with pq.ParquetFile(path) as file:
            return file.read()
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
