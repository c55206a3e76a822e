"""Turn the objects of SDKs and inference engines into plain data: what JSON can spell.

None of these packages is imported: objects are taken by what they have, that is the fields of
pydantic models, a method that dumps them, or their attributes. Names stay as they are, so that the
formats read an object as they read its dump in a file.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from enum import Enum
from typing import Any

from toolkit.limits import MOST_NESTING

_ATOMS = frozenset({str, int, float, bool, type(None)})
_TEXT = frozenset({str})
_DUMPS = ("model_dump", "to_dict", "dict", "_asdict")
_VALUES = ("as_py", "tolist")  # of Arrow; of NumPy, PyTorch and others
_TEXT_MODULES = frozenset({"datetime", "decimal", "uuid", "pathlib", "fractions"})


def plain(value: Any) -> Any:
    """Return an object as plain data: dicts whose keys are texts, lists, texts and numbers.

    Attributes become keys, without private ones. What is no data, such as a function, is null, and
    so is an object inside itself.

    Parameters
    ----------
    value : object

    Raises
    ------
    RecursionError
        If objects are nested too deeply.
    Exception
        Whatever an object raises when it is looked at.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> plain({7: SimpleNamespace(logprob=-0.5, rank=1)})
    {'7': {'logprob': -0.5, 'rank': 1}}
    """
    return value if _is_plain(value) else _plain(value, set())


def is_data(value: object) -> bool:
    """Return whether an object is data itself, although it may be iterable."""
    return (
        isinstance(value, Mapping | str | bytes)
        or _dump(value) is not None
        or isinstance(getattr(value, "outputs", None), list)  # an awaitable of TensorRT-LLM
    )


def _is_plain(value: Any) -> bool:
    """Return whether a value needs no conversion, as parsed JSON; quickly, without a copy."""
    seen: set[int] = set()
    stack = [value]
    while stack:
        each = stack.pop()
        if type(each) is dict:
            if not _TEXT.issuperset(map(type, each)):
                return False
            inner: Iterable[Any] = each.values()
        elif type(each) is list:
            inner = each
        elif type(each) in _ATOMS:
            continue
        else:
            return False
        if id(each) not in seen and not _ATOMS.issuperset(map(type, inner)):
            seen.add(id(each))
            stack += [value for value in inner if type(value) not in _ATOMS]
    return True


def _plain(value: Any, around: set[int]) -> Any:
    if type(value) in _ATOMS:
        return value
    if isinstance(value, str | int | float | bytes | bytearray | Enum):
        return _of_atom(value)
    if type(value).__module__ in _TEXT_MODULES:
        return value.isoformat() if hasattr(value, "isoformat") else str(value)
    if id(value) in around:
        return None
    if len(around) >= MOST_NESTING:
        raise RecursionError(f"objects are nested deeper than {MOST_NESTING} levels")
    around.add(id(value))
    try:
        return _of_container(value, around)
    finally:
        around.discard(id(value))


def _of_atom(value: Any) -> Any:
    """Return a value of a subclass of a builtin type as the type itself, and bytes as text."""
    if isinstance(value, Enum):
        return _of_atom(value.value) if isinstance(value.value, str | int | float) else value.name
    if isinstance(value, bytes | bytearray):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    kind = next(kind for kind in (bool, str, int, float) if isinstance(value, kind))
    return value if type(value) is kind else kind(value)


def _of_container(value: Any, around: set[int]) -> Any:
    if isinstance(value, Mapping):
        return _of_items(value.items(), around)
    if isinstance(value, Sequence | Set) and not hasattr(value, "_asdict"):
        return [_plain(each, around) for each in value]
    for name in _VALUES:
        if callable(getattr(type(value), name, None)):
            return _plain(getattr(value, name)(), around)
    fields = _fields(value)
    if fields is not None:
        return _of_items(fields, around)
    dump = _dump(value)
    if dump is not None:
        return _plain(dump(), around)
    attributes = dict(_attributes(value))
    return _of_items(attributes.items(), around) if attributes else None


def _of_items(items: Iterable[tuple[Any, Any]], around: set[int]) -> dict[str, Any]:
    return {
        key if type(key) is str else str(_plain(key, around)): _plain(each, around)
        for key, each in items
    }


def _fields(value: Any) -> Iterable[tuple[str, Any]] | None:
    """Return the fields of a pydantic model; None if it is not one.

    A dump of the model would lack the fields of a value that its annotation does not name, such as
    the usage of a message inside a generation of LangChain.
    """
    if not hasattr(type(value), "model_fields"):
        return None
    names = {**value.__dict__, **(getattr(value, "__pydantic_extra__", None) or {})}
    return [(name, each) for name, each in names.items() if not name.startswith("_")]


def _dump(value: object) -> Any:
    """Return the method that dumps an object as a dict, or None."""
    if isinstance(value, type):
        return None
    found = (name for name in _DUMPS if callable(getattr(type(value), name, None)))
    name = next(found, None)
    return None if name is None else getattr(value, name)


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield public attributes, and properties that show a private one of the same name."""
    if isinstance(value, type) or callable(value):
        return
    slots = [getattr(base, "__slots__", ()) for base in type(value).__mro__]
    names = [name for each in slots for name in ([each] if isinstance(each, str) else each)]
    for name in dict.fromkeys((*getattr(value, "__dict__", ()), *names)):
        shown = name.lstrip("_") if name.startswith("_") else name
        if shown != name and not isinstance(getattr(type(value), shown, None), property):
            continue
        if hasattr(value, shown):
            yield shown, getattr(value, shown)
