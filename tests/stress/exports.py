"""Helpers of tests that fail, kill and race exports."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import uuid
import warnings
from collections import Counter
from pathlib import Path

from tqdm import tqdm

import toolkit
from toolkit.dataset import shards
from toolkit.dataset.layout import MANIFEST

SCRIPT = """
import sys, warnings
sys.path[:0] = {path!r}
warnings.simplefilter("ignore")
import toolkit, toolkit.dataset.shards
sources, out, limit, resume = {sources!r}, {out!r}, {limit!r}, {resume!r}
toolkit.dataset.shards.SHARD_BYTES = {shard_bytes!r} or toolkit.dataset.shards.SHARD_BYTES
if limit:
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
print("ready", flush=True)
try:
    toolkit.export(sources, out, overwrite=True, resume=resume)
except toolkit.errors.ExportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)
"""


def export_alone(sources: list[Path], out: Path, limit: int, resume: bool) -> None:
    """Export in a process of its own, which may be killed; exit with 3 if the export fails."""
    tqdm.set_lock(threading.RLock())  # its own outlives a killed process
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    warnings.simplefilter("ignore")
    shards.SHARD_BYTES = 1 if resume else shards.SHARD_BYTES
    if limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        import resource  # Windows has none

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        toolkit.export(sources, out, overwrite=True, resume=resume)
    except toolkit.errors.ExportError:
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(130)


class Violation(Exception):
    """A state that must never occur."""


def exporting(sources, out, limit=0, *, resume=False, shard_bytes=0):
    """Start an export in a process of its own; `limit`: most bytes of a file."""
    listed = [sources] if isinstance(sources, str | os.PathLike) else sources
    code = SCRIPT.format(
        path=[os.fspath(Path(toolkit.__file__).parents[1])],
        sources=[os.fspath(source) for source in listed],
        out=os.fspath(out),
        limit=limit,
        resume=resume,
        shard_bytes=shard_bytes,
    )
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def contents(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def files(out: Path) -> dict[str, str]:
    """Return the hash of every file of an export, by its path in it."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def verified(out: Path, allowed: list[toolkit.LogprobTables], where: str = "") -> None:
    """Check that an export is one of those that may be there, file by file."""
    try:
        manifest = json.loads((out / MANIFEST).read_text())
        if not (out / "_SUCCESS").exists():
            raise Violation(f"{where}: no _SUCCESS")
        for name, table in manifest["tables"].items():
            for part in table["files"]:
                raw = (out / name / part["name"]).read_bytes()
                if hashlib.sha256(raw).hexdigest() != part["sha256"]:
                    raise Violation(f"{where}: {name}/{part['name']} differs from its manifest")
        found = toolkit.read_parquet(out)
    except (OSError, KeyError, ValueError, toolkit.ToolkitError) as error:
        raise Violation(f"{where}: {type(error).__name__}: {error}") from error
    if not any(found.equals(each) for each in allowed):
        raise Violation(f"{where}: neither the old export nor the new one")


def read_until(stop, out: Path, allowed: list[toolkit.LogprobTables]) -> Counter[str]:
    """Read an export again and again until an event is set; count what came of it."""
    counts: Counter[str] = Counter()
    while not stop.is_set():
        try:
            found = toolkit.read(out)
        except Exception as error:
            counts[f"{type(error).__name__}: {error}"] += 1
        else:
            counts["whole" if any(found.equals(each) for each in allowed) else "mixed"] += 1
    return counts


def read_alone(stop, out: Path, sources: list[Path], results) -> None:
    """Read until an event is set, in a process of its own; send None at the start, then counts."""
    warnings.simplefilter("ignore")
    allowed = [toolkit.read(source) for source in sources]
    results.put(None)
    results.put(read_until(stop, out, allowed))


def plant(folder: Path, name: str, rng: random.Random) -> None:
    """Make what another program might have made, named like the leftovers of exports to `name`."""
    digits = uuid.UUID(int=rng.getrandbits(128)).hex
    endings = ("1", "old", digits, digits.upper(), digits[:-1], f"{digits}0", f"{digits}.bak")
    kind = rng.choice(("staging", "old", "lock", "export-lock", "stage"))
    path = folder / f"{rng.choice(('.', ''))}{name}.{kind}-{rng.choice(endings)}"
    if kind.endswith("lock"):
        path = folder / f".{name}.{kind}"
    if os.path.lexists(path):
        return
    match rng.choice(("file", "empty folder", "folder", "link", "likeness")):
        case "file":
            path.write_text("mine")
        case "link":
            path.symlink_to(folder)
        case shape:
            path.mkdir()
            if shape != "empty folder":
                (path / "content").mkdir()
                (path / "content" / "notes.txt").write_text("mine")
            if shape == "likeness":  # a mark with the digits of another directory
                (path / f"toolkit-{'0' * 32}").touch()


def listing(folder: Path) -> dict[str, str]:
    """Return all paths below a folder with the text of each file and the target of each link."""
    found = {}
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(place, name)
            text = os.readlink(path) if path.is_symlink() else ""
            if not path.is_symlink() and path.is_file():
                text = path.read_bytes().hex()
            found[path.relative_to(folder).as_posix()] = text
    return found
