"""Merge the tool calls of streams: join fragments to calls."""

from __future__ import annotations

import json
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
    merged: list[str | None] = [None] * n
    fragments: dict[int, list[dict[str, Any]]] = {}
    rows = np.flatnonzero(pieces.is_valid().to_numpy())
    for row, text in zip(rows.tolist(), pieces.take(pa.array(rows)).to_pylist(), strict=True):
        calls = json.loads(text)
        if not is_stream[row]:  # each entry is a call, whatever its index says
            calls = [call | {"index": i} for i, call in enumerate(calls)]
        fragments.setdefault(int(group[row]), []).extend(calls)
    for i, calls in fragments.items():
        merged[i] = compact(_join_calls(calls))
    return pa.array(merged, schema.TEXT)


def _join_calls(fragments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join the fragments of each index; one without index and id continues the one before."""
    calls: dict[Any, dict[str, Any]] = {}
    last = None
    for fragment in fragments:
        index = fragment.get("index")
        if not isinstance(index, int | float):
            names_one = fragment.get("id") is not None or last is None
            index = len(calls) if names_one else last
        last = index
        rest = {key: value for key, value in fragment.items() if key != "index"}
        calls[index] = _join_objects(calls.get(index, {}), rest)
    return [calls[index] for index in sorted(calls)]


def _join_objects(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    joined = dict(old)
    for key, value in new.items():
        before = joined.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            joined[key] = _join_objects(before, value)
        elif key in ("arguments", "input") and isinstance(before, str) and isinstance(value, str):
            joined[key] = before + value
        elif before is None:
            joined[key] = value
    return joined
