"""Say why a record is not read, what comes nearest, and what to type: `refusal`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Protocol

from toolkit.loaders.formats.loose import TEXTS
from toolkit.loaders.formats.paths import find, steps_of
from toolkit.loaders.formats.token_lists import is_logprob, speaks_of_logprobs
from toolkit.loaders.json_values import Reject, child, field_name, is_number, keys_of, kind_of

_DEPTH = 5
_MOST_LISTS = 200  # lists of a record that are looked at
_LOOK = 8  # elements that decide what a list is
_NOT_KEYS = frozenset(("a", "an", "and", "answer", "has", "its", "number", "or", "the", "with"))
"""Words of the descriptions of formats that are not keys."""
_LEAST = -200.0  # nats; smaller numbers are hardly logprobs


class _Named(Protocol):
    @property
    def NAME(self) -> str: ...  # noqa: N802
    @property
    def SHAPE(self) -> str: ...  # noqa: N802


def refusal(
    obj: dict[str, Any], path: str, formats: Iterable[_Named], is_unrelated: bool
) -> Reject:
    """Return the reject of an object that no format matches.

    Parameters
    ----------
    obj : dict
    path : str
        Its JSON path.
    formats : iterable of modules
        What is read; the one that has most of its keys in common with the object is named.
    is_unrelated : bool
        As in `Reject`.
    """
    if "choices" in obj and not isinstance(obj["choices"], list):
        choices = kind_of(obj["choices"])
        return Reject("no_choices", f"expected an array, found {choices}", f"{path}.choices")
    found = f"found the keys {keys_of(obj)}" if obj else "found an empty object"
    near = max(formats, key=lambda each: len(_words(each.SHAPE) & obj.keys()))
    message = f"expected a known format, {found}; the nearest is {near.NAME} ({near.SHAPE})"
    if hint := _hint(obj):
        message += f"; {hint}"
    is_body = not obj or any(key in obj for key in ("id", "model", "created", "usage"))
    if is_body:
        return Reject("no_choices", message, f"{path}.choices", is_unrelated=is_unrelated)
    return Reject("unknown_format", message, path, is_unrelated=is_unrelated)


@cache
def _words(shape: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", re.sub(r"=\w+", "", shape))) - _NOT_KEYS


def _hint(obj: dict[str, Any]) -> str | None:
    """Return what to type to read an object of which some values may be logprobs."""
    for tokens, logprobs in _token_lists(obj):
        parts = {"tokens": tokens, "logprobs": logprobs, "text": _text_key(obj)}
        given = ", ".join(f"{name}={value!r}" for name, value in parts.items() if value)
        return f"if {logprobs!r} are logprobs, pass shape=toolkit.Shape({given})"
    named = [_without_root(path) for path, _ in _members(obj) if _speaks(path)]
    if named:
        return f"the value of {named[0]!r} is not a list of tokens and logprobs"
    return None


def _speaks(path: str) -> bool:
    return speaks_of_logprobs(path.rpartition(".")[2]) and "*" not in path


def _text_key(obj: dict[str, Any]) -> str | None:
    texts = [key for key, value in obj.items() if isinstance(value, str) and field_name(key) == key]
    usual = (key for key in TEXTS if key in texts)
    return next(usual, texts[-1] if texts else None)


def _token_lists(obj: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the paths of lists that may be tokens, and of those that may be their logprobs."""
    for path, values in _members(obj):
        if not isinstance(values, list) or not values or "*" in path or '"' in path:
            continue
        place = _without_root(path)
        if all(isinstance(each, dict) for each in values[:_LOOK]):
            columns = {
                key: [each.get(key) for each in values[:_LOOK]]
                for key in values[0]
                if field_name(key) == key and "." not in key
            }
            yield from (
                (f"{place}[].{text}", f"{place}[].{number}")
                for number in columns
                if _may_be_logprobs(columns[number])
                for text in columns
                if _are_texts(columns[text])
            )
        elif _may_be_logprobs(values):
            parent = place.rpartition(".")[0]
            beside = next(find(obj, steps_of(parent)))[0] if parent else obj
            yield from (
                (f"{parent}.{key}".removeprefix("."), place)
                for key, texts in beside.items()
                if isinstance(texts, list) and len(texts) == len(values) and _are_texts(texts)
            )


def _may_be_logprobs(values: list[Any]) -> bool:
    numbers = [
        float(each) if isinstance(each, str) else each  # a whole number may be above all floats
        for each in values
        if each is not None and is_logprob(each)
    ]
    is_whole = len(numbers) + sum(each is None for each in values) == len(values)
    are_fractions = any(isinstance(each, float | str) for each in values)
    return is_whole and are_fractions and all(_LEAST < each <= 0 for each in numbers)


def _are_texts(values: list[Any]) -> bool:
    return all(isinstance(each, str) and not is_number(each) for each in values)


def _members(obj: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the members of an object and those inside them, the outer ones first."""
    level: list[tuple[str, Any]] = [("$", obj)]
    left = _MOST_LISTS
    for _ in range(_DEPTH):
        inner: list[tuple[str, Any]] = []
        for path, value in level:
            if isinstance(value, dict):
                inner += [(child(path, key), each) for key, each in value.items()]
        yield from inner[:left]
        left -= len(inner)
        if left <= 0:
            return
        level = inner


def _without_root(path: str) -> str:
    return path.removeprefix("$.")
