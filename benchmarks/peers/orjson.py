"""orjson, then loops."""

from __future__ import annotations

from pathlib import Path

import orjson

from benchmarks.corpus import Spec
from benchmarks.flat import Flat
from benchmarks.loops import collector_paused, dict_records, from_dicts, or_repaired


def read(path: Path, spec: Spec, threads: int) -> Flat:
    """Parse line by line into dicts."""
    loads = or_repaired(orjson.loads, orjson.JSONDecodeError)
    with collector_paused():
        return from_dicts(dict_records(path, loads, spec), spec)
