"""Find the ids that people gave to rows: in a column, or as the keys of an object of answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body, Exchange, Found
from toolkit.loaders.formats.paths import along, steps_of

_IDS = (
    *("custom_id", "request_id", "litellm_call_id", "id", "sample_id", "question_id"),
    *("uuid", "key", "index", "recordId", "qid", "doc_id", "uid", "task_id"),
)
"""Keys under which a row has its id; the first that is there counts."""
_BELONGS = {"index": frozenset({"finish_reason", "finishReason"}), "key": frozenset({"value"})}
"""Keys beside which one of these is not an id: the index of a choice, the name of an attribute."""


def as_id(value: Any) -> Any:
    """Return an id as text; whatever is neither a text nor a whole number as it is."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def row_id(obj: object, default: str | None) -> str | None:
    """Return the id of a row as text, or the default if it has none."""
    if isinstance(obj, dict):
        for name in _IDS:
            value = as_id(obj.get(name))
            if isinstance(value, str) and not _BELONGS.get(name, frozenset()) & obj.keys():
                return value
    return default


def with_keys_as_ids(obj: dict[str, Any], path: str, found: list[Found]) -> Iterator[Found]:
    """Yield the bodies of a row; those without an id get the key under which they are.

    The keys of an object are ids if there is an answer under each of them. A single key may as well
    say what it holds; it is an id if it is all of the record and has a digit in it.
    """
    steps = [
        steps_of(each.path.removeprefix(path)) if isinstance(each, Body | Exchange) else ()
        for each in found
    ]
    under: dict[tuple[Any, ...], set[Any]] = {}
    for keys in steps:
        for n, key in enumerate(keys):
            under.setdefault(keys[:n], set()).add(key)
    for body, keys in zip(found, steps, strict=True):
        if isinstance(body, Body | Exchange) and body.custom_id is None:
            around = along(obj, body.path.removeprefix(path))[: len(keys)]
            for n in reversed(range(len(around))):
                if _are_ids(around[n], under[keys[:n]], is_record=n == 0):
                    body = body._replace(custom_id=keys[n])
                    break
        yield body


def _are_ids(obj: Any, with_answers: set[Any], is_record: bool) -> bool:
    if not isinstance(obj, dict) or obj.keys() != with_answers:
        return False
    return len(obj) > 1 or (is_record and any(map(str.isdigit, "".join(obj))))
