"""Follow paths of keys and indices through a record, such as ``outputs[0].text``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from toolkit.loaders.json_values import camel, field_name

ALL = object()
Step = Any  # a key, an index, `ALL`, or a (key, value) pair that chooses elements

_STEP = re.compile(r"\[(\d*)\]|\[(\w+)=([^\]]*)\]|([^.\[\]]+)|\.")


def steps_of(path: str) -> tuple[Step, ...]:
    """Return the steps of a path such as ``outputs[].text`` or ``parts[kind=text].content``.

    Examples
    --------
    >>> steps_of("a.b[0]")
    ('a', 'b', 0)
    """
    steps: list[Step] = []
    at = 0
    for found in _STEP.finditer(path):
        if found.start() != at:
            break
        at = found.end()
        index, key, value, name = found.groups()
        if index is not None:
            steps.append(int(index) if index else ALL)
        elif key is not None:
            steps.append((key, value))
        elif name is not None:
            steps.append(name)
    if at != len(path):
        raise ValueError(path)
    return tuple(steps)


def find(value: Any, steps: tuple[Step, ...], path: str = "$") -> Iterator[tuple[Any, str]]:
    """Yield the values that a path leads to, each with its JSON path, but not null.

    A key is found in snake_case and in camelCase, and with the dots that follow it, since keys may
    have dots: ``a.b`` is ``{"a": {"b": ...}}`` or ``{"a.b": ...}``.
    """
    if value is None:
        return
    if not steps:
        yield value, path
        return
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        if not isinstance(value, dict):
            return
        for n in range(len(steps), 0, -1):
            key = ".".join(map(str, steps[:n])) if n > 1 else step
            if n > 1 and not all(isinstance(each, str) for each in steps[:n]):
                continue
            for name in (key, camel(key)):
                if value.get(name) is not None:
                    yield from find(value[name], steps[n:], f"{path}.{field_name(name)}")
                    return
    elif isinstance(value, list):
        for i, each in enumerate(value):
            chosen = (
                step is ALL
                or step == i
                or (
                    isinstance(step, tuple)
                    and isinstance(each, dict)
                    and str(each.get(step[0])) == step[1]
                )
            )
            if chosen:
                yield from find(each, rest, f"{path}[{i}]")
