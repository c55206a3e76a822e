"""Read the OpenAI Responses API: a whole response, or an event of its stream.

The items of ``output`` make up one choice: the texts of its messages in order, their logprobs, the
texts of reasoning, and function calls as tool calls. ``finish_reason`` is the server's own word,
``incomplete_details.reason`` or ``status``.

In a stream the same tokens are sent several times. Those of the deltas count; ``.done`` events are
ignored; the last event repeats all of the response and counts only where no deltas came. Most
events do not name their response: they belong to the one that was active last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body
from toolkit.loaders.formats.token_lists import arrays
from toolkit.loaders.json_values import Reject, is_claimed, kind_of

NAME = "openai_responses"
SHAPE = 'output with object "response", or type "response.*"'
_ENDS = ("response.completed", "response.incomplete", "response.failed")
_REASONING = (
    "response.reasoning_text.delta",
    "response.reasoning.delta",
    "response.reasoning_summary_text.delta",
)


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is a response or an event."""
    if is_claimed(obj):
        return False
    if _is_event(obj):
        return obj["type"] != "error" or not isinstance(obj.get("error"), dict)
    return isinstance(obj.get("output"), list) and (
        obj.get("object") == "response" or _counts_input(obj.get("usage"))
    )


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Yield a response as a whole body, or an event as a chunk."""
    if not _is_event(obj):
        body = _body(obj, [_choice("message", obj, path)])
        yield Body(body, NAME, path, read=tuple(_lists(obj["output"])))
        return
    kind, response = obj["type"], obj.get("response")
    if not isinstance(response, dict):
        yield _event(kind, obj, path)
    elif kind in _ENDS and isinstance(response.get("output"), list):
        body = _body(response, [_choice("delta", response, f"{path}.response")])
        read = tuple(_lists(response["output"]))
        yield Body(body, NAME, path, kind="final_copy", read=read)
    else:
        yield Body(_body(response, []) | {"usage": None}, NAME, path)


def _counts_input(usage: object) -> bool:
    return isinstance(usage, dict) and "input_tokens" in usage


def _is_event(obj: dict[str, Any]) -> bool:
    kind = obj.get("type")
    return isinstance(kind, str) and (kind.startswith("response.") or kind == "error")


# Whole responses


def _body(response: dict[str, Any], choices: list[Any]) -> dict[str, Any]:
    return {
        "id": response.get("id"),
        "created": response.get("created_at"),
        "model": response.get("model"),
        "object": response.get("object"),
        "service_tier": response.get("service_tier"),
        "usage": _usage(response.get("usage")),
        "error": response.get("error"),
        "choices": choices,
    }


def _usage(usage: Any) -> Any:
    if not isinstance(usage, dict):
        return usage
    before, after = usage.get("input_tokens_details"), usage.get("output_tokens_details")
    return {
        "prompt_tokens": usage.get("input_tokens"),
        "completion_tokens": usage.get("output_tokens"),
        "total_tokens": usage.get("total_tokens"),
        "prompt_tokens_details": before,
        "completion_tokens_details": after,
    }


def _choice(key: str, response: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the items of the output as one choice, with a ``message`` or a ``delta``."""
    texts: dict[str, list[str]] = {"content": [], "refusal": [], "reasoning": []}
    calls: list[dict[str, Any]] = []
    role = None
    for i, item in enumerate(response["output"]):
        if not isinstance(item, dict):
            found = f"expected an object, found {kind_of(item)}"
            raise Reject("not_an_object", found, f"{path}.output[{i}]")
        if item.get("type") == "function_call":
            calls.append(_call(item, len(calls) if key == "delta" else None))
        elif item.get("type") == "reasoning":
            texts["reasoning"] += _texts(item.get("content")) or _texts(item.get("summary"))
        elif item.get("type") == "message":
            role = item.get("role", role)
            texts["content"] += _texts(item.get("content"))
            texts["refusal"] += _texts(item.get("content"), "refusal")
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    joined = {name: "".join(some) if some else None for name, some in texts.items()}
    return {
        key: {**joined, "role": role, "tool_calls": calls or None},
        "logprobs": _logprobs(response["output"], path),
        "finish_reason": reason if reason is not None else response.get("status"),
    }


def _lists(output: list[Any]) -> Iterator[list[Any]]:
    """Yield the lists of logprobs of all messages."""
    for item in output:
        if isinstance(item, dict) and item.get("type") == "message":
            yield from _texts(item.get("content"), "logprobs", list)


def _logprobs(output: list[Any], path: str) -> dict[str, Any] | None:
    lists = list(_lists(output))
    if any(lists):
        return {"content": [entry for each in lists for entry in each]}
    for i, item in enumerate(output):  # NeMo Gym writes ids and logprobs beside the parts
        beside = arrays(item, f"{path}.output[{i}]") if isinstance(item, dict) else None
        if beside is not None:
            return {"content": beside}
    return {"content": []} if lists else None


def _texts(parts: Any, key: str = "text", kind: type = str) -> list[Any]:
    """Return the values of a key in the parts of an item, if they are of that type."""
    parts = parts if isinstance(parts, list) else ()
    found = [part.get(key) for part in parts if isinstance(part, dict)]
    return [value for value in found if isinstance(value, kind)]


def _call(item: dict[str, Any], index: int | None) -> dict[str, Any]:
    function = {"name": item.get("name"), "arguments": item.get("arguments")}
    call = {"id": item.get("call_id"), "type": "function", "function": function}
    return call if index is None else {"index": index, **call}


# Events


def _event(kind: str, obj: dict[str, Any], path: str) -> Body:
    """Return an event as a chunk; most have no choices."""
    delta: dict[str, Any] = {}
    logprobs = None
    text = obj.get("delta")
    if kind == "response.output_text.delta":
        delta["content"] = text
        if isinstance(obj.get("logprobs"), list):
            logprobs = {"content": obj["logprobs"]}
    elif kind == "response.refusal.delta":
        delta["refusal"] = text
    elif kind in _REASONING:
        delta["reasoning"] = text
    elif kind == "response.function_call_arguments.delta":
        call = {"index": obj.get("output_index", 0), "function": {"arguments": text}}
        delta["tool_calls"] = [call]
    elif kind == "response.output_item.added":
        item = obj.get("item")
        if isinstance(item, dict) and item.get("type") == "function_call":
            call = _call({**item, "arguments": ""}, None)
            delta["tool_calls"] = [{"index": obj.get("output_index", 0), **call}]
    error = obj if kind == "error" else None
    read = () if delta else (obj,)  # later events repeat what the deltas brought
    choices = [{"index": 0, "delta": delta, "logprobs": logprobs}] if delta else []
    return Body({"choices": choices}, NAME, path, error=error, read=read)
