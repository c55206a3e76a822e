"""Read and write JSON, strictly and in one way.

Reading keeps keys that occur twice, accepts the literals NaN and Infinity, distinguishes truncated
from malformed text, and finds every value of a text with its position. Writing gives the same text
for the same value, in JSON that any parser accepts.
"""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any, NamedTuple

from toolkit.limits import LIMITS, MOST_NESTING
from toolkit.loaders.framing.brackets import nesting
from toolkit.loaders.json_values import Reject, Repeated

_NUMBER_NAMES = {math.inf: "Infinity", -math.inf: "-Infinity"}
_SPACE = re.compile(r"[ \t\n\r]*")
_CUT = {  # what is left of a text that was cut inside a value, by the parser's error message
    "Expecting value": re.compile(
        r"-?(?:I(?:n(?:f(?:i(?:n(?:i(?:t)?)?)?)?)?)?)?|Na?|t(?:ru?)?"
        r"|f(?:a(?:ls?)?)?|n(?:ul?)?"
    ),
    "Expecting ',' delimiter": re.compile(r"\.|\.?\d*[eE][+-]?"),
    "Invalid \\": re.compile(r"\\?u?[0-9a-fA-F]{0,4}"),
}
_LONG_INTEGER = 4000  # digits; longer ones become floats, because int() refuses more than 4300


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    obj = dict(pairs)
    return obj if len(obj) == len(pairs) else Repeated(pairs)


def _long_integer(digits: str) -> int | float:
    return int(digits) if len(digits) < _LONG_INTEGER else float(digits)


_JSON = json.JSONDecoder(object_pairs_hook=_object)
_JSON_LONG = json.JSONDecoder(object_pairs_hook=_object, parse_int=_long_integer)


class Parsed(NamedTuple):
    """A value of a text, or a `Reject` where there is none, with its position in the text.

    Attributes
    ----------
    value : object
        A parsed JSON value, or a `Reject`.
    start, length : int
        Its first byte, from 0, and its number of bytes.
    """

    value: Any
    start: int
    length: int


def decode(raw: bytes, nesting_limit: int = LIMITS.nesting) -> str:
    """Return the characters of a JSON text, without a byte order mark.

    Raises
    ------
    Reject
        If it is blank, is not UTF-8, or has deeper levels of objects and arrays than the limit.
    """
    # Few brackets cannot nest deeply, and counting them is cheap.
    if raw.count(b"{") + raw.count(b"[") > nesting_limit and nesting(raw) > nesting_limit:
        raise Reject("too_deep", _too_deep(nesting_limit))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"byte {error.start} of the record"
        raise Reject("bad_utf8", f"expected UTF-8, found an invalid sequence at {where}") from None
    if _skip_space(text, 0) == len(text):
        raise Reject("empty_record", "expected a JSON value, found nothing")
    return text


def values(raw: bytes, text: str) -> Iterator[Parsed]:
    """Yield the JSON values of a text.

    A value that is truncated or malformed is yielded as a `Reject` that covers the rest of the
    text; the values before it are kept.

    Parameters
    ----------
    raw : bytes
    text : str
        The same text as `decode` returns it.
    """
    at = _skip_space(text, 0)
    byte, counted = len(raw) - len(text) if text.isascii() else 3 * raw.startswith(BOM_UTF8), 0
    while at < len(text):
        byte += len(text[counted:at].encode())
        counted = at
        try:
            value, end = _parse(text, at)
        except Reject as reject:
            yield Parsed(reject, byte, len(raw) - byte)
            return
        at = _skip_space(text, end)
        if at < len(text) and text[at] not in "{[":
            found = byte + len(text[counted:at].encode())
            message = f"expected nothing after the JSON value, found more at byte {found}"
            yield Parsed(Reject("trailing_garbage", message), byte, len(raw) - byte)
            return
        length = len(raw) - byte if at == len(text) else len(text[counted:end].encode())
        yield Parsed(value, byte, length)


def _too_deep(limit: int) -> str:
    return f"expected at most {limit} levels of objects and arrays (Limits.nesting)"


def _parse(text: str, at: int) -> tuple[Any, int]:
    try:
        try:
            return _JSON.raw_decode(text, at)
        except json.JSONDecodeError:
            raise
        except ValueError:  # an integer of more digits than int() takes
            return _JSON_LONG.raw_decode(text, at)
    except json.JSONDecodeError as error:
        message = f"{error.msg.removesuffix(' at')} at character {error.pos - at} of the value"
        raise Reject("truncated" if _is_cut(text, error) else "not_json", message) from None


def _is_cut(text: str, error: json.JSONDecodeError) -> bool:
    """Return whether the text is malformed only because it ends too early."""
    rest = text[error.pos :].rstrip(" \t\n\r")  # only the whitespace of JSON
    if not rest or error.msg.startswith("Unterminated string"):
        return True
    return any(
        error.msg.startswith(message) and pattern.fullmatch(rest)
        for message, pattern in _CUT.items()
    )


def _skip_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def compact(value: Any) -> str:
    """Return a value as compact JSON with sorted keys, the same text for the same value."""
    return json.dumps(
        _plain(value, MOST_NESTING),
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
    )


def _plain(value: Any, depth: int) -> Any:
    """Return a value that JSON can express, because records have NaN and objects anything."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf if value > 0 else -math.inf
        return value if math.isfinite(number) else _NUMBER_NAMES.get(number, "NaN")
    if depth == 0:
        raise Reject("too_deep", _too_deep(MOST_NESTING))
    if isinstance(value, dict):
        return {str(key): _plain(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, depth - 1) for inner in value]
    return str(value)
