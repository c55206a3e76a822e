"""Result tables mirror the metrics: one function, one table, one name, one module."""

import inspect
from pathlib import Path

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


def test_public_names_of_the_schema_are_sorted_and_there():
    assert schema.__all__ == sorted(schema.__all__)
    assert all(getattr(schema, name) is not None for name in schema.__all__)
    assert toolkit.schema is schema
