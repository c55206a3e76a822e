"""Read OpenAI chat completions, whole and streamed: the canonical form itself.

They are detected from a ``choices`` array whose entries have ``message`` or ``delta``; ``object``
is ignored, because some servers set it wrongly. A choice without either belongs to a chunk (Azure's
trailing content filter results), unless it has the keys of another schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body
from toolkit.loaders.formats.token_lists import arrays
from toolkit.loaders.json_values import is_number

NAME = "openai_chat"
SHAPE = "choices[].message or choices[].delta"


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is a chat completion or a chunk of one."""
    choices = obj.get("choices")
    if not isinstance(choices, list) or _are_options(choices):
        return False
    return not any(isinstance(choice, dict) and _is_other(choice) for choice in choices)


def has_message(obj: dict[str, Any]) -> bool:
    """Return whether a choice has a message or a delta, so that the object is surely a chat."""
    return any(
        isinstance(choice, dict) and ("message" in choice or "delta" in choice)
        for choice in obj["choices"]
    )


def _are_options(choices: list[Any]) -> bool:
    """Return whether choices are texts, such as the options of a question in a row."""
    return bool(choices) and all(isinstance(choice, str) for choice in choices)


def _is_other(choice: dict[str, Any]) -> bool:
    """Return whether a choice is of another API, or has a number for its logprobs."""
    if "message" not in choice and "delta" not in choice:
        return any(key in choice for key in ("text", "label", "token_ids"))
    return is_number(choice.get("logprobs"))


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Yield the body unchanged, but for logprobs that lie inside or beside a message."""
    choices = obj["choices"]
    moved = [_with_logprobs(choice, f"{path}.choices[{i}]") for i, choice in enumerate(choices)]
    if all(new is old for new, old in zip(moved, choices, strict=True)):
        yield Body(obj, NAME, path)
    else:
        yield Body({**obj, "choices": moved}, NAME, path)


def _with_logprobs(choice: Any, path: str) -> Any:
    """Return a choice with the logprobs that some servers write into its message, or beside it."""
    if not isinstance(choice, dict) or choice.get("logprobs") is not None:
        return choice
    for name in ("message", "delta"):
        message = choice.get(name)
        if not isinstance(message, dict):
            continue
        within = message.get("logprobs")
        if within is not None and not isinstance(within, bool):
            return {**choice, "logprobs": within}
        beside = arrays(message, f"{path}.{name}") or arrays(choice, path)
        if beside is not None:
            return {**choice, "logprobs": {"content": beside}}
    return choice
