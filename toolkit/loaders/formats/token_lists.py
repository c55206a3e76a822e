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

from toolkit.loaders.json_values import is_number

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

_ENTRY = frozenset({*TOKEN, *LOGPROB, *TOKEN_ID, *BYTES, *TOP})
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
            named = [first(each, TOKEN) for each in self.values if isinstance(each, dict)]
            found = [first(each, TOKEN) if isinstance(each, dict) else each for each in named]
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
        alone = self.values if len(self.values) == 1 else ()  # events bring an entry, not a list
        return {id(self.values), *map(id, alone), *map(id, self.columns.values())}


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
        return object_kind(value)
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


def object_kind(value: dict[str, Any]) -> str | None:
    """Return how a position that is an object is written, or None."""
    if isinstance(value.get("chosen"), dict):
        return "entries"
    token = value.get("token")
    names = token if isinstance(token, dict) else value
    has_name = any(_is_name(names.get(name)) for name in (*TOKEN, *TOKEN_ID))
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


def is_bare_entry(value: dict[str, Any]) -> bool:
    """Return whether an object has only keys of an entry, and so cannot be an answer.

    Examples
    --------
    >>> is_bare_entry({"token": "a", "logprob": -0.5}), is_bare_entry({"token": {"logprob": -0.5}})
    (True, False)
    """
    return _ENTRY.issuperset(value) and not isinstance(value.get("token"), dict)


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
        top = _column(beside, key, "top", (dict, list))
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
    lists: Mapping[str, list[Any]],
    key: str,
    word: str,
    kind: type | tuple[type, ...],
    but: str = "-",
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
