"""Read llama.cpp's ``/completion``: ``content``, ``stop`` and ``completion_probabilities``.

Entries are those of the chat schema; older servers wrote ``{"content", "probs": [{"tok_str",
"prob"}]}``, with probabilities instead of logprobs. ``stop`` is true in the last object of a stream
and in the only object of an answer that was not streamed. There is no id.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body, Kind
from toolkit.loaders.formats.token_lists import TokenList
from toolkit.loaders.json_values import is_claimed

NAME = "llama_server"
SHAPE = "content with stop, and a count or a slot"
_MARKS = (
    *("tokens_predicted", "tokens_evaluated", "generation_settings", "timings", "stop_type"),
    *(
        "completion_probabilities",
        "id_slot",
        "slot_id",
        "multimodal",
        "index",
        "model",
        "truncated",
    ),
)


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is an answer of ``/completion``, or a chunk of one."""
    return (
        isinstance(obj.get("content"), str)
        and isinstance(obj.get("stop"), bool)
        and any(key in obj for key in _MARKS)
        and not is_claimed(obj)
        and "type" not in obj
    )


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Yield the body in the form of a chunk of the chat schema."""
    found = obj.get("completion_probabilities")
    at = f"{path}.completion_probabilities"
    tokens = TokenList("entries", found, {}, at) if isinstance(found, list) else None
    choice = {
        "index": obj.get("index", 0),
        "delta": {"content": obj["content"]},
        "logprobs": {"content": tokens} if tokens is not None else None,
        "finish_reason": obj.get("stop_type") or ("stop" if obj["stop"] else None),
    }
    usage: dict[str, Any] | None = None
    if obj["stop"] and ("tokens_evaluated" in obj or "tokens_predicted" in obj):
        usage = {
            "prompt_tokens": obj.get("tokens_evaluated"),
            "completion_tokens": obj.get("tokens_predicted"),
        }
    body = {"model": obj.get("model"), "usage": usage, "choices": [choice]}
    kind: Kind = "either" if obj["stop"] else "auto"
    yield Body(body, NAME, path, kind=kind)
