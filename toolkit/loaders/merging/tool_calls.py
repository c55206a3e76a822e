"""Merge the tool calls of streams: join fragments to calls."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from toolkit import schema
from toolkit.loaders.buffers import Flags, Ints
from toolkit.loaders.decoding.strict_json import compact


def merge_tool_calls(pieces: pa.ChunkedArray, group: Ints, n: int, is_stream: Flags) -> pa.Array:
    """Merge the tool calls of each group of deltas.

    Parameters
    ----------
    pieces : pyarrow.ChunkedArray
        Lists of calls or of fragments of calls as JSON, or null.
    group : int64 array
        The choice that each piece belongs to; never decreasing.
    n : int
        Number of choices.
    is_stream : bool array
        Whether the entries of a piece are fragments of calls; else each is a call.

    Returns
    -------
    pyarrow.Array
        The calls of each choice as JSON, or null.
    """
    if pieces.null_count == len(pieces):
        return pa.nulls(n, schema.TEXT)
    merged: list[str | None] = [None] * n
    rows = np.flatnonzero(pieces.is_valid().to_numpy())
    texts = pieces.take(pa.array(rows)).to_pylist()
    for i, own in groupby(zip(rows.tolist(), texts, strict=True), lambda row: int(group[row[0]])):
        merged[i] = compact(_join_calls(_fragments(own, is_stream)))
    return pa.array(merged, schema.TEXT)


def _fragments(pieces: Iterable[tuple[int, str]], is_stream: Flags) -> Iterator[dict[str, Any]]:
    """Yield the fragments of calls in some rows."""
    for row, text in pieces:
        calls = json.loads(text)
        if not is_stream[row]:  # each entry is a call, whatever its index says
            calls = [call | {"index": i} for i, call in enumerate(calls)]
        yield from calls


class _Pieces(list[str]):
    """The pieces of a text, which are joined once, at the end."""


def _join_calls(fragments: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join the fragments of each index; one without index and id continues the one before."""
    calls: dict[Any, dict[str, Any]] = {}
    last = None
    for fragment in fragments:
        index = fragment.pop("index", None)
        if not isinstance(index, int | float):
            names_one = fragment.get("id") is not None or last is None
            index = len(calls) if names_one else last
        last = index
        _add(calls.setdefault(index, {}), fragment)
    return [_finished(calls[index]) for index in sorted(calls)]


def _add(joined: dict[str, Any], more: dict[str, Any]) -> None:
    """Add a fragment to what it continues."""
    for key, value in more.items():
        before = joined.get(key)
        if before is None and isinstance(value, dict):
            before = joined[key] = {}
        elif before is None and isinstance(value, str) and key in ("arguments", "input"):
            before = joined[key] = _Pieces()
        if isinstance(before, dict) and isinstance(value, dict):
            _add(before, value)
        elif isinstance(before, _Pieces) and isinstance(value, str):
            before.append(value)
        elif before is None:
            joined[key] = value


def _finished(value: Any) -> Any:
    """Return what fragments were joined to, with its texts as such."""
    if isinstance(value, dict):
        return {key: _finished(inner) for key, inner in value.items()}
    return "".join(value) if isinstance(value, _Pieces) else value
