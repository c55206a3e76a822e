"""Read logprobs in parallel arrays, the form of legacy completions and of some chat servers."""

from __future__ import annotations

import re
from typing import Any

from toolkit.loaders.json_values import Reject, kind_of, read_all_once, read_once

_KEYS = frozenset({"tokens", "token_logprobs", "token_ids", "top_logprobs", "content"})
_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")


def are_arrays(logprobs: object) -> bool:
    """Return whether logprobs are parallel arrays, not lists of entries."""
    return (
        isinstance(logprobs, dict)
        and isinstance(logprobs.get("tokens"), list)
        and not isinstance(logprobs.get("content"), list)
    )


def has_arrays_or_number(choice: object) -> bool:
    """Return whether a chat's choice has logprobs in arrays, or one number for its only token."""
    if not isinstance(choice, dict) or not ("message" in choice or "delta" in choice):
        return False
    logprobs, delta = choice.get("logprobs"), choice.get("delta")
    if isinstance(logprobs, int | float) and not isinstance(logprobs, bool):
        return isinstance(delta, dict) and isinstance(delta.get("content"), str)
    return are_arrays(logprobs)


def entries_of(logprobs: Any, path: str) -> Any:
    """Return logprobs with a list of entries instead of the arrays; other values unchanged.

    Raises
    ------
    Reject
        If the arrays are of different lengths.
    """
    if not are_arrays(logprobs):
        return logprobs
    read_once(logprobs, _KEYS, path)
    tokens = logprobs["tokens"]
    columns = [
        _column(logprobs, name, len(tokens), path)
        for name in ("token_logprobs", "token_ids", "top_logprobs")
    ]
    entries = []
    for i, (token, logprob, token_id, top) in enumerate(zip(tokens, *columns, strict=True)):
        entry = {"token": token, "logprob": logprob, "bytes": _bytes(token), "token_id": token_id}
        entries.append({**entry, "top_logprobs": _top(top, f"{path}.top_logprobs[{i}]")})
    return {"content": entries}


def _column(logprobs: dict[str, Any], name: str, n: int, path: str) -> list[Any]:
    values = logprobs.get(name)
    if values is None:
        return [None] * n
    if isinstance(values, dict) and name == "top_logprobs" and n == 1:
        values = [values]  # the alternatives of a single token, without a list around them
    if not isinstance(values, list):
        raise Reject(
            "entry_not_object", f"expected an array, found {kind_of(values)}", f"{path}.{name}"
        )
    if len(values) != n:
        message = f"expected {n} values, one per token, found {len(values)}"
        raise Reject("unequal_lengths", message, f"{path}.{name}")
    return values


def _top(top: Any, path: str) -> Any:
    """Return alternatives as a list of entries, in the order of the server."""
    if not isinstance(top, dict):
        return top
    read_all_once(top, path)
    return [
        {"token": token, "logprob": logprob, "bytes": _bytes(token)}
        for token, logprob in top.items()
    ]


def _bytes(token: Any) -> list[int] | None:
    r"""Return the bytes that a token spells as ``bytes: \xe2\x80``; None if it does not."""
    if not isinstance(token, str) or not token.startswith("bytes:"):
        return None
    spelled = token[6:].encode("utf-8", "surrogatepass")
    if not _ESCAPE.search(spelled):
        return None
    return list(_ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), spelled))
