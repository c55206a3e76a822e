"""Read the OpenAI Responses API: a whole response, or an event of its stream.

The items of ``output`` make up one choice: the texts of its messages in order, their logprobs, the
texts of reasoning, and function calls as tool calls. ``finish_reason`` is the server's own word,
``incomplete_details.reason`` or ``status``.

In a stream the same tokens are sent several times. Those of the deltas count; ``.done`` events
repeat a part or an item, and the last event repeats all of the response: they count only where
nothing came of it before. Other events are control. Most events do not name their response: they
belong to the one that was active last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body, Control
from toolkit.loaders.formats.token_lists import arrays
from toolkit.loaders.json_values import Reject, is_claimed, kind_of, whole_number

NAME = "openai_responses"
SHAPE = 'output with object "response", or type "response.*"'
_ENDS = ("response.completed", "response.incomplete", "response.failed")
_REASONING = (
    "response.reasoning_text.delta",
    "response.reasoning.delta",
    "response.reasoning_summary_text.delta",
)
_PARTS_DONE = {  # the type of the item that an event repeats, all of it or a part
    "response.output_item.done": "",
    "response.content_part.done": "message",
    "response.output_text.done": "message",
    "response.refusal.done": "message",
    "response.reasoning_part.done": "reasoning",
    "response.reasoning_text.done": "reasoning",
    "response.reasoning_summary_part.done": "reasoning",
    "response.reasoning_summary_text.done": "reasoning",
}


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is a response or an event."""
    if is_claimed(obj):
        return False
    if _is_event(obj):
        return obj["type"] != "error" or not isinstance(obj.get("error"), dict)
    return isinstance(obj.get("output"), list) and (
        obj.get("object") == "response" or _counts_input(obj.get("usage"))
    )


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Body | Control]:
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


def _event(kind: str, obj: dict[str, Any], path: str) -> Body | Control:
    """Return an event as a chunk, or as a copy of what was sent; as control if it has neither."""
    if kind == "error":
        return Body({"choices": []}, NAME, path, error=obj, read=(obj,))
    item, part = _number(obj, "output_index"), _number(obj, "content_index", "summary_index")
    whole = obj.get("item")
    id_ = whole.get("id") if isinstance(whole, dict) else obj.get("item_id")
    if kind in _PARTS_DONE:
        choice = _choice("delta", {"output": [_done_item(kind, obj)]}, path)
        for call in choice["delta"]["tool_calls"] or ():
            call["index"] = item
        covered = None if kind == "response.output_item.done" else part
        read = tuple(_lists([_done_item(kind, obj)]))
        copy = Body({"choices": [{"index": 0, **choice}]}, NAME, path, kind="copy", read=read)
        return copy._replace(item=item, part=covered, item_id=id_)
    delta = _delta(kind, obj, item)
    if not delta:
        return Control(path)
    entries = obj.get("logprobs")
    logprobs = {"content": entries} if isinstance(entries, list) and "content" in delta else None
    chunk = {"choices": [{"index": 0, "delta": delta, "logprobs": logprobs}]}
    return Body(chunk, NAME, path, item=item, part=part, item_id=id_)


def _number(obj: dict[str, Any], *keys: str) -> int:
    """Return the first of some keys that has a small whole number, else 0."""
    found = (whole_number(obj.get(key), 0, 1 << 20) for key in keys)
    return next((number for number in found if number is not None), 0)


def _delta(kind: str, obj: dict[str, Any], item: int) -> dict[str, Any]:
    """Return what an event adds to the message; most add nothing."""
    text = obj.get("delta")
    if kind == "response.output_text.delta":
        return {"content": text}
    if kind == "response.refusal.delta":
        return {"refusal": text}
    if kind in _REASONING:
        return {"reasoning": text}
    if kind == "response.function_call_arguments.delta":
        return {"tool_calls": [{"index": item, "function": {"arguments": text}}]}
    added = obj.get("item")
    if kind == "response.output_item.added" and isinstance(added, dict):
        if added.get("type") == "function_call":
            return {"tool_calls": [{"index": item, **_call({**added, "arguments": ""}, None)}]}
        if added.get("role") is not None:
            return {"role": added["role"]}
    return {}


def _done_item(kind: str, obj: dict[str, Any]) -> Any:
    """Return the item of the output that an event repeats, or the part of it that it repeats."""
    if kind == "response.output_item.done":
        item = obj.get("item")
        return item if isinstance(item, dict) else {}
    type_ = _PARTS_DONE[kind]
    part = obj.get("part")
    if not isinstance(part, dict):
        part = {key: obj.get(key) for key in ("text", "refusal", "logprobs")}
    return {"type": type_, "content": [part]}
