"""JSON in and out, strictly and in one way.

Reading sees keys that stand twice, takes the literals NaN and Infinity, tells cut text from broken
text, and finds every value of a text with its place. Writing gives the same text for the same
value, in JSON that anyone can parse.
"""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any

from toolkit.limits import LIMITS, MOST_NESTING
from toolkit.loaders.framing.brackets import nesting
from toolkit.loaders.json_values import Reject, Repeated

_NUMBER_NAMES = {math.inf: "Infinity", -math.inf: "-Infinity"}
_SPACE = re.compile(r"[ \t\n\r]*")
_CUT = {  # what is left where a text was cut inside something, by the error that it makes
    "Expecting value": re.compile(
        r"-?(?:I(?:n(?:f(?:i(?:n(?:i(?:t)?)?)?)?)?)?)?|Na?|t(?:ru?)?"
        r"|f(?:a(?:ls?)?)?|n(?:ul?)?"
    ),
    "Expecting ',' delimiter": re.compile(r"\.|\.?\d*[eE][+-]?"),
    "Invalid \\": re.compile(r"\\?u?[0-9a-fA-F]{0,4}"),
}
_LONG_INTEGER = 4000  # digits; int() refuses more than 4300, and no field holds such a number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    obj = dict(pairs)
    return obj if len(obj) == len(pairs) else Repeated(pairs)


def _long_integer(digits: str) -> int | float:
    return int(digits) if len(digits) < _LONG_INTEGER else float(digits)


_JSON = json.JSONDecoder(object_pairs_hook=_object)
_JSON_LONG = json.JSONDecoder(object_pairs_hook=_object, parse_int=_long_integer)


def values(raw: bytes, nesting_limit: int = LIMITS.nesting) -> Iterator[tuple[Any, int, int]]:
    """Yield the JSON values of a text with their first byte and length in it.

    A value that is cut or broken comes as a `Reject` and ends the text; those before it are kept.
    """
    # Few brackets cannot nest deeply, and counting them is cheap.
    if raw.count(b"{") + raw.count(b"[") > nesting_limit and nesting(raw) > nesting_limit:
        raise Reject("too_deep", _too_deep(nesting_limit))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"byte {error.start} of the record"
        raise Reject("bad_utf8", f"expected UTF-8, found an invalid sequence at {where}") from None
    at = _skip_space(text, 0)
    if at == len(text):
        raise Reject("empty_record", "expected a JSON value, found nothing")
    byte, counted = len(raw) - len(text) if text.isascii() else 3 * raw.startswith(BOM_UTF8), 0
    while at < len(text):
        byte += len(text[counted:at].encode())
        counted = at
        try:
            value, end = _parse(text, at)
        except Reject as reject:
            yield reject, byte, len(raw) - byte
            return
        at = _skip_space(text, end)
        if at < len(text) and text[at] not in "{[":
            found = byte + len(text[counted:at].encode())
            message = f"expected nothing after the JSON value, found more at byte {found}"
            yield Reject("trailing_garbage", message), byte, len(raw) - byte
            return
        yield value, byte, len(raw) - byte if at == len(text) else len(text[counted:end].encode())


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
        message = f"{error.msg} at character {error.pos - at} of the value"
        raise Reject("truncated" if _is_cut(text, error) else "not_json", message) from None


def _is_cut(text: str, error: json.JSONDecodeError) -> bool:
    """Tell text that goes wrong only because it ends."""
    rest = text[error.pos :].rstrip(" \t\n\r")  # and no other blanks: they are none of JSON's
    if not rest or error.msg.startswith("Unterminated string"):
        return True
    return any(
        error.msg.startswith(message) and pattern.fullmatch(rest)
        for message, pattern in _CUT.items()
    )


def _skip_space(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]


def compact(value: Any) -> str:
    """Write a value as JSON in one way, whatever the order of its keys was."""
    return json.dumps(
        _plain(value, MOST_NESTING),
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
    )


def _plain(value: Any, depth: int) -> Any:
    """Return what JSON can hold: records may have NaN, and objects in memory anything."""
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
