"""Unwrap events: those of the OpenAI SDK's ``client.chat.completions.stream()``, and of sessions.

An event of type ``chunk`` holds the chunk as it came, and a running ``snapshot`` of the answer. The
other events of the SDK repeat parts of the chunks, so they are control. So are the events of a
realtime session, which have an ``event_id``, unless they are of another format.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body, Control
from toolkit.loaders.json_values import is_claimed, read_once

NAME = "openai_events"
SHAPE = 'type "chunk" with chunk.choices, or type with event_id'
_CHUNK = frozenset({"type", "chunk"})
_REPEATS = {  # the type of each event that repeats, and its keys
    "content.delta": {"delta", "snapshot"},
    "content.done": {"content"},
    "refusal.delta": {"delta", "snapshot"},
    "refusal.done": {"refusal"},
    "logprobs.content.delta": {"content", "snapshot"},
    "logprobs.content.done": {"content"},
    "logprobs.refusal.delta": {"refusal", "snapshot"},
    "logprobs.refusal.done": {"refusal"},
    "tool_calls.function.arguments.delta": {"arguments", "arguments_delta"},
    "tool_calls.function.arguments.done": {"arguments", "name"},
}

_EMPTY = {"content-start", "content-end", "text-start", "text-end", "start", "start-step"}
"""Types of events that open and close the parts of an answer, of Cohere and the Vercel AI SDK."""


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is such an event."""
    kind = obj.get("type")
    if not isinstance(kind, str) or is_claimed(obj):
        return False
    if kind == "chunk":
        chunk = obj.get("chunk")
        return isinstance(chunk, dict) and isinstance(chunk.get("choices"), list)
    if isinstance(obj.get("event_id"), str) or kind == "ping":
        return True
    if kind in _EMPTY:
        return True
    return kind in _REPEATS and _REPEATS[kind] <= obj.keys()


def unwrap(obj: dict[str, Any], path: str = "$") -> Iterator[Body | Control]:
    """Yield the chunk of an event; the event itself, as control, if it has none."""
    if obj["type"] != "chunk":
        yield Control(path, read=(obj,) if obj["type"] in _REPEATS else ())
        return
    read_once(obj, _CHUNK, path)
    yield Body(obj["chunk"], NAME, f"{path}.chunk", read=(obj.get("snapshot"),))
