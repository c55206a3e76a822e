"""Kill, interrupt, race and fault exports, fill their disk, and fuzz the readers; count violations.

``python -m tests.stress.torture --minutes 5`` runs rounds of all kinds in turn for 5 minutes.
``--whole`` runs 1,000 kills, 200 interrupts, 200 races, 200 full disks, 200 resumed exports, 200
rounds of readers, 1,000 of foreign files, 210 kills of writers with `tee`, every fault point and
10,000,000 fuzz inputs. It prints the counts at the end, and exits with 1 after a violation.

kill, interrupt
    SIGKILL, or SIGINT, at a random moment of an export, while an earlier one exists.
race
    2 to 8 exporters of different recordings write to one directory at once.
full
    A limit on the size of files makes writing fail at a random byte.
resume
    An export is killed up to five times, and resumed each time: it must have the files of an
    uninterrupted export, and finished shards must not be written again.
read
    A reader in a process of its own beside 10 overwrites: each read must find one export whole, and
    as many must succeed ("stopped").
foreign
    An export, killed or not, beside files, folders and links of others that are named like its
    leftovers: all must remain, and an export that holds a file of others must not be replaced.

After each round the directory must hold the earlier export or the new one, complete and with every
hash of its manifest right, and the next export must remove all leftovers. The faults are those of
`tests.stress.faults`, the fuzz inputs those of `tests.fuzz`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import toolkit
from tests.conftest import ROOT
from tests.stress.exports import (
    Violation,
    contents,
    export_alone,
    files,
    listing,
    plant,
    read_alone,
    verified,
)
from tests.stress.tees import killed_writers

DATA = ROOT / "data"
SOURCES = [
    DATA / "capitals_batch.jsonl",
    DATA / "stories_k10.jsonl.gz",
    DATA / "arithmetic_n5.jsonl",
    DATA / "sentiment_k20.jsonl",
]
WHOLE = {
    "kill": 1000,
    "interrupt": 200,
    "race": 200,
    "full": 200,
    "resume": 200,
    "read": 200,
    "foreign": 1000,
    "tee": 70,
}  # three kills a round of tee
KINDS = tuple(WHOLE)
FUZZ_INPUTS = 10_000_000
_LONGEST = 0.1  # seconds; about what an export of these sources takes
_KILLS = 5
_OVERWRITES = 10
_PROCESSES = multiprocessing.get_context("forkserver")  # a fresh one imports for half a second,
# and a signal would hit that rather than the export


def _started(sources: list[Path], out: Path, limit: int = 0, resume: bool = False):
    process = _PROCESSES.Process(target=export_alone, args=(sources, out, limit, resume))
    process.start()
    return process


def _ended(process) -> int:
    process.join(120)
    if process.exitcode is None:
        process.kill()
        raise Violation("an export hangs")
    return process.exitcode


class Rounds:
    """Rounds on exports of some sources, in a folder."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.known = {source: toolkit.read(source) for source in SOURCES}

    def round(self, kind: str, folder: Path) -> str:
        """Run a round; return what came of it."""
        if kind in ("resume", "read", "foreign"):
            turns = {"resume": self._resumed, "read": self._read, "foreign": self._foreign}
            return turns[kind](folder)
        if kind == "tee":
            return killed_writers(self.rng, folder)
        out = folder / "out"
        old, *new = self.rng.sample(SOURCES, self.rng.randint(2, 4))
        toolkit.export(old, out, overwrite=True)
        allowed = [self.known[old], *(self.known[source] for source in new)]
        if kind == "race":
            outcome = self._raced(new, out)
            allowed = allowed[1:]
        else:
            outcome = self._stopped(kind, new[0], out)
        verified(out, allowed, kind)
        toolkit.export(old, out, overwrite=True)
        if contents(folder) != ["out"]:
            raise Violation(f"not removed: {contents(folder)}")
        return outcome

    def _stopped(self, kind: str, source: Path, out: Path) -> str:
        limit = self.rng.randint(1, 80_000) if kind == "full" else 0
        process = _started([source], out, limit)
        if not limit:
            time.sleep(self.rng.random() * _LONGEST)
            signal_ = signal.SIGKILL if kind == "kill" else signal.SIGINT
            if process.is_alive():
                os.kill(process.pid, signal_)
        code = _ended(process)
        expected = {"kill": -signal.SIGKILL, "interrupt": 130, "full": 3}[kind]
        if code == 0:
            return "ended first"
        if code != expected and kind != "interrupt":  # which also hits Python while it starts
            raise Violation(f"exit code {code}")
        return "stopped"

    def _raced(self, sources: list[Path], out: Path) -> str:
        racing = [_started([self.rng.choice(sources)], out) for _ in range(self.rng.randint(2, 8))]
        codes = [_ended(process) for process in racing]
        if set(codes) - {0, 3} or 0 not in codes:
            raise Violation(f"exit codes {codes}")
        return "stopped"

    def _resumed(self, folder: Path) -> str:
        sources = self.rng.sample(SOURCES, len(SOURCES))
        if _ended(_started(sources, folder / "whole", resume=True)):
            raise Violation("an export in one go failed")
        out = folder / "out"
        for _ in range(self.rng.randint(1, _KILLS)):
            process = _started(sources, out, resume=True)
            time.sleep(self.rng.random() * _LONGEST)
            process.kill()
            _ended(process)
            if out.exists():
                break
        finished = _finished(folder)
        if _ended(_started(sources, out, resume=True)):
            raise Violation("the last export failed")
        if files(out) != files(folder / "whole"):
            raise Violation("not the files of an export in one go")
        now = {path.stat().st_ino for path in out.rglob("*.parquet")}
        if not finished <= now:
            raise Violation("what was finished was made again")
        if contents(folder) != ["out", "whole"]:
            raise Violation(f"not removed: {contents(folder)}")
        return "stopped" if finished else "ended first"

    def _read(self, folder: Path) -> str:
        out = folder / "out"
        sources = self.rng.sample(SOURCES, 2)
        exports = [self.known[source] for source in sources]
        exports[0].write_parquet(out)
        stop, results = _PROCESSES.Event(), _PROCESSES.Queue()
        process = _PROCESSES.Process(target=read_alone, args=(stop, out, sources, results))
        process.start()
        results.get(timeout=120)  # it has begun
        for i in range(_OVERWRITES):
            time.sleep(self.rng.random() * _LONGEST / 5)
            exports[(i + 1) % 2].write_parquet(out, overwrite=True)
        stop.set()
        counts = results.get(timeout=120)
        _ended(process)
        if set(counts) - {"whole"}:
            raise Violation(f"reads: {dict(counts)}")
        return "stopped" if counts["whole"] >= _OVERWRITES else "ended first"

    def _foreign(self, folder: Path) -> str:
        out = folder / "out"
        for _ in range(self.rng.randint(1, 8)):
            plant(folder, self.rng.choice(("out", "out.staging-1")), self.rng)
        before = listing(folder)
        sources = self.rng.sample(SOURCES, 2)
        outcome = "stopped"
        if self.rng.random() < 0.5 and ".out.export-lock" not in before:
            outcome = self._stopped("kill", sources[0], out)
        code = _ended(_started([sources[1]], out))
        if code != (3 if ".out.export-lock" in before else 0):
            raise Violation(f"exit code {code}")
        if out.exists():
            verified(out, [self.known[sources[1]]], "foreign")
            (out / "notes.txt").write_text("mine")
            kept = listing(out)
            if _ended(_started([sources[0]], out)) != 3 or listing(out) != kept:
                raise Violation("an export with a foreign file was replaced")
            shutil.rmtree(out)
        if listing(folder) != before:
            raise Violation(f"not as before: {set(listing(folder).items()) ^ set(before.items())}")
        return outcome


