"""Check the options of public functions, with one wording for each kind of fault.

Every function takes the name of the option and its value, returns the value in its declared type,
and raises `ArgumentError` with what was found and what was expected.
"""

from __future__ import annotations

import numbers
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from toolkit import schema
from toolkit.errors import ArgumentError

T = TypeVar("T")

MOST = (1 << 63) - 1
"""Largest whole number of an option, that of a 64-bit integer."""
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]+://")
_SECRET = re.compile("://(?:[^/]*@|.*[?])")  # where a URI may hold a password
_SHOWN = 100  # characters of a value in a message; a longer one is named by its type


def invalid(name: str, value: object, expected: str) -> ArgumentError:
    """Return the error for an option that has a wrong value.

    Examples
    --------
    >>> raise invalid("bins", 0, "a whole number of at least 1")
    Traceback (most recent call last):
    toolkit.errors.ArgumentError: bins=0: expected a whole number of at least 1
    """
    found = shown(value)
    what = f" is a {type(value).__name__}" if found is None else f"={found}"
    return ArgumentError(f"{name}{what}: expected {expected}")


def shown(value: object) -> str | None:
    """Return a value as a message writes it; None if that is long, not one line or impossible.

    Nor is a URI shown that may hold a password: before an ``@`` or in its options.

    Examples
    --------
    >>> shown("a"), shown(10**5000), shown("s3://me:secret@bucket")
    ("'a'", None, None)
    """
    try:
        text = repr(value)
    except Exception:  # an object of the caller, or a whole number of too many digits
        return None
    is_private = _SECRET.search(text) is not None
    return text if len(text) <= _SHOWN and text.isprintable() and not is_private else None


def whole(name: str, value: object, low: int = 1, high: int | None = None) -> int:
    """Return an option that is a whole number from `low` to `high`; None: to `MOST`.

    Examples
    --------
    >>> whole("bins", 10)
    10
    """
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        number = int(value)
        if low <= number <= (MOST if high is None else high):
            return number
        high = MOST if high is None and number > MOST else high
    bounds = f"of at least {low}" if high is None else f"from {low} to {high:,}"
    raise invalid(name, value, f"a whole number {bounds}")


def positive(name: str, value: object) -> float:
    """Return an option that is a finite number above 0."""
    return _real(name, value, 0.0, float("inf"), "a finite number above 0")


def finite(name: str, value: object) -> float:
    """Return an option that is a finite number."""
    return _real(name, value, -float("inf"), float("inf"), "a finite number")


def level(name: str, value: object) -> float:
    """Return an option that lies between 0 and 1, both excluded, such as a confidence level."""
    return _real(name, value, 0.0, 1.0, "a number between 0 and 1, both excluded")


def share(name: str, value: object) -> float:
    """Return an option that is a share: above 0 and at most 1.

    Examples
    --------
    >>> share("keep", 1)
    1.0
    """
    return _real(name, value, 0.0, 1.0, "a number above 0 and at most 1", ends=(1.0,))


def within(name: str, value: object, low: float, high: float) -> float:
    """Return an option that is a number of at least `low` and below `high`.

    Examples
    --------
    >>> within("clip", 0, 0.0, 0.5)
    0.0
    """
    expected = f"a number of at least {low:g} and below {high:g}"
    return _real(name, value, low, high, expected, ends=(low,))


def _real(
    name: str, value: object, low: float, high: float, expected: str, ends: Sequence[float] = ()
) -> float:
    """Return a number between `low` and `high`; of these two, only `ends` are allowed."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # a whole number above all floats
            number = float("nan")
        if low < number < high or number in ends:
            return number
    raise invalid(name, value, expected)


def flag(name: str, value: object) -> bool:
    """Return an option that is True or False; a text such as "no" would count as true.

    Examples
    --------
    >>> flag("overwrite", "no")
    Traceback (most recent call last):
    toolkit.errors.ArgumentError: overwrite='no': expected True or False
    """
    if isinstance(value, bool):
        return value
    raise invalid(name, value, "True or False")


def text(name: str, value: object, expected: str = "a text") -> str:
    """Return an option that is a text which UTF-8 can spell, so no half of a surrogate pair."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise invalid(name, value, f"{expected}, without halves of surrogate pairs") from None
        return value
    raise invalid(name, value, expected)


