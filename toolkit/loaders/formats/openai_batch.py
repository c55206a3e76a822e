"""Unwrap a line of an OpenAI Batch output or error file.

``{"id", "custom_id", "response": {"status_code", "request_id", "body"}, "error"}``. A line with an
error, or with a status other than 200, becomes a response without choices whose ``error`` is set.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body
from toolkit.loaders.json_values import Reject, kind_of, read_once, whole_number

NAME = "openai_batch"
SHAPE = "custom_id with response or error"
_LINE_KEYS = frozenset({"custom_id", "response", "error"})
_RESPONSE_KEYS = frozenset({"status_code", "body"})


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is a line of a Batch output or error file."""
    if "custom_id" not in obj:
        return False
    response = obj.get("response")
    if isinstance(response, dict):
        return "body" in response or "status_code" in response or not response
    # A row that people made has the answer, or its text, directly under the key.
    return response is None and ("error" in obj or "response" in obj)


def unwrap(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Yield the body inside, with the caller's id and the error of the envelope.

    The body's own format is detected afterwards.
    """
    read_once(obj, _LINE_KEYS, path)
    error = obj.get("error")
    response = obj.get("response")
    notes: tuple[str, ...] = ()
    body = None
    if isinstance(response, dict):
        read_once(response, _RESPONSE_KEYS, f"{path}.response")
        body = response.get("body")
        status = whole_number(response.get("status_code", 200), 0, 999)
        if status is None:
            notes, status = ("bad_status_code",), 200
        if status != 200 and error is None:
            inner = body.get("error") if isinstance(body, dict) else None
            error = inner if inner is not None else {"status_code": status}
    elif response is not None:
        raise Reject(
            "not_an_object", f"expected an object, found {kind_of(response)}", f"{path}.response"
        )
    inside = f"{path}.response.body"
    if error is None:
        if not isinstance(body, dict):
            raise Reject("not_an_object", f"expected an object, found {kind_of(body)}", inside)
    elif not isinstance(body, dict) or "choices" not in body:
        body = {}  # an error line has no answer
    yield Body(body, NAME, inside, obj.get("custom_id"), error, notes, alone=True)
