"""Read logprobs in parallel arrays, the form of legacy completions and of some chat servers."""

from __future__ import annotations

from typing import Any

from toolkit.loaders.formats.token_lists import TokenList
from toolkit.loaders.json_values import Reject, camel, kind_of, read_once

_COLUMNS = {"logprob": "token_logprobs", "token_id": "token_ids", "top": "top_logprobs"}
_NAMES = ("tokens", "content", *_COLUMNS.values())
_KEYS = frozenset(_NAMES) | {camel(name) for name in _NAMES}


def are_arrays(logprobs: object) -> bool:
    """Return whether logprobs are parallel arrays, not lists of entries."""
    return (
        isinstance(logprobs, dict)
        and isinstance(logprobs.get("tokens"), list)
        and not isinstance(logprobs.get("content"), list)
    )


def arrays_of(logprobs: dict[str, Any], path: str) -> TokenList:
    """Return the parallel arrays as a token list.

    An empty array of alternatives is as good as none: SGLang sends it if none were asked for.

    Raises
    ------
    Reject
        If the arrays are of different lengths.
    """
    read_once(logprobs, _KEYS, path)
    tokens = logprobs["tokens"]
    columns = {}
    for role, name in _COLUMNS.items():
        key = name if logprobs.get(name) is not None else camel(name)
        values = _column(logprobs.get(key), role, len(tokens), f"{path}.{key}")
        if values is not None:
            columns[role] = values
    return TokenList("arrays", tokens, columns, path)


def _column(values: Any, role: str, n: int, path: str) -> list[Any] | None:
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
