"""The process that one contestant runs in: one run for each line on stdin, one report for each.

The first report is what the interpreter needs with its imports; it comes without being asked for.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.corpus import Spec


class Job(NamedTuple):
    """What is timed, and what is made of its result outside the clock."""

    run: Callable[[], Any]
    checks: Callable[[Any], dict[str, Any]]
    clean: Callable[[], None] = lambda: None


def reading(task: dict[str, Any]) -> Job:
    """Read a corpus."""
    from benchmarks.flat import checksums

    peer = importlib.import_module(f"benchmarks.peers.{task['module']}")
    path, spec, threads = Path(task["path"]), Spec(**task["spec"]), task["threads"]

    def checks(result: Any) -> dict[str, Any]:
        if result is None:
            return {}
        return checksums(peer.flat(result) if hasattr(peer, "flat") else result)

    return Job(lambda: peer.read(path, spec, threads), checks)


def exporting(task: dict[str, Any]) -> Job:
    """Turn a corpus into Parquet."""
    from benchmarks import parquet

    peer = importlib.import_module(f"benchmarks.peers.{task['module']}")
    path, spec, threads = Path(task["path"]), Spec(**task["spec"]), task["threads"]
    folder = Path(tempfile.mkdtemp(dir=task["folder"]))

    def run() -> None:
        folder.mkdir(exist_ok=True)
        if hasattr(peer, "export"):
            peer.export(path, spec, folder, threads)
        else:
            parquet.write(peer.read(path, spec, threads), folder)

    def checks(_: None) -> dict[str, Any]:
        found = {"written_mb": parquet.size(folder) / 1e6}
        if task["checked"]:
            found |= parquet.checksums_of(folder, getattr(peer, "exported", parquet.read))
        return found

    return Job(run, checks, lambda: shutil.rmtree(folder))


def computing(task: dict[str, Any]) -> Job:
    """Compute a metric of tables that are mapped into memory."""
    from benchmarks import tables

    if hasattr(os, "sched_setaffinity"):  # the public functions use all cores that they may
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: task["threads"]])
    peer = importlib.import_module(f"benchmarks.kernels.{task['module']}")
    state = peer.load(tables.load(Path(task["path"])))
    function = getattr(peer, task["metric"])
    return Job(lambda: function(state), tables.summary if task["checked"] else lambda _: {})


JOBS = {"read": reading, "export": exporting, "metric": computing}


def peak_mb() -> float:
    """Return the greatest resident size of this process so far, in 10^6 bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says would be our parent's, if that was greater
        line = next(s for s in status.read_text().splitlines() if s.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6


def main() -> None:
    """Serve the runs of one contestant."""
    task = json.loads(sys.argv[1])
    job = JOBS[task["kind"]](task)
    _report({"baseline_mb": peak_mb()})
    checked = False
    for _ in sys.stdin:
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()
        result = job.run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        report: dict[str, Any] = {"wall": wall, "cpu": cpu, "peak_mb": peak_mb()}
        if not checked:
            report["checks"] = job.checks(result)
            checked = True
        del result
        job.clean()
        _report(report)


def _report(report: dict[str, Any]) -> None:
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
