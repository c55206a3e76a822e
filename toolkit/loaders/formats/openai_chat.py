"""OpenAI chat completions, whole and streamed: the canonical form itself.

Told by a ``choices`` array whose entries have ``message`` or ``delta``; ``object`` is not looked
at, since servers set it wrongly. A choice without either is a chunk's (Azure's trailing content
filter results), unless it has the keys of another schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body
from toolkit.loaders.formats.parallel_arrays import has_arrays_or_number

NAME = "openai_chat"
SHAPE = "choices[].message or choices[].delta"


def matches(obj: dict[str, Any]) -> bool:
    """Tell whether this is a chat completion or a chunk of one."""
    choices = obj.get("choices")
    if not isinstance(choices, list) or _are_options(choices):
        return False
    return not any(isinstance(choice, dict) and _is_other(choice) for choice in choices)


def _are_options(choices: list[Any]) -> bool:
    """Tell the options of a question, which a row of an experiment may have under this key."""
    return bool(choices) and all(isinstance(choice, str) for choice in choices)


def _is_other(choice: dict[str, Any]) -> bool:
    """Tell a choice of legacy completions, or one with logprobs of another kind."""
    if "message" not in choice and "delta" not in choice:
        return "text" in choice
    return has_arrays_or_number(choice)


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Yield the body as it is."""
    yield Body(obj, NAME, path)
