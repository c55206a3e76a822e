"""Read OpenAI chat completions, whole and streamed: the canonical form itself.

They are detected from a ``choices`` array whose entries have ``message`` or ``delta``; ``object``
is ignored, because some servers set it wrongly. A choice without either belongs to a chunk (Azure's
trailing content filter results), unless it has the keys of another schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body
from toolkit.loaders.formats.parallel_arrays import has_arrays_or_number

NAME = "openai_chat"
SHAPE = "choices[].message or choices[].delta"


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is a chat completion or a chunk of one."""
    choices = obj.get("choices")
    if not isinstance(choices, list) or _are_options(choices):
        return False
    return not any(isinstance(choice, dict) and _is_other(choice) for choice in choices)


def _are_options(choices: list[Any]) -> bool:
    """Return whether choices are texts, such as the options of a question in a row."""
    return bool(choices) and all(isinstance(choice, str) for choice in choices)


def _is_other(choice: dict[str, Any]) -> bool:
    """Return whether a choice is one of legacy completions, or has logprobs in another form."""
    if "message" not in choice and "delta" not in choice:
        return "text" in choice
    return has_arrays_or_number(choice)


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Yield the body unchanged."""
    yield Body(obj, NAME, path)
