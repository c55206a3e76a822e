"""Assemble the five declared tables of a batch, on any thread.

Chunks are merged into responses, rows get their keys and positions, and tokens are compared with
the text.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import schema
from toolkit.arrow import joined_texts, numpy, offsets, truth, valid
from toolkit.errors import SourceError
from toolkit.loaders.formats.embedded import NAME as ROW
from toolkit.loaders.framing.detect import BOM
from toolkit.loaders.merging.merger import Settled, merge
from toolkit.loaders.merging.responses import Merged
from toolkit.loaders.scanner import repeat
from toolkit.schema import ALIGNMENTS, CHANNELS, KINDS, LOGPROBS_STATES, STATUSES, label_array
from toolkit.tables import LogprobTables

_SOURCES, _RECORDS = 1 << 31, 1 << 32  # that a key can tell apart: sources, records of a source
_EXACT, _SHORT, _EXTRA, _MISMATCH, _UNKNOWN = range(len(ALIGNMENTS))


class Tables(NamedTuple):
    """The five tables, in the order of `schema.TABLES`."""

    responses: pa.Table
    choices: pa.Table
    tokens: pa.Table
    alternatives: pa.Table
    rejects: pa.Table


class _Keys(NamedTuple):
    """Key columns of the token rows, in the types of the tables."""

    response: np.ndarray
    choice: np.ndarray
    channel: np.ndarray
    position: np.ndarray

    def repeat(self, lengths: np.ndarray) -> _Keys:
        return _Keys(*(repeat(column, lengths) for column in self))

    def columns(self) -> dict[str, pa.Array]:
        return {
            "response_key": pa.array(self.response),
            "choice": pa.array(self.choice),
            "channel": label_array(self.channel, CHANNELS),
            "position": pa.array(self.position),
        }


class Origins(NamedTuple):
    """Where each record comes from: the sources, in the order in which they were read.

    Attributes
    ----------
    first : int64 array
        First record of each source; a source without records has the first record of the next.
    ordinal : int64 array
        Ordinal of each source in the load; the high half of ``response_key``.
    names : pyarrow.Array
        Values of the ``source`` columns.
    """

    first: np.ndarray
    ordinal: np.ndarray
    names: pa.Array

    @classmethod
    def of_sources(cls, sources: list[tuple[int, int, str]]) -> Origins:
        """Build from the first record, the ordinal and the name of each source."""
        first, ordinal, names = zip(*sources, strict=True)
        return cls(np.array(first), np.array(ordinal), pa.array(names, schema.TEXT))

    def of(self, record: np.ndarray) -> np.ndarray:
        """Return for each record the position of its source."""
        return np.searchsorted(self.first, record, side="right") - 1

    def within(self, record: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return the ordinal of each record in its source."""
        return record - self.first[at]

    def keys(self, record: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return the ``response_key`` of each record.

        Parameters
        ----------
        record : int64 array
            Ordinals in their sources.
        at : int64 array
            Positions of their sources.

        Raises
        ------
        SourceError
            If there are so many sources, or records in one, that two keys would be equal.
        """
        if np.any(self.ordinal >= _SOURCES):
            raise SourceError(
                f"{self.names[-1]} is source {self.ordinal[-1] + 1:,}: response_key numbers "
                f"{_SOURCES:,} sources; join small files, or export them to several directories"
            )
        if np.any(record >= _RECORDS):
            name = self.names[int(at[np.argmax(record)])]
            raise SourceError(
                f"{name} has more records than the {_RECORDS:,} of a source that response_key "
                "numbers; divide the file"
            )
        return (self.ordinal[at] << 32) + record

    def name(self, at: np.ndarray) -> pa.Array:
        """Return the names of sources."""
        if len(self.names) == 1:
            return pa.repeat(self.names[0], len(at))
        return self.names.take(pa.array(at))


class Document(NamedTuple):
    """A file that may be one JSON document: its size and name, and the bounds of its records."""

    size: int
    name: str
    first: int
    stop: int


class Batch(NamedTuple):
    """Settled records of one or more sources; `assembled` builds their tables, on any thread."""

    settled: Settled
    origins: Origins
    documents: list[Document]
    ledger: list[dict[str, Any]]
    n_bytes: int


def assembled(batch: Batch) -> LogprobTables:
    """Merge and assemble the records of a batch."""
    merged = merge(batch.settled)
    merged = merged._replace(bodies=_named_by_file(merged.bodies, batch.documents))
    ledger = schema.LEDGER.empty()
    if batch.ledger:
        ledger = pa.Table.from_pylist(batch.ledger, schema.LEDGER.arrow)
    return LogprobTables(*assemble(merged, batch.origins), ledger=ledger)


def _named_by_file(bodies: pa.Table, documents: list[Document]) -> pa.Table:
    """Return bodies in which a row that is alone in its file has the name of it as its id."""
    if not documents:
        return bodies
    is_row = pc.or_(pc.equal(bodies["format"], ROW), bodies["path"].is_valid())
    record, offset = numpy(bodies, "record"), numpy(bodies, "byte_offset")
    stop = offset + numpy(bodies, "length")
    names: list[str | None] = [None] * len(record)
    for size, name, first, next_record in documents:
        mine = (record >= first) & (record < next_record)
        rows = np.flatnonzero(mine & (offset <= len(BOM)))
        if len(rows) == 1 and is_row[rows[0]].as_py() and stop[rows[0]] >= size - len(b"\r\n"):
            names[rows[0]] = name
    if not any(names):
        return bodies
    custom_id = pc.coalesce(bodies["custom_id"], pa.array(names, schema.TEXT))
    return bodies.set_column(bodies.column_names.index("custom_id"), "custom_id", custom_id)


def assemble(merged: Merged, origins: Origins) -> Tables:
    """Build the five tables of a batch.

    Parameters
    ----------
    merged : Merged
    origins : Origins
        The sources of its records.
    """
    record = numpy(merged.bodies, "record")
    at = origins.of(record)
    record = origins.within(record, at)
    key = origins.keys(record, at)
    part_key = key[merged.part_response]
    counts = np.stack([numpy(merged.parts, f"n_{name}") for name in CHANNELS], axis=1)
    bounds = offsets(counts.ravel())
    runs = _Keys(  # a run of tokens: one channel of one choice part
        np.repeat(part_key, len(CHANNELS)),
        np.repeat(numpy(merged.parts, "choice"), len(CHANNELS)),
        np.tile(np.arange(len(CHANNELS), dtype=np.int8), len(counts)),
        bounds[:-1].astype(np.int32),
    )
    keys = runs.repeat(counts.ravel())
    first = keys.position
    keys = keys._replace(position=np.arange(len(first), dtype=np.int32) - first)
    return Tables(
        _responses(merged, key, origins.name(at)),
        _choices(merged, part_key, bounds),
        _tokens(merged, keys),
        _alternatives(merged, keys),
        _rejects(merged.rejects, origins),
    )


def _table(declared: schema.Table, values: dict[str, object]) -> pa.Table:
    """Build a declared table from columns that already have its types."""
    columns = [values[name] for name in declared.names]
    return pa.Table.from_arrays(columns, schema=declared.arrow)


def _labels(codes: pa.ChunkedArray, labels: tuple[str, ...]) -> pa.ChunkedArray:
    return pa.chunked_array([label_array(chunk, labels) for chunk in codes.chunks], schema.LABEL)


def _responses(merged: Merged, key: np.ndarray, source: pa.Array) -> pa.Table:
    bodies, n = merged.bodies, len(key)
    has_finish = valid(merged.parts, "finish_reason")
    n_choices = numpy(bodies, "n_parts")
    finished = np.bincount(merged.part_response, weights=has_finish, minlength=n)
    is_stream = merged.n_chunks >= 0
    created = pc.multiply(bodies["created"], 1000).cast(schema.RESPONSES["created"].type)
    values = {name: bodies[name] for name in bodies.column_names} | {
        "response_key": pa.array(key),
        "record": pa.array(key & (_RECORDS - 1)),
        "source": source,
        "kind": label_array(is_stream.astype(np.int8), KINDS),
        "created": created,
        "n_choices": bodies["n_parts"],
        "n_chunks": pa.array(merged.n_chunks.astype(np.int32), mask=~is_stream),
        "finished": pa.array((n_choices > 0) & (finished == n_choices)),
    }
    return _table(schema.RESPONSES, values)


def _choices(merged: Merged, part_key: np.ndarray, bounds: np.ndarray) -> pa.Table:
    parts = merged.parts
    values = {name: parts[name] for name in parts.column_names} | {
        "response_key": pa.array(part_key),
        "logprobs_state": _labels(parts["state"], LOGPROBS_STATES),
    }
    for name in CHANNELS:
        values[f"n_{name}_tokens"] = parts[f"n_{name}"]
    joined = _Joined(merged.tokens, bounds)
    for column, name in (("alignment", "content"), ("refusal_alignment", "refusal")):
        runs = np.arange(parts.num_rows) * len(CHANNELS) + CHANNELS.index(name)
        values[column] = label_array(joined.align(parts[name], runs), ALIGNMENTS)
    return _table(schema.CHOICES, values)


def _tokens(merged: Merged, keys: _Keys) -> pa.Table:
    tokens = merged.tokens
    values = {name: tokens[name] for name in tokens.column_names} | {
        "status": _labels(tokens["status"], STATUSES),
        "chunk": merged.token_chunk,
    }
    return _table(schema.TOKENS, values | keys.columns())


def _alternatives(merged: Merged, keys: _Keys) -> pa.Table:
    entries = merged.alternatives
    values = {name: entries[name] for name in entries.column_names} | {
        "status": _labels(entries["status"], STATUSES),
    }
    sizes = numpy(merged.tokens, "n_alternatives")
    return _table(schema.ALTERNATIVES, values | keys.repeat(sizes).columns())


class _Joined:
    """The bytes of the tokens of each run, joined without copying."""

    def __init__(self, tokens: pa.Table, bounds: np.ndarray) -> None:
        sent = tokens["bytes"]
        text = tokens["token"].cast(schema.BINARY)
        self._bounds = bounds
        # Where bytes were not sent, the text is used instead, and only equality proves it right.
        self._guessed = offsets(~valid(tokens, "bytes"))
        self._runs = joined_texts(pc.coalesce(sent, text), bounds)

    def align(self, text: pa.ChunkedArray, runs: np.ndarray) -> np.ndarray:
        """Compare the joined bytes of each run with its text; return int8 codes of `ALIGNMENTS`."""
        first, stop = self._bounds[runs], self._bounds[runs + 1]
        joined = self._runs.take(pa.array(runs))
        texts = pc.fill_null(text.cast(schema.BINARY), b"").combine_chunks()
        is_exact = truth(pc.equal(joined, texts))
        guessed = self._guessed[stop] > self._guessed[first]
        out = np.where(is_exact, np.int8(_EXACT), np.int8(_UNKNOWN))
        for i in np.flatnonzero(~is_exact & (stop > first)).tolist():
            verdict = _compare(joined[i].as_py(), texts[i].as_py())
            out[i] = _UNKNOWN if guessed[i] and verdict != _EXACT else verdict
        out[stop == first] = _UNKNOWN
        return out


def _compare(joined: bytes, text: bytes) -> int:
    if joined.decode("utf-8", "replace").encode() == text:
        return _EXACT
    if text.startswith(joined):
        return _SHORT
    return _EXTRA if text in joined else _MISMATCH


def _rejects(rejects: pa.Table, origins: Origins) -> pa.Table:
    record = numpy(rejects, "record")
    at = origins.of(record)
    values = {name: rejects[name] for name in rejects.column_names} | {
        "source": origins.name(at),
        "record": pa.array(origins.within(record, at)),
    }
    return _table(schema.REJECTS, values)
