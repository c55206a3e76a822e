"""``python -m benchmarks.interpreter_lock``: the CPU time with the interpreter lock held.

What holds the lock runs on one thread at a time, so its share of the CPU time is the serial share.
Unlike speeds of several threads, it can be measured on a machine that has other work. It needs a C
compiler, and a Python whose library is shared, because calls into that library are counted.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import corpus
from benchmarks.corpus import Spec
from benchmarks.report import Table

_SOURCE = Path(__file__).with_suffix(".c")


def main() -> None:
    """Compile what counts, run again with it loaded, and print the table."""
    options = _parser().parse_args()
    if "LD_PRELOAD" in os.environ:
        print(_measured(options).text())
        return
    if not sysconfig.get_config_var("Py_ENABLE_SHARED"):
        sys.exit("this needs a Python that was built with --enable-shared")
    options.cache.mkdir(parents=True, exist_ok=True)
    library = options.cache / "interpreter_lock.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", _SOURCE, "-o", library, "-ldl"], check=True)
    command = [sys.executable, "-m", "benchmarks.interpreter_lock", *sys.argv[1:]]
    os.execve(command[0], command, os.environ | {"LD_PRELOAD": str(library)})


def _measured(options: argparse.Namespace) -> Table:
    from benchmarks.peers import toolkit as peer

    whole = Spec(k=5)
    rows = []
    for name, spec, suffix in (
        ("read", whole, ".jsonl"),
        ("read stream chunks", corpus.as_streamed(whole), ".jsonl"),
        ("read gzip", whole, ".jsonl.gz"),
        ("export", whole, ".jsonl"),
    ):
        path = corpus.cached(options.cache, spec, options.mb, suffix)

        def work(name: str = name, path: Path = path, spec: Spec = spec) -> None:
            if name != "export":
                peer.read(path, spec, options.threads)
                return
            with tempfile.TemporaryDirectory(dir=options.cache) as folder:
                peer.export(path, spec, Path(folder), options.threads)

        rows.append({"": name, **_share(work, options.repeats)})
    note = f"{options.mb:.0f} MB; threads: {options.threads}; medians of {options.repeats} runs."
    return Table("CPU time with the interpreter lock held", rows, note)


def _share(work: Callable[[], None], repeats: int) -> dict[str, Any]:
    counters = ctypes.PyDLL(None)
    free, handed = counters.lock_free_ns, counters.lock_handed_over
    free.restype = handed.restype = ctypes.c_int64
    work()
    runs = []
    for _ in range(repeats):
        gc.collect()
        before = time.process_time(), free() / 1e9, handed()
        work()
        cpu, unlocked, times = time.process_time(), free() / 1e9, handed()
        cpu, unlocked, times = cpu - before[0], unlocked - before[1], times - before[2]
        runs.append((cpu, 100 * (cpu - unlocked) / cpu, times))
    cpu, held, times = (statistics.median(column) for column in zip(*runs, strict=True))
    return {"CPU s": cpu, "held %": held, "handed over": int(times)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interpreter_lock")
    add = parser.add_argument
    add("--mb", type=float, default=128, help="size of a corpus (default %(default)s)")
    add("--threads", type=int, default=2, help="of the toolkit (%(default)s)")
    add("--repeats", type=int, default=5, help="runs that count (%(default)s)")
    add("--cache", type=Path, default=Path(tempfile.gettempdir()) / "logprob-benchmarks")
    return parser


if __name__ == "__main__":
    main()
