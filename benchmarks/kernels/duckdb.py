"""DuckDB over the Arrow tables, without a sort of the result."""

from __future__ import annotations

import duckdb
import pyarrow as pa

import toolkit
from benchmarks.kernels import ANSWER, TOKEN


def load(lp: toolkit.LogprobTables) -> duckdb.DuckDBPyConnection:
    """Register the tables; nothing is copied."""
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.execute("SET preserve_insertion_order = false")
    connection.register("tokens", lp.tokens)
    connection.register("alternatives", lp.alternatives)
    return connection


def perplexity(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Group the tokens."""
    keys = ", ".join(ANSWER)
    return connection.sql(
        f"SELECT {keys}, exp(-sum(least(logprob, 0)) / count(*)) AS value "
        f"FROM tokens WHERE status = 'ok' GROUP BY {keys}"
    ).to_arrow_table()


def entropy(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Group the alternatives."""
    keys = ", ".join(TOKEN)
    return connection.sql(
        f"SELECT {keys}, greatest(0, ln(sum(p)) - sum(p * l) / sum(p)) AS value FROM ("
        f"SELECT {keys}, l, exp(l) AS p FROM (SELECT {keys}, least(logprob, 0) AS l "
        f"FROM alternatives WHERE status = 'ok')) GROUP BY {keys}"
    ).to_arrow_table()
