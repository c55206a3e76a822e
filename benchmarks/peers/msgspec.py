"""msgspec with typed structs of the needed fields, then loops."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

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
    decoder = msgspec.json.Decoder(Record[CamelEntry if spec.camel else Entry])
    with collector_paused():
        return from_objects(_records(path, decoder), spec)


def _records(
    path: Path, decoder: msgspec.json.Decoder[Record]
) -> Iterator[tuple[str, list[Entry | CamelEntry]]]:
    decode = or_repaired(decoder.decode, msgspec.DecodeError)
    for line in lines(path):
        record = decode(line)
        logprobs = record.choices[0].logprobs if record.choices else None
        if logprobs is not None:
            yield record.id, logprobs.content or []
