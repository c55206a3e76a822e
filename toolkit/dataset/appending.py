"""Add sources to an export: its files stay, and the new ones are numbered after them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from toolkit.dataset.layout import STORED, Part, shard_of
from toolkit.dataset.shards import Shard
from toolkit.errors import ExportError
from toolkit.loaders.sources.locations import address, state_of
from toolkit.loaders.sources.source import Source
from toolkit.schema import SCHEMA_VERSION


class Earlier(NamedTuple):
    """An export that sources are added to.

    Attributes
    ----------
    name : str
        Its directory; or its URI, without credentials.
    manifest : dict, optional
        None: it does not exist yet, so it has no sources.
    """

    name: str
    manifest: dict[str, Any] | None

    @property
    def sources(self) -> list[dict[str, Any]]:
        """What the manifest says of each source."""
        return [] if self.manifest is None else self.manifest["sources"]

    @property
    def tables(self) -> dict[str, list[Part]]:
        """The files of each table; those of a store with the run that they are in."""
        if self.manifest is None:
            return {table.name: [] for table in STORED}
        run = {"run": self.manifest["run"]} if "run" in self.manifest else {}
        return {
            name: [run | part for part in table["files"]]
            for name, table in self.manifest["tables"].items()
        }

    def require_recordings(self) -> None:
        """Raise `ExportError` if it is of another schema, of tables in memory, or without texts."""
        if self.manifest is None:
            return
        if self.manifest.get("texts") is False:
            raise ExportError(
                f"{self.name} has no texts, and the key of its pseudonyms was not kept: expected "
                "an export with texts; export all sources anew, with overwrite=True"
            )
        version = self.manifest.get("schema")
        if version != SCHEMA_VERSION or not self.sources:
            found = f"schema version {version}" if self.sources else "no sources"
            raise ExportError(
                f"{self.name} has {found}: expected an export of recordings of version "
                f"{SCHEMA_VERSION}; export all sources anew, with overwrite=True"
            )

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
