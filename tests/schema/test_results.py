"""Result tables mirror the metrics: one function, one table, one name, one module."""

import inspect
from pathlib import Path

import pyarrow as pa
import pytest

import toolkit
from toolkit import metrics, schema

METRICS, RESULTS = Path(metrics.__file__).parent, Path(schema.__file__).parent / "results"
TABLES = {table.name: table for table in schema.RESULTS}
OTHERS = {"join_labels"}  # returns the frame that it was given, with more columns
RETURNING_FRAMES = [
    name
    for name in metrics.__all__
    if inspect.signature(getattr(metrics, name)).return_annotation == "pd.DataFrame"
]


def test_every_function_that_returns_a_declared_table_is_its_name():
    assert set(RETURNING_FRAMES) - OTHERS == set(TABLES)
    assert len(TABLES) == len(schema.RESULTS)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_named_as_its_function_and_declared_in_the_mirror_of_its_module(name):
    assert getattr(schema, name.upper()) is TABLES[name]
    module = getattr(metrics, name).__module__.rpartition(".")[2]
    assert f"\n{name.upper()} = Table(\n" in (RESULTS / f"{module}.py").read_text()
    assert f"schema.{name.upper()}" in (METRICS / f"{module}.py").read_text()


def test_modules_of_results_mirror_modules_of_metrics():
    declared = {path.stem for path in RESULTS.glob("[!_]*.py")}
    assert declared == {getattr(metrics, name).__module__.rpartition(".")[2] for name in TABLES}


def test_every_column_says_what_it_is():
    for table in (*schema.TABLES, schema.LEDGER, *schema.RESULTS):
        assert table.doc.endswith("."), table.name
        assert len(set(table.names)) == len(table.names), table.name
        for column in table.columns:
            assert column.doc.endswith("."), f"{table.name}.{column.name}"
            assert column.direction in ("", "higher", "lower")


NOT_METRICS = {  # real numbers that are edges, arguments or weights
    *("low", "high", "value", "weight", "target", "level"),
}


def test_every_metric_has_a_formula_and_says_what_it_does_not_say():
    stored = {column for table in schema.TABLES for column in table.columns}
    for table in schema.RESULTS:
        for column in set(table.columns) - stored:
            is_real = pa.types.is_floating(column.type) or pa.types.is_map(column.type)
            is_metric = (is_real or bool(column.direction)) and column.name not in NOT_METRICS
            where = f"{table.name}.{column.name}"
            if not (is_metric and column.name != "finish_reasons"):  # counts by reason
                assert (column.formula, column.source, column.caveat) == ("", "", ""), where
                continue
            assert column.formula, where
            assert column.caveat.endswith("."), where
            assert column.caveat.split()[0].islower(), f"{where} completes 'Does not say'"
            assert not column.source.endswith("."), where
            assert "Source:" not in column.doc, where


def test_metrics_are_described_in_words_and_in_the_metadata_of_the_field():
    column = schema.SEQUENCE_METRICS["perplexity"]
    assert column.field.metadata[b"formula"] == b"exp(-sum_logprob / n_ok)"
    assert column.field.metadata[b"source"] == b"Jelinek et al. 1977"
    assert column.field.metadata[b"does_not_say"].startswith(b"whether the answer is right")
    assert b"formula" not in schema.TOKENS["token"].field.metadata


def test_public_names_of_the_schema_are_sorted_and_there():
    assert schema.__all__ == sorted(schema.__all__)
    assert all(getattr(schema, name) is not None for name in schema.__all__)
    assert toolkit.schema is schema
