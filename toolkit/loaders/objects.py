"""Load responses that are in memory: `from_responses`.

SDK, LangChain and vLLM objects are recognised by their attributes; none of these packages is
imported.
"""

from __future__ import annotations

import json
from typing import Any

from toolkit.errors import ArgumentError
from toolkit.loaders.batches import BatchReader
from toolkit.loaders.decoding.reference import Unit
from toolkit.loaders.options import OnError, ReadOptions
from toolkit.loaders.session import LoadSummary
from toolkit.tables import LogprobTables


def from_responses(
    responses: Any, *, custom_id: Any = None, on_error: OnError = "reject"
) -> LogprobTables:
    """Load responses that are in memory.

    Parameters
    ----------
    responses : object or iterable
        One response or many. A response is a dict, JSON text (str or bytes), an object with
        ``model_dump`` (as the SDKs of OpenAI and similar services return), a message of LangChain,
        an output of vLLM, or an iterable of chunks of these kinds, which is one stream. A list
        whose items are all chunks is one stream too.
    custom_id : str or list of str, optional
        The caller's id of each response, in order.
    on_error : {"reject", "raise"}
        As in `read`.

    Returns
    -------
    LogprobTables

    Raises
    ------
    ArgumentError
        If the number of ids differs from the number of responses.
    NoRecordsError, RecordError
        As in `read`.

    Examples
    --------
    >>> import toolkit
    >>> chunks = [{"id": "a", "choices": [{"delta": {"content": text}}]} for text in ("He", "llo")]
    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):
    ...     lp = toolkit.from_responses(chunks, custom_id="greeting")
    >>> lp.text("greeting")
    'Hello'
    """
    reader = BatchReader(ReadOptions(on_error=on_error))
    lp = reader.objects(units(responses, custom_id))
    summary = LoadSummary()
    summary.add(lp)
    summary.add_sources(reader)
    summary.require_records()
    summary.warn()
    return lp


# Grouping: which objects are responses, and which are chunks of one stream


def units(responses: Any, custom_id: Any) -> list[Unit]:
    """Group the arguments of `from_responses` into responses and streams."""
    if hasattr(responses, "__aiter__"):
        raise ArgumentError(
            "responses is an async stream: collect it first, [chunk async for chunk in stream]"
        )
    items = [responses] if _is_response(responses) else list(responses)
    found = [
        Unit([to_dict(item)])
        if _is_response(item)
        else Unit([to_dict(chunk) for chunk in item], is_stream=True)
        for item in items
    ]
    if found and all(not unit.is_stream and _is_chunk(unit.bodies[0]) for unit in found):
        found = [Unit([unit.bodies[0] for unit in found])]
    ids = [custom_id] if isinstance(custom_id, str) else custom_id
    ids = [None] * len(found) if ids is None else list(ids)
    if len(ids) != len(found):
        raise ArgumentError(
            f"custom_id has {len(ids)} ids: expected one for each of the {len(found)} responses"
        )
    return [unit._replace(custom_id=given) for unit, given in zip(found, ids, strict=True)]


def _is_chunk(item: Any) -> bool:
    if isinstance(item, str | bytes):
        try:
            item = json.loads(item)
        except (ValueError, RecursionError):
            return False  # the decoder rejects it
    choices = item.get("choices") if isinstance(item, dict) else None
    if not isinstance(choices, list):
        return False
    return not any(isinstance(choice, dict) and "message" in choice for choice in choices)


def _is_response(item: Any) -> bool:
    """Return whether this is one response or one chunk, not a collection of them."""
    return (
        item is None
        or isinstance(item, dict | str | bytes | int | float)
        or hasattr(item, "model_dump")
        or isinstance(getattr(item, "response_metadata", None), dict)
        or _is_request_output(item)
        or not hasattr(item, "__iter__")
    )


# Conversion: objects of other packages to dicts


def to_dict(item: Any) -> Any:
    """Convert an object to a dict of a known format; return other objects as they are.

    Converted are objects with ``model_dump`` or ``dict`` (SDKs that use pydantic), messages of
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


# Messages of LangChain


def _is_message(item: dict[str, Any]) -> bool:
    return isinstance(item.get("response_metadata"), dict) and "choices" not in item


def _of_message(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message as the completion that it was made from."""
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


# Outputs of vLLM


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
    """Return the entry of one position; the sampled token is one of its alternatives."""
    top = [_entry(id_, found) for id_, found in step.items()]
    return {**_entry(token_id, step.get(token_id)), "top_logprobs": top}


def _entry(token_id: int, found: Any) -> dict[str, Any]:
    text = getattr(found, "decoded_token", None)
    return {
        # Without a tokenizer there are only ids; vLLM's server writes them like this.
        "token": text if text is not None else f"token_id:{token_id}",
        "token_id": token_id,
        "logprob": getattr(found, "logprob", None),
    }
