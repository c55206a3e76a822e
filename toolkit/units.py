"""What people have in memory: responses and streams, each with its id."""

from __future__ import annotations

import json
from typing import Any

from toolkit.errors import ArgumentError
from toolkit.objects import is_object, plain


def units(responses: Any, custom_id: Any) -> list[tuple[list[Any], Any, bool]]:
    """Sort what `toolkit.from_responses` was given into responses and streams.

    Parameters
    ----------
    responses, custom_id
        As given to `toolkit.from_responses`.

    Returns
    -------
    list of (list, object, bool)
        The bodies of each, its id, and whether it is a stream of its own, not to be mixed with
        others.
    """
    if hasattr(responses, "__aiter__"):
        raise ArgumentError(
            "an async stream cannot be read here: collect it, [chunk async for chunk in stream]"
        )
    items = [responses] if _is_response(responses) else list(responses)
    found = [
        ([plain(item)], False) if _is_response(item) else ([plain(chunk) for chunk in item], True)
        for item in items
    ]
    if found and all(not alone and _is_chunk(unit[0]) for unit, alone in found):
        found = [([unit[0] for unit, _ in found], False)]
    ids = [custom_id] if isinstance(custom_id, str) else custom_id
    ids = [None] * len(found) if ids is None else list(ids)
    if len(ids) != len(found):
        raise ArgumentError(f"custom_id has {len(ids)} ids for {len(found)} responses")
    return [(unit, given, alone) for (unit, alone), given in zip(found, ids, strict=True)]


def _is_chunk(item: Any) -> bool:
    if isinstance(item, str | bytes):
        try:
            item = json.loads(item)
        except (ValueError, RecursionError):
            return False  # the decoder says what is wrong with it
    choices = item.get("choices") if isinstance(item, dict) else None
    if not isinstance(choices, list):
        return False
    return not any(isinstance(choice, dict) and "message" in choice for choice in choices)


def _is_response(item: Any) -> bool:
    return (
        item is None
        or isinstance(item, dict | str | bytes | int | float)
        or is_object(item)
        or not hasattr(item, "__iter__")
    )
