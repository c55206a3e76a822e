"""Parquet of the contestants that have no exporter of their own, and reading it back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.flat import Flat, as_binary, checksums


def write(flat: Flat, folder: Path) -> None:
    """Write both tables with pyarrow."""
    for name, table in flat._asdict().items():
        # logprobs hardly repeat: a dictionary of them only costs
        texts = [column for column in table.column_names if column in ("token", "bytes")]
        pq.write_table(
            table,
            folder / f"{name}.parquet",
            compression="zstd",
            compression_level=1,
            use_dictionary=texts,
            column_encoding={"logprob": "BYTE_STREAM_SPLIT"}
            | {
                column: "DELTA_BINARY_PACKED"
                for column in ("response", "position", "slot")
                if column in table.column_names
            },
        )


def read(folder: Path) -> Flat:
    """Read both tables back."""
    return Flat(*(_table(folder / f"{name}.parquet") for name in Flat._fields))


def _table(path: Path) -> pa.Table:
    table = pq.read_table(path)
    column = table["bytes"]
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        place = table.schema.get_field_index("bytes")
        table = table.set_column(place, "bytes", as_binary(column))
    return table


def checksums_of(folder: Path, reader: Callable[[Path], Flat]) -> dict[str, str | int]:
    """Return the checksums of what was written."""
    return checksums(reader(folder))


def size(folder: Path) -> int:
    """Return the bytes of all files below the folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
