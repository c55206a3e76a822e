"""Checkpoints: records of the shards that an export has finished, so that it can be resumed.

A checkpoint is a JSON file. It is written when the files of its shard are on the disk, and it holds
their hashes, the sources as they were read, and the settings of the export. A shard is reused only
if nothing of this has changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from toolkit.dataset.layout import STORED, FinishedShard, Part
from toolkit.dataset.publish import Staging, digest
from toolkit.dataset.shards import Shard
from toolkit.errors import ToolkitError
from toolkit.files import sync, write_file
from toolkit.loaders.sources.source import Source


class Checkpoint(FinishedShard):
    """A finished shard, with the counts of what was read for it.

    Attributes
    ----------
    counts : dict
        Its part of the session's summary.
    """

    counts: dict[str, Any]


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

    def add(self, shard: Shard, checkpoint: Checkpoint) -> None:
        """Flush the files of a shard to the disk, then write its checkpoint."""
        for name, parts in checkpoint["tables"].items():
            for part in parts:
                sync(self._staging.content / name / part["name"])
            sync(self._staging.content / name)
        write_file(self._path(shard), json.dumps({"settings": self._settings, **checkpoint}))

    def get(self, shard: Shard) -> Checkpoint | None:
        """Return the checkpoint of a shard; None if the shard has to be written (again)."""
        try:
            stored = json.loads(self._path(shard).read_bytes())
            if stored.pop("settings") != self._settings or not self._is_whole(stored["tables"]):
                return None
            before = stored["sources"]
            if len(before) != len(shard.sources):
                return None
            for (_, source), entry in zip(shard.sources, before, strict=True):
                if entry is None or not _is_unchanged(source, entry):
                    return None
        except (OSError, ToolkitError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return stored

    def _is_whole(self, tables: dict[str, list[Part]]) -> bool:
        return all(
            digest(self._staging.content / name / part["name"]) == part["sha256"]
            for name, parts in tables.items()
            for part in parts
        )

    def clear(self, checkpoints: Iterable[Checkpoint]) -> None:
        """Remove files that belong to none of the checkpoints; create the folders of the tables."""
        content = self._staging.content
        kept = {
            content / name / part["name"]
            for checkpoint in checkpoints
            for name, parts in checkpoint["tables"].items()
            for part in parts
        }
        for folder, _, names in os.walk(content):
            for name in names:
                if Path(folder, name) not in kept:
                    os.unlink(os.path.join(folder, name))
        for table in STORED:
            with suppress(FileExistsError):
                (content / table.name).mkdir()


def _is_unchanged(source: Source, before: dict[str, Any]) -> bool:
    """Return whether a source has the size, time and hash that it had when it was read."""
    if source.name != before["source"] or source.size() != before["bytes"]:
        return False
    return source.fingerprint() == {
        name: before[name] for name in ("bytes", "modified_ns", "sha256")
    }
