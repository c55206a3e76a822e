"""Checkpoints: reports of the shards that an export has finished, so that it can be resumed.

A checkpoint is a JSON file. It is written when the files of its shard are on the disk, and it holds
their hashes, the sources as they were read, and the settings of the export. A shard is reused only
if nothing of this has changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from toolkit.dataset.layout import Part
from toolkit.dataset.publish import Staging, digest
from toolkit.dataset.shards import Shard, ShardReport, place_of
from toolkit.errors import ToolkitError
from toolkit.files import sync, write_file
from toolkit.loaders.sources.locations import Remote, state_of
from toolkit.loaders.sources.source import Source


class Checkpoints:
    """Read and write the checkpoints of an export.

    Parameters
    ----------
    staging : Staging
    settings : dict
        What the files depend on besides their sources: versions and options.
    """

    def __init__(self, staging: Staging, settings: dict[str, Any]) -> None:
        self._staging = staging
        self._settings = json.loads(json.dumps(settings))

    def _path(self, shard: Shard) -> Path:
        return self._staging.checkpoints / f"{shard.ordinal:05d}.json"

    def add(self, report: ShardReport) -> None:
        """Flush the files of a shard to the disk, then write its checkpoint."""
        for name, parts in report.tables.items():
            for part in parts:
                sync(self._staging.content / name / part["name"])
            sync(self._staging.content / name)
        document = {"settings": self._settings, **report.found()}
        write_file(self._path(report.shard), json.dumps(document))

    def all(self, shards: Iterable[Shard]) -> Iterable[ShardReport | None]:
        """Return the report of each shard, as `get` does."""
        return map(self.get, shards)

    def get(self, shard: Shard) -> ShardReport | None:
        """Return the report of a shard; None if the shard has to be written (again)."""
        try:
            stored = json.loads(self._path(shard).read_bytes())
            if stored.pop("settings") != self._settings or not self._is_whole(stored["tables"]):
                return None
            for (_, source), before in zip(shard.sources, stored["sources"], strict=True):
                if not is_unchanged(source, before):
                    return None
            return ShardReport(shard, **stored)
        except (OSError, ToolkitError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _is_whole(self, tables: dict[str, list[Part]]) -> bool:
        return all(
            digest(self._staging.content / name / part["name"]) == part["sha256"]
            for name, parts in tables.items()
            for part in parts
        )


def is_unchanged(source: Source, before: dict[str, Any], *, by_hash: bool = True) -> bool:
    """Return whether a source has the size, time and hash that it had when it was read.

    An object in a store is not hashed, because to read it again costs as much as to export it.
    """
    if source.name != before["source"] or source.size() != before["bytes"]:
        return False
    place = place_of(source)
    if {name: before[name] for name in before if name in ("start", "stop", "file_bytes")} != place:
        return False
    state = state_of(source.location)
    if state is not None and (not by_hash or isinstance(source.location, Remote)):
        return state[1] == before["modified_ns"] is not None
    return source.fingerprint() == {
        name: before[name] for name in ("bytes", "modified_ns", "sha256")
    }
