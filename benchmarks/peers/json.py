"""The standard library's parser, then loops."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.corpus import Spec
from benchmarks.flat import Flat
from benchmarks.loops import collector_paused, dict_records, from_dicts


def read(path: Path, spec: Spec, threads: int) -> Flat:
    """Parse line by line into dicts."""
    with collector_paused():
        return from_dicts(dict_records(path, json.loads, spec), spec)
