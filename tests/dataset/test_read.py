"""Tables on disk: the same rows come back, and other engines read them."""

import contextlib
import json
import os
import shutil
from itertools import islice
from types import SimpleNamespace

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import toolkit
from tests.loaders.merging.test_merger import stream
from tests.loaders.test_read import whole
from tests.oracle import assert_conserved, load
from toolkit import schema
from toolkit.dataset.layout import MANIFEST, STORED, is_dataset
from toolkit.dataset.parquet_writer import _release_memory, write_files

quietly = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
NAMES = [table.name for table in STORED]
ODD = {"token": "", "logprob": None, "bytes": [], "top_logprobs": []}


@pytest.fixture
def lp():
    """Nulls, empty bytes, sentinels, a reject, a note and a stream."""
    odd = whole("é😀", "x", usage={"prompt_tokens": 2**40, "completion_tokens": -1})
    top = [{"token": "a", "logprob": -9999.0, "bytes": None}, {"token": "b", "logprob": -0.1}]
    odd["choices"][0]["logprobs"]["content"][0]["top_logprobs"] = top
    odd["choices"][0]["logprobs"]["content"].append(ODD)
    with pytest.warns(toolkit.ToolkitWarning):
        return toolkit.from_responses([odd, 5, stream("s", "yz")], custom_id=["a", "b", "c"])


def assert_same(a, b):
    assert a.equals(b)
    assert a.ledger.equals(b.ledger)
    for table in STORED:
        assert b[table.name].schema.equals(table.arrow, check_metadata=True)


def test_round_trip(lp, tmp_path):
    out = lp.write_parquet(tmp_path / "out")
    assert out == tmp_path / "out"
    assert is_dataset(out)
    again = toolkit.read_parquet(out)
    assert_conserved(again)
    assert_same(lp, again)
    assert_same(lp, toolkit.read(out))
    assert_same(lp, toolkit.read_parquet(str(out)))


@pytest.mark.parametrize("name", ["capitals_batch.jsonl", "pairs_stream.sse", "stories_k10.jsonl"])
def test_round_trip_of_recordings(name, samples, tmp_path):
    lp = toolkit.read(samples / name)
    assert_same(lp, toolkit.read_parquet(lp.write_parquet(tmp_path / "written")))
    assert_same(lp, toolkit.read_parquet(toolkit.export(samples / name, tmp_path / "exported")))


def test_round_trip_of_several_sources(samples, tmp_path):
    paths = [samples / "pairs_whole.jsonl", samples / "bytes_stream.sse"]
    lp = toolkit.read(paths)
    assert_same(lp, toolkit.read_parquet(toolkit.export(paths, tmp_path / "out")))


def test_round_trip_of_many_parts(data, tmp_path, monkeypatch):
    monkeypatch.setattr("toolkit.dataset.parquet_writer.PART_ROWS", 10)
    monkeypatch.setattr("toolkit.dataset.parquet_writer.ROW_GROUP", 3)
    monkeypatch.setattr("toolkit.dataset.parquet_writer._PART_BYTES", 1)
    monkeypatch.setattr("toolkit.dataset.exporting._BATCH_BYTES", 5000)
    paths = [data / "pairs_whole.jsonl", data / "refusal_stream.sse"]
    out = toolkit.export(paths, tmp_path / "out")
    assert len(list((out / "tokens").iterdir())) > 1
    assert_same(toolkit.read(paths), toolkit.read_parquet(out))


@quietly
def test_round_trip_of_nothing(tmp_path):
    lp = load(b"{bad")
    assert_same(lp, toolkit.read_parquet(lp.write_parquet(tmp_path / "out")))
    empty = toolkit.concat([])
    assert_same(empty, toolkit.read_parquet(empty.write_parquet(tmp_path / "empty")))


def test_a_filtered_load_round_trips(samples, tmp_path):
    lp = toolkit.read(samples / "arithmetic_n5.jsonl").filter(choice=[1, 3])
    assert lp.tokens.num_rows > 0
    assert_same(lp, toolkit.read_parquet(lp.write_parquet(tmp_path / "out")))


# In other hands


@pytest.fixture
def exported(samples, tmp_path):
    lp = toolkit.read(samples / "stories_k10.jsonl")
    return lp, lp.write_parquet(tmp_path / "out")


