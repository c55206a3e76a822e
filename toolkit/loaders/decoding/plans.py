"""Compile the declared formats, and what a caller looks for, into plans that the scanner runs.

A plan is the data of a `Shape`: marks and paths, with every key in the order and in the casings in
which `formats.paths.find` tries them. `native/plan.h` reads them.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from toolkit.loaders.formats import (
    gemini,
    llama_server,
    loose,
    ollama,
    openai_chat,
    openai_legacy,
    openai_responses,
)
from toolkit.loaders.formats.declared import SHAPES
from toolkit.loaders.formats.lookup import Lookup
from toolkit.loaders.formats.paths import ALL, Step, steps_of
from toolkit.loaders.formats.shape import Shape
from toolkit.loaders.json_values import camel

NAMES = (
    *(module.NAME for module in (openai_chat, openai_legacy, gemini, openai_responses, loose)),
    *(ollama.NAME, llama_server.NAME),
    *(shape.name for shape in SHAPES),
)
"""Names of the formats that the scanner reads, in the order of its codes."""

_PARTS = (
    *("tokens", "logprobs", "token_ids", "alternatives", "prompt", "prompt_ids"),
    *(
        "prompt_alternatives",
        "text",
        "reasoning",
        "refusal",
        "role",
        "tool_calls",
        "finish_reason",
        "index",
        "answers",
        "records",
    ),
    *("id", "model", "system_fingerprint", "usage", "custom_id", "finished"),
)
"""Paths of a `Shape`, in the order of `Part` in native/plan.h."""


def plans(shapes: tuple[Shape, ...] = SHAPES) -> bytes:
    """Return the plans of declared formats as JSON."""
    return json.dumps([_plan(shape) for shape in shapes]).encode()


@cache
def lookup_plan(lookup: Lookup) -> bytes | None:
    """Return what a caller looks for in each record as JSON; None: the scanner cannot find it.

    Examples
    --------
    >>> lookup_plan(Lookup())
    b''
    >>> lookup_plan(Lookup(path="runs[]")) is None
    True
    """
    if lookup == Lookup():
        return b""
    path = None if lookup.path is None else lookup.path.removeprefix("$")
    named = [each for each in (path, lookup.id, *lookup.keep) if each is not None]
    if not all(map(_is_certain, named)):
        return None
    if lookup.shape is not None and (path is not None or _has_numbers(lookup.shape)):
        return None
    if path is not None and ALL in steps_of(path):
        return None
    keep = [
        {"key": json.dumps(name, ensure_ascii=False) + ":", "path": _path(name)}
        for name in sorted(set(lookup.keep))
    ]
    found = {"path": path, "id": lookup.id}
    plan = {name: _path(each) for name, each in found.items() if each is not None}
    shapes = [] if lookup.shape is None else [_plan(lookup.shape)]
    return json.dumps({**plan, "keep": keep, "shape": shapes}).encode()


def _has_numbers(shape: Shape) -> bool:
    """Return whether a key of a declaration is a number, which may be an index as well."""
    marks = (mark.partition("=")[0] for mark in shape.marks)
    paths = "|".join((*marks, *(getattr(shape, name) for name in _PARTS))).split("|")
    steps = (step for path in paths for step in steps_of(path.removeprefix("$")))
    return any(isinstance(step, str) and step.isdecimal() for step in steps)


def _is_certain(path: str) -> bool:
    """Return whether the scanner follows a path as `find` does.

    A key that is a number may be an index as well, and a path of a column begins at its own key.
    """
    steps = steps_of(path)
    return isinstance(steps[0], str) and not any(
        isinstance(step, tuple) or (isinstance(step, str) and (step.isdecimal() or step == "$"))
        for step in steps
    )


def _plan(shape: Shape) -> dict[str, Any]:
    marks = (mark.partition("=") for mark in shape.marks)
    return {
        "marks": [{"paths": _paths(path), "wanted": wanted} for path, _, wanted in marks],
        "parts": [_paths(getattr(shape, name)) for name in _PARTS],
        "stream": shape.stream,
        "are_ids": shape.keys == "id",
    }


def _paths(text: str) -> list[dict[str, Any]]:
    return [_path(option) for option in text.split("|") if option]


def _path(text: str) -> dict[str, Any]:
    steps = steps_of(text.removeprefix("$"))
    compiled = [_step(steps[i:]) for i in range(len(steps))]
    return {"is_absolute": text.startswith("$"), "steps": compiled}


def _step(steps: tuple[Step, ...]) -> dict[str, Any]:
    """Return the first step: an index, a pair, or the keys that it and later ones may share."""
    step = steps[0]
    if step is ALL:
        return {}
    if isinstance(step, int):
        return {"index": str(step)}
    if isinstance(step, tuple):
        return {"key": step[0], "value": step[1]}
    keys: list[str] = []
    lengths: list[str] = []
    for n in range(len(steps), 0, -1):
        if all(isinstance(each, str) for each in steps[:n]):
            for name in dict.fromkeys((".".join(steps[:n]), camel(".".join(steps[:n])))):
                keys.append(name)
                lengths.append(str(n))
    return {"keys": keys, "lengths": lengths}
