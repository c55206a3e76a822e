"""Name the files of a dataset: a folder of Parquet files for each table, and a manifest.

::

    answers/
      manifest.json                 versions, and the files of each table: rows, bytes, SHA-256
      _SUCCESS                      written last
      responses/part-00000.parquet
      choices/part-00000.parquet
      tokens/ alternatives/ rejects/ ledger/

Any Parquet reader takes a folder: ``SELECT * FROM 'answers/tokens/*.parquet'``. The metadata of a
file holds unit, direction and doc of each column. `read_parquet` reads the files that the manifest
lists, not those that the folder holds.
"""

from __future__ import annotations

import os
from typing import Any, NotRequired, TypedDict

from toolkit import schema

MANIFEST = "manifest.json"
STORED = (*schema.TABLES, schema.LEDGER)
"""The tables that a dataset stores."""


class Part(TypedDict):
    """A Parquet file, as the manifest lists it.

    Attributes
    ----------
    name : str
    rows : int
    bytes, sha256 : int, str
        Added when the file has been read back.
    """

    name: str
    rows: int
    bytes: NotRequired[int]
    sha256: NotRequired[str]


class FinishedShard(TypedDict):
    """What the manifest takes from a shard whose files are written.

    Attributes
    ----------
    sources : list of dict
        Name, bytes, time of modification and SHA-256 of each source, as it was read.
    tables : dict of str to list of Part
        The files of each table.
    """

    sources: list[dict[str, Any]]
    tables: dict[str, list[Part]]


def part_name(shard: int, n: int) -> str:
    """Return the name of the n-th file of a shard in the folder of a table.

    Examples
    --------
    >>> part_name(3, 0), part_name(3, 1)
    ('part-00003.parquet', 'part-00003-1.parquet')
    """
    return f"part-{shard:05d}.parquet" if n == 0 else f"part-{shard:05d}-{n}.parquet"


def is_dataset(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is a directory that `toolkit.export` wrote.

    Parameters
    ----------
    path : path
    """
    return os.path.isfile(os.path.join(os.fspath(path), MANIFEST)) and all(
        os.path.isdir(os.path.join(os.fspath(path), table.name)) for table in STORED
    )
