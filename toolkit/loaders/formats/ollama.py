"""Read Ollama's own API, ``/api/chat`` and ``/api/generate``.

There is one object per line; ``done`` is true in the last one of a stream and in the only one of an
answer that was not streamed. There is no id, so the lines of an answer must follow one another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from toolkit.loaders.formats.body import Body
from toolkit.loaders.json_values import is_claimed

NAME = "ollama"
SHAPE = "done with message or response"
_MARKS = ("model", "created_at", "eval_count", "prompt_eval_count", "total_duration")
_FRACTION = re.compile(r"(\.\d{6})\d+")  # of a second in nanoseconds; Python reads microseconds


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is a line of Ollama's API."""
    return (
        isinstance(obj.get("done"), bool)
        and not is_claimed(obj)
        and (isinstance(obj.get("message"), dict) or isinstance(obj.get("response"), str))
        and any(name in obj for name in _MARKS)
    )


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Yield the body in the form of a chunk of the chat schema."""
    message = obj.get("message")
    if not isinstance(message, dict):
        message = {"content": obj.get("response"), "thinking": obj.get("thinking")}
    delta = {
        "role": message.get("role"),
        "content": message.get("content"),
        "reasoning": message.get("thinking"),
        "tool_calls": message.get("tool_calls"),
    }
    reason = obj.get("done_reason") or ("done" if obj["done"] else None)
    logprobs = {"content": obj["logprobs"]} if obj.get("logprobs") is not None else None
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
    usage = {"prompt_tokens": obj.get("prompt_eval_count")}
    usage["completion_tokens"] = obj.get("eval_count")
    body = {
        "model": obj.get("model"),
        "created": _seconds(obj.get("created_at")),
        "usage": usage if obj["done"] and any(usage.values()) else None,
        "choices": [choice],
    }
    yield Body(body, NAME, path, kind="either" if obj["done"] else "auto")


def _seconds(time: Any) -> Any:
    try:
        return int(datetime.fromisoformat(_FRACTION.sub(r"\1", time)).timestamp())
    except (TypeError, ValueError, OverflowError):
        return time  # the decoder adds a note for a value that it cannot read
