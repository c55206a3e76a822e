"""Together and its kin: chat completions whose logprobs are parallel arrays, or one number.

Whole answers have ``choices[].logprobs`` as legacy completions do. A chunk brings one token: its
logprob is a number in ``choices[].logprobs``, its text the content of the delta.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body
from toolkit.loaders.formats.parallel_arrays import entries_of, has_arrays_or_number

NAME = "together"
SHAPE = "choices[].message or delta with logprobs.tokens, or logprobs a number"


def matches(obj: dict[str, Any]) -> bool:
    """Tell whether this is a chat completion or chunk with logprobs of this kind."""
    choices = obj.get("choices")
    return isinstance(choices, list) and any(map(has_arrays_or_number, choices))


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Yield the body with lists of entries."""
    choices = [_choice(choice, f"{path}.choices[{i}]") for i, choice in enumerate(obj["choices"])]
    yield Body({**obj, "choices": choices}, NAME, path)


def _choice(choice: Any, path: str) -> Any:
    if not has_arrays_or_number(choice):
        return choice
    logprobs, delta = choice["logprobs"], choice.get("delta")
    if isinstance(logprobs, dict):
        return {**choice, "logprobs": entries_of(logprobs, f"{path}.logprobs")}
    entry = {"token": delta["content"], "logprob": logprobs, "token_id": delta.get("token_id")}
    is_end = delta["content"] == "" and choice.get("finish_reason") is not None
    return {**choice, "logprobs": None if is_end else {"content": [entry]}}
