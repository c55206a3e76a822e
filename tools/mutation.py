"""Measure how many mutants of the code the tests kill: ``python -m tools.mutation``.

Runs mutmut (``pip install '.[mutation]'``) on the modules of each group, in a copy of the project,
with the tests that should fail, and prints how many mutants they killed. A mutant that makes tests
run without end counts as killed. ``--sample N`` takes each mutant with probability 1 / N, with a
fixed seed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GROUPS = {
    "framing": (
        ["toolkit/loaders/framing/*"],
        [
            "tests/loaders/framing/test_detect.py",
            "tests/test_limits.py",
            "tests/loaders/framing/test_cassettes.py",
        ],
    ),
    "streams": (
        ["toolkit/loaders/merging/merger.py", "toolkit/loaders/merging/assign.py"],
        [
            "tests/loaders/merging/test_assign.py",
            "tests/loaders/merging/test_merger.py",
            "tests/loaders/test_scan.py",
        ],
    ),
    "decode": (
        [
            *("toolkit/loaders/decoding/decoder.py", "toolkit/loaders/decoding/reference.py"),
            *("toolkit/loaders/decoding/ordinals.py", "toolkit/loaders/decoding/strict_json.py"),
        ],
        [
            *(
                "tests/loaders/decoding/test_reference.py",
                "tests/test_limits.py",
                "tests/loaders/decoding/test_oddness.py",
            ),
            *("tests/loaders/test_objects.py", "tests/loaders/formats/test_dialects.py"),
        ],
    ),
    "export": (
        ["toolkit/dataset/*"],
        [
            "tests/dataset/test_read.py",
            "tests/dataset/test_shards.py",
            "tests/dataset/test_publish.py",
            "tests/dataset/test_versions.py",
        ],
    ),
    "metrics": (
        [
            *("toolkit/metrics/_arrays/segments.py", "toolkit/metrics/_arrays/entropy.py"),
            "toolkit/metrics/_arrays/logprobs.py",
        ],
        [
            "tests/metrics/_arrays/test_segments.py",
            "tests/metrics/test_tokens.py",
            "tests/metrics/test_sequences.py",
        ],
    ),
}
# Tests that take long and check what others check faster, or that look at the code or the clock.
_DESELECTED = (
    "test_whole_and_streamed_are_equal",
    "test_sources_are_read_together_as_each_alone",
    "test_chunks_joined_by_the_scanner_are_those_it_leaves_apart",
    "test_every_cut_of_a_line_is_rejected",
    "test_imports_nothing_but_numpy",
    "test_no_object_in_memory_stops_a_load",  # mutmut needs four times the stack
    "test_a_thread_that_dies_ends_the_load",
    "test_time_is_linear",
)
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SURVIVED = {"survived", "no tests", "suspicious"}


def copied(folder: Path) -> Path:
    """Copy the files of the project, and the native scanner, into a folder."""
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\n")  # fmt: skip
    names += [path.relative_to(ROOT).as_posix() for path in ROOT.glob("toolkit/_scan*.so")]
    for name in filter(None, names):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    return folder


def configured(folder: Path, modules: list[str], tests: list[str]) -> None:
    """Write mutmut's options: the modules to change, and the tests that should notice."""
    deselected = " and ".join(f"not {name}" for name in _DESELECTED)
    options = {
        "source_paths": ["toolkit"],
        "only_mutate": modules,
        "also_copy": ["data", "README.md", "setup.py", "toolkit"],
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": [
            *("-n0", "-p", "no:cacheprovider", "--hypothesis-profile=first"),
            *("-m", "not slow", "-k", deselected),
        ],
        "process_isolation": "forkserver",
        "track_dependencies": False,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in options.items()]
    with (folder / "pyproject.toml").open("a") as file:
        file.write("\n".join(["", "[tool.mutmut]", *lines, ""]))


def mutmut(folder: Path, *arguments: str, may_fail: bool = False) -> str:
    """Run a command of mutmut and return its output."""
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments],
        cwd=folder, check=False, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    if done.returncode and not may_fail:
        lines = [line for line in done.stdout.splitlines() if line[:1] not in _SPINNER]
        sys.exit("\n".join([*lines[-60:], done.stderr[-3000:]]))
    return done.stdout


def measured(group: str, sample: int, jobs: int) -> tuple[int, int, list[str]]:
    """Return the number of killed mutants of a group, of all its mutants, and the survivors."""
    modules, tests = GROUPS[group]
    with tempfile.TemporaryDirectory() as name:
        folder = copied(Path(name))
        if (ROOT.parent / "shared").is_dir():  # recordings that some tests need
            (folder / "shared").symlink_to(ROOT.parent / "shared")
        configured(folder, modules, tests)
        chosen = []
        if sample > 1:  # mutants have names only after a run has made them
            mutmut(folder, "run", "no such mutant", may_fail=True)
            rng = random.Random(0)
            chosen = [each for each in sorted(verdicts(folder)) if rng.random() * sample < 1]
        mutmut(folder, "run", "--max-children", str(jobs), *chosen)
        found = verdicts(folder)
        kept = {each: found[each] for each in chosen or found}
        survivors = [
            f"{each}: {verdict}\n{difference(folder, each)}"
            for each, verdict in kept.items()
            if verdict in _SURVIVED
        ]
    return len(kept) - len(survivors), len(kept), survivors


def difference(folder: Path, mutant: str) -> str:
    """Return the lines that a mutant removes and adds."""
    lines = mutmut(folder, "show", mutant).splitlines()
    return "\n".join(
        line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---") and line
    )


def verdicts(folder: Path) -> dict[str, str]:
    """Return mutmut's verdict on each mutant."""
    lines = mutmut(folder, "results", "--all", "true").splitlines()
    pairs = (line.strip().rpartition(": ") for line in lines if ": " in line)
    return {name: verdict for name, _, verdict in pairs}


def main() -> int:
    """Measure the groups, and print their figures and surviving mutants."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("groups", nargs="*", default=list(GROUPS))
    parser.add_argument("--sample", type=int, default=1, help="run one in N mutants", metavar="N")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    killed = total = 0
    for group in options.groups:
        n, of, survivors = measured(group, options.sample, options.jobs)
        killed, total = killed + n, total + of
        print("\n".join(sorted(survivors)))
        print(f"{group:<10}{n:>6,} of {of:>6,} mutants killed, {n / of:.1%}", flush=True)
    print(f"{'all':<10}{killed:>6,} of {total:>6,} mutants killed, {killed / total:.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
