"""Replace values of records by odd ones, at any place: ``python -m tests.fuzz.values``.

The other mutants are JSON text, which suits the scanner. These remain JSON, and only their meaning
becomes odd, which suits the formats. Reading and measuring them raises nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import toolkit
from tests.fuzz import seeds
from toolkit.loaders.json_values import is_number

_PER_LOAD = 200  # records
_KEYS, _DEPTH = 40, 3  # characters of a key, nesting of new values
_SCALARS = (
    *(0, 1, -1, 0.5, -0.5, 1e308, 2**31, 2**63, -(2**63), 2**64, 10**400, -(10**400)),
    *(math.nan, math.inf, -math.inf, True, False, None),
    *("", "a", "-0.5", "1e999", "NaN", "9" * 400, "\ud800", "//8=", "token_id:5", "stop"),
    *("assistant", "message", "chat.completion", "chat.completion.chunk", "response.completed"),
    *("data: {}", '{"choices":[]}', "[1]", "2024-01-01"),
)


class Values:
    """A generator of records with odd values.

    Parameters
    ----------
    rng : random.Random
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._seeds = [seed for raw in seeds.seeds() if isinstance(seed := _parsed(raw), dict)]
        self._keys = sorted({key for seed in self._seeds for key, _ in _members(seed)})

    def record(self) -> Any:
        """Return a record that was changed in a few places, or one of known keys alone."""
        if self.rng.random() < 0.2:
            return {self._key(): self._value(_DEPTH) for _ in range(self.rng.randint(1, 4))}
        record = json.loads(json.dumps(self.rng.choice(self._seeds)))
        for _ in range(self.rng.randint(1, 4)):
            if places := list(_places(record)):
                self.rng.choice(_EDITS)(self, *self.rng.choice(places))
        return record

    def options(self) -> dict[str, Any]:
        """Return what a caller looks for; mostly nothing."""
        names = [self._key() for _ in range(3)]
        if self.rng.random() < 0.7 or not all(map(str.isidentifier, names)):
            return {}
        return self.rng.choice(({"path": names[0]}, {"id": names[0], "keep": names[1:]}))

    def _key(self) -> str:
        return self.rng.choice(self._keys)

    def _value(self, depth: int) -> Any:
        kind = self.rng.random()
        if depth == 0 or kind < 0.5:
            return self.rng.choice(_SCALARS)
        if kind < 0.6:
            return [self._value(depth - 1)] * self.rng.randint(0, 3)
        inner = [self._value(depth - 1) for _ in range(self.rng.randint(0, 3))]
        return inner if kind < 0.75 else {self._key(): each for each in inner}

    def _replace(self, around: Any, at: Any) -> None:
        around[at] = self._value(_DEPTH)

    def _wrap(self, around: Any, at: Any) -> None:
        around[at] = [around[at]] if self.rng.random() < 0.5 else {self._key(): around[at]}

    def _delete(self, around: Any, at: Any) -> None:
        del around[at]

    def _add(self, around: Any, at: Any) -> None:
        """Add a member: a new value, or that of another key."""
        if isinstance(around, dict):
            is_new = self.rng.random() < 0.5
            around[self._key()] = self._value(_DEPTH) if is_new else around[at]

    def _column(self, around: Any, at: Any) -> None:
        """Give one key of all objects of a list, or all its numbers, the same value."""
        if not isinstance(around[at], list):
            return
        value = self.rng.choice(_SCALARS)
        around[at] = [value if is_number(each) else each for each in around[at]]
        objects = [each for each in around[at] if isinstance(each, dict)]
        if names := sorted({name for each in objects for name in each}):
            name = self.rng.choice(names)
            for each in objects:
                each[name] = value


_EDITS: tuple[Callable[[Values, Any, Any], None], ...] = (
    *(Values._replace, Values._replace, Values._wrap, Values._delete, Values._add),
    Values._column,
)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    for around, at in _places(value):
        if isinstance(at, str) and len(at) < _KEYS:
            yield at, around[at]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each place inside a value: the object or list, and the key or index."""
    if isinstance(value, dict | list):
        for at in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, at
            yield from _places(value[at])


def _as_events(lines: list[str]) -> bytes:
    return "".join(f"data: {line}\n\n" for line in lines).encode()


_FORMS: dict[str, Callable[[list[str]], Any]] = {
    "lines": lambda lines: "\n".join(lines).encode(),
    "events": _as_events,
    "array": lambda lines: f"[{','.join(lines)}]".encode(),
    "objects": lambda lines: [json.loads(line) for line in lines],
}


def _load_and_measure(lines: list[str], name: str, options: dict[str, Any]) -> None:
    load = toolkit.from_responses if name == "objects" else toolkit.read
    with warnings.catch_warnings(action="ignore"):
        try:
            lp = load(_FORMS[name](lines), **options)
        except toolkit.errors.NoRecordsError:
            return
        for measure in (toolkit.sequence_metrics, toolkit.check, toolkit.usage):
            measure(lp)


def run(inputs: int, seed: int) -> Iterator[int]:
    """Read and measure records with odd values, and yield the number of records so far.

    Raises
    ------
    AssertionError
        At the first load that raises anything; its cause is what was raised.
    """
    values = Values(random.Random(seed))
    for done in range(0, inputs, _PER_LOAD):
        lines = [json.dumps(values.record()) for _ in range(_PER_LOAD)]
        name, options = values.rng.choice(list(_FORMS)), values.options()
        try:
            _load_and_measure(lines, name, options)
        except Exception as error:
            place = f"seed {seed}, after {done} records, as {name}, {options}"
            raise AssertionError(place) from error
        yield done + _PER_LOAD


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.values", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for done in run(options.inputs, options.seed):
        if done % 10_000 == 0:
            print(f"{done:,} records", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
