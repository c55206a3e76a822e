"""Read Gemini and Vertex AI: ``candidates[]`` with ``logprobsResult``, in either key casing.

``chosenCandidates`` are the sampled tokens, ``topCandidates`` the alternatives at each position,
which may lack the sampled token. The server does not send bytes. Parts marked as thought are
reasoning. Chunks of a stream have the same shape; only the last has a finish reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from toolkit.loaders.formats.body import Body
from toolkit.loaders.formats.token_lists import TokenList
from toolkit.loaders.json_values import Reject, camel, is_claimed, kind_of

NAME = "gemini"
SHAPE = "candidates[].content"
_MARKS = ("content", "finish_reason", "logprobs_result")
_USAGE = {
    "prompt_tokens": "prompt_token_count",
    "completion_tokens": "candidates_token_count",
    "total_tokens": "total_token_count",
}


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is a response of generateContent, or a chunk of one."""
    candidates = obj.get("candidates")
    return (
        not is_claimed(obj)
        and isinstance(candidates, list)
        and all(isinstance(each, dict) for each in candidates)
        and (
            any(_get(each, name) is not None for each in candidates for name in _MARKS)
            or _get(obj, "usage_metadata") is not None
        )
    )


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Yield the body in the form of a chunk of the chat schema."""
    choices = [
        _choice(each, i, f"{path}.candidates[{i}]") for i, each in enumerate(obj["candidates"])
    ]
    ended = bool(choices) and all(isinstance(each["finish_reason"], str) for each in choices)
    body = {
        "id": _get(obj, "response_id"),
        "model": _get(obj, "model_version"),
        "created": _seconds(_get(obj, "create_time")),
        "usage": _usage(_get(obj, "usage_metadata")),
        "choices": choices,
    }
    read = tuple(_get(each, "logprobs_result") for each in obj["candidates"])
    yield Body(body, NAME, path, kind="either" if ended else "unsure", read=read)


def _get(obj: dict[str, Any], name: str) -> Any:
    value = obj.get(name)
    return value if value is not None else obj.get(camel(name))


def _seconds(time: Any) -> Any:
    try:
        return int(datetime.fromisoformat(time).timestamp())
    except (TypeError, ValueError, OverflowError):
        return time  # the decoder adds a note for a value that it cannot read


def _usage(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    usage: dict[str, Any] = {name: _get(found, key) for name, key in _USAGE.items()}
    usage["prompt_tokens_details"] = {"cached_tokens": _get(found, "cached_content_token_count")}
    thoughts = _get(found, "thoughts_token_count")
    usage["completion_tokens_details"] = {"reasoning_tokens": thoughts}
    return usage


def _choice(candidate: dict[str, Any], ordinal: int, path: str) -> dict[str, Any]:
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    texts: dict[bool, list[str]] = {False: [], True: []}
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            texts[bool(part.get("thought"))].append(part["text"])
    delta = {
        "role": content.get("role") if isinstance(content, dict) else None,
        "content": "".join(texts[False]) if texts[False] else None,
        "reasoning": "".join(texts[True]) if texts[True] else None,
    }
    return {
        "index": candidate.get("index", ordinal),
        "delta": delta,
        "logprobs": _logprobs(_get(candidate, "logprobs_result"), path),
        "finish_reason": _get(candidate, "finish_reason"),
    }


def _logprobs(result: Any, path: str) -> Any:
    """Return the sampled tokens, with the alternatives of each position beside them."""
    if not isinstance(result, dict):
        return result
    path += ".logprobsResult"
    chosen = _list(_get(result, "chosen_candidates"), f"{path}.chosenCandidates")
    tops = _list(_get(result, "top_candidates"), f"{path}.topCandidates")
    if tops and len(tops) != len(chosen):
        message = f"expected {len(chosen)} lists, one per token, found {len(tops)}"
        raise Reject("unequal_lengths", message, f"{path}.topCandidates")
    beside = {"top": [each.get("candidates") if isinstance(each, dict) else each for each in tops]}
    return {"content": TokenList("entries", chosen, beside, f"{path}.chosenCandidates")}


def _list(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list | None):
        raise Reject("entry_not_object", f"expected an array, found {kind_of(value)}", path)
    return value or []
