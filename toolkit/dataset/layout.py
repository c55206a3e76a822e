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

import os

from toolkit import schema

MANIFEST = "manifest.json"
STORED = (*schema.TABLES, schema.LEDGER)


def part_name(shard: int, n: int) -> str:
    """Return the name of the n-th file that a shard has of a table.

    Examples
    --------
    >>> part_name(3, 0), part_name(3, 1)
    ('part-00003.parquet', 'part-00003-1.parquet')
    """
    return f"part-{shard:05d}.parquet" if n == 0 else f"part-{shard:05d}-{n}.parquet"


def is_dataset(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path is a directory that `toolkit.export` wrote.

    Parameters
    ----------
    path : path
    """
    return os.path.isfile(os.path.join(os.fspath(path), MANIFEST)) and all(
        os.path.isdir(os.path.join(os.fspath(path), table.name)) for table in STORED
    )
