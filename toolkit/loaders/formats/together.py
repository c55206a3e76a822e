"""Read Together and similar servers: chat completions with logprobs in arrays, or one number.

Whole answers have ``choices[].logprobs`` in the form of legacy completions. A chunk has one token:
its logprob is a number in ``choices[].logprobs``, its text is the content of the delta.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body
from toolkit.loaders.formats.parallel_arrays import entries_of, has_arrays_or_number

NAME = "together"
SHAPE = "choices[].message or delta with logprobs.tokens, or logprobs a number"


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is a chat completion or a chunk with logprobs in this form."""
    choices = obj.get("choices")
    return isinstance(choices, list) and any(map(has_arrays_or_number, choices))


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Yield the body with logprobs as lists of entries."""
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
