"""pyarrow.json with an explicit schema of the needed columns, then whole-array flattening."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from benchmarks.corpus import Spec
from benchmarks.flat import Entries, Flat, as_binary, assembled

_BLOCK = 1 << 23


def schema(spec: Spec) -> pa.Schema:
    """Declare what is read; everything else is skipped by the parser."""
    entry = [
        pa.field("token", pa.string()),
        pa.field("bytes", pa.list_(pa.uint8())),
        pa.field("logprob", pa.float64()),
    ]
    top = pa.field(spec.top, pa.list_(pa.struct(entry)))
    content = pa.field("content", pa.list_(pa.struct([*entry, top])))
    choice = pa.struct([pa.field("logprobs", pa.struct([content]))])
    return pa.schema([pa.field("id", pa.string()), pa.field("choices", pa.list_(choice))])


def read(path: Path, spec: Spec, threads: int) -> Flat:
    """Parse, then flatten list by list."""
    pa.set_cpu_count(threads)
    table = pyarrow.json.read_json(
        path,
        read_options=pyarrow.json.ReadOptions(use_threads=threads > 1, block_size=_BLOCK),
        parse_options=pyarrow.json.ParseOptions(
            explicit_schema=schema(spec), unexpected_field_behavior="ignore"
        ),
    )
    choices = table["choices"].combine_chunks()
    content = pc.struct_field(choices.flatten(), ["logprobs", "content"])
    # A record has one choice, but for chunks that carry the usage alone.
    counts = np.zeros(len(choices), np.int64)
    counts[pc.list_parent_indices(choices).to_numpy()] = _lengths(content)
    entries = content.flatten()
    lists = pc.struct_field(entries, spec.top)
    return assembled(
        _entries(counts, entries),
        _entries(_lengths(lists), lists.flatten()),
        table["id"] if spec.streamed else None,
    )


def _lengths(lists: pa.Array) -> np.ndarray:
    return pc.fill_null(pc.list_value_length(lists), 0).to_numpy().astype(np.int64)


def _entries(counts: np.ndarray, entries: pa.StructArray) -> Entries:
    return Entries(
        counts,
        pc.struct_field(entries, "token"),
        as_binary(pc.struct_field(entries, "bytes")),
        pc.struct_field(entries, "logprob"),
    )
