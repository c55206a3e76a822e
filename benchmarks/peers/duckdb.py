"""DuckDB: read_json with declared columns, parsed once into a table of entries, then unnest."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from benchmarks.corpus import Spec
from benchmarks.flat import Flat, as_binary, merged

_ENTRY = "token VARCHAR, bytes UTINYINT[], logprob DOUBLE"
_TOKENS = """
    SELECT response, position, entry.token AS token, entry.bytes AS bytes, entry.logprob AS logprob
    FROM entries
"""
_ALTERNATIVES = """
    SELECT response, position, slot, alternative.token AS token, alternative.bytes AS bytes,
           alternative.logprob AS logprob
    FROM (
        SELECT response, position, generate_subscripts(entry.{top}, 1) AS slot,
               unnest(entry.{top}) AS alternative
        FROM entries
    )
"""


def read(path: Path, spec: Spec, threads: int) -> Flat:
    """Query both tables as Arrow."""
    with duckdb.connect() as connection:
        _parse(connection, path, spec, threads)
        tokens = _arrow(connection, _TOKENS)
        alternatives = _arrow(connection, _ALTERNATIVES.format(top=spec.top))
        flat = Flat(tokens, alternatives)
        if not spec.streamed:
            return flat
        return merged(flat, connection.sql("SELECT id FROM records").to_arrow_table()["id"])


def export(path: Path, spec: Spec, folder: Path, threads: int) -> None:
    """Copy both queries to Parquet; the bytes stay lists of numbers."""
    with duckdb.connect() as connection:
        _parse(connection, path, spec, threads)
        for name, query in (
            ("tokens", _TOKENS),
            ("alternatives", _ALTERNATIVES.format(top=spec.top)),
        ):
            connection.execute(
                f"COPY ({query}) TO '{folder / name}.parquet' "
                "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
            )


def _parse(connection: duckdb.DuckDBPyConnection, path: Path, spec: Spec, threads: int) -> None:
    connection.execute(f"SET threads = {threads}")
    entry = f"STRUCT({_ENTRY}, {spec.top} STRUCT({_ENTRY})[])"
    columns = f"{{id: 'VARCHAR', choices: 'STRUCT(logprobs STRUCT(content {entry}[]))[]'}}"
    connection.execute(
        f"CREATE TEMP TABLE records AS SELECT row_number() OVER () - 1 AS response, id, "
        f"choices[1].logprobs.content AS content "
        f"FROM read_json(?, format = 'newline_delimited', columns = {columns})",
        [str(path)],
    )
    connection.execute(
        "CREATE TEMP TABLE entries AS SELECT response, "
        "generate_subscripts(content, 1) - 1 AS position, unnest(content) AS entry FROM records"
    )


def _arrow(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    table = connection.sql(query).to_arrow_table()
    column = table.schema.get_field_index("bytes")
    return table.set_column(column, "bytes", as_binary(table["bytes"]))
