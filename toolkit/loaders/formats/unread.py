"""Find values of a record that speak of logprobs and were not read, so that none vanishes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from toolkit.loaders.formats.body import Body, Control, Exchange, Found
from toolkit.loaders.formats.choice_lists import are_arrays, lists_of_choice, prompt_list
from toolkit.loaders.formats.token_lists import TokenList, speaks_of_logprobs
from toolkit.loaders.json_values import Reject, is_number

_KEPT = ("tool_calls", "toolCalls", "error")
"""Keys whose values are kept as JSON, whatever is in them."""


def placed_lists(body: Body) -> Iterator[TokenList]:
    """Yield the lists that the decoder reads of a body, empty ones included."""
    choices = _choices(body)
    for choice in choices:
        with suppress(Reject):  # the decoder rejects the body for the same reason
            yield from lists_of_choice(choice.get("logprobs"), "$").values()
    for prompt in (prompt_list(part, "$") for part in (body.obj, *choices)):
        if prompt is not None:
            yield prompt


def _choices(body: Body) -> list[dict[str, Any]]:
    choices = body.obj.get("choices")
    return [each for each in choices if isinstance(each, dict)] if isinstance(choices, list) else []


def has_tokens(bodies: Iterable[Found]) -> bool:
    """Return whether any of the bodies brings tokens; an exchange may."""
    return any(
        isinstance(body, Exchange)
        or (isinstance(body, Body) and any(tokens.values for tokens in placed_lists(body)))
        for body in bodies
    )


def lists_of(bodies: Iterable[Found]) -> Iterator[list[Any]]:
    """Yield the lists that the decoder reads of some bodies."""
    for body in bodies:
        if isinstance(body, Body):
            for tokens in placed_lists(body):
                yield tokens.values
                yield from tokens.columns.values()


def identities(bodies: Iterable[Found]) -> set[int]:
    """Return the identities of the objects of a record that bodies are made of, or read from."""
    found: set[int] = set()
    for body in bodies:
        if isinstance(body, Exchange):
            found.add(id(body.records))
        elif isinstance(body, Body | Control):
            found |= {id(each) for each in body.read}
        if isinstance(body, Body):
            for each in placed_lists(body):
                found |= each.identities()
            all_logprobs = (choice.get("logprobs") for choice in _choices(body))
            found |= {id(logprobs) for logprobs in all_logprobs if are_arrays(logprobs)}
    found.discard(id(None))
    return found


def unread(obj: Any, read: set[int], lists: Iterable[list[Any]] = ()) -> Iterator[Any]:
    """Yield the values under keys that speak of logprobs that were not read.

    Parameters
    ----------
    obj : object
        A record.
    read : set of int
        Identities of the objects that were read.
    lists : iterable of list
        Lists that were read; a value that repeats them is not yielded.

    Yields
    ------
    object
        A number alone, or a list or object with numbers in it.
    """
    seen = set(read)  # objects in memory may hold themselves
    read_lists: list[list[Any]] | None = None  # computed if a value has to be compared with them
    stack = [obj]
    while stack:
        value = stack.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, list):
            stack += [each for each in value if isinstance(each, dict | list)]
            continue
        for key, inner in value.items():
            if speaks_of_logprobs(key):
                if id(inner) in read or not _holds_logprobs(inner, read):
                    continue
                if read_lists is None:
                    read_lists = [each for each in lists if each]
                if not _repeats(inner, read_lists):
                    yield inner
            elif isinstance(inner, dict | list) and key not in _KEPT:
                stack.append(inner)


def _repeats(value: Any, lists: list[list[Any]]) -> bool:
    """Return whether a value is, or holds, lists that were read elsewhere and nothing else."""
    if isinstance(value, dict):
        inner = [each for each in value.values() if isinstance(each, dict | list) and each]
        return bool(inner) and all(_repeats(each, lists) for each in inner)
    return isinstance(value, list) and value in lists


def _holds_logprobs(value: Any, read: set[int]) -> bool:
    """Return whether there are numbers in a value that could be logprobs and were not read."""
    seen: set[int] = set()  # not with those read, of which a record has as many as choices
    stack = [value]
    while stack:
        each = stack.pop()
        if isinstance(each, dict | list):
            if id(each) not in seen and id(each) not in read:
                seen.add(id(each))
                stack += each.values() if isinstance(each, dict) else each
        elif is_number(each) and (each < 0 or (isinstance(each, float) and each < math.inf)):
            return True
    return False
