"""Unwrap an event of a stream, ``{"data": {...}}``, as routers and their SDKs dump it.

Test recorders write ``{"__type__": ..., "__data__": {...}}`` instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body, Exchange, body_or_exchange
from toolkit.loaders.json_values import read_once

NAME = "event_data"
SHAPE = "data or __data__ with an answer"
_KEYS = ("data", "__data__")
_ANSWER = ("choices", "error", "output", "candidates", "type")
_TEXT = re.compile(r'\s*\{.*"(?:' + "|".join(_ANSWER) + ')"', re.DOTALL)


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is a wrapper around one event."""
    if "choices" in obj or "custom_id" in obj or obj.get("error"):
        return False
    inner = [obj[key] for key in _KEYS if key in obj]
    return len(inner) == 1 and (
        (isinstance(inner[0], dict) and any(key in inner[0] for key in _ANSWER))
        or (isinstance(inner[0], str) and _TEXT.match(inner[0]) is not None)
    )


def unwrap(obj: dict[str, Any], path: str = "$") -> Iterator[Body | Exchange]:
    """Yield the event inside, whose own format is detected afterwards."""
    read_once(obj, frozenset(_KEYS), path)
    key = next(key for key in _KEYS if key in obj)
    yield body_or_exchange(obj[key], NAME, f"{path}.{key}")
