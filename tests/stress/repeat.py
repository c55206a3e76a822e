"""Read everything again and again in one process: memory, descriptors and threads stay flat.

``python -m tests.stress.repeat --reads 10000`` reads the sources of `SOURCES` in turn, good and
broken ones, by `read`, `scan` (left early) and `read_parquet`. It prints the resident memory, the
open descriptors and the threads after each tenth, and exits with 1 if one of them grew.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

import toolkit
from tests.conftest import ROOT

DATA = ROOT / "data"
BROKEN = [
    b"",
    b"{",
    b"{}\n" * 50,
    b"[" * 500,
    b"\xff\xfe\x00",
    b"data: {\n\n",
    b"\x1f\x8b\x08\x00\x00",
]
GROWTH = 16 << 20  # bytes of resident memory after the first tenth


def turns(folder: Path) -> list[Callable[[], object]]:
    """Return the reads that take turns: of every file in data/, of broken bytes, of an export."""
    out = toolkit.export(DATA / "sentiment_k20.jsonl", folder / "out")
    files = sorted(path for path in DATA.iterdir() if ".jsonl" in path.name or ".sse" in path.name)
    return [
        *(lambda path=path: toolkit.read(path) for path in files),
        *(lambda path=path: next(toolkit.scan(path, batch_bytes=1 << 14)) for path in files),
        *(lambda data=data: toolkit.read(data) for data in BROKEN),
        lambda: toolkit.read_parquet(out),
        lambda: toolkit.read(folder / "is not there"),
    ]


def repeated(reads: int, folder: Path) -> Iterator[tuple[int, int, int]]:
    """Read; yield the resident bytes, the open descriptors and the threads after each tenth."""
    each = turns(folder)
    for i in range(reads):
        with contextlib.suppress(toolkit.ToolkitError, StopIteration):
            each[i % len(each)]()
        if (i + 1) % (reads // 10) == 0:
            gc.collect()
            pa.default_memory_pool().release_unused()
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf(
                "SC_PAGESIZE"
            )
            yield resident, len(os.listdir("/proc/self/fd")), threading.active_count()


def grown(tenths: list[tuple[int, int, int]]) -> bool:
    """Return whether memory, descriptors or threads grew after the first tenth."""
    (first, *counts), (last, *last_counts) = tenths[0], tenths[-1]
    return last - first > GROWTH or any(b > a for a, b in zip(counts, last_counts, strict=True))


def main() -> int:
    """Read, and print a line for each tenth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reads", type=int, default=10_000)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    begun, tenths = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        for tenth in repeated(options.reads, Path(folder)):
            tenths.append(tenth)
            rss, n_open, threads = tenth
            done = options.reads // 10 * len(tenths)
            print(f"{done:>8,} reads  {rss / 2**20:7.1f} MiB  {n_open} open  {threads} threads")
    print(f"{'GREW' if grown(tenths) else 'flat'} in {time.monotonic() - begun:.0f} s")
    return int(grown(tenths))


if __name__ == "__main__":
    sys.exit(main())
