"""Contestants in processes of their own, taking turns, and whether they agree."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

_THREADS = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_TURN = 0.2  # seconds; short runs are repeated, because other processes left the caches cold


class DisagreementError(Exception):
    """Two contestants made different tables of the same file."""


@dataclass(frozen=True)
class Contestant:
    """One line of a table, and how to run it.

    Attributes
    ----------
    name : str
    task : dict
        What `benchmarks.worker` is to do.
    amount : float
        What one run works through, in the unit that the table divides by seconds.
    repeats : int
        Runs that count, after one that warms up; 0: the first run counts.
    group : str
        Contestants of one group must agree.
    shown : bool
        False if it is there for the others to be compared with.
    """

    name: str
    task: dict[str, Any]
    amount: float
    repeats: int
    group: str
    shown: bool = True


@dataclass
class Result:
    """What was measured: seconds of each run, sizes in 10^6 bytes."""

    contestant: Contestant
    baseline_mb: float
    first: float = math.nan  # wall-clock seconds of the process's first run
    peak_mb: float = math.nan  # after it
    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    checks: dict[str, Any] = field(default_factory=dict)

    @property
    def wall(self) -> float:
        """Median wall-clock seconds."""
        return statistics.median(self.walls)

    @property
    def cpu(self) -> float:
        """Median CPU seconds, over all threads."""
        return statistics.median(self.cpus)

    @property
    def rate(self) -> float:
        """Amount per second."""
        return self.contestant.amount / self.wall

    @property
    def cpu_rate(self) -> float:
        """Amount per CPU second."""
        return self.contestant.amount / self.cpu


class _Process:
    """A worker that waits for its turn."""

    def __init__(self, contestant: Contestant) -> None:
        threads = str(contestant.task.get("threads", 1))
        self.contestant = contestant
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", json.dumps(contestant.task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | dict.fromkeys(_THREADS, threads),
        )
        self.result = Result(contestant, self._report()["baseline_mb"])

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        if self.process.stdout:
            self.process.stdout.close()
        self.process.wait()

    def run(self, *, counted: bool) -> None:
        """Take a turn: run once, and as often as there is time in it if the runs count."""
        left = _TURN
        while left > 0:
            report = self._once()
            if "checks" in report:  # the first run: later ones may find memory left by it
                self.result.checks = report["checks"]
                self.result.first = report["wall"]
                self.result.peak_mb = report["peak_mb"]
            if not counted:
                return
            self.result.walls.append(report["wall"])
            self.result.cpus.append(report["cpu"])
            left -= report["wall"]

    def _once(self) -> dict[str, Any]:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._report()

    def _report(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            raise RuntimeError(f"{self.contestant.name} ended with exit code {code}")
        return json.loads(line)


def run(contestants: Sequence[Contestant]) -> list[Result]:
    """Warm everyone up, then let them run in turns, so that noise hits all alike.

    Returns
    -------
    list of Result
        Of those that are to be shown, in the order given.

    Raises
    ------
    DisagreementError
        If contestants of one group made different tables.
    """
    with ExitStack() as stack:
        processes = [stack.enter_context(_Process(contestant)) for contestant in contestants]
        for process in processes:
            process.run(counted=process.contestant.repeats == 0)
        results = [process.result for process in processes]
        agree(results)
        for turn in range(max(contestant.repeats for contestant in contestants)):
            for process in processes:
                if turn < process.contestant.repeats:
                    process.run(counted=True)
    return [result for result in results if result.contestant.shown]


def agree(results: Sequence[Result]) -> None:
    """Raise `DisagreementError` unless the checks of each group are equal."""
    first: dict[str, Result] = {}
    for result in results:
        reference = first.setdefault(result.contestant.group, result)
        for name in reference.checks.keys() & result.checks.keys() - {"written_mb"}:
            ours, theirs = reference.checks[name], result.checks[name]
            if not _same(ours, theirs):
                raise DisagreementError(
                    f"{result.contestant.group}: {name} is {theirs} by {result.contestant.name}, "
                    f"{ours} by {reference.contestant.name}"
                )


def _same(left: object, right: object) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9)
    return left == right
