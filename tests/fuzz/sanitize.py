"""Run the scanner under AddressSanitizer and UndefinedBehaviorSanitizer.

A build with the sanitizers replaces the installed scanner in a separate process, which reads
mutants and, with ``--tests``, runs the tests of loading.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from tests.conftest import ROOT

TESTS = ("loaders/decoding", "loaders/test_golden.py", "loaders/test_scan.py", "test_data.py")
_FLAGS = ("-std=c++17", "-g1", "-shared", "-fPIC", "-DPy_LIMITED_API=0x030b0000",
          "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
          "-fno-omit-frame-pointer")  # fmt: skip
_PRELUDE = """
import importlib.util, sys
import toolkit
spec = importlib.util.spec_from_file_location("toolkit._scan", {library!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
sys.modules["toolkit._scan"] = module
from toolkit.loaders import scanner
assert scanner._scan.__file__ == {library!r}
"""
_FUZZ = """
from tests.fuzz import framing
from tests.fuzz.__main__ import run
for _ in framing.run({inputs} // {ratio}, {seed}):
    pass
print("%d inputs, %d taken, no report" % run({inputs}, {seed}))
"""
_RATIO = 10  # records that are scanned for each source that is framed
_PYTEST = """
import pytest
sys.exit(pytest.main(["-q", "-n0", "-p", "no:cacheprovider", *{files!r}]))
"""


def missing() -> str | None:
    """Return the name of a missing requirement, or None."""
    if shutil.which("g++") is None:
        return "no g++"
    if not all(os.path.isabs(library) for library in _libraries()):
        return "no libasan"
    return None


def _libraries() -> list[str]:
    """Return the libraries to load before Python: the sanitizer and the library that it wraps."""
    return [
        subprocess.run(
            ["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libstdc++.so")
    ]


def build(folder: Path, optimization: str = "-O1") -> Path:
    """Build the scanner with the sanitizers and return the path of the library."""
    library = folder / "_scan.abi3.so"
    include = f"-I{sysconfig.get_paths()['include']}"
    package = ROOT / "toolkit"
    source = str(package / "_scan.cpp")
    command = ["g++", *_FLAGS, optimization, include, f"-I{package}", source, "-o", str(library)]
    subprocess.run(command, check=True)
    return library


def run(library: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process that uses this library as the scanner."""
    environment = os.environ | {
        "LD_PRELOAD": " ".join(_libraries()),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python itself leaks when it exits
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    return subprocess.run(
        [sys.executable, "-c", _PRELUDE.format(library=str(library)) + code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def fuzz(library: Path, inputs: int, seed: int) -> subprocess.CompletedProcess[str]:
    """Compare the decoders, and the framers, on mutants."""
    return run(library, _FUZZ.format(inputs=inputs, seed=seed, ratio=_RATIO))


def main() -> int:
    """Run the command; the exit status is 1 after a report."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.sanitize", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tests", action="store_true", help="also run the tests of loading")
    options = parser.parse_args()
    if lacking := missing():
        parser.error(lacking)
    with tempfile.TemporaryDirectory() as folder:
        library = build(Path(folder))
        runs = [fuzz(library, options.inputs, options.seed)]
        if options.tests:
            files = [str(ROOT / "tests" / name) for name in TESTS]
            runs.append(run(library, _PYTEST.format(files=files)))
    for result in runs:
        print(result.stdout, result.stderr, sep="", end="")
    return int(any(result.returncode for result in runs))


if __name__ == "__main__":
    sys.exit(main())
