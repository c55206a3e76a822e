"""Recognise the messages of a conversation that a model did not write: prompts, tool results.

Histories of LangChain, LangGraph and pydantic-ai contain them beside the answers. The ledger counts
them as ``control``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Control

NAME = "conversation"
SHAPE = "type=human or kind=request"
_TYPES = frozenset({"human", "system", "tool", "function", "chat", "remove"})


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is a message of a conversation, but not one of a model."""
    of_langchain = isinstance(obj.get("response_metadata"), dict) and "additional_kwargs" in obj
    if of_langchain:
        kind = obj.get("type")
        return isinstance(kind, str) and kind.removesuffix("MessageChunk").lower() in _TYPES
    parts = obj.get("parts")
    return (
        obj.get("kind") == "request"
        and isinstance(parts, list)
        and all(isinstance(part, dict) and "part_kind" in part for part in parts)
    )


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Control]:
    """Yield the message as control."""
    yield Control(path)
