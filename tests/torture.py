"""Kill, race and starve exports for a while, and count what went wrong.

``python -m tests.torture --minutes 20`` runs four loops in turn and prints their counts; it exits
with 1 if there was a violation. Each round begins with an earlier export in place, and ends with
the question whether what is there is that one or the new one, whole, with every hash of its
manifest right, and whether the next run clears up.

kill, interrupt
    SIGKILL, or SIGINT, at a random moment of an export.
race
    2 to 8 exporters of different recordings on one directory, at once.
full
    A limit on the size of files, so that writing fails at a random byte.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import toolkit
from tests.test_commit import exporting
from toolkit.dataset import MANIFEST

DATA = Path(__file__).resolve().parents[1] / "data"
SOURCES = [
    DATA / "capitals_batch.jsonl",
    DATA / "stories_k10.jsonl.gz",
    DATA / "arithmetic_n5.jsonl",
    DATA / "sentiment_k20.jsonl",
]


class Violation(Exception):
    """Something that must never be."""


def verified(out: Path, allowed: list[toolkit.LogprobTables]) -> None:
    """Check that an export is one of those that may be there, file by file."""
    manifest = json.loads((out / MANIFEST).read_text())
    if not (out / "_SUCCESS").exists():
        raise Violation("no _SUCCESS")
    for name, table in manifest["tables"].items():
        for part in table["files"]:
            raw = (out / name / part["name"]).read_bytes()
            if hashlib.sha256(raw).hexdigest() != part["sha256"]:
                raise Violation(f"{name}/{part['name']} is not what its manifest says")
    found = toolkit.read_parquet(out)
    if not any(found.equals(each) for each in allowed):
        raise Violation("neither the old export nor the new one")


def one_round(kind: str, rng: random.Random, folder: Path, known: dict) -> str:
    """Run one round in a folder with an export in it; return what came of it."""
    out = folder / "out"
    old, *new = rng.sample(SOURCES, rng.randint(2, 4))
    toolkit.export(old, out, overwrite=True)
    allowed = [known[old], *(known[source] for source in new)]
    if kind == "race":
        racing = [exporting(rng.choice(new), out) for _ in range(rng.randint(2, 8))]
        codes = []
        for process in racing:
            process.communicate(timeout=120)
            codes.append(process.returncode)
        if set(codes) - {0, 3} or 0 not in codes:
            raise Violation(f"exit codes {codes}")
        outcome = f"{codes.count(0)} of {len(codes)} wrote"
        allowed = allowed[1:]
    else:
        limit = rng.randint(1, 80_000) if kind == "full" else 0
        process = exporting(new[0], out, limit)
        if kind != "full":
            time.sleep(rng.random() * 0.7)
            process.send_signal(signal.SIGKILL if kind == "kill" else signal.SIGINT)
        process.communicate(timeout=120)
        outcome = "ended first" if process.returncode == 0 else "stopped"
    verified(out, allowed)
    toolkit.export(old, out, overwrite=True)
    left = sorted(path.name for path in folder.iterdir())
    if left != ["out"]:
        raise Violation(f"left behind: {left}")
    return outcome


def main() -> int:
    """Run the loops and print their counts."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=["kill", "interrupt", "race", "full"])
    options = parser.parse_args()
    rng = random.Random(options.seed)
    known = {source: toolkit.read(source) for source in SOURCES}
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in options.kinds}
    violations = []
    end = time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory() as folder:
        n = 0
        while time.monotonic() < end:
            kind = options.kinds[n % len(options.kinds)]
            n += 1
            place = Path(folder) / str(n)
            place.mkdir()
            try:
                counts[kind][one_round(kind, rng, place, known)] += 1
            except (Violation, toolkit.ToolkitError, OSError, KeyError) as error:
                counts[kind]["VIOLATION"] += 1
                violations.append(f"{kind}, round {n}: {type(error).__name__}: {error}")
    for kind, outcomes in counts.items():
        told = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items()))
        print(f"{kind:<10}{outcomes.total():>7,} rounds  {told}")
    print(f"{len(violations)} violations, seed {options.seed}")
    print("\n".join(violations[:20]))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
