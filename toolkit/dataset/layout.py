"""Name the files of a dataset: a folder of Parquet files for each table, and a manifest.

::

    answers/
      manifest.json                 versions, and the files of each table: rows, bytes, SHA-256
      _SUCCESS                      written last
      responses/part-00000.parquet
      choices/part-00000.parquet
      tokens/ alternatives/ rejects/ ledger/

The key of responses rises within a file, and from one file of a table to the next in the order of
the manifest, so that engines skip row groups by it.

Any Parquet reader takes a folder: ``SELECT * FROM 'answers/tokens/*.parquet'``. The metadata of a
file holds unit, direction and doc of each column. `read_parquet` reads the files that the manifest
lists, not those that the folder holds, and all from one export (`toolkit.dataset.snapshot`). Other
readers open the files by their names, so they can see two exports while one replaces the other.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import NamedTuple, NotRequired, TypedDict

from toolkit import schema

MANIFEST = "manifest.json"
SUCCESS = "_SUCCESS"
"""Name of the empty file that is written last."""
STORED = (*schema.TABLES, schema.LEDGER)
"""The tables that a dataset stores."""
_PART = re.compile(r"part-\d+(?:-\d+)?\.parquet")
_MOST_NAMES = 3  # of foreign files that a message lists


class Part(TypedDict):
    """A Parquet file, as the manifest lists it."""

    name: str
    rows: int
    bytes: int
    sha256: str
    run: NotRequired[str]  # in an object store, if it is not that of the manifest


def part_name(shard: int, n: int) -> str:
    """Return the name of the n-th file of a shard in the folder of a table.

    Examples
    --------
    >>> part_name(3, 0), part_name(3, 1)
    ('part-00003.parquet', 'part-00003-1.parquet')
    """
    return f"part-{shard:05d}.parquet" if n == 0 else f"part-{shard:05d}-{n}.parquet"


def shard_of(name: str) -> int:
    """Return the shard of a file by its name.

    Examples
    --------
    >>> shard_of("part-00003-1.parquet")
    3
    """
    return int(re.findall(r"\d+", name)[0])


def is_dataset(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is a directory that `toolkit.export` wrote.

    Parameters
    ----------
    path : path
    """
    return os.path.isfile(os.path.join(os.fspath(path), MANIFEST)) and all(
        os.path.isdir(os.path.join(os.fspath(path), table.name)) for table in STORED
    )


class Listed(NamedTuple):
    """What a manifest lists.

    Attributes
    ----------
    version : object
        The version of the schema.
    files : dict of str to list of (str, int)
        The files of each table, with their rows.
    """

    version: object
    files: dict[str, list[tuple[str, int]]]


def parse_manifest(raw: bytes) -> Listed:
    """Return what a manifest lists.

    Raises
    ------
    ValueError
        If it is not a manifest of the toolkit.
    """
    try:
        manifest = json.loads(raw)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(manifest, dict):
        raise ValueError("expected an object")
    files = {}
    for table in STORED:
        try:
            parts = manifest["tables"][table.name]["files"]
            files[table.name] = [(part["name"], part["rows"]) for part in parts]
        except (KeyError, TypeError) as error:
            raise ValueError(f"it lists no files of {table.name}") from error
        for name, rows in files[table.name]:
            if not isinstance(name, str) or not _PART.fullmatch(name) or not isinstance(rows, int):
                raise ValueError(f"it names a file that is not a part of {table.name}")
    return Listed(manifest.get("schema"), files)


def objection(path: str | os.PathLike[str]) -> str | None:
    """Return why a path may not be replaced; None if it holds an export and nothing else.

    Parameters
    ----------
    path : path
    """
    try:
        with open(os.path.join(path, MANIFEST), "rb") as file:
            listed = parse_manifest(file.read()) if is_dataset(path) else None
    except (OSError, ValueError):
        listed = None
    if listed is None:
        return "is not an export of the toolkit, so it is not replaced; choose another name"
    foreign = sorted(_foreign(os.fspath(path), listed))
    if not foreign:
        return None
    names = ", ".join(map(repr, foreign[:_MOST_NAMES]))
    more = f" and {len(foreign) - _MOST_NAMES} more" if len(foreign) > _MOST_NAMES else ""
    return f"holds what the toolkit did not write ({names}{more}); move it, or choose another name"


def _foreign(root: str, listed: Listed) -> Iterator[str]:
    """Yield the paths below an export that its manifest does not list."""
    files = {MANIFEST, SUCCESS}
    files |= {f"{table}/{name}" for table, parts in listed.files.items() for name, _ in parts}
    pending = [""]
    while pending:
        folder = pending.pop()
        for entry in os.scandir(os.path.join(root, folder)):
            name = f"{folder}/{entry.name}" if folder else entry.name
            if name in listed.files and entry.is_dir(follow_symlinks=False):
                pending.append(name)
            elif name not in files or not entry.is_file(follow_symlinks=False):
                yield name
