"""Column buffers: what the decoders write and the merger reads.

A decoder turns framed records into four flat tables. Their rows belong together by counts, not by
keys: a **body** (one record, taken out of its envelope) has ``n_parts`` **parts** (entries of
``choices``); a part has ``n_content + n_prompt + n_reasoning + n_refusal`` **tokens**, in that
order; a token has ``n_alternatives`` **alternatives**. Nothing is keyed or merged yet, with one
exception: the native scanner joins chunks that directly continue an earlier chunk of their
response. Then ``n_records`` records make one body, and all of them but the first are its
**members**.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from toolkit import schema
from toolkit.arrow import numpy, offsets, take, take_runs, text_lengths

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

KIND_WHOLE, KIND_CHUNK, KIND_ERROR, KIND_EITHER, KIND_FINAL_COPY, KIND_COPY = range(6)
"""Codes of ``bodies.kind``; see `toolkit.loaders.formats.body.Body`."""
STATE_ABSENT, STATE_EMPTY, STATE_PRESENT = range(3)
"""Codes of ``parts.state``: whether a choice has lists of logprobs, and entries in them."""
PART_TEXTS = ("content", "refusal", "reasoning")
"""Columns of a part that hold text."""
PART_COUNTS = tuple(f"n_{channel}" for channel in schema.CHANNELS)
"""Columns of a part that count its tokens, one for each channel, in the order of the tokens."""
_USAGE = [(column.name, column.type) for column in schema.USAGE_COLUMNS]
BODIES = pa.schema(
    [
        ("record", pa.int64()),
        ("line", pa.int64()),
        ("byte_offset", pa.int64()),
        ("length", pa.int64()),
        ("scope", pa.int64()),  # source or exchange that it is part of; streams never leave one
        ("done", pa.int64()),  # [DONE] markers before it in its scope
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
        ("path", schema.TEXT),
        ("kept", schema.TEXT),
        ("notes", schema.RESPONSES["notes"].type),
        ("item", pa.int32()),  # as in `Body`
        ("part", pa.int32()),
        ("item_id", schema.TEXT),
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
        ("n_prompt", pa.int32()),
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
        ("chunk", pa.int32()),  # which of the records of its body it came in, from 0
        ("is_top1", pa.bool_()),
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
REJECTS = pa.schema([field for field in schema.REJECTS.arrow if field.name != "source"])
REJECTED = pa.schema(  # runs of rejected records, those that are not listed included
    [
        ("record", pa.int64()),  # the first
        ("n_records", pa.int64()),
        ("scope", pa.int64()),  # as in bodies
        ("done", pa.int64()),
    ]
)
MEMBERS = pa.schema([BODIES.field(name) for name in ("record", "line", "byte_offset", "length")])


class Decoded(NamedTuple):
    """Column buffers of consecutive records, in any order of the records.

    Attributes
    ----------
    bodies, parts, tokens, alternatives, rejects, rejected, members : pyarrow.Table
        As `BODIES`, `PARTS`, `TOKENS`, `ALTERNATIVES`, `REJECTS`, `REJECTED` and `MEMBERS`.
    envelopes : int
        Records that were found inside an envelope.
    control : int
        Frames, or parts of frames, that are known to hold no part of an answer. They do not count
        as records.
    reasons : mapping of str to int
        Rejected records by reason; those of one call of a decoder only.
    """

    bodies: pa.Table
    parts: pa.Table
    tokens: pa.Table
    alternatives: pa.Table
    rejects: pa.Table
    rejected: pa.Table
    members: pa.Table
    envelopes: int = 0
    control: int = 0
    reasons: Mapping[str, int] = MappingProxyType({})

    @property
    def has_chunks(self) -> bool:
        """Whether some records may be parts of streams; an error alone is not."""
        return not np.isin(numpy(self.bodies, "kind"), (KIND_WHOLE, KIND_ERROR)).all()

    @classmethod
    def concat(cls, pieces: list[Decoded]) -> Decoded:
        """Concatenate column buffers of consecutive records; no pieces give no rows."""
        if not pieces:
            return nothing()
        tables = {
            name: pa.concat_tables([getattr(each, name) for each in pieces]) for name in _TABLES
        }
        counts = {
            name: sum(getattr(each, name) for each in pieces) for name in ("envelopes", "control")
        }
        reasons = sum((Counter(each.reasons) for each in pieces), Counter())
        return cls(**tables, **counts, reasons=reasons)

    def take(self, rows: Ints) -> Decoded:
        """Return some bodies, in the requested order, with the rows that belong to them.

        There are no rejects among them.
        """
        parts = take_runs(offsets(numpy(self.bodies, "n_parts")), rows)
        per_part = np.add.reduce([numpy(self.parts, name) for name in PART_COUNTS])
        tokens = take_runs(offsets(per_part), parts)
        entries = take_runs(offsets(numpy(self.tokens, "n_alternatives")), tokens)
        members = self.members
        if members.num_rows:
            members = take(members, take_runs(offsets(numpy(self.bodies, "n_records") - 1), rows))
        return Decoded(
            take(self.bodies, rows),
            take(self.parts, parts),
            take(self.tokens, tokens),
            take(self.alternatives, entries),
            nothing().rejects,
            nothing().rejected,
            members,
        )


_TABLES = ("bodies", "parts", "tokens", "alternatives", "rejects", "rejected", "members")


def brings(parts: pa.Table) -> Flags:
    """Return which parts bring text, tool calls or tokens."""
    found = np.add.reduce([numpy(parts, name) for name in PART_COUNTS]) > 0
    for name in (*PART_TEXTS, "tool_calls"):
        found |= text_lengths(parts[name]) > 0
    return found


@cache
def nothing() -> Decoded:
    """Return the column buffers of no records; not at import, because that imports pandas."""
    schemas = (BODIES, PARTS, TOKENS, ALTERNATIVES, REJECTS, REJECTED, MEMBERS)
    return Decoded(*(declared.empty_table() for declared in schemas))
