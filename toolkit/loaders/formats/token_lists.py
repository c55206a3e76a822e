"""Recognise lists of token logprobs by their shape.

A `TokenList` is what a format hands to the decoder for one channel of a choice: the lists as they
lie in the record, and how their positions are written. Formats only place token lists; the decoder
reads them (`toolkit.loaders.decoding.positions`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from os.path import commonprefix
from typing import Any, NamedTuple

from toolkit.loaders.json_values import Reject, camel, is_number, kind_of, read_once

_LOGPROBS = re.compile(r"log_?prob", re.IGNORECASE)

TOKEN = ("token", "text", "decoded_token", "token_text", "tok_str", "tok")
LOGPROB = ("logprob", "logProbability", "log_probability", "log_prob", "logProb", "prob")
TOKEN_ID = ("token_id", "tokenId", "id")
BYTES = ("bytes", "bytes_")
TOP = ("top_logprobs", "topLogprobs", "top_probs", "probs", "alternatives", "top_tokens")
CHANNELS = {
    "content": ("content",),
    "prompt": ("prompt",),
    "reasoning": ("reasoning", "reasoning_content", "reasoningContent"),
    "refusal": ("refusal",),
}
"""Keys of a logprobs object whose lists belong to a channel."""

_CHANNEL_KEYS = frozenset(name for names in CHANNELS.values() for name in names)
_ARRAYS = {"logprob": "token_logprobs", "token_id": "token_ids", "top": "top_logprobs"}
_ARRAY_NAMES = ("tokens", "content", *_ARRAYS.values())
_ARRAY_KEYS = frozenset(_ARRAY_NAMES) | {camel(name) for name in _ARRAY_NAMES}
_LOOK = 8  # positions that decide what a list is


class TokenList(NamedTuple):
    """Token logprobs of one channel, as they lie in a record.

    Attributes
    ----------
    kind : str
        How a position is written: ``"entries"`` (objects with a text or id and a logprob),
        ``"dicts"`` (logprobs by text or id), ``"pairs"`` (an id or a text, and a logprob),
        ``"triples"`` (logprob, id, text), ``"spans"`` (objects with several ids and logprobs) or
        ``"arrays"`` (texts).
    values : list
        A value for each position; of ``"arrays"``, its text.
    columns : mapping of str to list
        Further lists of the same length: ``logprob``, ``token_id`` and ``top`` of ``"arrays"``,
        the sampled ``token_id`` of dicts.
    path : str
        JSON path of the list, or of the object that holds the arrays.
    """

    kind: str
    values: list[Any]
    columns: Mapping[str, list[Any]]
    path: str

    def texts(self) -> list[str] | None:
        """Return the text of each token; None if not all of them are written as texts."""
        if self.kind == "entries":
            found = [first(each, TOKEN) for each in self.values if isinstance(each, dict)]
        elif self.kind in ("pairs", "triples"):
            rows = (each for each in self.values if isinstance(each, list))
            found = [each for row in rows for each in row if isinstance(each, str)]
        else:
            found = self.values if self.kind == "arrays" else []
        is_whole = len(found) == len(self.values) and all(isinstance(each, str) for each in found)
        return found if is_whole else None

    def cut(self, n: int) -> tuple[TokenList, TokenList]:
        """Return the first n positions, and the others."""
        first = {name: values[:n] for name, values in self.columns.items()}
        rest = {name: values[n:] for name, values in self.columns.items()}
        return (
            self._replace(values=self.values[:n], columns=first),
            self._replace(values=self.values[n:], columns=rest),
        )

    def identities(self) -> set[int]:
        """Return the identities of the lists, to tell what of a record was read."""
        return {id(self.values), *map(id, self.columns.values())}


def first(obj: Mapping[str, Any], names: Iterable[str]) -> Any:
    """Return the value of the first of some keys that is not null."""
    return next((obj[name] for name in names if obj.get(name) is not None), None)


def speaks_of_logprobs(key: object) -> bool:
    """Return whether a key has the name of logprobs in it."""
    return isinstance(key, str) and _LOGPROBS.search(key) is not None


def is_logprob(value: object) -> bool:
    """Return whether a JSON value is a number, or the text of one as OCI sends it."""
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return is_number(value)


# What a position is


def _position_kind(value: Any) -> str | None:
    """Return how one position is written, or None."""
    if isinstance(value, dict):
        return _object_kind(value)
    if not isinstance(value, list):
        return None
    if len(value) == 2 and is_number(value[1]) and _is_name(value[0]):
        return "pairs"
    if len(value) == 2 and is_number(value[0]) and isinstance(value[1], str):
        return "pairs"
    if len(value) == 3 and is_number(value[1]):
        has_logprob = value[0] is None or is_number(value[0])
        return "triples" if has_logprob and isinstance(value[2], str | None) else None
    return None


def _is_name(value: object) -> bool:
    """Return whether a value is the text or the id of a token."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def _object_kind(value: dict[str, Any]) -> str | None:
    if isinstance(value.get("chosen"), dict):
        return "entries"
    has_name = any(_is_name(value.get(name)) for name in (*TOKEN, *TOKEN_ID))
    if has_name and any(name in value for name in LOGPROB):
        return "entries"
    if has_name and any(isinstance(value.get(name), list) for name in TOP):
        return "entries"
    if isinstance(value.get("logprobs"), list) and isinstance(value.get("token_ids"), list):
        return "spans"
    if not value:
        return None
    if all(isinstance(each, dict) and "logprob" in each for each in value.values()):
        return "dicts"
    if all(is_logprob(each) for each in value.values()):
        return "dicts"
    return None


