"""Read a server's error in place of a body: ``{"error": ...}`` without ``choices``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body
from toolkit.loaders.json_values import is_claimed

NAME = "error"
SHAPE = "error"


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is an error and not a body of the chat schema or a Batch line."""
    return bool(obj.get("error")) and not is_claimed(obj) and "custom_id" not in obj


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Yield a body without choices; the decoder reads its ``error``."""
    yield Body(obj, NAME, path)
