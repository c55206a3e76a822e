"""Bring usage, finish reasons and tool calls, however written, to the form of the chat schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from toolkit.loaders.json_values import camel

_COUNTS = {
    "prompt_tokens": (
        *(
            "prompt_tokens",
            "input_tokens",
            "prompt_token_count",
            "inputTokens",
            "prompt_eval_count",
        ),
        *("num_input_tokens", "tokens_evaluated"),
    ),
    "completion_tokens": (
        *("completion_tokens", "output_tokens", "candidates_token_count", "outputTokens"),
        *("eval_count", "generation_token_count", "generated_tokens", "num_generated_tokens"),
        "tokens_predicted",
    ),
    "total_tokens": ("total_tokens", "total_token_count", "totalTokens"),
}
_CACHED = (
    "cached_tokens",
    "cache_read",
    "input_tokens_cache_read",
    "cached_content_token_count",
    "cachedInputTokens",
    "cache_read_tokens",
)
_REASONING = ("reasoning_tokens", "reasoning", "thoughts_token_count", "reasoningTokens")


def usage(found: Any) -> Any:
    """Return counts in the keys of the chat schema, whatever names a library gave them."""
    if not isinstance(found, dict):
        return found
    inner = found.get("tokens")
    if isinstance(inner, dict):
        found = inner
    counts = {
        name: next((found[key] for key in _cased(keys) if _is_count(found.get(key))), None)
        for name, keys in _COUNTS.items()
    }
    if all(value is None for value in counts.values()):
        return None
    before = _details(
        found, ("prompt_tokens_details", "input_tokens_details", "input_token_details")
    )
    after = _details(
        found, ("completion_tokens_details", "output_tokens_details", "output_token_details")
    )
    cached = next(
        (d[k] for d in (before, found) for k in _cased(_CACHED) if d.get(k) is not None), None
    )
    thought = next(
        (d[k] for d in (after, found) for k in _cased(_REASONING) if d.get(k) is not None), None
    )
    return {
        **counts,
        "prompt_tokens_details": {**before, "cached_tokens": cached},
        "completion_tokens_details": {**after, "reasoning_tokens": thought},
    }


_CALL_KEYS = {
    "name": ("name", "tool_name", "toolName"),
    "arguments": ("args", "arguments", "input"),
    "id": ("id", "tool_call_id", "toolCallId"),
}


def tool_calls(found: list[Any]) -> list[Any] | None:
    """Return tool calls, or the fragments of a stream, in the form of the chat schema.

    LangChain writes ``{"name", "args", "id"}``, pydantic-ai ``{"tool_name", "args",
    "tool_call_id"}``; their arguments are objects or JSON.

    Examples
    --------
    >>> tool_calls([{"name": "weather", "args": {"city": "Rome"}, "id": "1"}])[0]["function"]
    {'name': 'weather', 'arguments': '{"city":"Rome"}'}
    """
    return [_tool_call(each) for each in found] or None


def _tool_call(call: Any) -> Any:
    if not isinstance(call, dict) or "function" in call:
        return call
    name, arguments, id_ = (
        next((call[key] for key in keys if call.get(key) is not None), None)
        for keys in _CALL_KEYS.values()
    )
    if name is None and arguments is None:
        return call
    if arguments is not None and not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
    index = {"index": call["index"]} if call.get("index") is not None else {}
    function = {"name": name, "arguments": arguments}
    return {**index, "id": id_, "type": "function", "function": function}


def _is_count(value: Any) -> bool:
    return value is not None and not isinstance(value, list | dict)


def _cased(names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        yield name
        if "_" in name:
            yield camel(name)


def _details(found: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    for name in _cased(names):
        if isinstance(found.get(name), dict):
            return found[name]
    return {}


def finish_reason(value: Any) -> Any:
    """Return a finish reason as text; None for the words that mean that there is none yet.

    SGLang and HELM send an object, DashScope the text ``null``, TGI an empty text.

    Examples
    --------
    >>> finish_reason({"type": "length"}), finish_reason("null")
    ('length', None)
    """
    if isinstance(value, dict):
        value = value.get("type", value.get("reason"))
    return None if value in ("", "null") else value
