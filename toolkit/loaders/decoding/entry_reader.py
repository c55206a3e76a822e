"""Read the entries of logprobs lists into column lists: the hot spot of the reference decoder."""

from __future__ import annotations

import math
import re
from typing import Any

import pyarrow as pa

from toolkit.limits import LIMITS
from toolkit.loaders import buffers
from toolkit.loaders.decoding.positions import alternatives
from toolkit.loaders.json_values import Reject, camel, kind_of, read_once, whole_number

SAMPLED = buffers.ENTRIES.append(buffers.TOKENS.field("n_alternatives"))
"""Columns that are read of a sampled token; `ranks` computes the other ones of `TOKENS`."""

_INT32 = 2**31 - 1
_NAMED_NUMBERS = {
    name: value
    for names, value in (
        (("NaN", "nan"), None),
        (("Infinity", "inf", "+inf"), math.inf),
        (("-Infinity", "-inf"), -math.inf),
    )
    for name in names
}


_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def both_casings(*names: str) -> frozenset[str]:
    """Return some snake_case keys in both casings, snake_case and camelCase."""
    return frozenset(names) | {camel(name) for name in names}


_TOP = ("top_logprobs", "topLogprobs", "top_probs")
_ENTRY_KEYS = both_casings(
    *("token", "logprob", "bytes", "bytes_", "id", "token_id", "top_logprobs"),
    *("prob", "top_probs"),
)


def lists(fields: pa.Schema) -> dict[str, list[Any]]:
    """Return an empty list for each column."""
    return {name: [] for name in fields.names}


class EntryReader:
    """Append tokens and their alternatives to column lists, and collect notes on odd values.

    Parameters
    ----------
    limit : int
        Number of alternatives that a token may have.
    """

    def __init__(self, limit: int = LIMITS.alternatives) -> None:
        self._limit = limit
        self.tokens = lists(SAMPLED)
        self.alternatives = lists(buffers.ENTRIES)
        self.notes: list[str] = []

    def read(self, entries: list[Any], path: str) -> None:
        """Append sampled tokens and their alternatives, or raise `Reject`."""
        sizes = self.tokens["n_alternatives"]
        for i, entry in enumerate(entries):
            self._entry(entry, self.tokens, path, i)
            for key in _TOP:
                top = entry.get(key)
                if top is not None:
                    break
            if type(top) is dict:
                top = alternatives(top)
            if type(top) is list:
                if len(top) > self._limit:
                    message = (
                        f"expected at most {self._limit:,} alternatives (Limits.alternatives), "
                        f"found {len(top):,}"
                    )
                    raise Reject("too_many_alternatives", message, f"{path}[{i}].{key}")
                sizes.append(len(top))
                for j, alternative in enumerate(top):
                    self._entry(alternative, self.alternatives, f"{path}[{i}].{key}", j)
            else:
                sizes.append(0)
                if top is not None:
                    self.notes.append("bad_top_logprobs")

    def _entry(self, entry: Any, into: dict[str, list[Any]], path: str, i: int) -> None:
        """Append one token with its logprob; the common case comes first, for speed."""
        if type(entry) is not dict:
            if not isinstance(entry, dict):
                found = kind_of(entry)
                raise Reject(
                    "entry_not_object", f"expected an object, found {found}", f"{path}[{i}]"
                )
            read_once(entry, _ENTRY_KEYS, f"{path}[{i}]")
        token = entry.get("token")
        if type(token) is not str:
            token = _named_by_id(entry, f"{path}[{i}].token")
        logprob = entry.get("logprob")
        if type(logprob) is not float or logprob != logprob:
            if logprob is None and "prob" in entry:
                logprob = self._of_prob(entry["prob"], f"{path}[{i}].prob")
            else:
                logprob = _logprob(logprob, f"{path}[{i}].logprob")
        raw = entry.get("bytes")
        if raw is None:
            raw = entry.get("bytes_")
        token_id = entry.get("token_id")
        if token_id is None:
            token_id = entry.get("id")
            if token_id is None and token.startswith("token_id:"):
                digits = token[9:]  # vLLM writes ids in place of texts on request
                token_id = int(digits) if digits.isdecimal() and len(digits) < 11 else None
        into["token"].append(token)
        into["logprob"].append(logprob)
        into["bytes"].append(None if raw is None else self._bytes(raw))
        into["token_id"].append(None if token_id is None else self._token_id(token_id))

    def _bytes(self, raw: Any) -> bytes | None:
        if type(raw) is list:
            try:
                out = bytes(raw)
            except (TypeError, ValueError):
                whole = [n for value in raw if (n := whole_number(value, 0, 255)) is not None]
                if len(whole) == len(raw):
                    return bytes(whole)  # integers written as floats
            else:
                if (0 in out or 1 in out) and bool in map(type, raw):
                    self.notes.append("bad_bytes")  # true and false are not numbers
                    return None
                return out
        self.notes.append("bad_bytes")
        return None

    def _of_prob(self, prob: Any, path: str) -> float | None:
        """Read a probability that was sent in place of a logprob (llama.cpp after sampling)."""
        value = _logprob(prob, path)
        if value is None:
            return None
        self.notes.append("from_prob")
        return math.log(value) if value > 0 else -math.inf

    def _token_id(self, value: Any) -> int | None:
        number = whole_number(value, -_INT32 - 1, _INT32)
        if number is None:
            self.notes.append("bad_token_id")
        return number


def _named_by_id(entry: dict[str, Any], path: str) -> str:
    """Return the token of an entry without a text: ``token_id:N``, as vLLM writes it."""
    token = entry.get("token")
    number = token
    if number is None:
        number = entry.get("token_id")
    if number is None:
        number = entry.get("id")
    whole = whole_number(number, 0, _INT32)
    if whole is None:
        found = kind_of(token) if "token" in entry else "no such key"
        message = f"expected a string, or an id beside it, found {found}"
        raise Reject("token_not_string", message, path)
    return f"token_id:{whole}"


def _logprob(value: Any, path: str) -> float | None:
    """Read a logprob that is not a plain float: an integer, null, NaN or a named number."""
    if value is None or value != value:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    if isinstance(value, str):
        if value in _NAMED_NUMBERS:
            return _NAMED_NUMBERS[value]
        if _NUMBER.fullmatch(value):  # OCI sends numbers as texts
            return float(value)
    raise Reject("logprob_not_number", f"expected a number, found {kind_of(value)}", path)
