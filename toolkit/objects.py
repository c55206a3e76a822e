"""Objects of other libraries as what servers sent; told by their attributes, none imported."""

from __future__ import annotations

from typing import Any


def plain(item: Any) -> Any:
    """Return an object in memory as a dict of a known format; others as they are.

    Taken are objects with ``model_dump`` or ``dict`` (SDKs built on pydantic), messages of
    LangChain (``response_metadata``), and outputs of vLLM (``outputs`` with ``token_ids``).
    """
    if isinstance(item, dict):
        return _of_message(item) if _is_message(item) else item
    if isinstance(getattr(item, "response_metadata", None), dict):
        names = ("response_metadata", "content", "id", "tool_calls", "usage_metadata")
        return _of_message({name: getattr(item, name, None) for name in names})
    if _is_request_output(item):
        return _of_request_output(item)
    for name in ("model_dump", "dict"):
        method = getattr(item, name, None)
        if callable(method):
            return method()
    return item


def is_object(item: Any) -> bool:
    """Tell whether this is a response, or a chunk of one, and no collection of them."""
    return (
        hasattr(item, "model_dump")
        or isinstance(getattr(item, "response_metadata", None), dict)
        or _is_request_output(item)
    )


# LangChain


def _is_message(item: dict[str, Any]) -> bool:
    return isinstance(item.get("response_metadata"), dict) and "choices" not in item


def _of_message(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message as the completion that it was made of."""
    metadata = message["response_metadata"]
    found = {
        "role": "assistant",
        "content": message.get("content"),
        "refusal": (message.get("additional_kwargs") or {}).get("refusal"),
    }
    choice = {
        "index": 0,
        "message": found,
        "logprobs": metadata.get("logprobs"),
        "finish_reason": metadata.get("finish_reason"),
    }
    return {
        "id": metadata.get("id") or message.get("id"),
        "model": metadata.get("model_name") or metadata.get("model"),
        "system_fingerprint": metadata.get("system_fingerprint"),
        "service_tier": metadata.get("service_tier"),
        "usage": metadata.get("token_usage"),
        "choices": [choice],
    }


# vLLM


def _is_request_output(item: Any) -> bool:
    outputs = getattr(item, "outputs", None)
    return isinstance(outputs, list) and all(hasattr(each, "token_ids") for each in outputs)


def _of_request_output(item: Any) -> dict[str, Any]:
    prompt = getattr(item, "prompt_token_ids", None)
    usage = {"completion_tokens": sum(len(each.token_ids) for each in item.outputs)}
    if prompt is not None:
        usage["prompt_tokens"] = len(prompt)
    return {
        "id": getattr(item, "request_id", None),
        "usage": usage,
        "choices": [_choice(each, i) for i, each in enumerate(item.outputs)],
    }


def _choice(output: Any, ordinal: int) -> dict[str, Any]:
    steps = getattr(output, "logprobs", None)
    entries = None
    if steps is not None:
        pairs = zip(output.token_ids, steps, strict=True)
        entries = [_position(token_id, step or {}) for token_id, step in pairs]
    return {
        "index": getattr(output, "index", ordinal),
        "message": {"content": getattr(output, "text", None)},
        "logprobs": {"content": entries} if entries is not None else None,
        "finish_reason": getattr(output, "finish_reason", None),
    }


def _position(token_id: int, step: dict[int, Any]) -> dict[str, Any]:
    """Return one position; the sampled token is among its alternatives."""
    top = [_entry(id_, found) for id_, found in step.items()]
    return {**_entry(token_id, step.get(token_id)), "top_logprobs": top}


def _entry(token_id: int, found: Any) -> dict[str, Any]:
    text = getattr(found, "decoded_token", None)
    return {
        # An engine without a tokenizer has ids alone; this is how its server writes them.
        "token": text if text is not None else f"token_id:{token_id}",
        "token_id": token_id,
        "logprob": getattr(found, "logprob", None),
    }
