"""Read the positions of a token list as entries of the chat schema, however they are written."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

from toolkit.loaders.formats.token_lists import (
    BYTES,
    LOGPROB,
    TOKEN,
    TOKEN_ID,
    TOP,
    TokenList,
    first,
    is_logprob,
    object_kind,
)
from toolkit.loaders.json_values import Reject, kind_of, read_all_once, read_once

Entry = dict[str, Any]

_OTHER = frozenset({*TOKEN[1:], "chosen"})
"""Keys that tell that an entry without a text is not written as those of the chat schema."""
_OTHER_TOP = frozenset({"probs", "alternatives", "top_tokens"})
"""Keys of alternatives that the chat schema does not have."""
_KEYS = frozenset({*TOKEN, *LOGPROB, *TOKEN_ID, *BYTES, *TOP, "chosen"})
_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")


def entries(tokens: TokenList, text: str | None = None) -> list[Any]:
    """Return an entry for each position of a token list.

    Parameters
    ----------
    tokens : TokenList
    text : str, optional
        What the tokens wrote, to find the sampled token among alternatives by text.

    Returns
    -------
    list
        Values that are not objects are returned as they are: the decoder rejects them.

    Raises
    ------
    Reject
        If a position is not written as the others are.

    Examples
    --------
    >>> entries(TokenList("pairs", [[7, -0.5]], {}, "$"))
    [{'token': 'token_id:7', 'token_id': 7, 'logprob': -0.5}]
    """
    return _READERS[tokens.kind](tokens, text)


def _read_entries(tokens: TokenList, text: str | None) -> list[Any]:
    found = [_entry(value) for value in tokens.values]
    for i, top in enumerate(tokens.columns.get("top", ())[: len(found)]):
        if isinstance(found[i], dict) and top is not None:
            found[i] = {**found[i], "top_logprobs": alternatives(top)}
    return found


def _entry(value: Any) -> Any:
    if not isinstance(value, dict) or _is_usual(value):
        return value
    read_once(value, _KEYS, "*")
    if isinstance(value.get("token"), dict):  # {"token": {"text", "bytes"}, "logprob"}
        value = {**value, "token": None, **value["token"]}
    top = alternatives(first(value, TOP))
    chosen = value.get("chosen")
    if isinstance(chosen, dict):
        return {**_entry(chosen), "top_logprobs": top}
    names = (*TOKEN, "content") if "probs" in value else TOKEN  # of older llama.cpp
    entry = {"token": first(value, names), "token_id": first(value, TOKEN_ID)}
    entry |= {"bytes": first(value, BYTES), "top_logprobs": top}
    keys = [name for name in LOGPROB if name in value]
    if keys:
        sent = first(value, keys)
        entry["prob" if keys == ["prob"] else "logprob"] = sent
    elif isinstance(top, list) and "token" not in value:  # it is only among the alternatives
        listed = (each for each in top if isinstance(each, dict))
        own: Entry = next((each for each in listed if each.get("token") == entry["token"]), {})
        entry |= {name: own[name] for name in ("logprob", "prob") if name in own}
    return entry


def _is_usual(entry: dict[str, Any]) -> bool:
    """Return whether the decoder reads an entry by itself."""
    token = entry.get("token")
    has_logprob = "logprob" in entry or "prob" in entry
    is_plain = isinstance(token, str) or not (isinstance(token, dict) or _OTHER & entry.keys())
    has_others = any(isinstance(entry[key], dict | list) for key in _OTHER_TOP & entry.keys())
    return has_logprob and is_plain and not has_others


def alternatives(top: Any) -> Any:
    """Return alternatives as a list of entries, in the order in which they were sent.

    They are entries, ``[logprob, id, text]`` lists, or dicts of logprobs by text or id, one or
    several; anything else is returned as it is.
    """
    if isinstance(top, dict):
        return _of_dict(top)
    if not isinstance(top, list):
        return top
    flat: list[Any] = []
    for each in top:
        if isinstance(each, list):
            flat.append(_row(each))
        elif isinstance(each, dict) and _are_logprobs(each):
            flat += _of_dict(each)
        else:
            flat.append(_entry(each))
    return flat


def _are_logprobs(values: dict[str, Any]) -> bool:
    """Return whether an object is a dict of logprobs, and not an entry whose token is a number."""
    return (
        bool(values) and all(map(is_logprob, values.values())) and object_kind(values) != "entries"
    )


def _of_dict(position: dict[str, Any], are_ids: bool = False) -> list[Entry]:
    """Return the entries of one dict: logprobs by text or by id, or objects by id."""
    read_all_once(position, "*")
    return [_of_item(key, value, are_ids) for key, value in position.items()]


def _of_item(key: str, value: Any, is_id: bool) -> Entry:
    number = int(key) if key.isdecimal() and len(key) < 11 else None
    if isinstance(value, dict):
        text = value.get("decoded_token")
        token = text if isinstance(text, str) else f"token_id:{key}"
        return {"token": token, "token_id": number, "logprob": value.get("logprob")}
    if is_id:
        return {"token": f"token_id:{key}", "token_id": number, "logprob": value}
    return {"token": key, "logprob": value, "bytes": spelled_bytes(key)}


def _read_dicts(tokens: TokenList, text: str | None) -> list[Any]:
    """Read one dict of alternatives for each position.

    The sampled token is the one with the id beside it; else the one with which the text goes on;
    else the first, because servers write it first.
    """
    ids = tokens.columns.get("token_id", ())
    are_ids = tokens.kind == "ids" or (
        bool(ids)
        and all(
            key.isdecimal() for each in tokens.values[:8] if isinstance(each, dict) for key in each
        )
    )
    rest = text or ""
    found = []
    for i, position in enumerate(tokens.values):
        sampled_id = ids[i] if i < len(ids) else None
        if position is None:  # the first token of a prompt, which nothing precedes
            token = "" if sampled_id is None else f"token_id:{sampled_id}"
            found.append({"token": token, "token_id": sampled_id, "logprob": None})
            continue
        if not isinstance(position, dict):
            message = f"expected an object, found {kind_of(position)}"
            raise Reject("entry_not_object", message, f"{tokens.path}[{i}]")
        top = _of_dict(position, are_ids)
        entry = _sampled(top, sampled_id, rest)
        rest = rest.removeprefix(entry["token"])
        found.append({**entry, "top_logprobs": top})
    return found


def _sampled(top: list[Entry], sampled_id: Any, rest: str) -> Entry:
    if sampled_id is not None:
        for each in top:
            if each.get("token_id") == sampled_id:
                return each
        return {"token": f"token_id:{sampled_id}", "token_id": sampled_id, "logprob": None}
    fits = [each for each in top if each["token"] and rest.startswith(each["token"])]
    if fits:
        return max(fits, key=lambda each: len(each["token"]))
    return top[0] if top else {"token": "", "logprob": None}


def _row(values: list[Any]) -> Any:
    """Return ``[id or text, logprob]`` or ``[logprob, id, text]`` as an entry; others unchanged."""
    if len(values) == 2:
        name, logprob = values if not isinstance(values[1], str) else reversed(values)
        if isinstance(name, str):
            return {"token": name, "logprob": logprob}
        return {"token": f"token_id:{name}", "token_id": name, "logprob": logprob}
    if len(values) != 3:
        return values
    logprob, number, text = values
    token = text if text is not None else f"token_id:{number}"
    return {"token": token, "token_id": number, "logprob": logprob}


def _read_rows(tokens: TokenList, text: str | None) -> list[Any]:
    tops = tokens.columns.get("top", ())
    found = []
    for i, values in enumerate(tokens.values):
        if not isinstance(values, list):
            message = f"expected an array, found {kind_of(values)}"
            raise Reject("entry_not_object", message, f"{tokens.path}[{i}]")
        entry = _row(values)
        if isinstance(entry, dict) and i < len(tops) and tops[i] is not None:
            entry["top_logprobs"] = alternatives(tops[i])
        found.append(entry)
    return found


def _read_arrays(tokens: TokenList, text: str | None) -> list[Any]:
    rows = zip_longest(
        tokens.values, *(tokens.columns.get(name, ()) for name in ("logprob", "token_id", "top"))
    )
    found = []
    for token, logprob, number, top in rows:
        is_id = isinstance(token, int)
        if isinstance(token, int) and not isinstance(token, bool):
            token, number = None, token
        if token is None and number is not None:
            token = f"token_id:{number}"
        entry = {"token": token, "logprob": logprob, "bytes": spelled_bytes(token)}
        listed = _of_dict(top, is_id) if isinstance(top, dict) else alternatives(top)
        found.append({**entry, "token_id": number, "top_logprobs": listed})
    return found


def _read_spans(tokens: TokenList, text: str | None) -> list[Any]:
    """Read ``{"text", "token_ids": [...], "logprobs": [...]}``: several tokens of one text."""
    found: list[Any] = []
    for value in tokens.values:
        if not isinstance(value, dict):
            found.append(value)
            continue
        columns = (value.get("token_ids"), value.get("logprobs"))
        rows = list(zip_longest(*(each if isinstance(each, list) else () for each in columns)))
        for number, logprob in rows:
            token = value.get("text") if len(rows) == 1 else f"token_id:{number}"
            found.append({"token": token, "token_id": number, "logprob": logprob})
    return found


def spelled_bytes(token: object) -> list[int] | None:
    r"""Return the bytes that a token spells as ``bytes: \xe2\x80``; None if it does not."""
    if not isinstance(token, str) or not token.startswith("bytes:"):
        return None
    spelled = token[6:].encode("utf-8", "surrogatepass")
    if not _ESCAPE.search(spelled):
        return None
    return list(_ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), spelled))


_READERS: dict[str, Callable[[TokenList, str | None], list[Any]]] = {
    "entries": _read_entries,
    "dicts": _read_dicts,
    "ids": _read_dicts,
    "pairs": _read_rows,
    "triples": _read_rows,
    "arrays": _read_arrays,
    "spans": _read_spans,
}
