"""The standard library's parser alone: what no loop over its objects can beat."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path

from benchmarks import containers
from benchmarks.corpus import Spec


def read(path: Path, spec: Spec, threads: int) -> None:
    """Parse and forget."""
    deque(containers.records(path, spec.container, json.loads, json.loads), maxlen=0)