def test_metadata_is_in_the_files(exported):
    _, out = exported
    for table in STORED:
        [path] = (out / table.name).iterdir()
        found = pq.read_schema(path)
        assert found.metadata[b"toolkit.table"].decode() == table.name
        assert found.metadata[b"toolkit.schema"].decode() == schema.SCHEMA_VERSION
        for column in table.columns:
            metadata = found.field(column.name).metadata
            assert metadata[b"doc"].decode() == column.doc
            assert metadata.get(b"unit", b"").decode() == column.unit


@pytest.mark.parametrize("name", NAMES)
def test_other_engines_count_the_same(name, exported):
    lp, out = exported
    pattern = f"{out}/{name}/*.parquet"
    n = lp[name].num_rows
    assert duckdb.sql(f"SELECT count(*) FROM '{pattern}'").fetchall() == [(n,)]
    frame = polars.read_parquet(pattern)
    assert frame.height == n
    assert frame.columns == lp[name].column_names


def test_other_engines_read_the_same_values(exported):
    lp, out = exported
    pattern = f"{out}/tokens/*.parquet"
    expected = lp.tokens.to_pandas()
    query = (
        "SELECT fsum(logprob), sum(n_alternatives), count(bytes), count(sampled_rank), "
        f"count(DISTINCT token), min(channel), max(status) FROM '{pattern}'"
    )
    [(total, n, n_bytes, n_ranks, n_distinct, channel, status)] = duckdb.sql(query).fetchall()
    assert total == pytest.approx(expected["logprob"].sum(), rel=1e-13)
    assert n == lp.alternatives.num_rows
    assert n_bytes == expected["bytes"].notna().sum()
    assert n_ranks == expected["sampled_rank"].notna().sum()
    assert n_distinct == expected["token"].nunique()
    assert (channel, status) == ("content", "ok")
    frame = polars.read_parquet(pattern)
    assert frame["token"].to_list() == lp.tokens["token"].to_pylist()
    assert frame["bytes"].to_list() == lp.tokens["bytes"].to_pylist()
    assert frame["logprob"].to_list() == lp.tokens["logprob"].to_pylist()
    assert frame["channel"].cast(polars.String).to_list() == lp.tokens["channel"].to_pylist()


def test_a_join_in_another_engine(exported):
    lp, out = exported
    query = f"""
        SELECT t.response_key, t.position, count(*)
        FROM '{out}/tokens/*.parquet' t JOIN '{out}/alternatives/*.parquet' a
        USING (response_key, choice, channel, position)
        GROUP BY ALL ORDER BY ALL
    """
    expected = [
        (row["response_key"], row["position"], row["n_alternatives"])
        for row in lp.tokens.to_pylist()
        if row["n_alternatives"]
    ]
    assert duckdb.sql(query).fetchall() == expected


def test_what_another_engine_wrote_is_taken(exported, tmp_path):
    """Polars writes other text types; they hold the same."""
    lp, out = exported
    for name in NAMES:
        [path] = (out / name).iterdir()
        polars.read_parquet(path).write_parquet(path)
    assert toolkit.read_parquet(out).equals(lp)


# Refusals


def test_what_is_there_is_not_overwritten(lp, tmp_path):
    out = lp.write_parquet(tmp_path / "out")
    with pytest.raises(toolkit.errors.ExportError, match="already exists.*pass overwrite=True"):
        lp.write_parquet(out)
    smaller = lp.filter(model="m")
    assert smaller.write_parquet(out, overwrite=True) == out
    assert toolkit.read_parquet(out).equals(smaller)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("what", ["directory", "empty directory", "file"])
def test_what_is_no_export_is_never_overwritten(what, lp, tmp_path):
    target = tmp_path / "precious"
    if what == "file":
        target.write_text("mine")
    else:
        target.mkdir()
        if what == "directory":
            (target / MANIFEST).write_text("{}")
    with pytest.raises(toolkit.errors.ExportError, match="not an export"):
        lp.write_parquet(target, overwrite=True)
    assert target.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"precious"}


