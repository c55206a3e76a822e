"""pysimdjson with one reused parser; only the list of entries becomes Python objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import simdjson

from benchmarks.corpus import Spec
from benchmarks.flat import Flat
from benchmarks.loops import collector_paused, from_dicts, lines, or_repaired


def read(path: Path, spec: Spec, threads: int) -> Flat:
    """Parse line by line, and take over the entries at once."""
    with collector_paused():
        return from_dicts(_records(path), spec)


def _records(path: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    parser = simdjson.Parser()
    parse = or_repaired(parser.parse, ValueError)
    for line in lines(path):
        record = parse(line)
        choices = record["choices"]
        logprobs = choices[0]["logprobs"] if len(choices) else None
        found = None if logprobs is None else (record["id"], logprobs["content"].as_list())
        del record, choices, logprobs  # the parser is reused only when nothing refers to it
        if found is not None:
            yield found
