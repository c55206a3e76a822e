"""The vocabulary of JSON values: their kinds and keys, `Reject`, and objects with repeated keys."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from typing import Any

from toolkit.limits import MOST_NESTING


class Reject(Exception):
    """The reason why a record cannot be read.

    Format modules, and functions that return one thing, raise it. Iterators over values and bodies
    (`strict_json.values`, `formats.detect.bodies`) yield it in the place of what cannot be read.

    Parameters
    ----------
    reason : str
        A code of `toolkit.schema.REASONS`.
    message : str
        What was found and what was expected; no content of the record.
    path : str, optional
        JSON path of the value that is at fault. Keys that may be content become ``*``.
    is_unrelated : bool
        Whether the record is complete JSON with neither an answer nor a key for logprobs.
    """

    def __init__(
        self, reason: str, message: str, path: str | None = None, *, is_unrelated: bool = False
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.path = None if path is None else _QUOTED.sub(_field_or_star, path)
        self.is_unrelated = is_unrelated


JSON_TYPES = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def kind_of(value: object) -> str:
    """Return the JSON type of a value in words, for messages.

    Examples
    --------
    >>> kind_of([])
    'an array'
    """
    for base, name in JSON_TYPES.items():
        if type(value) is base:
            return name
    return "an object" if isinstance(value, dict) else f"a Python {type(value).__name__}"


def utf8(text: str) -> bytes:
    """Encode text as UTF-8; lone surrogates are kept, so that a decoder can report them."""
    return text.encode("utf-8", "surrogatepass")


@cache
def camel(name: str) -> str:
    """Return a snake_case name in camelCase."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


_FIELD = re.compile(r"[A-Za-z_$@][A-Za-z0-9_.$@-]{0,39}")
_QUOTED = re.compile(r'\["(?:[^"\\]|\\.)*"\]')


def child(path: str, key: str | int) -> str:
    """Return the JSON path of a member: a key that is not a plain name is quoted.

    Examples
    --------
    >>> child("$", "choices"), child("$.choices", 0), child("$", "llm.output")
    ('$.choices', '$.choices[0]', '$["llm.output"]')
    """
    if isinstance(key, str) and _FIELD.fullmatch(key) and "." not in key:
        return f"{path}.{key}"
    return f"{path}[{json.dumps(key, ensure_ascii=False)}]"


def _field_or_star(quoted: re.Match[str]) -> str:
    """Return a quoted key of a path if it looks like the name of a field, else ``.*``."""
    return quoted[0] if field_name(json.loads(quoted[0][1:-1])) != "*" else ".*"


def field_name(key: object) -> str:
    """Return a key that looks like the name of a field, else ``*``, because it may be content.

    Examples
    --------
    >>> field_name("raw_output"), field_name("Who are you?")
    ('raw_output', '*')
    """
    return key if isinstance(key, str) and _FIELD.fullmatch(key) else "*"


def keys_of(obj: dict[str, Any], most: int = 8) -> str:
    """List the first keys of an object that are names of fields, for messages."""
    names = [name for key in list(obj)[:most] if (name := field_name(key)) != "*"]
    more = len(obj) - len(names)
    others = f"{more} more" if names else f"{more} that are not names of fields"
    listed = [", ".join(map(repr, names))] if names else []
    return " and ".join([*listed, others] if more else listed)


class Repeated(dict[str, Any]):
    """An object in which some keys occur more than once, as the strict JSON reader makes it.

    The value of such a key is its last one. Only those who read the key reject it, so that a
    repeated key that nobody reads does no harm.
    """

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs)
        self.repeated = {key for key, n in counts.items() if n > 1}


def read_once(obj: dict[str, Any], keys: frozenset[str], path: str) -> None:
    """Reject an object in which one of these keys occurs more than once."""
    if isinstance(obj, Repeated):
        for key in sorted(obj.repeated & keys):
            raise Reject("duplicate_key", f"expected {key!r} once", f"{path}.{key}")


def is_number(value: object) -> bool:
    """Return whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def whole_number(value: object, low: int, high: int) -> int | None:
    """Return a number as an integer if it is whole and in range, else None; 0.0 is 0.

    Examples
    --------
    >>> whole_number(3.0, 0, 10), whole_number(360.34, 0, 1000), whole_number(True, 0, 1)
    (3, None, None)
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    return None


def is_claimed(obj: dict[str, Any]) -> bool:
    """Return whether an object belongs to the family of the chat schema, whatever else it has.

    These are objects with ``choices``, and Batch lines with a body.
    """
    response = obj.get("response")
    return "choices" in obj or (
        "custom_id" in obj and isinstance(response, dict) and isinstance(response.get("body"), dict)
    )


def read_all_once(value: Any, path: str, depth: int = MOST_NESTING) -> None:
    """Reject a tree in which any object has a repeated key, without naming it: it is content."""
    if depth == 0:
        raise Reject("too_deep", f"expected at most {MOST_NESTING} levels of objects and arrays")
    if isinstance(value, dict):
        if isinstance(value, Repeated):
            raise Reject("duplicate_key", "expected every key once", path)
        for inner in value.values():
            read_all_once(inner, f"{path}.*", depth - 1)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            read_all_once(inner, f"{path}[{i}]", depth - 1)
