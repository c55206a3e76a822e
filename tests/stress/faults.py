"""Make every write, fsync, close, rename, open and mkdir of an export fail, one after the other.

``python -m tests.stress.faults`` counts them. It exits with 1 if a failure left anything but the
earlier export or the new one, complete. A small library in C (`faults.c`) is loaded before the C
library, so that calls of Arrow fail like those of Python.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import warnings
from pathlib import Path

import toolkit
from tests.stress.exports import Violation, contents, verified

CALLS = ("write", "fsync", "close", "rename", "open", "mkdir", "unlink")
ERRORS = ("ENOSPC", "EIO", "EDQUOT")
_HERE = Path(__file__).resolve().parent
_SOURCES = [_HERE.parents[1] / "data" / name for name in ("pairs_whole.jsonl", "structured.jsonl")]


def compiled(folder: Path) -> Path | None:
    """Build the library that makes calls fail; None without a C compiler or outside Linux."""
    compiler = shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0]) or shutil.which(
        "cc"
    )
    if compiler is None or sys.platform != "linux":
        return None
    out = folder / "faults.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", out, _HERE / "faults.c", "-ldl"]
    subprocess.run(command, check=True)
    return out


def started(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run this module with the library before the C library."""
    environment = os.environ | {"LD_PRELOAD": os.fspath(compiled(folder))}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-m", "tests.stress.faults", "--inside", *arguments]
    return subprocess.run(
        command, env=environment, cwd=_HERE.parents[1], text=True, capture_output=True
    )


def inject(call: str, error: str, *, over: bool, resume: bool, step: int) -> int:
    """Let the first, second, … such call fail, until there is none left; return how many."""
    library = ctypes.CDLL(None)
    old, new = (toolkit.read(source) for source in _SOURCES)
    nth = 1
    while True:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            out = folder / "out"
            if over:
                toolkit.export(_SOURCES[0], out)
            library.faults_arm(name.encode(), call.encode(), nth, getattr(errno, error))
            try:
                toolkit.export(_SOURCES[1], out, overwrite=True, resume=resume)
                failed = False
            except toolkit.errors.ExportError:
                failed = True
            seen = library.faults_disarm()
            where = f"{call} {nth} with {error}"
            if seen < nth:
                if failed:
                    raise Violation(f"{where}: it failed though nothing was made to fail")
                return seen
            if out.exists():
                verified(out, [old, new] if over and failed else [new], where)
            elif over or not failed:
                raise Violation(f"{where}: nothing is there")
            toolkit.export(_SOURCES[1], out, overwrite=True, resume=resume)
            verified(out, [new], where)
            if contents(folder) != ["out"]:
                raise Violation(f"{where}: not removed: {contents(folder)}")
        nth += step


def main() -> int:
    """Run, and print what was made to fail how often."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--calls", nargs="+", default=CALLS, choices=CALLS)
    parser.add_argument("--errors", nargs="+", default=ERRORS, choices=ERRORS)
    parser.add_argument("--step", type=int, default=1, help="let only every so-manieth fail")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        with tempfile.TemporaryDirectory() as folder:
            done = started(sys.argv[1:], Path(folder))
        print(done.stdout + done.stderr, end="")
        return done.returncode
    warnings.simplefilter("ignore")
    violations = 0
    for call in options.calls:
        points = 0
        for error in options.errors:
            for over, resume in ((False, False), (True, False), (True, True)):
                try:
                    seen = inject(call, error, over=over, resume=resume, step=options.step)
                    points += -(-seen // options.step)
                except Violation as violation:
                    violations += 1
                    print(violation)
        print(f"{call:<8}{points:>6,} failures")
    print(f"{violations} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
