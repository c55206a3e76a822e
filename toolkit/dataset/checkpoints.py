"""Checkpoints: records of the shards that an export has finished, so that it can be resumed."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from toolkit.dataset.layout import STORED
from toolkit.dataset.publish import Staging, digest, sync
from toolkit.dataset.shards import Shard
from toolkit.errors import ToolkitError
from toolkit.loaders.sources.source import Source


class Checkpoints:
    """Notes on the shards that are finished.

    Parameters
    ----------
    staging : Staging
    settings : dict
        What the files depend on, beside their sources.
    """

    def __init__(self, staging: Staging, settings: dict[str, Any]) -> None:
        self._staging = staging
        self._settings = json.loads(json.dumps(settings))

    def _path(self, shard: Shard) -> Path:
        return self._staging.notes / f"{shard.ordinal:05d}.json"

    def add(self, shard: Shard, note: dict[str, Any]) -> None:
        """Note that a shard is finished, once its files are on the disk."""
        for name, parts in note["tables"].items():
            for part in parts:
                sync(self._staging.content / name / part["name"])
            sync(self._staging.content / name)
        note = {"settings": self._settings, **note}
        path = self._path(shard)
        new = path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(note, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(new, path)
        sync(path.parent)

    def get(self, shard: Shard) -> dict[str, Any] | None:
        """Return the note on a shard; None if it is to be made, or made again."""
        try:
            note = json.loads(self._path(shard).read_bytes())
            if note.pop("settings") != self._settings or not self._is_whole(note["tables"]):
                return None
            seen = note["sources"]
            if len(seen) != len(shard.sources):
                return None
            for (_, source), before in zip(shard.sources, seen, strict=True):
                if before is None or not _is_unchanged(source, before):
                    return None
        except (OSError, ToolkitError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return note

    def _is_whole(self, tables: dict[str, list[dict[str, Any]]]) -> bool:
        return all(
            digest(self._staging.content / name / part["name"]) == part["sha256"]
            for name, parts in tables.items()
            for part in parts
        )

    def clear(self, notes: list[dict[str, Any]]) -> None:
        """Remove what is in the directory and in no note, and make the folders of the tables."""
        content = self._staging.content
        kept = {
            content / name / part["name"]
            for note in notes
            for name, parts in note["tables"].items()
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
    """Tell if a source is what it was when it was read."""
    if source.name != before["source"] or source.size() != before["bytes"]:
        return False
    return source.look() == {name: before[name] for name in ("bytes", "modified_ns", "sha256")}
