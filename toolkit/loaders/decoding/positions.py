"""Read the positions of a token list as entries of the chat schema, however they are written."""

from __future__ import annotations

import re
from collections.abc import Callable
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
)
from toolkit.loaders.json_values import Reject, kind_of, read_all_once

Entry = dict[str, Any]

_STANDARD = frozenset(
    {"token", "logprob", "bytes", "top_logprobs", "topLogprobs", "token_id", "id", "prob"}
)
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
    return [_entry(value, f"{tokens.path}[{i}]") for i, value in enumerate(tokens.values)]


def _entry(value: Any, path: str) -> Any:
    if not isinstance(value, dict) or value.keys() <= _STANDARD:
        return value  # the decoder says what is wrong with it
    chosen = value.get("chosen")
    if isinstance(chosen, dict):
        return {**_entry(chosen, path), "top_logprobs": _top(first(value, TOP), path)}
    token = first(value, TOKEN)
    top = _top(first(value, TOP), path)
    entry = {
        "token": token,
        "logprob": first(value, LOGPROB[:-1]),
        "bytes": first(value, BYTES),
        "token_id": first(value, TOKEN_ID),
    }
    if entry["logprob"] is None and value.get("prob") is not None:
        entry["prob"] = value["prob"]
    if top is not None:
        entry["top_logprobs"] = top
    if not any(name in value for name in LOGPROB) and isinstance(top, list):
        own: Entry = next((each for each in top if each.get("token") == token), {})
        entry |= {name: own[name] for name in ("logprob", "prob") if name in own}
    return entry


def _top(top: Any, path: str) -> Any:
    """Return alternatives as a list of entries, in the order in which they were sent."""
    if isinstance(top, dict):
        return _of_dict(top, path)
    if not isinstance(top, list):
        return top
    flat = []
    for i, each in enumerate(top):
        if isinstance(each, dict) and each and all(map(is_logprob, each.values())):
            flat += _of_dict(each, f"{path}[{i}]")
        elif isinstance(each, list):
            flat.append(_row(each))
        else:
            flat.append(_entry(each, f"{path}[{i}]"))
    return flat


def _of_dict(position: dict[str, Any], path: str) -> list[Entry]:
    """Return the entries of one dict: logprobs by text or by id, or objects by id."""
    read_all_once(position, path)
    return [_of_item(key, value) for key, value in position.items()]


def _of_item(key: str, value: Any) -> Entry:
    if not isinstance(value, dict):
        return {"token": key, "logprob": value, "bytes": spelled_bytes(key)}
    text = value.get("decoded_token")
    number = int(key) if key.isdecimal() and len(key) < 11 else None
    token = text if isinstance(text, str) else f"token_id:{key}"
    return {"token": token, "token_id": number, "logprob": value.get("logprob")}


def _by_id(key: str, value: Any) -> Entry:
    return {"token": f"token_id:{key}", "token_id": int(key), "logprob": value}


def _read_dicts(tokens: TokenList, text: str | None) -> list[Any]:
    """Read one dict of alternatives for each position.

    The sampled one is that of the id beside it, else the one that goes on with the text, else the
    first: servers put it there.
    """
    ids = tokens.columns.get("token_id", ())
    rest = text or ""
    entries = []
    for i, position in enumerate(tokens.values):
        at = f"{tokens.path}[{i}]"
        sampled_id = ids[i] if i < len(ids) else None
        if position is None:
            entries.append(
                {
                    "token": f"token_id:{sampled_id}" if sampled_id is not None else "",
                    "logprob": None,
                    "token_id": sampled_id,
                }
            )
            continue
        if not isinstance(position, dict):
            raise Reject("entry_not_object", f"expected an object, found {kind_of(position)}", at)
        is_ids = (
            all(not isinstance(v, dict) for v in position.values())
            and all(k.isdecimal() for k in position)
            and sampled_id is not None
        )
        read_all_once(position, at)
        top = [_by_id(k, v) if is_ids else _of_item(k, v) for k, v in position.items()]
        sampled = (
            next((each for each in top if each.get("token_id") == sampled_id), None)
            if sampled_id is not None
            else None
        )
        if sampled is None and rest:
            fits = [each for each in top if each["token"] and rest.startswith(each["token"])]
            sampled = max(fits, key=lambda each: len(each["token"]), default=None)
        if sampled is None:
            sampled = top[0] if top else {"token": "", "logprob": None}
        rest = rest[len(sampled["token"]) :] if rest.startswith(sampled["token"]) else ""
        entries.append({**sampled, "top_logprobs": top})
    return entries


def _row(values: list[Any]) -> Entry:
    """Return ``[id, logprob]`` or ``[logprob, id, text]`` as an entry."""
    if len(values) == 2:
        return {"token": f"token_id:{values[0]}", "token_id": values[0], "logprob": values[1]}
    logprob, number, text = (*values, None, None, None)[:3]
    return {
        "token": text if text is not None else f"token_id:{number}",
        "token_id": number,
        "logprob": logprob,
    }


def _read_rows(tokens: TokenList, text: str | None) -> list[Any]:
    tops = tokens.columns.get("top", ())
    entries = []
    for i, values in enumerate(tokens.values):
        if not isinstance(values, list):
            raise Reject(
                "entry_not_object",
                f"expected an array, found {kind_of(values)}",
                f"{tokens.path}[{i}]",
            )
        top = tops[i] if i < len(tops) else None
        more = {"top_logprobs": _top(top, tokens.path)} if isinstance(top, list) else {}
        entries.append({**_row(values), **more})
    return entries


def _read_arrays(tokens: TokenList, text: str | None) -> list[Any]:
    n = len(tokens.values)
    ids, logprobs, tops = (
        tokens.columns.get(name) or [None] * n for name in ("token_id", "logprob", "top")
    )
    entries = []
    for i, (token, logprob, number, top) in enumerate(
        zip(tokens.values, logprobs, ids, tops, strict=True)
    ):
        if token is None and number is not None:
            token = f"token_id:{number}"
        entry = {
            "token": token,
            "logprob": logprob,
            "bytes": spelled_bytes(token),
            "token_id": number,
        }
        if top is not None:
            entry["top_logprobs"] = _top(top, f"{tokens.path}.top_logprobs[{i}]")
        entries.append(entry)
    return entries


def _read_spans(tokens: TokenList, text: str | None) -> list[Any]:
    """Read ``{"text", "token_ids": [...], "logprobs": [...]}``: several tokens of one text."""
    entries = []
    for value in tokens.values:
        ids, logprobs = value.get("token_ids") or [], value.get("logprobs") or []
        for i, logprob in enumerate(logprobs):
            number = ids[i] if i < len(ids) else None
            token = value.get("text") if len(logprobs) == 1 else f"token_id:{number}"
            entries.append({"token": token, "token_id": number, "logprob": logprob})
    return entries


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
    "pairs": _read_rows,
    "triples": _read_rows,
    "arrays": _read_arrays,
    "spans": _read_spans,
}