_NEED_A_NAME = ("pairs", "triples", "dicts")
"""Kinds that need a key that speaks of logprobs, because numbers alone could be anything."""


def list_kind(values: object, key: str = "") -> str | None:
    """Return how the positions of a list are written, or None if it is not a list of logprobs.

    Parameters
    ----------
    values : object
        A JSON value.
    key : str
        The key under which it lies.

    Examples
    --------
    >>> list_kind([{"token": "a", "logprob": -0.5}]), list_kind([1, 2])
    ('entries', None)
    >>> list_kind([None, {"a": -0.5}], "top_logprobs"), list_kind([{"a": -0.5}], "scores")
    ('dicts', None)
    """
    if not isinstance(values, list):
        return None
    known = (value for value in values if value is not None)
    kinds = {_position_kind(value) for value in islice(known, _LOOK)}
    if len(kinds) != 1:
        return None
    kind = kinds.pop()
    if kind in _NEED_A_NAME and not speaks_of_logprobs(key):
        first = next(value for value in values if value is not None)
        is_marked = isinstance(first, dict) and any(isinstance(v, dict) for v in first.values())
        return kind if is_marked else None
    return kind


def token_list(values: object, path: str, key: str = "") -> TokenList | None:
    """Return a list of positions as a `TokenList`; None if it is not one.

    Parameters
    ----------
    values : object
    path : str
        Its JSON path.
    key : str
        The key under which it lies.
    """
    kind = list_kind(values, key)
    if kind is None or not isinstance(values, list):
        return None
    return TokenList(kind, values, {}, path)


def _numbers(values: object) -> bool:
    return (
        isinstance(values, list)
        and bool(values)
        and all(value is None or is_logprob(value) for value in values)
        and any(isinstance(value, float | str) or value == 0 for value in values)
    )


def arrays(obj: Mapping[str, Any], path: str) -> TokenList | None:
    """Return the parallel arrays of an object: numbers under a key that speaks of logprobs.

    Beside it lie lists of the same length: texts under a key that speaks of tokens, ids, and dicts
    of alternatives. An empty list of alternatives is as good as none.
    """
    for key, values in obj.items():
        if not speaks_of_logprobs(key) or not _numbers(values):
            continue
        n = len(values)
        lists = {k: v for k, v in obj.items() if isinstance(v, list) and k != key}
        beside = {name: v for name, v in lists.items() if len(v) == n}
        texts = _column(beside, key, "token", str, but="id")
        ids = _column(beside, key, "id", int)
        if texts is None and ids is None:
            continue
        columns = {"logprob": values}
        if ids is not None:
            columns["token_id"] = ids
        top = _column(beside, key, "top", dict)
        if top is not None:
            columns["top"] = top
        return TokenList("arrays", texts or [None] * n, columns, path)
    return None


def with_ids(values: object, ids: list[Any] | None, path: str) -> TokenList | None:
    """Return a list of bare numbers with the ids of their tokens, as TensorRT-LLM sends them.

    Only the tokens that have both are returned.
    """
    if not ids or not isinstance(values, list) or not _numbers(values):
        return None
    return TokenList("arrays", ids[: len(values)], {"logprob": values[: len(ids)]}, path)


def _column(
    lists: Mapping[str, list[Any]], key: str, word: str, kind: type, but: str = "-"
) -> list[Any] | None:
    """Return the list under a key with a word in it whose values are of a type, or null.

    If there are several, the one whose key begins most like that of the logprobs is taken:
    ``generation_token_ids`` goes with ``generation_log_probs``, ``prompt_token_ids`` does not.
    """
    fits = [
        name
        for name, values in lists.items()
        if word in name.lower()
        and but not in name.lower()
        and any(isinstance(value, kind) for value in values)
        and all(value is None or isinstance(value, kind) for value in values)
    ]
    best = max(fits, key=lambda name: len(commonprefix([name, key])), default=None)
    return None if best is None else lists[best]


def parsed(value: Any) -> Any:
    """Return the list or object that a JSON text stands for, as CSV and Triton have it; else as is.

    Examples
    --------
    >>> parsed('[{"a": -0.5}]'), parsed(["[-0.5]"]), parsed("[not JSON"), parsed(-0.5)
    ([{'a': -0.5}], [-0.5], '[not JSON', -0.5)
    """
    text = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(text, str) or not text.startswith(("[", "{")):
        return value
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return value


