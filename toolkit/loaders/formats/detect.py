"""Wire formats: one module each, told by content.

A format module has ``NAME``, ``SHAPE`` (the keys it looks for, for messages), ``matches(obj)`` and
either ``normalise(obj, path)``, which yields canonical bodies, or, for an envelope,
``unwrap(obj, path)``, whose bodies are told in turn. At most one module matches an object, so the
order of the tuples means nothing. What none of them matches may be a row with an answer in it
(`rows`), else a server's error (`error_body`): rows have a key ``error`` too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats import (
    cassette,
    embedded,
    error_body,
    event_data,
    gemini,
    http_session,
    inspect_log,
    llama_server,
    ollama,
    openai_batch,
    openai_chat,
    openai_legacy,
    openai_responses,
    tgi_generate,
    together,
)
from toolkit.loaders.formats.body import Body
from toolkit.loaders.json_values import Reject, keys_of, kind_of

FORMATS = (
    openai_chat,
    openai_legacy,
    openai_responses,
    together,
    gemini,
    ollama,
    llama_server,
    tgi_generate,
)
ENVELOPES = (cassette, event_data, http_session, inspect_log, openai_batch)


def bodies(obj: object, path: str = "$") -> Iterator[Body | Reject]:
    """Yield the canonical bodies of one parsed record.

    Parameters
    ----------
    obj : object
        A parsed JSON value.
    path : str
        Its JSON path, for messages.

    Yields
    ------
    Body or Reject
        At least one. A reject among several costs itself alone. The `obj` of a body is a dict, or
        what an envelope found and is still to be told: a list of records, or text.

    Examples
    --------
    >>> [body.format for body in bodies({"choices": [{"message": {"content": "hi"}}]})]
    ['openai_chat']
    >>> [reject] = bodies(7)
    >>> reject.reason
    'not_an_object'
    """
    try:
        yield from _told(obj, path)
    except Reject as reject:
        yield reject


def _told(obj: object, path: str) -> Iterator[Body | Reject]:
    if not isinstance(obj, dict):
        raise Reject("not_an_object", f"expected an object, found {kind_of(obj)}", path)
    for format_ in FORMATS:
        if format_.matches(obj):
            yield from format_.normalise(obj, path)
            return
    unwrapped = next((each.unwrap(obj, path) for each in ENVELOPES if each.matches(obj)), None)
    found = False
    for outer in embedded.find(obj, path, is_answer) if unwrapped is None else unwrapped:
        found = True
        yield from _inside(outer)
    if found:
        return
    if not error_body.matches(obj):
        raise _unknown(obj, path)
    yield from error_body.normalise(obj, path)


def at(obj: object, place: str, path: str = "$") -> Iterator[Body | Reject]:
    """Yield the canonical bodies of the answer at one place of a record; see `rows.at`."""
    try:
        for outer in embedded.at(obj, place, path, is_answer):
            yield from _inside(outer)
    except Reject as reject:
        yield reject


def is_answer(obj: object) -> bool:
    """Tell whether this is what a server sends for an answer, in an envelope or not."""
    return isinstance(obj, dict) and any(module.matches(obj) for module in (*FORMATS, *ENVELOPES))


def is_envelope(obj: object) -> bool:
    """Tell whether the bodies of this record stand inside a wrapper."""
    if not isinstance(obj, dict) or any(format_.matches(obj) for format_ in FORMATS):
        return False
    if any(envelope.matches(obj) for envelope in ENVELOPES):
        return True
    return next(embedded.find(obj, "$", is_answer), None) is not None


def _inside(outer: Body) -> Iterator[Body | Reject]:
    if outer.error is not None and not outer.obj:
        yield outer._replace(format=error_body.NAME)
    elif not isinstance(outer.obj, dict):
        yield outer
    else:
        yield from (within(outer, inner) for inner in bodies(outer.obj, outer.path))


def within(outer: Body, inner: Body | Reject) -> Body | Reject:
    """Return a body as it is inside another one: with the id and the error of the outer one."""
    if isinstance(inner, Reject):
        return inner
    return inner._replace(
        custom_id=inner.custom_id if outer.custom_id is None else outer.custom_id,
        error=inner.error if outer.error is None else outer.error,
        notes=(*outer.notes, *inner.notes),
        alone=outer.alone or inner.alone,
    )


def _unknown(obj: dict[str, Any], path: str) -> Reject:
    found = f"found the keys {keys_of(obj)}" if obj else "found an empty object"
    modules = (*FORMATS, *ENVELOPES, embedded, error_body)
    tried = "; ".join(f"{module.NAME} ({module.SHAPE})" for module in modules)
    if "choices" in obj and not isinstance(obj["choices"], list):
        choices = kind_of(obj["choices"])
        return Reject("no_choices", f"expected an array, found {choices}", f"{path}.choices")
    if not obj or any(key in obj for key in ("id", "model", "created", "usage")):
        message = f"expected a choices array; {found}; tried {tried}"
        return Reject("no_choices", message, f"{path}.choices")
    return Reject("unknown_format", f"{found}; tried {tried}", path)
