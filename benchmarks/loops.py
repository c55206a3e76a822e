"""What the contestants that build Python objects share: appending them to columns."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import reduce
from itertools import chain
from operator import getitem
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import containers
from benchmarks.corpus import Spec
from benchmarks.flat import Entries, Flat, assembled


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause Python's garbage collector: nothing here makes cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Columns:
    """Growing columns of tokens or alternatives."""

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.token: list[str] = []
        self.bytes: list[bytes | None] = []
        self.logprob: list[float] = []

    def arrow(self) -> Entries:
        """Return them as arrays."""
        return Entries(
            np.array(self.counts, np.int64),
            pa.array(self.token, pa.large_string()),
            pa.array(self.bytes, pa.large_binary()),
            pa.array(self.logprob, pa.float64()),
        )


def from_dicts(records: Iterable[tuple[str, list[dict[str, Any]]]], spec: Spec) -> Flat:
    """Append each record's id and entries (dicts) to columns."""
    tokens, alternatives, ids = Columns(), Columns(), []
    top = spec.top
    for name, entries in records:
        ids.append(name)
        lists = [entry[top] for entry in entries]
        listed = list(chain.from_iterable(lists))
        tokens.counts.append(len(entries))
        alternatives.counts += map(len, lists)
        for columns, found in ((tokens, entries), (alternatives, listed)):
            columns.token += [entry["token"] for entry in found]
            columns.logprob += [entry["logprob"] for entry in found]
            columns.bytes += [
                None if (raw := entry["bytes"]) is None else bytes(raw) for entry in found
            ]
    return assembled(tokens.arrow(), alternatives.arrow(), ids if spec.streamed else None)


def from_objects(records: Iterable[tuple[str, list[Any]]], spec: Spec) -> Flat:
    """Append each record's id and entries (objects) to columns."""
    tokens, alternatives, ids = Columns(), Columns(), []
    for name, entries in records:
        ids.append(name)
        lists = [entry.top_logprobs for entry in entries]
        listed = list(chain.from_iterable(lists))
        tokens.counts.append(len(entries))
        alternatives.counts += map(len, lists)
        for columns, found in ((tokens, entries), (alternatives, listed)):
            columns.token += [entry.token for entry in found]
            columns.logprob += [entry.logprob for entry in found]
            columns.bytes += [
                None if (raw := entry.bytes) is None else bytes(raw) for entry in found
            ]
    return assembled(tokens.arrow(), alternatives.arrow(), ids if spec.streamed else None)


def lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file."""
    with path.open("rb", buffering=1 << 20) as file:
        yield from file


def dict_records(
    path: Path, loads: Callable[[bytes], Any], spec: Spec
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the id and the entries of each record that has logprobs."""
    found = map(loads, lines(path))
    if spec.container != "lines":
        found = containers.records(path, spec.container, loads, loads)
    container = containers.CONTAINERS[spec.container]
    if container.entries:
        yield from (("", reduce(getitem, container.entries, row)) for row in found)
        return
    if container.key:
        found = (row[container.key] for row in found)
    for record in found:
        choices = record["choices"]
        logprobs = choices[0]["logprobs"] if choices else None
        if logprobs is not None:
            yield record["id"], logprobs["content"]


def repaired(line: bytes) -> bytes:
    """Return a line with U+FFFD in place of each half of a surrogate pair."""
    text = json.dumps(json.loads(line), ensure_ascii=False)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def or_repaired(loads: Callable[[bytes], Any], error: type[Exception]) -> Callable[[bytes], Any]:
    """Return a parser that repairs the line on which `loads` fails."""

    def parse(line: bytes) -> Any:
        try:
            return loads(line)
        except error:
            return loads(repaired(line))

    return parse
