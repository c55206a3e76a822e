"""Find the token lists of a choice or a body of the chat schema, by channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit.loaders.formats.token_lists import CHANNELS, TokenList, channels, first, token_list
from toolkit.loaders.json_values import Reject, camel, kind_of, read_once

_CHANNEL_KEYS = frozenset(name for names in CHANNELS.values() for name in names)
_ARRAYS = {"logprob": "token_logprobs", "token_id": "token_ids", "top": "top_logprobs"}
_ARRAY_NAMES = ("tokens", "content", *_ARRAYS.values())
_ARRAY_KEYS = frozenset(_ARRAY_NAMES) | {camel(name) for name in _ARRAY_NAMES}


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
