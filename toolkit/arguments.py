"""Check the options of public functions, with one wording for each kind of fault.

Every function takes the name of the option and its value, returns the value in its declared type,
and raises `ArgumentError` with what was found and what was expected.
"""

from __future__ import annotations

import numbers
import os
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from toolkit import schema
from toolkit.errors import ArgumentError

T = TypeVar("T")


def invalid(name: str, value: object, expected: str) -> ArgumentError:
    """Return the error for an option that has a wrong value.

    Examples
    --------
    >>> raise invalid("bins", 0, "a whole number of at least 1")
    Traceback (most recent call last):
    toolkit.errors.ArgumentError: bins=0: expected a whole number of at least 1
    """
    return ArgumentError(f"{name}={value!r}: expected {expected}")


def whole(name: str, value: object, low: int = 1, high: int | None = None) -> int:
    """Return an option that is a whole number from `low` to `high`; None: without an upper bound.

    Examples
    --------
    >>> whole("bins", 10)
    10
    """
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        number = int(value)
        if low <= number and (high is None or number <= high):
            return number
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
    if value == 1 and not isinstance(value, bool):
        return 1.0
    return _real(name, value, 0.0, 1.0, "a number above 0 and at most 1")


def _real(name: str, value: object, low: float, high: float, expected: str) -> float:
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        number = float(value)
        if low < number < high:
            return number
    raise invalid(name, value, expected)


def within(name: str, value: object, low: float, high: float) -> float:
    """Return an option that is a number of at least `low` and below `high`.

    Examples
    --------
    >>> within("clip", 0, 0.0, 0.5)
    0.0
    """
    if value == low and not isinstance(value, bool):
        return low
    return _real(name, value, low, high, f"a number of at least {low:g} and below {high:g}")


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
    names = [value] if isinstance(value, str) else list(value or [])
    if unknown := [each for each in names if each not in allowed]:
        raise invalid(name, unknown[0], f"one of {', '.join(map(repr, allowed))}")
    if len(set(names)) < len(names):
        raise invalid(name, names, "each column once")
    return names


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
