"""Processes that write streams to one file with `tee`, some of which are killed.

``python -m tests.stress.tees FILE NAME N [kill]`` writes N streams, with the ids NAME0, NAME1 ...;
with ``kill``, the process kills itself in the middle of the write of the second chunk. After each
chunk that was written, a line with its stream and number is printed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import toolkit
from tests.stress.exports import Violation

CHUNKS = [
    {
        "id": "",
        "choices": [
            {
                "index": 0,
                "delta": {"content": text},
                "logprobs": {"content": [{"token": text, "logprob": -0.5}]},
                "finish_reason": reason,
            }
        ],
    }
    for text, reason in (("Hé", None), ("llo", None), ("!", "stop"))
]
_PADDING = 300_000  # bytes of the longest lines, more than one write keeps together
_WRITERS = 3  # processes
_LONGEST = 0.5  # seconds until a process is killed


def started_writer(file: Path, name: str, n: int, *more: str, **options: Any) -> subprocess.Popen:
    """Start a process that writes streams."""
    arguments = ("-m", "tests.stress.tees", str(file), name, str(n), *more)
    return subprocess.Popen([sys.executable, *arguments], **options)


def _stream(rng: random.Random) -> Iterator[dict[str, Any]]:
    for chunk in CHUNKS:
        yield {**chunk, "padding": "x" * rng.choice((10, 5_000, _PADDING))}


def _half_then_killed(file: int, data: bytes, _write=os.write) -> int:
    _write(file, data[: len(data) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def _write_streams(file: str, name: str, n: str, kills: str = "") -> None:
    rng = random.Random(name)
    for i in range(int(n)):
        for j, _ in enumerate(toolkit.tee(_stream(rng), file, custom_id=f"{name}{i}")):
            print(f"{name}{i} {j}", flush=True)
            if kills:
                os.write = _half_then_killed


def killed_writers(rng: random.Random, folder: Path) -> str:
    """Kill writers of one file at random moments; return whether any kill hit a running one.

    Each chunk that was passed on before the kill must be read, and each kill may cut one line.
    """
    file = folder / "log.jsonl"
    pipe = {"stdout": subprocess.PIPE, "text": True}
    writers = [started_writer(file, "abc"[i], 1_000_000, **pipe) for i in range(_WRITERS)]
    for writer in writers:
        writer.stdout.readline()
    for writer in writers:
        time.sleep(rng.random() * _LONGEST / _WRITERS)
        writer.kill()
    passed = [line for writer in writers for line in writer.communicate()[0].splitlines()]
    list(toolkit.tee(_stream(rng), file, custom_id="last"))
    lp = toolkit.read(file)
    rejects = lp.rejects["reason"].to_pylist()
    if set(rejects) - {"truncated"} or len(rejects) > _WRITERS:
        raise Violation(f"rejects {rejects}")
    columns = (lp.responses[name].to_pylist() for name in ("custom_id", "n_chunks"))
    chunks = dict(zip(*columns, strict=True))
    lost = [line for line in passed if chunks.get(line.split()[0], 0) <= int(line.split()[1])]
    if lost or chunks.get("last") != len(CHUNKS):
        raise Violation(f"{len(lost)} chunks of {len(passed)} are lost, the first is {lost[:1]}")
    return "stopped"


if __name__ == "__main__":
    _write_streams(*sys.argv[1:])
