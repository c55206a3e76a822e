"""Polars: scan_ndjson with a declared schema, then explode."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa

from benchmarks.corpus import Spec
from benchmarks.flat import VALUES, Flat, as_binary, merged

_ENTRY = {"token": pl.String, "bytes": pl.List(pl.UInt8), "logprob": pl.Float64}


def read(path: Path, spec: Spec, threads: int) -> Flat:
    """Parse once into a frame of entries; both tables come from it."""
    lazy = scan(path, spec)
    records = lazy.collect(engine="streaming")
    entries = exploded(records.lazy())
    tokens, alternatives = pl.collect_all([tokens_of(entries), alternatives_of(entries, spec)])
    flat = Flat(_arrow(tokens), _arrow(alternatives))
    return merged(flat, records["id"].to_arrow()) if spec.streamed else flat


def export(path: Path, spec: Spec, folder: Path, threads: int) -> None:
    """Sink both tables out of the stream; the bytes stay lists of numbers."""
    entries = exploded(scan(path, spec))
    options = {"compression": "zstd", "compression_level": 1, "lazy": True}
    sinks = [
        tokens_of(entries).sink_parquet(folder / "tokens.parquet", **options),
        alternatives_of(entries, spec).sink_parquet(folder / "alternatives.parquet", **options),
    ]
    pl.collect_all(sinks, engine="streaming")


def scan(path: Path, spec: Spec) -> pl.LazyFrame:
    """Return one row per record: its ordinal, id and list of entries."""
    entry = pl.Struct({**_ENTRY, spec.top: pl.List(pl.Struct(_ENTRY))})
    choice = pl.Struct({"logprobs": pl.Struct({"content": pl.List(entry)})})
    schema = {"id": pl.String, "choices": pl.List(choice)}
    content = pl.col("choices").list.first().struct.field("logprobs").struct.field("content")
    return pl.scan_ndjson(path, schema=schema, row_index_name="response").select(
        "response", "id", content.alias("content")
    )


def exploded(records: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row per token."""
    return (
        records.filter(pl.col("content").list.len() > 0)
        .select(
            "response",
            "content",
            position=pl.int_ranges(0, pl.col("content").list.len().cast(pl.Int64)),
        )
        .explode("content", "position")
    )


def tokens_of(entries: pl.LazyFrame) -> pl.LazyFrame:
    """Select the tokens."""
    fields = [pl.col("content").struct.field(name) for name in VALUES]
    return entries.select("response", "position", *fields)


def alternatives_of(entries: pl.LazyFrame, spec: Spec) -> pl.LazyFrame:
    """Select the alternatives."""
    top = pl.col("content").struct.field(spec.top)
    fields = [pl.col("top").struct.field(name) for name in VALUES]
    return (
        entries.select("response", "position", top=top)
        .filter(pl.col("top").list.len() > 0)
        .with_columns(slot=pl.int_ranges(1, pl.col("top").list.len().cast(pl.Int64) + 1))
        .explode("top", "slot")
        .select("response", "position", "slot", *fields)
    )


def _arrow(frame: pl.DataFrame) -> pa.Table:
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    column = table.schema.get_field_index("bytes")
    return table.set_column(column, "bytes", as_binary(table["bytes"]))
