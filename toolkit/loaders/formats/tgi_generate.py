"""Text Generation Inference's own ``generate``: told by name, and not read.

Its tokens have ids and logprobs, but no bytes, and its ``details`` no alternatives in the order of
the chat schema; the same server answers chat completions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body
from toolkit.loaders.json_values import Reject, is_claimed

NAME = "tgi_generate"
SHAPE = "generated_text"


def matches(obj: dict[str, Any]) -> bool:
    """Tell whether this is an answer of generate, or an event of its stream."""
    return "generated_text" in obj and not is_claimed(obj)


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Refuse the record."""
    raise Reject(
        "unsupported_format",
        "this is Text Generation Inference's own generate API, which is not read: ask the same "
        "server at /v1/chat/completions with logprobs",
        path,
    )
    yield  # a generator, as the others are
