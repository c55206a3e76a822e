"""Add sources to an export: its files stay, and the new ones are numbered after them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from toolkit.dataset.layout import MANIFEST, STORED, Part, shard_of
from toolkit.dataset.shards import Shard
from toolkit.dataset.write import link_files
from toolkit.errors import ExportError
from toolkit.loaders.sources.locations import address, state_of
from toolkit.loaders.sources.source import Source
from toolkit.schema import SCHEMA_VERSION


class Earlier(NamedTuple):
    """An export that sources are added to.

    Attributes
    ----------
    target : path
    sources : list of dict
        What its manifest says of each source.
    tables : dict of str to list of Part
        The files of each table.
    """

    target: Path
    sources: list[dict[str, Any]]
    tables: dict[str, list[Part]]

    @classmethod
    def of(cls, target: Path) -> Earlier:
        """Read the manifest of an export; one that does not exist has no sources.

        Raises
        ------
        ExportError
            If it is of another version of the schema, of tables in memory, or without texts.
        """
        if not target.exists():
            return cls(target, [], {table.name: [] for table in STORED})
        manifest = json.loads((target / MANIFEST).read_bytes())
        tables = {name: table["files"] for name, table in manifest["tables"].items()}
        sources = manifest["sources"]
        if manifest.get("texts") is False:
            raise ExportError(
                f"{target} has no texts, and the key of its pseudonyms was not kept: expected an "
                "export with texts; export all sources anew, with overwrite=True"
            )
        if manifest["schema"] != SCHEMA_VERSION or not sources:
            found = f"schema version {manifest['schema']}" if sources else "no sources"
            raise ExportError(
                f"{target} has {found}: expected an export of recordings of version "
                f"{SCHEMA_VERSION}; export all sources anew, with overwrite=True"
            )
        return cls(target, sources, tables)

    def new(self, sources: list[Source]) -> list[Source]:
        """Return the sources that the export does not have.

        Raises
        ------
        ExportError
            If one that it has is not as it was.
        """
        known = {each["source"]: (each["bytes"], each["modified_ns"]) for each in self.sources}
        added = []
        for source in sources:
            found = address(source.location)
            before = known.get(source.name)
            if before is None or found is None:  # bytes in memory have no names of their own
                added.append(source)
            elif found[0] != "folder" and state_of(source.location) != before:
                raise ExportError(
                    f"{source.name} is not as it was when it was exported (its size or time has "
                    "changed); export all sources anew, with overwrite=True"
                )
        return added

    def link(self, content: Path) -> None:
        """Give the files of the export a second name in another directory."""
        link_files(self.target, content, self.tables)

    def renumbered(self, shards: list[Shard]) -> list[Shard]:
        """Return the shards of new sources, numbered after those of the export."""
        n = sum(part["rows"] for part in self.tables["ledger"])  # one for each source
        names = [part["name"] for parts in self.tables.values() for part in parts]
        first = max((shard_of(name) for name in names), default=-1) + 1
        return [
            replace(
                shard,
                ordinal=first + shard.ordinal,
                sources=tuple((n + ordinal, source) for ordinal, source in shard.sources),
            )
            for shard in shards
        ]
