"""An Arrow stream of recordings can be read again, by any engine."""

import io

import duckdb
import polars as pl
import pyarrow as pa
import pytest

import toolkit
from tests.conftest import ROOT

SOURCES = [ROOT / "data" / "capitals_batch.jsonl", ROOT / "data" / "refusal_stream.sse"]


@pytest.mark.parametrize("name", [table.name for table in toolkit.schema.TABLES])
def test_it_holds_the_rows_of_a_scan_each_time(name):
    stream = toolkit.dataset.arrow_stream(SOURCES, name, batch_bytes=40_000)
    expected = pa.concat_tables([part[name] for part in toolkit.scan(SOURCES, batch_bytes=40_000)])
    for _ in range(2):
        found = pa.table(stream)
        assert found.equals(expected)
        assert found.schema == stream.schema


def test_engines_read_it_twice():
    tokens = toolkit.dataset.arrow_stream(SOURCES)
    n = toolkit.read(SOURCES).tokens.num_rows
    for _ in range(2):
        assert duckdb.sql("SELECT count(*) FROM tokens").fetchall() == [(n,)]
        assert pl.DataFrame(tokens).height == n


def test_what_can_be_read_once_is_refused():
    for sources in (iter(SOURCES), io.BytesIO(b"{}")):
        with pytest.raises(toolkit.errors.ArgumentError, match="can be read again"):
            toolkit.dataset.arrow_stream(sources)
    with pytest.raises(toolkit.errors.ArgumentError, match="table"):
        toolkit.dataset.arrow_stream(SOURCES, "words")