def test_a_failed_export_leaves_nothing(tmp_path):
    with pytest.raises(toolkit.errors.RecordError):
        toolkit.export(b"{bad", tmp_path / "out", on_error="raise")
    with pytest.raises(toolkit.errors.NoRecordsError):
        toolkit.export(b"", tmp_path / "out")
    with pytest.raises(toolkit.errors.SourceError):
        toolkit.export(tmp_path / "missing", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_the_old_one(lp, tmp_path):
    out = lp.write_parquet(tmp_path / "out")
    with pytest.raises(toolkit.errors.RecordError):
        toolkit.export(b"{bad", out, on_error="raise", overwrite=True)
    assert toolkit.read_parquet(out).equals(lp)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_place_that_cannot_be_written(lp, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(toolkit.errors.ExportError, match="cannot be written"):
        lp.write_parquet(tmp_path / "file" / "out")


def damage_manifest(out):
    (out / MANIFEST).write_text("{")


def remove_manifest(out):
    (out / MANIFEST).unlink()


def remove_part(out):
    next((out / "tokens").iterdir()).unlink()


def cut_part(out):
    path = next((out / "tokens").iterdir())
    path.write_bytes(path.read_bytes()[:-10])


def exchange_part(out):
    shutil.copy(next((out / "choices").iterdir()), next((out / "tokens").iterdir()))


def shorten_part(out):
    path = next((out / "tokens").iterdir())
    pq.write_table(pq.read_table(path).slice(1), path)


def other_version(out):
    manifest = json.loads((out / MANIFEST).read_text())
    (out / MANIFEST).write_text(json.dumps(manifest | {"schema": "0"}))


def drop_column(out):
    path = next((out / "tokens").iterdir())
    pq.write_table(pq.read_table(path).drop_columns("logprob"), path)


def manifest_of_another_kind(out):
    (out / MANIFEST).write_text("[]")


def manifest_without_tables(out):
    (out / MANIFEST).write_text(json.dumps({"schema": schema.SCHEMA_VERSION}))


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (damage_manifest, toolkit.errors.SourceError),
        (remove_manifest, toolkit.errors.SourceError),
        (remove_part, toolkit.errors.SourceError),
        (cut_part, toolkit.errors.SourceError),
        (exchange_part, toolkit.ToolkitError),
        (shorten_part, toolkit.errors.SourceError),
        (other_version, toolkit.errors.SchemaError),
        (drop_column, toolkit.errors.SchemaError),
        (manifest_of_another_kind, toolkit.ToolkitError),
        (manifest_without_tables, toolkit.ToolkitError),
    ],
)
def test_damage_is_reported(damage, error, lp, tmp_path):
    out = lp.write_parquet(tmp_path / "out")
    damage(out)
    with pytest.raises(error, match="out"):
        toolkit.read_parquet(out)


@pytest.mark.parametrize("what", ["missing", "empty", "file"])
def test_what_is_no_dataset(what, tmp_path):
    path = tmp_path / what
    if what == "empty":
        path.mkdir()
    elif what == "file":
        path.write_text("{}")
    assert not is_dataset(path)
    with pytest.raises(toolkit.errors.SourceError):
        toolkit.read_parquet(path)


def test_a_manifest_cannot_name_files_elsewhere(lp, tmp_path):
    """What is read lies in the directory, whatever the manifest says."""
    out = lp.write_parquet(tmp_path / "out")
    elsewhere = tmp_path / "elsewhere.parquet"
    shutil.copy(next((out / "tokens").iterdir()), elsewhere)
    manifest = json.loads((out / MANIFEST).read_text())
    manifest["tables"]["tokens"]["files"][0]["name"] = "../../elsewhere.parquet"
    (out / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(toolkit.ToolkitError):
        toolkit.read_parquet(out)


def test_an_export_is_a_function_of_its_sources(samples, tmp_path):
    """The same bytes each time."""
    paths = [toolkit.export(samples / "pairs_whole.jsonl", tmp_path / name) for name in "ab"]
    a, b = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in paths
    )
    assert a == b


def test_permissions_are_those_of_any_new_directory(lp, tmp_path):
    out = lp.write_parquet(tmp_path / "out")
    (tmp_path / "usual").mkdir()
    assert out.stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_labels_survive(lp, tmp_path):
    again = toolkit.read_parquet(lp.write_parquet(tmp_path / "out"))
    assert pa.types.is_dictionary(again.tokens["channel"].type)
    assert again.tokens["channel"].to_pylist() == lp.tokens["channel"].to_pylist()