def path(name: str, value: object) -> Path:
    """Return an option that is a path, of text.

    Examples
    --------
    >>> path("directory", b"answers")
    Traceback (most recent call last):
    toolkit.errors.ArgumentError: directory=b'answers': expected a path: a text or a pathlib.Path
    """
    found = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if isinstance(found, str) and "\0" not in found:
        return Path(found)
    raise invalid(name, value, "a path: a text or a pathlib.Path")


def is_uri(value: object) -> TypeGuard[str]:
    """Return whether an option begins like a URI.

    Examples
    --------
    >>> is_uri("s3://bucket/answers"), is_uri("answers")
    (True, False)
    """
    return isinstance(value, str) and bool(_SCHEME.match(value))


def target(name: str, value: object) -> Path:
    """Return an option that is the path of a file or directory to write.

    Its name must be one that the toolkit can read again and that other programs can spell.

    Examples
    --------
    >>> target("directory", "s3://bucket/answers")
    Traceback (most recent call last):
    toolkit.errors.ArgumentError: directory='s3://bucket/answers': expected a local path; write ...
    """
    found = path(name, value)
    if _SCHEME.match(str(value)):
        raise invalid(name, value, "a local path; write './' before a name that begins like a URI")
    if found.name in ("", ".."):
        raise invalid(name, value, "a path that ends in the name of what is to be written")
    text(name, str(found), "a path that UTF-8 can spell")
    return found


def one_of(name: str, value: T, options: Iterable[T]) -> T:
    """Return an option that is one of a few values.

    Examples
    --------
    >>> one_of("by", "logprob", ("logprob", "rank"))
    'logprob'
    """
    options = tuple(options)
    if not any(_is_same(value, option) for option in options):
        raise invalid(name, value, f"one of {', '.join(map(repr, options))}")
    return value


def _is_same(value: object, option: object) -> bool:
    """Return whether a value is an option; a boolean is never a number, nor the reverse."""
    is_of_kind = isinstance(value, type(option)) and type(value) is not bool
    return (is_of_kind or type(value) is type(option)) and value == option


def channel(value: str) -> str:
    """Return an option that names a channel of token rows."""
    return one_of("channel", value, schema.CHANNELS)


def instance(name: str, value: T, kind: type[Any], expected: str = "") -> T:
    """Return an option that is an object of a class; `expected` says how to get one."""
    if not isinstance(value, kind):
        found = type(value).__name__
        raise ArgumentError(f"{name} is a {found}: expected {expected or f'a {kind.__name__}'}")
    return value


def columns(name: str, value: str | Sequence[str] | None, allowed: Sequence[str]) -> list[str]:
    """Return an option that names columns, as a list without repeats.

    Examples
    --------
    >>> columns("by", "model", ["model", "source"])
    ['model']
    """
    names = items(name, value, f"one of {', '.join(map(repr, allowed))}")
    for each in names:
        one_of(name, each, allowed)
    if len(set(names)) < len(names):
        raise invalid(name, names, "each column once")
    return names


def items(name: str, value: str | Iterable[str] | None, expected: str) -> list[str]:
    """Return an option that is a text or several as a list; None: none.

    Examples
    --------
    >>> items("keep", "question", "texts"), items("keep", None, "texts")
    (['question'], [])
    """
    if value is None or isinstance(value, str):
        return [] if value is None else [value]
    if not isinstance(value, Iterable) or isinstance(value, bytes):
        raise invalid(name, value, expected)
    found = list(value)
    for each in found:
        if not isinstance(each, str):
            raise invalid(name, each, expected)
    return found


def threads(value: int | None) -> int:
    """Return the number of threads; None: one for each core that this process may use.

    Examples
    --------
    >>> threads(2)
    2
    """
    if value is not None:
        return whole("threads", value)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
