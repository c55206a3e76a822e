"""pysimdjson merely parsing every line: what any reader built on it could not beat."""

from __future__ import annotations

from pathlib import Path

import simdjson

from benchmarks.corpus import Spec
from benchmarks.loops import lines


def read(path: Path, spec: Spec, threads: int) -> None:
    """Parse and forget."""
    parse = simdjson.Parser().parse
    for line in lines(path):
        parse(line)
