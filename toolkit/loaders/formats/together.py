"""Read chunks of Together: the logprob of a chunk's one token is a number in its choice.

The number belongs to a token only if the delta has its ``token_id``. A number alone is a mean over
the words of the chunk (LiteLLM's Gemini stream): it is not a token.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body
from toolkit.loaders.json_values import is_number

NAME = "together"
SHAPE = "choices[].delta with logprobs a number"


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is a chunk with a number for its logprobs."""
    choices = obj.get("choices")
    return isinstance(choices, list) and any(map(has_number, choices))


def has_number(choice: object) -> bool:
    """Return whether a choice of a chat has a number for its logprobs."""
    return (
        isinstance(choice, dict)
        and is_number(choice.get("logprobs"))
        and ("message" in choice or "delta" in choice)
    )


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Yield the body with the number as an entry of the channel that it belongs to."""
    choices = [_choice(choice) if has_number(choice) else choice for choice in obj["choices"]]
    is_mean = any(has_number(choice) and not _is_token(choice) for choice in obj["choices"])
    notes = ("mean_logprob_only",) if is_mean else ()
    yield Body({**obj, "choices": choices}, NAME, path, notes=notes)


def _is_token(choice: dict[str, Any]) -> bool:
    delta = choice.get("delta")
    return isinstance(delta, dict) and delta.get("token_id") is not None


def _choice(choice: dict[str, Any]) -> dict[str, Any]:
    delta = choice.get("delta")
    if not isinstance(delta, dict) or not _is_token(choice):
        return {**choice, "logprobs": None}
    text, reasoning = delta.get("content"), delta.get("reasoning")
    if text in ("", None) and choice.get("finish_reason") is not None and not reasoning:
        return {**choice, "logprobs": None}  # the end of the stream, which has no token
    channel, token = ("content", text) if text else ("reasoning", reasoning)
    if not token:
        channel, token = "content", ""
    entry = {"token": token, "logprob": choice["logprobs"], "token_id": delta["token_id"]}
    return {**choice, "logprobs": {channel: [entry]}}
