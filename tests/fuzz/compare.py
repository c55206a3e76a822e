"""Compare the columns of both decoders, bit for bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from tests.fuzz import other_formats
from toolkit.arrow import numpy
from toolkit.loaders.buffers import Decoded
from toolkit.loaders.decoding.decoder import Decoder
from toolkit.loaders.decoding.native import Scanned, scan_frames
from toolkit.loaders.decoding.reference import ReferenceDecoder
from toolkit.loaders.formats.lookup import Lookup
from toolkit.loaders.framing.frames import Counts, Frames
from toolkit.loaders.merging.merger import Merger, merge
from toolkit.loaders.merging.responses import Merged

Read = Callable[[Frames, Lookup], Decoded]
CONTENT = Lookup()
LOOKUPS = (
    Lookup(id="id", keep=("prompt", "model", "usage")),
    Lookup(id="uuid", keep=("request.messages", "a.id", "b", "x", "choices[].index")),
    Lookup(path="response", keep=("expected", "request")),
    Lookup(path="response.body", id="custom_id"),
    Lookup(path="a.b", keep=("id",)),
    Lookup(path="data", keep=("system_fingerprint", "n")),
    Lookup(path="choices[0].message", keep=("id",)),
    *(Lookup(shape=shape, keep=("id",)) for shape, _ in other_formats.SHAPED),
)
"""What callers look for, in the rows and envelopes of `odd_values.CONTAINERS_OF_ANSWERS`, or
as `other_formats.SHAPED` declares it."""


def native(frames: Frames, lookup: Lookup = CONTENT) -> Decoded:
    """Decode frames as the toolkit does."""
    decoder = Decoder(lookup)
    decoder.frames(frames, scan_frames(frames, lookup=lookup))
    found = decoder.take()
    in_order = found.take(np.argsort(numpy(found.bodies, "record"), kind="stable"))
    others = {name: getattr(found, name) for name in ("rejects", "rejected", "reasons")}
    return in_order._replace(**others, envelopes=decoder.envelopes, control=decoder.control)


def reference(frames: Frames, lookup: Lookup = CONTENT) -> Decoded:
    """Decode frames with the reference decoder."""
    return ReferenceDecoder(lookup).frames(frames)


def framed(records: list[bytes], *, exact: bool = False) -> Frames:
    """Frame records that are adjacent, so that the first and the last are at the ends of the data.

    If `exact`, the memory ends with the last byte of the data, so that a sanitizer detects any
    access beyond it (``bytes`` are followed by a zero); only the scanner can read such frames.
    """
    joined = b"".join(records)
    data = np.frombuffer(joined, np.uint8).copy() if exact else joined
    stops = np.cumsum([len(record) for record in records], dtype=np.int64)
    starts = np.concatenate([[0], stops[:-1]]).astype(np.int64)
    lines = np.arange(1, len(records) + 1)
    none = np.empty(0, np.int64)
    counts = Counts(0, 0, 0, 0, len(joined))
    return Frames(data, starts, stops, lines, starts, stops - starts, none, counts)


def taken(records: list[bytes], lookup: Lookup = CONTENT) -> list[bytes]:
    """Return the records that the scanner takes; each is scanned at the very end of its memory."""
    alone = ((record, framed([record], exact=True)) for record in records)
    return [record for record, frames in alone if scan_frames(frames, lookup=lookup).verdicts[0]]


def differ(records: list[bytes], read: Read = native, lookup: Lookup = CONTENT) -> bool:
    """Return whether the two decoders differ on these records."""
    frames = framed(records)
    return not same(read(frames, lookup), reference(frames, lookup))


def same(one: Decoded, other: Decoded) -> bool:
    """Return whether all columns and counts are equal, floats bit for bit.

    The reasons of rejects are in the rejects themselves.
    """
    return one[6:9] == other[6:9] and all(
        _bits(a).equals(_bits(b)) for a, b in zip(one[:6], other[:6], strict=True)
    )


def scan_joining(records: list[bytes]) -> None:
    """Scan the records as one stream; the last one is at the very end of its memory."""
    scan_frames(framed(records, exact=True), window=len(records))


def joins_differ(records: list[bytes], lookup: Lookup = CONTENT) -> bool:
    """Return whether responses differ if the scanner joins the chunks that continue another."""
    frames = framed(records)
    scanned = (scan_frames(frames, window, lookup=lookup) for window in (len(records), 0))
    joined, apart = (_merged(frames, each, lookup) for each in scanned)
    return not all(
        _bits(one).equals(_bits(other)) if isinstance(one, pa.Table) else np.array_equal(one, other)
        for one, other in zip(joined, apart, strict=True)
    )


def _merged(frames: Frames, scanned: Scanned | None, lookup: Lookup) -> Merged:
    decoder = Decoder(lookup)
    decoder.frames(frames, scanned)
    merged = merge(Merger(frames.lines.size + 1).settle(decoder.take(), is_last=True))
    rows = [name for name in ("n_records",) if name in merged.bodies.column_names]
    return merged._replace(
        bodies=merged.bodies.drop_columns(rows),
        tokens=merged.tokens.drop_columns(["chunk"]),
        token_chunk=pa.nulls(0),  # the ordinals of records that were joined are those of their body
    )


def _bits(table: pa.Table) -> pa.Table:
    """Return a table whose floats are replaced by the integers with the same bits."""
    table = table.combine_chunks()
    for i, field in enumerate(table.schema):
        if pa.types.is_floating(field.type):
            column = table.column(i).combine_chunks()
            bits = pa.chunked_array([column.view(pa.int64())], pa.int64())
            table = table.set_column(i, field.name, bits)
    return table


def shrink(record: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """Remove bytes from a record as long as it still fails."""
    halves = [len(record) >> i for i in range(1, 12)]
    for size in [*(half for half in halves if half > 32), *range(32, 0, -1)]:
        at = 0
        while at < len(record):
            shorter = record[:at] + record[at + size :]
            if fails(shorter):
                record = shorter
            else:
                at += max(size // 4, 1)
    return record
