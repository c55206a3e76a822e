"""Turn the objects of SDKs and inference engines into plain data: what JSON can spell.

None of these packages is imported: objects are taken by what they have, that is the fields of
pydantic models, a method that dumps them, or their attributes. Names stay as they are, so that the
formats read an object as they read its dump in a file.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from decimal import Decimal
from enum import Enum
from math import prod
from pathlib import PurePath
from typing import Any
from uuid import UUID

from toolkit.limits import MOST_NESTING

_ATOMS = frozenset({str, int, float, bool, type(None)})
_TEXT = frozenset({str})
_DUMPS = ("model_dump", "to_dict", "dict", "_asdict")
_VALUES = ("as_py", "tolist")  # of Arrow; of NumPy, PyTorch and others
_MOST_VALUES = 1 << 20  # of an array: larger ones are logits or embeddings


def plain(value: Any) -> Any:
    """Return an object as plain data: dicts whose keys are texts, lists, texts and numbers.

    Public attributes become keys. A value that JSON cannot express, such as a function, becomes
    null. So does an object inside itself, and a huge array, such as logits.

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
    return value if _is_plain(value) else _Converter().plain(value)


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


class _Converter:
    """Convert one value; what it holds several times is converted once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, Any]] = {}  # with the objects, so that ids stay theirs
        self._depth = 0

    def plain(self, value: Any) -> Any:
        if type(value) in _ATOMS:
            return value
        if isinstance(value, str | int | float | bytes | bytearray | Enum):
            return _of_atom(value)
        if isinstance(value, PurePath | UUID | Decimal):
            return str(value)
        if callable(getattr(type(value), "isoformat", None)):  # dates and times
            return value.isoformat()
        if id(value) not in self._known:
            self._known[id(value)] = value, None
            self._known[id(value)] = value, self._container(value)
        return self._known[id(value)][1]

    def _container(self, value: Any) -> Any:
        if self._depth >= MOST_NESTING:
            raise RecursionError(f"objects are nested deeper than {MOST_NESTING} levels")
        self._depth += 1
        try:
            if isinstance(value, Mapping):
                return self._items(value.items())
            if isinstance(value, Sequence | Set) and not hasattr(value, "_asdict"):
                return [self.plain(each) for each in value]
            for name in _VALUES:
                if callable(getattr(type(value), name, None)):
                    is_huge = prod(getattr(value, "shape", ())) > _MOST_VALUES
                    return None if is_huge else self.plain(getattr(value, name)())
            fields = _fields(value)
            if fields is not None:
                return self._items(fields)
            dump = _dump(value)
            if dump is not None:
                return self.plain(dump())
            return self._items(_attributes(value)) or None
        finally:
            self._depth -= 1

    def _items(self, items: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
        return {
            key if type(key) is str else str(self.plain(key)): self.plain(each)
            for key, each in items
        }


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
