"""msgspec with typed structs of the needed fields, then loops."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from benchmarks import containers
from benchmarks.corpus import Spec
from benchmarks.flat import Flat
from benchmarks.loops import collector_paused, from_objects, lines, or_repaired

E = TypeVar("E")


class Alternative(msgspec.Struct, gc=False):
    """One of the top tokens."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class Entry(msgspec.Struct, gc=False):
    """A token with its alternatives."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[Alternative] = []


class CamelEntry(msgspec.Struct, gc=False, rename="camel"):
    """The same in camelCase."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[Alternative] = []


class Logprobs(msgspec.Struct, Generic[E], gc=False):
    """The lists of a choice."""

    content: list[E] | None = None


class Choice(msgspec.Struct, Generic[E], gc=False):
    """A choice, whole or a delta."""

    logprobs: Logprobs[E] | None = None


class Record(msgspec.Struct, Generic[E], gc=False):
    """A response or a chunk."""

    id: str
    choices: list[Choice[E]]


def read(path: Path, spec: Spec, threads: int) -> Flat:
    """Parse line by line into structs."""
    with collector_paused():
        return from_objects(_records(path, spec), spec)


def _member(value: Any, step: str | int) -> Any:
    return value[step] if isinstance(step, int) else getattr(value, step)


def _records(path: Path, spec: Spec) -> Iterator[tuple[str, list[Entry | CamelEntry]]]:
    entry = CamelEntry if spec.camel else Entry
    kind: Any = Record[entry]
    container = containers.CONTAINERS[spec.container]
    key = container.key
    if key:
        kind = msgspec.defstruct("Row", [(key, kind)], gc=False)
    if container.entries:
        kind = list[entry]
        for step in reversed(container.entries):
            is_index = isinstance(step, int)
            kind = list[kind] if is_index else msgspec.defstruct("Of", [(step, kind)], gc=False)
    decode = or_repaired(msgspec.json.Decoder(kind).decode, msgspec.DecodeError)
    found = map(decode, lines(path))
    if spec.container != "lines":
        decode_all = msgspec.json.Decoder(list[kind]).decode
        found = containers.records(path, spec.container, decode, decode_all)
    if container.entries:
        yield from (("", reduce(_member, container.entries, row)) for row in found)
        return
    if key:
        found = (getattr(row, key) for row in found)
    for record in found:
        logprobs = record.choices[0].logprobs if record.choices else None
        if logprobs is not None:
            yield record.id, logprobs.content or []
