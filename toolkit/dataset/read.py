"""Read a dataset: the tables of its Parquet files, of this schema version or an earlier one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from toolkit import arguments
from toolkit.dataset.layout import MANIFEST, STORED, Listed, parse_manifest
from toolkit.dataset.lock import is_locked
from toolkit.dataset.snapshot import OpenExport, Replaced, Snapshot
from toolkit.dataset.versions import CHANGES, Changes, add_columns, changes_since, conform_earlier
from toolkit.errors import SchemaError, SourceError, ToolkitError
from toolkit.tables import LogprobTables, in_order

T = TypeVar("T")
_TRIES = 30
_PAUSE = 0.002  # seconds before the second try; each further pause is so much longer


def read_parquet(directory: str | os.PathLike[str]) -> LogprobTables:
    """Load tables that `toolkit.export` or `LogprobTables.write_parquet` wrote.

    Exports of earlier versions of the toolkit are read as well: columns that did not exist then are
    computed from the others if they can be, else null. All tables are of one export, even if it is
    replaced while it is read.

    Parameters
    ----------
    directory : path
        Or the URI of a dataset in an object store, such as ``s3://bucket/answers``, that
        `toolkit.dataset.upload_dataset` published.

    Returns
    -------
    LogprobTables
        Equal to the tables that were written.

    Raises
    ------
    SourceError
        If the directory is not an export, or a file that its manifest names is missing or damaged,
        or it was replaced again and again while it was read.
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
    return of_one_export(place("directory", directory), _read)


def place(name: str, value: object) -> Path | str:
    """Return an option that is the path of an export, or its URI in an object store."""
    return value if arguments.is_uri(value) else arguments.path(name, value)


def is_stored(uri: object) -> bool:
    """Return whether something is the URI of a dataset in an object store.

    Examples
    --------
    >>> is_stored("file:///none/answers"), is_stored("answers")
    (False, False)
    """
    if not arguments.is_uri(uri):
        return False
    from toolkit.dataset.runs import Runs

    try:
        return Runs(uri).is_dataset()
    except ToolkitError:  # it cannot be opened
        return False


def of_one_export(root: Path | str, read: Callable[[OpenExport], T]) -> T:
    """Call a function with the open export, again if that is replaced in the meantime."""
    for n in range(1, _TRIES + 1):
        try:
            with opened(root) as snapshot:
                return read(snapshot)
        except Replaced:
            time.sleep(_PAUSE * n)
    if isinstance(root, str):
        raise SourceError(f"{snapshot.name}: files that its manifest names are missing")
    found = (
        f"was replaced {_TRIES} times while it was read" if root.exists() else "does not exist yet"
    )
    raise SourceError(f"{root} {found}; read it when no export writes to it")


def opened(root: Path | str) -> OpenExport:
    """Open an export by its directory or URI.

    Raises
    ------
    Replaced
        If an export puts another one in its place at this moment.
    SourceError
        If there is none, or it cannot be read.
    """
    if isinstance(root, str):
        from toolkit.dataset.runs import StoreSnapshot

        return StoreSnapshot(root)
    try:
        return Snapshot(root)
    except FileNotFoundError as error:
        if root.name and is_locked(root):  # an exporter may be between two renames
            raise Replaced from error
        raise _not_an_export(root) from None
    except NotADirectoryError:
        raise _not_an_export(root) from None
    except OSError as error:
        raise SourceError(f"{root} cannot be read: {error}") from error


def _not_an_export(root: Path | str) -> SourceError:
    return SourceError(
        f"{root} is not an export of the toolkit, because it has no {MANIFEST}; "
        "use read() for recordings"
    )


def _read(snapshot: OpenExport) -> LogprobTables:
    listed, changes = described(snapshot)
    names = [f"{table}/{name}" for table, parts in listed.files.items() for name, _ in parts]
    tables = {}
    with closing(snapshot.open_all(names)) as files:
        for declared in STORED:
            parts = [conform_earlier(declared.empty(), declared, changes)]
            for name, rows in listed.files[declared.name]:
                path = snapshot.path(f"{declared.name}/{name}")
                try:
                    # A handle, because a path might hold partition keys.
                    with pq.ParquetFile(next(files), pre_buffer=snapshot.is_remote) as file:
                        table = file.read()
                except (OSError, pa.ArrowException) as error:
                    snapshot.fail(f"{declared.name}/{name}", error)
                if table.num_rows != rows:
                    raise SourceError(
                        f"{path} has {table.num_rows} rows; the manifest lists {rows}"
                    )
                try:
                    parts.append(conform_earlier(table, declared, changes))
                except SchemaError as error:
                    raise SchemaError(f"{path}: {error}") from error
            tables[declared.name] = pa.concat_tables(parts)
    add_columns(tables, changes)
    return in_order(tables)


def described(snapshot: OpenExport) -> tuple[Listed, list[Changes]]:
    """Return what the manifest lists, and what changed since its version of the schema."""
    listed = _manifest(snapshot)
    if listed.version not in list(CHANGES):
        raise SchemaError(
            f"{snapshot.name} has schema version {listed.version!r}: expected one of "
            f"{', '.join(map(repr, CHANGES))}; a later toolkit reads later versions"
        )
    return listed, changes_since(str(listed.version))


def _manifest(snapshot: OpenExport) -> Listed:
    path = snapshot.path(MANIFEST)
    try:
        with snapshot.open(MANIFEST) as file:
            raw = file.read()
    except FileNotFoundError:
        raise _not_an_export(snapshot.name) from None
    except OSError as error:
        snapshot.fail(MANIFEST, error)
    try:
        return parse_manifest(raw)
    except ValueError as error:
        raise SourceError(f"{path} is not a manifest of the toolkit: {error}") from error
