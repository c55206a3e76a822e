"""Unwrap a VCR cassette, ``{"interactions": [{"request", "response": {"body": ...}}]}``.

Ruby's VCR writes ``http_interactions``. The body, which older recordings of httpx call ``content``,
is a text, ``{"string": text}`` or ``{"base64_string": bytes}``, compressed or not; if
``parsed_body`` exists, it is used instead. Framing passes cassettes in YAML on as records of one
interaction each, and names the problem of one that it cannot read (`unread_yaml`;
`toolkit.loaders.framing.cassettes`).
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Control, Found, exchanged, is_other_kind
from toolkit.loaders.json_values import Reject, is_claimed, kind_of

NAME = "cassette"
SHAPE = "interactions[].response"
_KEYS = ("interactions", "http_interactions")
_MAX_BODY = 64 << 20  # bytes of a decompressed body
_GZIP = b"\x1f\x8b"
_UNREAD = {
    "syntax": ("not_json", "this part of a cassette is not valid YAML"),
    "depth": ("too_deep", "this interaction is nested deeper than 100 levels of YAML"),
    "alias": (
        "unsupported_format",
        "the response has YAML aliases (*name), which are not read; write the values themselves",
    ),
}
"""Reject of each problem that framing names."""


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is a cassette."""
    return any(isinstance(obj.get(key), list) for key in _KEYS) and not is_claimed(obj)


def unwrap(obj: dict[str, Any], path: str = "$") -> Iterator[Found]:
    """Yield the body of each interaction."""
    key = next(key for key in _KEYS if isinstance(obj.get(key), list))
    for i, interaction in enumerate(obj[key]):
        at = f"{path}.{key}[{i}].response"
        response = interaction.get("response") if isinstance(interaction, dict) else None
        problem = interaction.get("unread_yaml") if isinstance(interaction, dict) else None
        if isinstance(response, dict):
            yield _content(response, at)
        elif isinstance(problem, str) and problem in _UNREAD:
            yield Reject(*_UNREAD[problem])
        else:
            message = f"expected an object, found {kind_of(response)}"
            yield Reject("not_an_object", message, at)


def _content(response: dict[str, Any], path: str) -> Found:
    if response.get("parsed_body") is not None:
        body, path = response["parsed_body"], f"{path}.parsed_body"
    else:
        key = "content" if "content" in response and "body" not in response else "body"
        body, path = response.get(key), f"{path}.{key}"
        while isinstance(body, dict) and ("string" in body or "base64_string" in body):
            key = "string" if "string" in body else "base64_string"
            body, path = body[key], f"{path}.{key}"
            if key == "base64_string":
                body = _decoded(body)
    if body is None and is_other_kind(_content_type(response)):
        return Control(path)
    return exchanged(body, NAME, path)


def _content_type(response: dict[str, Any]) -> object:
    """Return the Content-Type of a response, whose headers are texts or lists of them."""
    headers = response.get("headers")
    for name, value in headers.items() if isinstance(headers, dict) else ():
        if name.lower() == "content-type":
            return value[0] if isinstance(value, list) and value else value
    return None


def _decoded(text: object) -> str | None:
    """Return the text of a body in base64, compressed or not; None if there is none."""
    try:
        raw = base64.b64decode(text) if isinstance(text, str) else b""
        if raw.startswith(_GZIP):
            unzip = zlib.decompressobj(wbits=31)
            raw = unzip.decompress(raw, _MAX_BODY)
            if not unzip.eof:
                return None
        return raw.decode()
    except (zlib.error, ValueError):
        return None
