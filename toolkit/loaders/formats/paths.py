"""Follow paths of keys and indices through a record, such as ``outputs[0].text``.

A key with dots or brackets in it is quoted, ``attributes["llm.output"]``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from toolkit.loaders.json_values import camel, child

ALL = object()
Step = Any  # a key, an index, `ALL`, or a (key, value) pair that chooses elements

_STEP = re.compile(r'\[(\d*)\]|\[(\w+)=([^\]]*)\]|\[("(?:[^"\\]|\\.)*")\]|([^.\[\]]+)|\.')


def steps_of(path: str) -> tuple[Step, ...]:
    """Return the steps of a path such as ``outputs[].text`` or ``parts[kind=text].content``.

    Examples
    --------
    >>> steps_of('a.b[0]["c.d"]')
    ('a', 'b', 0, 'c.d')

    Raises
    ------
    ValueError
        If the text is not a path.
    """
    steps: list[Step] = []
    at = 0
    for found in _STEP.finditer(path):
        if found.start() != at:
            break
        at = found.end()
        index, key, value, quoted, name = found.groups()
        if index is not None:
            steps.append(int(index) if index else ALL)
        elif key is not None:
            steps.append((key, value))
        elif quoted is not None:
            steps.append(json.loads(quoted))
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
    if isinstance(value, list) and isinstance(step, str) and step.isdecimal():
        step = int(step)
    if isinstance(step, str):
        if not isinstance(value, dict):
            return
        for n in range(len(steps), 0, -1):
            key = ".".join(map(str, steps[:n])) if n > 1 else step
            if n > 1 and not all(isinstance(each, str) for each in steps[:n]):
                continue
            for name in (key, camel(key)):
                if value.get(name) is not None:
                    yield from find(value[name], steps[n:], child(path, name))
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
                yield from find(each, rest, child(path, i))


def along(value: Any, path: str) -> list[Any]:
    """Return what a JSON path of `find` goes through, from the record to the value at its end.

    Examples
    --------
    >>> along({"rows": [{"a": 1}]}, "$.rows[0].a")
    [{'rows': [{'a': 1}]}, [{'a': 1}], {'a': 1}, 1]
    """
    found = [value]
    for step in steps_of(path.removeprefix("$")):
        is_inside = isinstance(value, dict) and step in value
        is_inside |= isinstance(value, list) and isinstance(step, int) and step < len(value)
        if not is_inside:  # the path goes on inside a text
            break
        value = value[step]
        found.append(value)
    return found
