"""Exports outlive versions: every earlier one is read, a later one is refused.

`kept/version_1` was written by the last code of schema version 1 from `kept/sources`.
"""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import toolkit
from tests.oracle import assert_conserved
from toolkit import schema
from toolkit.dataset import versions
from toolkit.dataset.layout import MANIFEST, STORED
from toolkit.dataset.versions import CHANGES, Changes

KEPT = Path(__file__).parent / "kept"
SOURCES = ["answers.jsonl.gz", "stream.sse.gz"]
quietly = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")


def test_the_last_version_is_the_one_that_is_written(tmp_path):
    assert list(CHANGES)[-1] == schema.SCHEMA_VERSION
    out = toolkit.concat([]).write_parquet(tmp_path / "out")
    assert json.loads((out / MANIFEST).read_text())["schema"] == schema.SCHEMA_VERSION


def test_every_earlier_version_is_kept():
    assert {path.name for path in KEPT.glob("version_*")} == {
        f"version_{version}" for version in list(CHANGES)[:-1]
    }


@quietly
@pytest.mark.parametrize("version", list(CHANGES)[:-1])
def test_a_kept_export_reads_as_its_sources_do_today(version, monkeypatch):
    monkeypatch.chdir(KEPT / "sources")  # sources are named as they were given
    kept, today = toolkit.read_parquet(KEPT / f"version_{version}"), toolkit.read(SOURCES)
    assert set(today.tokens["is_top1"].to_pylist()) == {True, False, None}
    assert_conserved(kept)
    for table in schema.TABLES:  # the wording of a message may change with the code
        unknown = [name for change in versions.changes_since(version) for name in change.unknown]
        names = [name for name in table.names if (table.name, name) not in unknown]
        names = [name for name in names if name != "message"]
        assert kept[table.name].select(names).equals(today[table.name].select(names)), table.name
    assert kept.ledger.equals(today.ledger)
    for table in STORED:
        assert kept[table.name].schema.equals(table.arrow, check_metadata=True)


def test_a_column_that_did_not_exist_then_is_missing_in_the_kept_files():
    for (table, column), _ in CHANGES["2"].added.items():
        [path] = (KEPT / "version_1" / table).iterdir()
        assert column not in pq.read_schema(path).names


def test_a_kept_export_can_be_replaced(tmp_path):
    out = shutil.copytree(KEPT / "version_1", tmp_path / "out")
    lp = toolkit.read_parquet(out)
    lp.write_parquet(out, overwrite=True)
    assert json.loads((out / MANIFEST).read_text())["schema"] == schema.SCHEMA_VERSION
    assert toolkit.read_parquet(out).equals(lp)


def test_columns_are_renamed_computed_and_null(monkeypatch):
    """What the next versions may do, step by step."""
    later = {
        "3b": Changes(renamed={("tokens", "token"): "text", ("ledger", "done"): "ends"}),
        "4": Changes(
            added={
                ("choices", "role"): None,
                ("ledger", "blank"): lambda tables: pa.array([len(tables["tokens"])] * 2),
            }
        ),
    }
    lp = toolkit.read_parquet(KEPT / "version_1")
    last = list(CHANGES)[-1]
    monkeypatch.setattr(versions, "CHANGES", CHANGES | later)
    tables = {table.name: lp[table.name] for table in STORED}
    renamed = {"token": "text", "is_top1": "is_top1"}
    tables["tokens"] = tables["tokens"].rename_columns(
        [renamed.get(name, name) for name in tables["tokens"].column_names]
    )
    tables["ledger"] = tables["ledger"].rename_columns(
        ["ends" if name == "done" else name for name in tables["ledger"].column_names]
    )
    for name, column in (("choices", "role"), ("ledger", "blank")):
        tables[name] = tables[name].drop_columns(column)
    changes = versions.changes_since(last)
    read = {
        table.name: versions.conform_earlier(tables[table.name], table, changes) for table in STORED
    }
    versions.add_columns(read, changes)
    assert read["tokens"].equals(lp.tokens)
    assert read["choices"]["role"].null_count == len(lp.choices)
    assert read["ledger"]["blank"].to_pylist() == [len(lp.tokens)] * 2
    assert read["ledger"]["done"].equals(lp.ledger["done"])


@pytest.mark.parametrize("version", ["4", "10", 2, None, ["2"], {}])
def test_an_unknown_version_is_refused(version, tmp_path):
    out = shutil.copytree(KEPT / "version_1", tmp_path / "out")
    manifest = json.loads((out / MANIFEST).read_text())
    (out / MANIFEST).write_text(json.dumps(manifest | {"schema": version}))
    with pytest.raises(toolkit.errors.SchemaError, match="a later toolkit reads later versions"):
        toolkit.read_parquet(out)


def test_a_missing_column_of_today_is_still_an_error(tmp_path):
    lp = toolkit.read_parquet(KEPT / "version_1")
    out = lp.write_parquet(tmp_path / "out")
    [path] = (out / "tokens").iterdir()
    pq.write_table(pq.read_table(path).drop_columns("is_top1"), path)
    with pytest.raises(toolkit.errors.SchemaError, match="is_top1"):
        toolkit.read_parquet(out)
