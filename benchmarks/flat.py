"""What every contestant makes of a corpus: a table of tokens and one of alternatives."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

TOKEN_KEYS = ("response", "position")
ALTERNATIVE_KEYS = ("response", "position", "slot")
VALUES = ("token", "bytes", "logprob")


class Flat(NamedTuple):
    """The two tables, sorted by their keys.

    Attributes
    ----------
    tokens : pyarrow.Table
        ``response``: ordinal of the response; ``position``: 0-based in it; and ``token``,
        ``bytes``, ``logprob``.
    alternatives : pyarrow.Table
        The same, and ``slot``: 1-based, as sent.
    """

    tokens: pa.Table
    alternatives: pa.Table


class Entries(NamedTuple):
    """Values of tokens or of alternatives, one array each; and how many belong to each parent."""

    counts: np.ndarray
    token: pa.Array
    bytes: pa.Array
    logprob: pa.Array


def assembled(tokens: Entries, alternatives: Entries, ids: Sequence[str] | None = None) -> Flat:
    """Return the tables of entries in the order of the file.

    Parameters
    ----------
    tokens : Entries
        Counts by record.
    alternatives : Entries
        Counts by token.
    ids : sequence of str or pyarrow.Array, optional
        Of stream chunks: the id of each record.
    """
    record = np.repeat(np.arange(len(tokens.counts)), tokens.counts)
    position = _places(tokens.counts)
    flat = Flat(
        pa.table({"response": record, "position": position} | _values(tokens)),
        pa.table(
            {
                "response": np.repeat(record, alternatives.counts),
                "position": np.repeat(position, alternatives.counts),
                "slot": _places(alternatives.counts) + 1,
            }
            | _values(alternatives)
        ),
    )
    return flat if ids is None else merged(flat, ids)


def merged(flat: Flat, ids: Sequence[str] | pa.Array | pa.ChunkedArray) -> Flat:
    """Put the chunks of each stream together; ``response`` is the ordinal of the record so far."""
    ids = ids if isinstance(ids, pa.Array | pa.ChunkedArray) else pa.array(ids)
    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
    numbers = ids.dictionary_encode().indices.to_numpy()  # by first appearance
    tokens, alternatives = flat
    owner = tokens["response"].to_numpy()
    counts = _runs(alternatives, owner, tokens["position"].to_numpy())
    response = numbers[owner]
    if (np.diff(response) < 0).any():  # streams that came in turns
        order = np.argsort(response, kind="stable")
        starts = (np.cumsum(counts) - counts)[order]
        rows = np.repeat(starts, counts[order]) + _places(counts[order])
        tokens, alternatives = tokens.take(order), alternatives.take(rows)
        response, counts = response[order], counts[order]
    position = _places(np.bincount(response))
    keys = {"response": response, "position": position}
    return Flat(
        _replaced(tokens, keys),
        _replaced(alternatives, {name: np.repeat(key, counts) for name, key in keys.items()}),
    )


def _runs(alternatives: pa.Table, owner: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Return how many alternatives each token has."""
    # Chunks hold few tokens, so (record, position) makes a small number.
    width = int(position.max(initial=0)) + 1
    theirs = alternatives["response"].to_numpy() * width + alternatives["position"].to_numpy()
    places = np.searchsorted(owner * width + position, theirs)
    return np.bincount(places, minlength=len(owner))


def _places(counts: np.ndarray) -> np.ndarray:
    """Return 0, 1, ... within each group."""
    ends = np.cumsum(counts)
    return np.arange(int(counts.sum())) - np.repeat(ends - counts, counts)


def _replaced(table: pa.Table, columns: dict[str, np.ndarray]) -> pa.Table:
    for name, values in columns.items():
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values))
    return table


def _values(entries: Entries) -> dict[str, pa.Array]:
    return {name: getattr(entries, name) for name in VALUES}


def as_binary(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Read lists of bytes as binary values, without a copy."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    kind = pa.large_binary() if pa.types.is_large_list(column.type) else pa.binary()
    validity, offsets = column.buffers()[:2]
    data = column.values.buffers()[1]
    return pa.Array.from_buffers(
        kind,
        len(column),
        [validity, offsets, data],
        null_count=column.null_count,
        offset=column.offset,
    )


def checksums(flat: Flat) -> dict[str, str | int]:
    """Reduce both tables to numbers that agree only if every value does.

    Returns
    -------
    dict
        Row counts, and a hash of each column.
    """
    found: dict[str, str | int] = {}
    for name, table, keys in (
        ("tokens", flat.tokens, TOKEN_KEYS),
        ("alternatives", flat.alternatives, ALTERNATIVE_KEYS),
    ):
        found[name] = table.num_rows
        for column in (*keys, *VALUES):
            found[f"{name}.{column}"] = _hash(table[column].combine_chunks(), column)
    return found


def _hash(column: pa.Array, name: str) -> str:
    digest = hashlib.blake2b(digest_size=8)
    if name == "logprob":
        digest.update(column.cast(pa.float64()).to_numpy(zero_copy_only=False))
    elif name in ("token", "bytes"):
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            column = as_binary(column)
        column = column.cast(pa.large_binary())
        lengths = pc.fill_null(pc.binary_length(column), -1).to_numpy()
        digest.update(lengths.astype(np.int64))
        offsets = np.frombuffer(column.buffers()[1], np.int64)[column.offset :]
        first, last = int(offsets[0]), int(offsets[len(column)])
        digest.update(column.buffers()[2][first:last] if last > first else b"")
    else:
        digest.update(column.to_numpy(zero_copy_only=False).astype(np.int64))
    return digest.hexdigest()
