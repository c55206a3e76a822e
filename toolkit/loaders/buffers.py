"""Column buffers: what every decoder writes and what `toolkit.loaders.merging.merger` reads.

A decoder turns framed records into four flat tables that hang together by counts, not by keys:
a **body** (one record after unwrapping) has ``n_parts`` **parts** (entries of ``choices``), a part
has ``n_content + n_reasoning + n_refusal`` **tokens** in that order, a token has
``n_alternatives`` **alternatives**. Nothing is keyed yet, and nothing merged but chunks that go on
where an earlier one of their response left off: ``n_records`` of them make one body, and those but
the first are its **members**.
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from toolkit import schema

KIND_WHOLE, KIND_CHUNK, KIND_ERROR, KIND_EITHER, KIND_FINAL_COPY = range(5)  # of formats.Body
STATE_ABSENT, STATE_EMPTY, STATE_PRESENT = 0, 1, 2
SCOPE = 1 << 32
"""Added to an epoch, it begins a stream of its own: no chunk before belongs to one behind it."""
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
