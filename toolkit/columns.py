"""Column buffers: what every decoder writes and what `toolkit.streams` reads.

A decoder turns framed records into four flat tables that hang together by counts, not by keys:
a **body** (one record after unwrapping) has ``n_parts`` **parts** (entries of ``choices``), a part
has ``n_content + n_reasoning + n_refusal`` **tokens** in that order, a token has
``n_alternatives`` **alternatives**. Nothing is keyed yet, and nothing merged but chunks that go on
where an earlier one of their response left off: ``n_records`` of them make one body, and those but
the first are its **members**.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import schema

KIND_WHOLE, KIND_CHUNK, KIND_ERROR, KIND_EITHER, KIND_FINAL_COPY = range(5)  # of formats.Body
STATE_ABSENT, STATE_EMPTY, STATE_PRESENT = 0, 1, 2

SCOPE = 1 << 32
"""Added to an epoch, it begins a stream of its own: no chunk before belongs to one behind it."""

_FEW_RUNS, _LONG_RUN = 256, 64  # slices up to so many, of so many rows on average

_USAGE = [(column.name, column.type) for column in schema.USAGE_COLUMNS]

BODIES = pa.schema(
    [
        ("record", pa.int64()),
        ("line", pa.int64()),
        ("byte_offset", pa.int64()),
        ("length", pa.int64()),
        ("epoch", pa.int64()),  # [DONE] markers before it in its source; see SCOPE
        ("kind", pa.int8()),
        ("format", pa.string()),
        ("response_id", schema.TEXT),
        ("custom_id", schema.TEXT),
        ("created", pa.int64()),  # seconds since 1970
        ("model", schema.TEXT),
        ("system_fingerprint", schema.TEXT),
        ("service_tier", schema.TEXT),
        ("object", schema.TEXT),
        ("has_usage", pa.bool_()),
        *_USAGE,
        ("error", schema.TEXT),
        ("notes", schema.RESPONSES["notes"].type),
        ("n_parts", pa.int32()),
        ("n_records", pa.int32()),
    ]
)
PARTS = pa.schema(
    [
        ("choice", pa.int32()),
        ("role", schema.TEXT),
        ("content", schema.TEXT),
        ("refusal", schema.TEXT),
        ("reasoning", schema.TEXT),
        ("tool_calls", schema.TEXT),
        ("finish_reason", schema.TEXT),
        ("state", pa.int8()),
        ("n_content", pa.int32()),
        ("n_reasoning", pa.int32()),
        ("n_refusal", pa.int32()),
    ]
)
ENTRIES = pa.schema(
    [
        ("token", schema.TEXT),
        ("bytes", schema.BINARY),
        ("token_id", pa.int32()),
        ("logprob", pa.float64()),
    ]
)
TOKENS = pa.schema(
    [
        *ENTRIES,
        ("status", pa.int8()),  # codes of schema.STATUSES
        ("n_alternatives", pa.int32()),
        ("sampled_rank", pa.int32()),
        ("chunk", pa.int32()),  # the record of its body that brought it, from 0
    ]
)
ALTERNATIVES = pa.schema(
    [
        *ENTRIES,
        ("status", pa.int8()),
        ("slot", pa.int32()),
        ("rank", pa.int32()),
        ("is_sampled", pa.bool_()),
    ]
)
REJECTS = pa.schema(
    [
        *(field for field in schema.REJECTS.arrow if field.name != "source"),
        ("epoch", pa.int64()),  # as in bodies
    ]
)
MEMBERS = pa.schema([BODIES.field(name) for name in ("record", "line", "byte_offset", "length")])


class Decoded(NamedTuple):
    """Column buffers of some records of one source, in the order of the records."""

    bodies: pa.Table
    parts: pa.Table
    tokens: pa.Table
    alternatives: pa.Table
    rejects: pa.Table
    members: pa.Table
    envelopes: int = 0

    @classmethod
    def concat(cls, pieces: list[Decoded]) -> Decoded:
        """Join column buffers of one source, in order; no rows if there are no pieces."""
        schemas = (BODIES, PARTS, TOKENS, ALTERNATIVES, REJECTS, MEMBERS)
        tables = [
            pa.concat_tables([empty.empty_table(), *(piece[i] for piece in pieces)])
            for i, empty in enumerate(schemas)
        ]
        return cls(*tables, envelopes=sum(piece.envelopes for piece in pieces))


def numpy(table: pa.Table, name: str) -> np.ndarray:
    """Return a column without nulls as one NumPy array."""
    return table[name].combine_chunks().to_numpy(zero_copy_only=False)


def valid(table: pa.Table, name: str) -> np.ndarray:
    """Return where a column is not null, as a boolean array."""
    return table[name].is_valid().combine_chunks().to_numpy(zero_copy_only=False)


def truth(flags: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return a boolean column as a NumPy array, null as False; writable."""
    return np.array(pc.fill_null(flags, False), dtype=bool)


def offsets(counts: np.ndarray) -> np.ndarray:
    """Return the n + 1 boundaries of n consecutive runs of these lengths."""
    bounds = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=bounds[1:])
    return bounds


def take(table: pa.Table, rows: np.ndarray) -> pa.Table:
    """Return some rows of a table, without a copy if they are a few runs of neighbours."""
    n = len(rows)
    if n == 0:
        return table.slice(0, 0)
    starts = np.append(0, np.flatnonzero(np.diff(rows) != 1) + 1)
    if len(starts) > min(_FEW_RUNS, n // _LONG_RUN + 1):
        return table.take(pa.array(rows))
    lengths = np.diff(starts, append=n)
    return pa.concat_tables(
        [table.slice(*run) for run in zip(rows[starts].tolist(), lengths.tolist(), strict=True)]
    )


def take_runs(bounds: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Return the row indices of whole runs, in the order asked for.

    Parameters
    ----------
    bounds : int64 array, shape (n + 1,)
        Boundaries of the runs, as `offsets` gives them.
    runs : integer array
        Which runs to take.

    Returns
    -------
    int64 array
        Indices of their rows.

    Examples
    --------
    >>> import numpy as np
    >>> take_runs(np.array([0, 2, 2, 5]), np.array([2, 0])).tolist()
    [2, 3, 4, 0, 1]
    """
    lengths = bounds[runs + 1] - bounds[runs]
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(bounds[runs] - (ends - lengths), lengths)
