"""Read legacy completions: ``choices[].text``, with logprobs as parallel arrays.

``logprobs`` is ``{"tokens", "token_logprobs", "top_logprobs", "text_offset"}``, where each entry of
``top_logprobs`` is an object of texts and logprobs, or null; newer servers may send the lists of
chat completions instead. Whole responses and chunks have the same shape, except that only the last
chunk has a finish reason. With ``echo``, the prompt's tokens come first, and the first of them has
no logprob.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body
from toolkit.loaders.json_values import read_once

NAME = "openai_legacy"
SHAPE = "choices[].text"
_MARKS = ("finish_reason", "logprobs")
_CHOICE_KEYS = frozenset({"index", "text", "logprobs", "finish_reason"})


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is a legacy completion."""
    choices = obj.get("choices")
    is_marked = "model" in obj or "object" in obj
    return isinstance(choices, list) and any(
        isinstance(choice, dict)
        and "text" in choice
        and "message" not in choice
        and "delta" not in choice
        and (is_marked or any(name in choice for name in _MARKS))
        for choice in choices
    )


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Yield the body in the form of a chunk of the chat schema."""
    choices = [_choice(choice, f"{path}.choices[{i}]") for i, choice in enumerate(obj["choices"])]
    ended = all(isinstance(choice, dict) and _has_ended(choice) for choice in choices)
    body = {**obj, "choices": choices}
    yield Body(body, NAME, path, kind="either" if ended else "auto")


def _has_ended(choice: dict[str, Any]) -> bool:
    """Return whether a choice has a finish reason that the decoder keeps."""
    reason = choice.get("finish_reason")
    return isinstance(reason, str) and reason != ""


def _choice(choice: Any, path: str) -> Any:
    if not isinstance(choice, dict):
        return choice  # the decoder rejects it
    read_once(choice, _CHOICE_KEYS, path)
    rest = {key: value for key, value in choice.items() if key != "text"}
    return {**rest, "delta": {"content": choice.get("text")}}
