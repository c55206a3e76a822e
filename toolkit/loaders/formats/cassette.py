"""Unwrap a VCR cassette, ``{"interactions": [{"request", "response": {"body": ...}}]}``.

The body is ``{"string": text}`` or a text; if ``parsed_body`` exists, it is used instead. Framing
passes cassettes in YAML on as records of one interaction each
(`toolkit.loaders.framing.cassettes`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body, Exchange, body_or_exchange
from toolkit.loaders.json_values import Reject, is_claimed, kind_of

NAME = "cassette"
SHAPE = "interactions[].response"


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is a cassette."""
    return isinstance(obj.get("interactions"), list) and not is_claimed(obj)


def unwrap(obj: dict[str, Any], path: str = "$") -> Iterator[Body | Exchange]:
    """Yield the body of each interaction."""
    for i, interaction in enumerate(obj["interactions"]):
        at = f"{path}.interactions[{i}].response"
        response = interaction.get("response") if isinstance(interaction, dict) else None
        if not isinstance(response, dict):
            raise Reject("not_an_object", f"expected an object, found {kind_of(response)}", at)
        if response.get("parsed_body") is not None:
            body, at = response["parsed_body"], f"{at}.parsed_body"
        else:
            body, at = response.get("body"), f"{at}.body"
            if isinstance(body, dict) and "string" in body:
                body, at = body["string"], f"{at}.string"
        if not isinstance(body, dict | list | str):
            found = kind_of(body)
            raise Reject("not_an_object", f"expected an object or text, found {found}", at)
        yield body_or_exchange(body, NAME, at)