def channels(value: object, path: str, key: str = "logprobs") -> dict[str, TokenList]:
    """Return the token lists of what lies where the logprobs of a choice do, by channel.

    That is a list of positions, an object with such lists under the names of channels, or an object
    of parallel arrays.

    Examples
    --------
    >>> found = channels({"tokens": ["a"], "token_logprobs": [-0.5]}, "$.logprobs")
    >>> found["content"].kind, found["content"].texts()
    ('arrays', ['a'])
    """
    whole = token_list(value, path, key)
    if whole is not None:
        return {"content": whole}
    if not isinstance(value, dict):
        return {}
    found = {}
    for channel, names in CHANNELS.items():
        for name in names:
            inner = token_list(value.get(name), f"{path}.{name}", key)
            if inner is not None:
                found[channel] = inner
    for name in () if found else TOP:  # alternatives alone, as text-generation-webui sends them
        listed = token_list(value.get(name), f"{path}.{name}", name)
        if listed is not None and not any(map(speaks_of_logprobs, value.keys() - {name})):
            found["content"] = listed
    if not found:
        together = arrays(value, path)
        if together is not None:
            found["content"] = together
    return found


# The logprobs of a choice


def are_arrays(logprobs: object) -> bool:
    """Return whether logprobs are parallel arrays, not lists of entries."""
    return (
        isinstance(logprobs, dict)
        and isinstance(logprobs.get("tokens"), list)
        and not isinstance(logprobs.get("content"), list)
    )


def _arrays_of(logprobs: dict[str, Any], path: str) -> TokenList:
    """Return the parallel arrays as a token list.

    An empty array of alternatives is as good as none: SGLang sends it if none were asked for.

    Raises
    ------
    Reject
        If the arrays are of different lengths.
    """
    read_once(logprobs, _ARRAY_KEYS, path)
    tokens = logprobs["tokens"]
    columns = {}
    for role, name in _ARRAYS.items():
        key = name if logprobs.get(name) is not None else camel(name)
        values = _array(logprobs.get(key), role, len(tokens), f"{path}.{key}")
        if values is not None:
            columns[role] = values
    return TokenList("arrays", tokens, columns, path)


def _array(values: Any, role: str, n: int, path: str) -> list[Any] | None:
    if values is None or (role == "top" and values == []):
        return None
    if isinstance(values, dict) and role == "top" and n == 1:
        return [values]  # the alternatives of a single token, without a list around them
    if not isinstance(values, list):
        raise Reject("entry_not_object", f"expected an array, found {kind_of(values)}", path)
    if len(values) != n:
        message = f"expected {n} values, one per token, found {len(values)}"
        raise Reject("unequal_lengths", message, path)
    return values


def lists_of_choice(logprobs: Any, path: str) -> dict[str, TokenList]:
    """Return the lists that the decoder reads of a choice's logprobs, by channel.

    Lists of entries under the names of channels are taken whatever is in them, so that the decoder
    rejects what is wrong with an entry.

    Raises
    ------
    Reject
        If parallel arrays are of different lengths, or a key occurs twice.
    """
    if are_arrays(logprobs):
        return {"content": _arrays_of(logprobs, path)}
    if logprobs == []:
        return {"content": TokenList("entries", [], {}, path)}
    if not isinstance(logprobs, dict):
        return channels(logprobs, path)
    read_once(logprobs, _CHANNEL_KEYS, path)
    found = {}
    for channel, names in CHANNELS.items():
        name = next((name for name in names if logprobs.get(name) is not None), names[0])
        tokens = _list_of_channel(logprobs.get(name), f"{path}.{name}")
        if tokens is not None:
            found[channel] = tokens
    return found or channels(logprobs, path)


def prompt_list(obj: Mapping[str, Any], path: str) -> TokenList | None:
    """Return the logprobs of the prompt that lie in a body or a choice, as vLLM sends them.

    A position that nothing precedes is null; the ids of the tokens may lie beside the list.
    """
    name = "prompt_logprobs" if obj.get("prompt_logprobs") is not None else "promptLogprobs"
    value = obj.get(name)
    if isinstance(value, TokenList):
        return value
    found = token_list(value, f"{path}.{name}", name)
    if found is None and isinstance(value, list) and all(each is None for each in value):
        found = TokenList("dicts", value, {}, f"{path}.{name}")
    ids = first(obj, ("prompt_token_ids", "promptTokenIds"))
    if found is None or not isinstance(ids, list) or len(ids) != len(found.values):
        return found
    return found._replace(columns={**found.columns, "token_id": ids})


def _list_of_channel(value: Any, path: str) -> TokenList | None:
    if isinstance(value, TokenList):
        return value
    if not isinstance(value, list):
        return None
    is_usual = not value or (isinstance(value[0], dict) and "token" in value[0])
    other = None if is_usual else token_list(value, path, "logprobs")
    return TokenList("entries", value, {}, path) if other is None else other