def _finished(folder: Path) -> set[int]:
    """Return the files, by their inodes, of shards that a killed export has finished."""
    return {
        part.stat().st_ino
        for path in folder.glob(".out.staging-*/checkpoints/*.json")
        for part in (path.parents[1] / "content").glob(f"*/part-{path.stem}*.parquet")
    }


def ran(*arguments: str) -> int:
    """Run another module of the tests, and show what it prints."""
    return subprocess.run([sys.executable, "-m", *arguments], check=False).returncode


def rounds(wanted: dict[str, int], seconds: float, seed: int) -> list[str]:
    """Run rounds in turn until there are as many as wanted, or time is over; print their counts."""
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in wanted}
    violations: list[str] = []
    turns = Rounds(random.Random(seed))
    end, n = time.monotonic() + seconds, 0
    try:
        while time.monotonic() < end:
            due = [kind for kind in wanted if counts[kind]["stopped"] < wanted[kind]]
            if not due:
                break
            kind = due[n % len(due)]
            n += 1
            with tempfile.TemporaryDirectory() as folder:
                try:
                    counts[kind][turns.round(kind, Path(folder))] += 1
                except (Violation, toolkit.ToolkitError, OSError) as error:
                    counts[kind]["VIOLATION"] += 1
                    violations.append(f"{kind}, round {n}: {type(error).__name__}: {error}")
    finally:  # also of a run that is interrupted
        for kind, outcomes in counts.items():
            listed = ", ".join(
                f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items())
            )
            print(f"{kind:<10}{outcomes.total():>7,} rounds  {listed}")
    return violations


def main() -> int:
    """Run the rounds and print their counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=1.0, help="of rounds, if not --whole")
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    _PROCESSES.set_forkserver_preload(
        ["tests.conftest", "tests.stress.tees", "toolkit.dataset.exporting", "pandas"]
    )
    begun = time.monotonic()
    wanted = {kind: WHOLE[kind] if options.whole else sys.maxsize for kind in options.kinds}
    seconds = float("inf") if options.whole else 60 * options.minutes
    violations = rounds(wanted, seconds, options.seed)
    if options.whole:
        inputs = ("--inputs", str(FUZZ_INPUTS), "--jobs", "2", "--seed", str(options.seed))
        for module, *arguments in (("tests.stress.faults",), ("tests.fuzz", *inputs)):
            if ran(module, *arguments):
                violations.append(f"python -m {' '.join((module, *arguments))}")
    minutes = (time.monotonic() - begun) / 60
    print(f"{len(violations)} violations in {minutes:.0f} minutes, seed {options.seed}")
    print("\n".join(violations[:20]))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
