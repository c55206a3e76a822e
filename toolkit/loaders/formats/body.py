"""What formats return: `Body`, one response in the canonical form; `Exchange`, several; `Control`.

The canonical form is the schema of OpenAI chat completions.
"""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

from toolkit.loaders.json_values import Reject, kind_of

_OTHER_KIND = re.compile(
    r"(?:image|audio|video|font)/|text/(?!event)|application/(?:octet-stream|wasm|pdf|zip)", re.I
)
_RECORDING = re.compile(r"\s*(?:[{\[:]|data:|event:|id:|retry:|HTTP/)")

Kind = Literal["auto", "unsure", "either", "final_copy", "copy"]


class Body(NamedTuple):
    """One response, or one chunk of a streamed response, in the canonical form.

    An envelope yields the body that it contains, whose own format is detected afterwards.

    Attributes
    ----------
    obj : dict
        The body as parsed; keys may be in snake_case or in camelCase.
    format : str
        Name of the wire format of the record.
    path : str
        JSON path of the body inside its record.
    custom_id : object
        The caller's id as found; the decoder checks its type.
    error : object
        An error that the envelope reports, or None.
    notes : tuple of str
        Codes of `toolkit.schema.NOTES` that apply because of the envelope.
    alone : bool
        Whether the body cannot be part of a stream, such as the body of a Batch line.
    kind : {"auto", "unsure", "either", "final_copy", "copy"}
        ``"auto"``: detected from the choices, which have ``message`` (a whole response) or
        ``delta`` (a chunk).
        ``"unsure"``: a chunk, because it is not finished; a whole response if it is alone and has
        no id. For formats that write both alike.
        ``"either"``: the last chunk of a stream if one is open under its id, else a whole response;
        its choices have ``delta``, each with a finish reason. For formats that write both alike.
        ``"final_copy"``: the end of a stream, which repeats all of it; its text and tokens count
        only where the stream brought none.
        ``"copy"``: the same for one item of the answer, or one part of an item; it ends nothing.
    item, part : int, optional
        The item of the answer that a chunk or a copy is about, and the part of that item; None: all
        of them.
    item_id : object
        The id of that item as found.
    kept : dict, optional
        Columns of the row around it, by name.
    read : tuple of objects
        Lists and objects of the record that the format read logprobs from, if they are not the
        lists that `obj` has.
    session : bool
        Whether it was recorded among other traffic, which is control and not rejected.
    """

    obj: dict[str, Any]
    format: str
    path: str = "$"
    custom_id: Any = None
    error: Any = None
    notes: tuple[str, ...] = ()
    alone: bool = False
    kind: Kind = "auto"
    item: int | None = None
    part: int | None = None
    item_id: Any = None
    kept: dict[str, Any] | None = None
    read: tuple[Any, ...] = ()
    session: bool = False

    @property
    def is_whole(self) -> bool:
        """Return whether it is a whole response, as far as its choices say."""
        choices = self.obj.get("choices")
        return self.kind == "either" or (
            isinstance(choices, list)
            and bool(choices)
            and all(isinstance(each, dict) and "message" in each for each in choices)
        )


class Exchange(NamedTuple):
    """The records of one recorded exchange with a server, which are still to be decoded.

    No stream crosses the boundaries of an exchange.

    Attributes
    ----------
    records : list or str
        The parsed records, or their text: JSON, JSON lines or server-sent events.
    path, custom_id, error, notes, alone, kept, session
        As in `Body`; they apply to each body of the exchange.
    """

    records: list[Any] | str
    path: str = "$"
    custom_id: Any = None
    error: Any = None
    notes: tuple[str, ...] = ()
    alone: bool = False
    kept: dict[str, Any] | None = None
    session: bool = False


class Control(NamedTuple):
    """A record, or a part of one, that is known to bring nothing of an answer.

    Such are events that only repeat what others bring, and requests for something else in a
    recorded session. It is counted in the ledger, as ``control``, and is not a record.

    Attributes
    ----------
    path : str
        Its JSON path inside its record.
    read : tuple of objects
        Its lists and objects that speak of logprobs, which other records repeat. A control record
        with others is rejected, because they would be lost.
    """

    path: str = "$"
    read: tuple[Any, ...] = ()


Found = Body | Exchange | Control | Reject
"""What a record holds, in the order of the record."""


def body_or_exchange(
    value: dict[str, Any] | list[Any] | str, format_: str, path: str, custom_id: Any = None
) -> Body | Exchange:
    """Return what an envelope contains: an object is a body; a list or a text is an exchange."""
    if isinstance(value, dict):
        return Body(value, format_, path, custom_id)
    return Exchange(value, path, custom_id)


def is_other_kind(content_type: object) -> bool:
    """Return whether a Content-Type is of pictures, sounds and the like, which hold no answers."""
    return isinstance(content_type, str) and _OTHER_KIND.match(content_type) is not None


def exchanged(value: object, format_: str, path: str) -> Body | Exchange | Control | Reject:
    """Return the body of a response in a recorded session; a text of another kind is control."""
    if isinstance(value, str) and not _RECORDING.match(value):
        return Control(path)
    if isinstance(value, dict | list | str):
        return body_or_exchange(value, format_, path)._replace(session=True)
    return Reject("not_an_object", f"expected an object or text, found {kind_of(value)}", path)
