"""`Body`: one response body in the canonical form, as formats hand it on."""

from __future__ import annotations

from typing import Any, NamedTuple


class Body(NamedTuple):
    """One body in the canonical form: the OpenAI chat schema, whole or chunk.

    Attributes
    ----------
    obj : dict, list or str
        The body as parsed; in either key casing. From an envelope also what is still to be told:
        a list of the records of one exchange, or their text (JSON or server-sent events).
    format : str
        Name of the wire format it came in.
    path : str
        JSON path of the body inside its record.
    custom_id : object
        What stands there as the caller's id; checked by the decoder.
    error : object
        An error that the envelope reports, or None.
    notes : tuple of str
        Codes of `toolkit.schema.NOTES` that the envelope earned.
    alone : bool
        True for a body that can be no part of a stream, such as a Batch line.
    kind : {"auto", "either", "final_copy"}
        ``"auto"``: told by the choices, which have ``message`` (whole) or ``delta`` (chunk).
        ``"either"``: the last chunk of a stream if one is open under its id, else whole; its
        choices have ``delta``, each with a finish reason. For formats that write both alike.
        ``"final_copy"``: the end of a stream, which has all of it once more; its text and tokens
        count only where the stream brought none.
    """

    obj: dict[str, Any] | list[Any] | str
    format: str
    path: str = "$"
    custom_id: Any = None
    error: Any = None
    notes: tuple[str, ...] = ()
    alone: bool = False
    kind: str = "auto"
