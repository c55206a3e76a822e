"""Detect the wire format of a record from its content, and yield its canonical bodies.

Every format is a module of its own: a `Format`, or an `Envelope` around records of other formats.
At most one module matches an object, so the order of the tuples is irrelevant. An object that none
of them matches may be a row that contains an answer (`embedded`), else a server's error
(`error_body`), in this order because rows may have a key ``error`` too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from toolkit.loaders.formats import (
    cassette,
    conversation,
    embedded,
    error_body,
    event_data,
    gemini,
    http_session,
    inspect_log,
    llama_server,
    lm_eval,
    loose,
    ollama,
    openai_batch,
    openai_chat,
    openai_events,
    openai_legacy,
    openai_responses,
    together,
)
from toolkit.loaders.formats.body import Body, Control, Exchange, Found
from toolkit.loaders.formats.declared import SHAPES
from toolkit.loaders.formats.paths import along, find, steps_of
from toolkit.loaders.formats.refusal import refusal
from toolkit.loaders.formats.row_ids import row_id, with_keys_as_ids
from toolkit.loaders.formats.shape import Shape
from toolkit.loaders.formats.token_lists import is_bare_entry, list_kind
from toolkit.loaders.formats.unread import has_tokens, identities, lists_of, unread
from toolkit.loaders.json_values import Reject, keys_of, kind_of


class _Module(Protocol):
    """The part of the interface that formats and envelopes share."""

    @property
    def NAME(self) -> str:  # noqa: N802, a constant of a module
        """Name of the wire format, as in the column ``format``."""

    @property
    def SHAPE(self) -> str:  # noqa: N802
        """The keys that the module looks for, for messages."""

    def matches(self, obj: dict[str, Any], /) -> bool:
        """Return whether an object is of this format."""


class Format(_Module, Protocol):
    """A module that reads a wire format."""

    def normalise(self, obj: dict[str, Any], path: str) -> Iterator[Body | Control]:
        """Yield the canonical bodies of an object that matches."""


class Envelope(_Module, Protocol):
    """A module that reads a wrapper around records, whose own formats are detected afterwards."""

    def unwrap(self, obj: dict[str, Any], path: str) -> Iterator[Found]:
        """Yield the contents of an object that matches."""


FORMATS: tuple[Format, ...] = (
    openai_chat,
    openai_legacy,
    openai_responses,
    together,
    gemini,
    ollama,
    llama_server,
    lm_eval,
    conversation,
    *SHAPES,
)
_OWN_LISTS = ("choices", "candidates")
"""Keys of what a format has read itself."""
ENVELOPES: tuple[Envelope, ...] = (
    cassette,
    event_data,
    http_session,
    inspect_log,
    openai_batch,
    openai_events,
)


def bodies(obj: object, path: str = "$", shape: Shape | None = None) -> Iterator[Found]:
    """Yield the canonical bodies of one parsed record.

    Parameters
    ----------
    obj : object
        A parsed JSON value.
    path : str
        Its JSON path, for messages.
    shape : Shape, optional
        A format of the caller's own; what it does not match is detected.

    Yields
    ------
    Body, Exchange, Control or Reject
        At least one. A reject costs only the body in whose place it comes. A `Reject` that a format
        module raises is yielded here, so that callers see each in one way.

    Examples
    --------
    >>> [body.format for body in bodies({"choices": [{"message": {"content": "hi"}}]})]
    ['openai_chat']
    >>> [reject] = bodies(7)
    >>> reject.reason
    'not_an_object'
    """
    try:
        yield from _detected(obj, path, () if shape is None else (shape,))
    except Reject as reject:
        yield reject


def record_of(values: list[Any]) -> Any:
    """Return an array that is one record, a dump of vLLM ``[ids, text, logprobs]``, as an object.

    Any other array holds records, and is returned as it is.
    """
    if len(values) != 3 or not isinstance(values[1], str) or list_kind(values[2]) != "dicts":
        return values
    ids, text, logprobs = values
    is_dump = isinstance(ids, list) and all(isinstance(each, int) for each in ids)
    return {"token_ids": ids, "text": text, "logprobs": logprobs} if is_dump else values


def bodies_at(obj: object, key_path: str, shape: Shape | None = None) -> Iterator[Found]:
    """Yield the canonical bodies of what lies at a path of a record, as in `bodies`."""
    places = list(find(obj, steps_of(key_path.removeprefix("$"))))
    if not places:
        keys = f", which has the keys {keys_of(obj)}" if isinstance(obj, dict) else ""
        message = f"expected an answer at path={key_path!r}, found nothing there in the record"
        yield Reject("no_choices", message + keys, f"$.{key_path.removeprefix('$.')}")
    for value, path in places:
        try:
            yield from _at(value, obj, path, shape)
        except Reject as reject:
            yield reject


def _at(value: Any, record: Any, path: str, shape: Shape | None) -> Iterator[Found]:
    custom_id: str | None = None
    for around in along(record, path)[:-1]:
        custom_id = row_id(around, custom_id)
    if isinstance(value, dict) and shape is not None and shape.matches(value):
        found: list[Found] = list(bodies(value, path, shape))
    elif (outer := embedded.answer(value, path, custom_id, is_answer)) is not None:
        found = list(_unwrapped(outer))
    else:
        found = list(loose.at(record, path))
        if not found and isinstance(value, dict):
            found = list(_in_row(value, path))
    if not found:
        message = f"expected an answer or token logprobs, found {kind_of(value)}"
        if isinstance(value, list):
            message += "; a path that ends in [] reads each element"
        raise Reject("no_choices", message, path)
    yield from _with_id(found, custom_id)


def _with_id(found: Iterable[Found], custom_id: str | None) -> Iterator[Found]:
    """Yield bodies, those without an id of their own with that of the row around them."""
    for each in found:
        if isinstance(each, Body | Exchange) and each.custom_id is None:
            yield each._replace(custom_id=custom_id)
        else:
            yield each


def _detected(obj: object, path: str, shapes: tuple[Shape, ...] = ()) -> Iterator[Found]:
    if not isinstance(obj, dict):
        message = f"expected an object, found {kind_of(obj)}"
        raise Reject("not_an_object", message, path, is_unrelated=True)
    formats: tuple[Format, ...] = (*shapes, *FORMATS)
    module, found = _matched(obj, path, formats)
    if module in shapes:  # the row of somebody, with an id of theirs
        found = list(_with_id(found, row_id(obj, None)))
    read = identities(found)
    is_final = id(obj) in read or any(map(_is_ambiguous, found))
    if not is_final and not has_tokens(found):
        # The row around may look like an answer; an answer in it that has logprobs counts.
        others = {key: value for key, value in obj.items() if id(value) not in read}
        row = {key: value for key, value in others.items() if key not in _OWN_LISTS or not found}
        if not found or _speaks_of_logprobs(row, in_texts=not any(map(_is_chat, found))):
            inner = list(_in_row(row, path))
            if has_tokens(inner) or (inner and not found):
                yield from inner
                return
    if module in formats:
        left = list(unread(obj, read, lists_of(found)))
        yield from _noted(obj, path, found, left)
    elif found:
        yield from found
    elif error_body.matches(obj):
        yield from error_body.normalise(obj, path)
    else:
        raise _unknown(obj, path)


def _matched(
    obj: dict[str, Any], path: str, formats: tuple[Format, ...]
) -> tuple[Format | Envelope | None, list[Found]]:
    """Return the format or envelope of an object, and what it brings."""
    format_ = next((each for each in formats if each.matches(obj)), None)
    if format_ is not None:
        return format_, list(_guarded(format_.normalise(obj, path)))
    envelope = next((each for each in ENVELOPES if each.matches(obj)), None)
    if envelope is not None:
        return envelope, list(_guarded(_contents(obj, envelope.unwrap(obj, path), path)))
    if loose.is_choice(obj):
        body = Body({"choices": [obj]}, embedded.NAME, path, alone=True)
        return None, list(_unwrapped(body))
    return None, []


def _is_ambiguous(found: Found) -> bool:
    return isinstance(found, Reject) and found.reason == "duplicate_key"


def _is_chat(found: Found) -> bool:
    """Return whether a body is surely a chat: then texts beside it are not searched."""
    return (
        isinstance(found, Body)
        and found.format == openai_chat.NAME
        and openai_chat.has_message(found.obj)
    )


def _guarded(found: Iterator[Found]) -> Iterator[Found]:
    """Yield what a format or envelope found, and a `Reject` that it raised."""
    try:
        yield from found
    except Reject as reject:
        yield reject


def _speaks_of_logprobs(row: dict[str, Any], in_texts: bool) -> bool:
    """Return whether a row holds lists that may be logprobs, or texts of answers."""
    if any(isinstance(value, dict | list) for value in unread(row, set())):
        return True
    return in_texts and embedded.has_text_of_answer(row)


def _in_row(obj: dict[str, Any], path: str) -> Iterator[Found]:
    """Yield the answers inside a row; token lists without an answer, if no answer has logprobs."""
    answers = embedded.find_answers(obj, path, is_answer)
    yield from _contents(obj, answers, path, with_loose=True)


def _contents(
    obj: dict[str, Any],
    outers: Iterable[Found],
    path: str,
    with_loose: bool = False,
) -> Iterator[Found]:
    """Yield the bodies of the contents of a wrapper or a row, each content once."""
    found: list[Found] = []
    known: list[object] = []
    copies: list[Control] = []
    read: set[int] = set()
    for outer in outers:
        if isinstance(outer, Control | Reject):
            found.append(outer)
            continue
        content = outer.records if isinstance(outer, Exchange) else outer.obj
        read.add(id(content))
        if isinstance(outer, Body):
            read |= set(map(id, outer.read))
            if isinstance(outer.obj.get("choices"), list):
                read |= set(map(id, outer.obj["choices"]))
        if with_loose and _is_copy(content, known):
            copies.append(Control(outer.path))  # traces keep one answer in several places
            continue
        known.append(content)
        found += _unwrapped(outer)
    if with_loose and not has_tokens(found):
        bare = loose.bare(obj, path)
        lists = list(loose.find(obj, path)) if bare is None else [bare]
        if len(lists) == 1 and len(found) == 1 and isinstance(found[0], Body):
            found = [loose.joined(found[0], lists[0])]
        elif lists:
            found = list(lists)
    left = list(unread(obj, read | identities(found), lists_of(found))) if found else []
    found = list(_noted(obj, path, found, left))
    yield from with_keys_as_ids(obj, path, found) if with_loose else found
    yield from copies


def _is_copy(content: object, known: list[object]) -> bool:
    """Return whether a text, or an answer with an id, is the same as one before it."""
    if isinstance(content, str):
        return content in known
    if not isinstance(content, dict) or not content.get("id"):
        return False
    same = [each for each in known if isinstance(each, dict) and each.get("id") == content["id"]]
    return any(each.get("choices") == content.get("choices") for each in same)


def repeats(body: dict[str, Any], known: dict[str, Any]) -> bool:
    """Return whether a body has the id and the choices of another, or all but the logprobs."""
    if body.get("id") != known.get("id"):
        return False
    choices, others = body.get("choices"), known.get("choices")
    if choices == others:
        return True
    if (
        has_tokens([Body(body, "")])
        or not isinstance(choices, list)
        or not isinstance(others, list)
    ):
        return False
    bare = [{**each, "logprobs": None} for each in others if isinstance(each, dict)]
    return bare == [{**each, "logprobs": None} for each in choices if isinstance(each, dict)]


def _noted(obj: dict[str, Any], path: str, found: list[Found], left: list[Any]) -> Iterator[Found]:
    """Yield bodies, the first with a note if values that speak of logprobs were not read."""
    note = None
    if any(isinstance(value, dict | list) for value in left):
        if all(isinstance(body, Control) for body in found):
            raise _unknown(obj, path)  # because no response could have the note
        note = "unread_logprobs"
    elif left and not has_tokens(found):
        note = "mean_logprob_only"
    for body in found:
        if note is not None and isinstance(body, Body | Exchange):
            yield body._replace(notes=(*body.notes, note))
            note = None
        else:
            yield body


def is_answer(obj: object) -> bool:
    """Return whether an object is an answer in a known format, in an envelope or not."""
    if not isinstance(obj, dict) or is_bare_entry(obj):
        return False
    if all(type(value) in (float, int) for value in obj.values()):
        return False  # a dict of logprobs, of which a row may have thousands
    modules: tuple[_Module, ...] = (*FORMATS, *ENVELOPES)
    return any(module.matches(obj) for module in modules)


def is_envelope(obj: object, shape: Shape | None = None) -> bool:
    """Return whether an object is a wrapper around answers, and not of a format itself."""
    formats = FORMATS if shape is None else (shape, *FORMATS)
    if not isinstance(obj, dict) or any(format_.matches(obj) for format_ in formats):
        return False
    return any(envelope.matches(obj) for envelope in ENVELOPES)


def _unwrapped(outer: Body | Exchange) -> Iterator[Found]:
    """Yield the bodies of what an envelope contains; an exchange is left to the decoder."""
    if isinstance(outer, Exchange):
        yield outer
    elif outer.error is not None and not outer.obj:
        yield outer._replace(format=error_body.NAME)
    else:
        yield from (inside(outer, inner) for inner in bodies(outer.obj, outer.path))


def inside(outer: Body | Exchange, inner: Found) -> Found:
    """Return a body with the id, error and notes of what contains it; another as it is.

    Other traffic in a recorded session, such as a list of models, is control instead of a reject.
    """
    if isinstance(inner, Reject) and inner.is_unrelated and outer.session:
        return Control(outer.path)
    if isinstance(inner, Reject | Control):
        return inner
    if isinstance(inner, Body) and isinstance(outer, Body):
        inner = inner._replace(read=(*inner.read, *outer.read))
    return inner._replace(
        custom_id=inner.custom_id if outer.custom_id is None else outer.custom_id,
        error=inner.error if outer.error is None else outer.error,
        notes=(*outer.notes, *inner.notes),
        alone=outer.alone or inner.alone,
        kept=inner.kept if outer.kept is None else outer.kept,
    )


def _unknown(obj: dict[str, Any], path: str) -> Reject:
    is_unrelated = "choices" not in obj and not any(unread(obj, set()))
    return refusal(obj, path, (*FORMATS, *ENVELOPES), is_unrelated)
