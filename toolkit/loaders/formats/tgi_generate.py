"""Reject Text Generation Inference's own ``generate`` API by name.

The format is not read, because its tokens have no bytes and its ``details`` have no alternatives in
the order of the chat schema. The same server answers chat completions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body
from toolkit.loaders.json_values import Reject, is_claimed

NAME = "tgi_generate"
SHAPE = "generated_text"


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is an answer of generate, or an event of its stream."""
    return "generated_text" in obj and not is_claimed(obj)


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Reject the record."""
    raise Reject(
        "unsupported_format",
        "this is Text Generation Inference's own generate API, which is not read: ask the same "
        "server at /v1/chat/completions with logprobs",
        path,
    )
    yield  # makes this a generator, as in the other modules
