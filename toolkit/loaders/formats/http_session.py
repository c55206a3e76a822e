"""Unwrap a recorded HTTP session: several exchanges with their response bodies.

Test recorders write ``{"Entries": [{"RequestUri", ..., "ResponseBody": ...}]}``, where a body is an
object, a text, or the lines of an event stream. HAR is ``{"log": {"entries": [{"response":
{"content": {"text"}}}]}}``. Requests and empty bodies are ignored.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Found, exchanged, is_other_kind
from toolkit.loaders.json_values import Reject, is_claimed, kind_of

NAME = "http_session"
SHAPE = "Entries[].ResponseBody or log.entries[].response"


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is a recorded session."""
    return not is_claimed(obj) and any(
        isinstance(entry, dict) and ("ResponseBody" in entry or "response" in entry)
        for entry in _entries(obj)[0]
    )


def unwrap(obj: dict[str, Any], path: str = "$") -> Iterator[Found]:
    """Yield the body of each exchange."""
    entries, where = _entries(obj)
    for i, entry in enumerate(entries):
        at = f"{path}.{where}[{i}]"
        try:
            body, at = _body(entry, at)
        except Reject as reject:
            yield reject
        else:
            if body:
                yield exchanged(body, NAME, at)


def _body(entry: object, path: str) -> tuple[Any, str]:
    if not isinstance(entry, dict):
        raise Reject("not_an_object", f"expected an object, found {kind_of(entry)}", path)
    if "ResponseBody" not in entry:
        return _har_text(entry.get("response"), path)
    body = entry["ResponseBody"]
    if isinstance(body, list) and all(isinstance(line, str) for line in body):
        body = "".join(line if line.endswith("\n") else line + "\n" for line in body)
    return body, f"{path}.ResponseBody"


def _entries(obj: dict[str, Any]) -> tuple[list[Any], str]:
    log = obj.get("log")
    entries = log.get("entries") if isinstance(log, dict) else obj.get("Entries")
    where = "log.entries" if isinstance(log, dict) else "Entries"
    return (entries if isinstance(entries, list) else []), where


def _har_text(response: object, path: str) -> tuple[Any, str]:
    content = response.get("content") if isinstance(response, dict) else None
    path = f"{path}.response.content"
    if not isinstance(content, dict):
        return None, path
    text, kind = content.get("text"), content.get("mimeType")
    if content.get("encoding") and text:
        if isinstance(kind, str) and is_other_kind(kind):
            return kind, path  # the type instead of the content, which is not text
        text = _decoded(text, content["encoding"], path)
    return text, f"{path}.text"


def _decoded(text: object, encoding: object, path: str) -> str:
    """Return the text of a body in base64, the only encoding of HAR."""
    if encoding != "base64" or not isinstance(text, str):
        raise Reject("not_json", "expected text or base64", f"{path}.encoding")
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError as error:
        raise Reject("not_json", "expected text in base64", f"{path}.text") from error