def test_the_manifest_adds_up(data, tmp_path):
    sources = [data / "structured.jsonl", data / "capitals_batch.jsonl"]
    out = toolkit.export(sources, tmp_path / "out")
    manifest = json.loads((out / MANIFEST).read_text())
    lp = toolkit.read_parquet(out)
    assert {name: table["rows"] for name, table in manifest["tables"].items()} == {
        name: lp[name].num_rows for name in manifest["tables"]
    }
    assert manifest["schema"] == toolkit.schema.SCHEMA_VERSION


def test_an_export_is_not_exported_again(lp, tmp_path):
    out = lp.write_parquet(tmp_path / "out")
    with pytest.raises(toolkit.errors.ArgumentError, match="already an exported dataset"):
        toolkit.export(out, tmp_path / "again")


@pytest.mark.parametrize(
    ("system", "after", "expected"), [("posix", 1, 3), ("posix", 1 << 20, 0), ("nt", 1, 0)]
)
def test_memory_is_given_back_every_few_batches(
    data, tmp_path, monkeypatch, system, after, expected
):
    trimmed = []

    class Library:
        malloc_trim = trimmed.append

    parts = list(islice(toolkit.scan(data / "pairs_whole.jsonl", batch_bytes=1), 4))
    with monkeypatch.context() as patch:
        patch.setattr(
            "toolkit.dataset.parquet_writer.ctypes", SimpleNamespace(CDLL=lambda name: Library)
        )
        own_os = SimpleNamespace(**vars(os) | {"name": system})
        patch.setattr("toolkit.dataset.parquet_writer.os", own_os)
        patch.setattr("toolkit.dataset.parquet_writer._RELEASE_BYTES", after)
        patch.setattr("toolkit.dataset.parquet_writer._Files.write", lambda *_: None)
        for table in STORED:
            (tmp_path / table.name).mkdir()
        patch.setattr("toolkit.dataset.parquet_writer._Files.publish", lambda self: None)
        write_files(parts, tmp_path, 0)
    assert trimmed == [0] * expected


def test_a_library_without_a_call_to_trim(monkeypatch):
    monkeypatch.setattr(
        "toolkit.dataset.parquet_writer.ctypes", SimpleNamespace(CDLL=lambda name: object())
    )
    _release_memory()


@quietly
@pytest.mark.parametrize("name", ["run:1/answers", "file:x", "a b%20c", "día", "-", "~", "x=1"])
def test_an_export_of_any_name_is_read_back(lp, data, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    out = lp.write_parquet(name)
    assert toolkit.read_parquet(name).equals(lp)
    assert toolkit.read(out).equals(lp)
    assert toolkit.export(data / "capitals_batch.jsonl", name, overwrite=True) == out


@pytest.mark.parametrize("name", [".", "", "/", "..", "a/..", "a\0b", b"answers", "a\udcff", 3])
def test_a_target_that_cannot_be_read_back_is_refused(lp, data, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for write in (lp.write_parquet, lambda to: toolkit.export(data / "capitals_batch.jsonl", to)):
        with pytest.raises(toolkit.errors.ArgumentError, match="directory.*: expected"):
            write(name)
    assert not list(tmp_path.iterdir())


def test_tables_in_memory_are_written_to_local_directories(lp):
    with pytest.raises(toolkit.errors.ArgumentError, match="directory.*: expected"):
        lp.write_parquet("s3://bucket/answers")


def _spoiled(value):
    """Yield copies of a JSON value in which each place in turn has an odd value."""
    yield from (None, 10**30, "a\0b", [[]], {"name": []})
    if isinstance(value, dict | list):
        for place in value if isinstance(value, dict) else range(len(value)):
            for spoiled in _spoiled(value[place]):
                copied = value.copy()
                copied[place] = spoiled
                yield copied


def test_a_broken_manifest_is_refused_in_words(lp, tmp_path):
    out = lp.write_parquet(tmp_path / "out")
    good = (out / MANIFEST).read_bytes()
    texts = [json.dumps(each).encode() for each in _spoiled(json.loads(good))]
    texts += [b"[" * 100_000, b'{"schema": ' + b"9" * 5000 + b"}", b"", b"\xff", b"NaN", good[:-9]]
    for text in texts:
        (out / MANIFEST).write_bytes(text)
        with contextlib.suppress(toolkit.ToolkitError):
            toolkit.read(out)
