"""Name the files of a run, and check the manifest of a dataset in an object store."""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import Any

from toolkit.dataset.layout import Part, parse_manifest

RUN = re.compile(r"[0-9a-f]{12}")
"""The name of a run."""
REPORTS = "_reports"
"""The folder of the reports of shards in that of a run."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"[0-9a-f]{12}/[a-z]+/part-[0-9-]+-[0-9a-f]{12}\.parquet")
_REPORT = re.compile(rf"[0-9a-f]{{12}}/{REPORTS}/[0-9]+-[0-9a-f]{{12}}\.json")
# What a killed process leaves in a store that is a local folder.
_UNFINISHED = re.compile(r"[0-9a-f]{12}/[a-z_]+/\.[0-9a-f]{32}\.tmp")


def is_part(key: str) -> bool:
    """Return whether a key is that of a file of a table of a run."""
    return bool(_PART.fullmatch(key))


def is_own(key: str) -> bool:
    """Return whether a key is that of a file that an export wrote into a run."""
    return is_part(key) or bool(_REPORT.fullmatch(key) or _UNFINISHED.fullmatch(key))


def run_of(manifest: dict[str, Any]) -> str:
    """Return the name of the run of an export on a local disk: a hash of its manifest."""
    return _hash_of(manifest)[:12]


def keys_of(manifest: dict[str, Any]) -> dict[str, tuple[str, int]]:
    """Return the key and size in the store of each file, by its name as in a directory.

    Raises
    ------
    ValueError
        If they are not those that an export has.
    """
    found = {}
    for table, listed in manifest["tables"].items():
        for part in listed["files"]:
            name, sha256, size = part["name"], part.get("sha256"), part.get("bytes")
            if not _SHA256.fullmatch(str(sha256)) or type(size) is not int:
                raise ValueError("a file has no hash or size")
            key = f"{table}/{name}"  # of a directory that was copied
            if "run" in manifest or "run" in part:
                run = part.get("run", manifest.get("run"))
                if not RUN.fullmatch(str(run)):
                    raise ValueError("a file is of no run")
                key = key_of(run, table, part)
            found[f"{table}/{name}"] = key, size
    return found


def runs_of(manifest: dict[str, Any]) -> set[str]:
    """Return the runs that have files of a dataset: more than one if sources were added to it."""
    keys = (key for key, _ in keys_of(manifest).values())
    runs = [str(manifest.get("run")), *(key.split("/")[0] for key in keys)]
    return set(filter(RUN.fullmatch, runs))


def key_of(run: str, table: str, part: Part) -> str:
    """Return the key of a file of a run."""
    stem, suffix = os.path.splitext(part["name"])
    return f"{run}/{table}/{stem}-{part['sha256'][:12]}{suffix}"


def reason_of(error: ValueError) -> str:
    """Describe what is wrong with a manifest, without quoting it."""
    is_quoted = isinstance(error, UnicodeDecodeError | json.JSONDecodeError)
    return "it is not JSON" if is_quoted else str(error)


def signed(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest with its hash."""
    return {"hash": _hash_of(manifest), **manifest}


def _hash_of(manifest: dict[str, Any]) -> str:
    others = {name: manifest[name] for name in manifest if name != "hash"}
    return hashlib.sha256(json.dumps(others).encode()).hexdigest()


def checked(raw: bytes) -> dict[str, Any]:
    """Return a manifest, if it is whole."""
    parse_manifest(raw)
    manifest: dict[str, Any] = json.loads(raw)
    is_whole = RUN.fullmatch(str(manifest.get("run"))) and manifest.get("hash") == _hash_of(
        manifest
    )
    if "run" in manifest:
        if not is_whole:
            raise ValueError("it is damaged")
        keys_of(manifest)
    return manifest
