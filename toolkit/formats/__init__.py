"""Wire formats: one module each, told by content.

A format module has ``NAME``, ``SHAPE`` (the keys it looks for, for messages), ``matches(obj)`` and
either ``normalise(obj, path)``, which yields canonical bodies, or, for an envelope,
``unwrap(obj, path)``, whose bodies are told in turn. At most one module matches an object, so the
order of the tuples means nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.formats import error_body, openai_batch, openai_chat
from toolkit.formats.base import Body, Reject, keys_of, kind_of

FORMATS = (openai_chat, error_body)
ENVELOPES = (openai_batch,)


def bodies(obj: object, path: str = "$") -> Iterator[Body]:
    """Yield the canonical bodies of one parsed record.

    Parameters
    ----------
    obj : object
        A parsed JSON value.
    path : str
        Its JSON path, for messages.

    Yields
    ------
    Body

    Raises
    ------
    Reject
        If the value has the shape of no known format.

    Examples
    --------
    >>> [body.format for body in bodies({"choices": [{"message": {"content": "hi"}}]})]
    ['openai_chat']
    """
    if not isinstance(obj, dict):
        raise Reject("not_an_object", f"expected an object, found {kind_of(obj)}", path)
    for envelope in ENVELOPES:
        if envelope.matches(obj):
            for outer in envelope.unwrap(obj, path):
                yield from _inside(outer)
            return
    for format_ in FORMATS:
        if format_.matches(obj):
            yield from format_.normalise(obj, path)
            return
    raise _unknown(obj, path)


def is_envelope(obj: object) -> bool:
    """Tell whether the bodies of this record stand inside a wrapper."""
    return isinstance(obj, dict) and any(envelope.matches(obj) for envelope in ENVELOPES)


def _inside(outer: Body) -> Iterator[Body]:
    if outer.error is not None and not outer.obj:
        yield outer._replace(format=error_body.NAME)
        return
    for inner in bodies(outer.obj, outer.path):
        notes = (*outer.notes, *inner.notes)
        yield outer._replace(
            obj=inner.obj, format=inner.format, path=inner.path, notes=notes, kind=inner.kind
        )


def _unknown(obj: dict[str, Any], path: str) -> Reject:
    found = f"found the keys {keys_of(obj)}" if obj else "found an empty object"
    if "choices" in obj:
        if not isinstance(obj["choices"], list):
            choices = kind_of(obj["choices"])
            return Reject("no_choices", f"expected an array, found {choices}", f"{path}.choices")
    elif not obj or any(key in obj for key in ("id", "model", "created", "usage")):
        return Reject("no_choices", f"expected a choices array; {found}", f"{path}.choices")
    tried = "; ".join(f"{module.NAME} ({module.SHAPE})" for module in (*FORMATS, *ENVELOPES))
    return Reject("unknown_format", f"{found}; tried {tried}", path)
