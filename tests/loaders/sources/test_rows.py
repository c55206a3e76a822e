"""Read tables as sources: pandas, Polars and Arrow in memory, Parquet and Arrow files, CSV."""

import gzip
import json
import math
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import toolkit
from tests.oracle import assert_conserved
from toolkit.errors import NoRecordsError, SourceError
from toolkit.loaders.sources.resolve import resolve
from toolkit.loaders.sources.rows import is_table

NAMES = ("sentiment_k20.jsonl", "arithmetic_n5.jsonl", "structured.jsonl", "capitals_batch.jsonl")
quietly = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")


@pytest.fixture(params=["native", "reference"], autouse=True)
def decoder(request, monkeypatch):
    if request.param == "reference":
        monkeypatch.setattr("toolkit.loaders.scanner._scan", None)


def assert_same(found, expected, *, but=()):
    """Assert that a table gives what the JSON lines gave that its rows were made of."""
    assert_conserved(found)
    assert found.rejects.num_rows == 0
    for name in ("responses", "choices", "tokens", "alternatives"):
        ignored = ("source", "byte_offset", "path", *but)
        columns = [each for each in expected[name].column_names if each not in ignored]
        assert found[name].select(columns).equals(expected[name].select(columns)), name


# Each makes a source of some texts, one for each answer.
TEXTS = {
    "pandas": lambda texts, _: pd.DataFrame({"response": texts}),
    "pandas with an index": lambda texts, _: pd.DataFrame(
        {"response": texts}, index=range(9, 9 + len(texts))
    ),
    "pandas of Arrow": lambda texts, _: pd.DataFrame({"response": texts}, dtype="string[pyarrow]"),
    "a Series": lambda texts, _: pd.Series(texts),
    "a Series with a name": lambda texts, _: pd.DataFrame({"raw": texts})["raw"],
    "Polars": lambda texts, _: pl.DataFrame({"response": texts}),
    "a Series of Polars": lambda texts, _: pl.Series("raw", texts),
    "Arrow": lambda texts, _: pa.table({"response": texts}),
    "Arrow with large texts": lambda texts, _: pa.table(
        {"response": pa.array(texts, pa.large_string())}
    ),
    "a batch": lambda texts, _: pa.record_batch({"response": texts}),
    "a reader of batches": lambda texts, _: pa.table({"response": texts}).to_reader(),
    "an Array": lambda texts, _: pa.array(texts),
    "a ChunkedArray": lambda texts, _: pa.chunked_array([texts[:3], texts[3:]]),
    "bytes": lambda texts, _: pa.table({"response": [text.encode() for text in texts]}),
    "categories": lambda texts, _: pd.DataFrame({"response": pd.Categorical(texts)}),
    "Parquet": lambda texts, path: parquet(pa.table({"response": texts}), path),
    "Parquet in bytes": lambda texts, path: parquet(
        pa.table({"response": texts}), path
    ).read_bytes(),
    "packed Parquet": lambda texts, path: packed(parquet(pa.table({"response": texts}), path)),
    "an Arrow file": lambda texts, path: written(pl.DataFrame({"response": texts}), path),
    "CSV": lambda texts, path: csv(pd.DataFrame({"response": texts}), path / "a.csv"),
    "packed CSV": lambda texts, path: csv(pd.DataFrame({"response": texts}), path / "a.csv.gz"),
    "TSV": lambda texts, path: csv(pd.DataFrame({"response": texts}), path / "a.tsv", sep="\t"),
    "CSV with semicolons": lambda texts, path: csv(
        pd.DataFrame({"response": texts}), path / "b.csv", sep=";"
    ),
    "CSV of Polars": lambda texts, path: written_csv(pl.DataFrame({"response": texts}), path),
}


def parquet(table, folder, **options):
    path = folder / "answers.parquet"
    pq.write_table(table, path, **options)
    return path


def packed(path):
    out = path.with_suffix(".parquet.gz")
    out.write_bytes(gzip.compress(path.read_bytes()))
    return out


def written(frame, folder):
    frame.write_ipc(folder / "answers.arrow")
    return folder / "answers.arrow"


def csv(frame, path, **options):
    frame.to_csv(path, index=False, **options)
    return path


def written_csv(frame, folder):
    frame.write_csv(folder / "c.csv")
    return folder / "c.csv"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", TEXTS)
def test_a_column_of_texts_equals_the_lines(form, name, data, tmp_path):
    texts = (data / name).read_text().splitlines()
    expected = toolkit.read(data / name)
    assert len(expected) > 3
    assert_same(toolkit.read(TEXTS[form](texts, tmp_path)), expected)


# Each makes a source of some records that are parsed.
PARSED = {
    "pandas": lambda rows, _: pd.DataFrame(rows),
    "a Series": lambda rows, _: pd.Series(rows),
    "Arrow": lambda rows, _: pa.Table.from_pylist(rows),
    "structs": lambda rows, _: pa.array(rows),
    "Polars": lambda rows, _: pl.from_arrow(pa.Table.from_pylist(rows)),
    "Arrow to pandas": lambda rows, _: pa.Table.from_pylist(rows).to_pandas(),
    "Parquet": lambda rows, path: parquet(pa.Table.from_pylist(rows), path, row_group_size=3),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", PARSED)
def test_columns_of_lists_and_structs_equal_the_lines(form, name, data, tmp_path):
    rows = [json.loads(line) for line in (data / name).read_text().splitlines()]
    assert_same(toolkit.read(PARSED[form](rows, tmp_path)), toolkit.read(data / name))


BODY = {
    "id": "x",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": 'a,"ü"\n'},
            "logprobs": {"content": [{"token": 'a,"ü"\n', "logprob": -0.5}]},
            "finish_reason": "stop",
        }
    ],
}
TEXT = json.dumps(BODY, indent=1)
STREAM = "data: " + json.dumps(BODY).replace('"message"', '"delta"') + "\n\ndata: [DONE]\n\n"


@pytest.mark.parametrize("text", [TEXT, STREAM], ids=["indented", "SSE"])
@pytest.mark.parametrize("form", TEXTS)
def test_texts_of_several_lines(form, text, tmp_path):
    lp = toolkit.read(TEXTS[form]([text] * 4, tmp_path))
    assert_conserved(lp)
    assert [lp.text(i) for i in range(4)] == ['a,"ü"\n'] * 4
    assert lp.responses["line"].to_pylist() == [1, 2, 3, 4]  # the rows


def test_ids_paths_and_batches_of_tables():
    frame = pd.DataFrame({"qid": ["q1", "q2"], "first": [TEXT] * 2, "second": [TEXT] * 2})
    lp = toolkit.read(frame, path="second")
    assert lp.responses["custom_id"].to_pylist() == ["q1", "q2"]
    assert len(toolkit.read(frame.set_index("qid"), path="first")) == 2
    assert toolkit.read(frame.set_index("qid"), path="first").responses["custom_id"][0].as_py()
    assert sum(map(len, toolkit.scan([frame, frame], path="first", batch_bytes=1))) == 4
    assert toolkit.read([frame, frame]).ledger["source"].to_pylist() == ["<table-1>", "<table-2>"]


def test_an_export_of_tables_knows_the_bytes_of_files(tmp_path):
    path = parquet(pa.table({"response": [TEXT] * 3}), tmp_path)
    out = toolkit.export([path, pd.DataFrame({"response": [TEXT]})], tmp_path / "out")
    assert len(toolkit.read_parquet(out)) == 4
    [stored, _] = json.loads((out / "manifest.json").read_text())["sources"]
    [source] = resolve(path)
    assert {name: stored[name] for name in ("bytes", "modified_ns", "sha256")} == (
        source.fingerprint()
    )
    assert stored["bytes"] == path.stat().st_size


def test_cells_of_all_types_are_kept_as_json():
    rows = {
        "date": [date(2024, 5, 1)],
        "money": [Decimal("1.50")],
        "flag": [True],
        "nothing": [None],
        "nan": [math.nan],
        "least": [-math.inf],
        "raw": [b"\xff\x00"],
        "array": [np.array([1.5, math.nan])],
        "time": [pd.NaT],
        "answer": [{"a": None, "b": [None]}],
    }
    [source] = resolve(pd.DataFrame(rows))
    assert json.loads(b"".join(source.blocks())) == {
        "date": "2024-05-01",
        "money": "1.50",
        "flag": True,
        "least": -math.inf,
        "raw": [255, 0],
        "array": [1.5, None],
        "answer": {"b": [None]},
    }


def test_maps_of_arrow_are_objects():
    kind = pa.map_(pa.string(), pa.float64())
    table = pa.table({"logprobs": pa.array([[("a", -0.5), ("b", -1.5)]], kind)})
    [source] = resolve(table)
    assert json.loads(b"".join(source.blocks())) == {"logprobs": {"a": -0.5, "b": -1.5}}


def test_two_columns_of_one_name_are_both_kept():
    frame = pd.DataFrame([[TEXT, TEXT]], columns=["response", "response"])
    [source] = resolve(frame)
    assert list(json.loads(b"".join(source.blocks()))) == ["response", "response.1"]
    table = pa.Table.from_arrays([pa.array([TEXT]), pa.array([STREAM])], names=["a", "a"])
    assert len(toolkit.read(table)) == 2


@quietly
def test_a_bad_row_costs_itself():
    loop = {}
    loop["logprobs"] = loop
    cells = [TEXT, "{broken", None, "\ud800", loop, BODY]
    lp = toolkit.read(pd.DataFrame({"response": cells}))
    assert_conserved(lp)
    assert lp.responses["line"].to_pylist() == [1, 6]
    assert lp.rejects["line"].to_pylist() == [2, 4, 5]
    assert lp.rejects["reason"].to_pylist()[-1] == "too_deep"
    assert lp.ledger["blank"].to_pylist() == [1]


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"id": range(20_000), "label": "good"}),
        pl.DataFrame({"id": [1], "label": ["good"]}),
        pa.table({"id": [1, 2], "label": [None, "good"]}),
    ],
    ids=["pandas", "Polars", "Arrow"],
)
def test_a_table_without_answers_is_one_fault(table):
    with pytest.raises(SourceError, match="found the columns id, label"):
        toolkit.read(table)
    with pytest.warns(toolkit.ToolkitWarning, match="1 unknown_format"):
        lp = toolkit.read([table, pd.DataFrame({"response": [TEXT]})])
    assert_conserved(lp)
    assert (len(lp), lp.rejects.num_rows) == (1, 1)


@pytest.mark.parametrize("table", [pd.DataFrame(), pl.DataFrame(), pa.table({"a": []})])
def test_an_empty_table_has_no_record(table):
    with pytest.raises(NoRecordsError, match="<table>"):
        toolkit.read(table)


def test_a_lazy_frame_is_to_be_collected():
    with pytest.raises(
        toolkit.errors.ArgumentError, match=r"found LazyFrame; call its collect\(\)"
    ):
        toolkit.read(pl.DataFrame({"response": [TEXT]}).lazy())


def test_what_is_a_table():
    table = pa.table({"a": ["x"]})
    tables = [table, table["a"], table["a"].chunk(0), table.to_batches()[0], table.to_reader()]
    tables += [table.to_pandas(), table.to_pandas()["a"], pl.from_arrow(table), pl.Series(["x"])]
    assert all(map(is_table, tables))
    assert not any(map(is_table, [b"x", "x", ["x"], {"a": "x"}, np.array(["x"]), None]))


def test_a_large_parquet_file_is_read_piece_by_piece(tmp_path):
    path = parquet(pa.table({"response": [TEXT + " " * 5000] * 4000}), tmp_path)
    [source] = resolve(path)
    before = pa.total_allocated_bytes()
    sizes = []
    for block in source.blocks(1 << 16):
        sizes.append(len(block))
        assert pa.total_allocated_bytes() - before < 15 << 20
    assert sum(sizes) > 20 << 20


def test_the_file_object_of_a_table_stays_open(tmp_path):
    path = parquet(pa.table({"response": [TEXT] * 3}), tmp_path)
    with path.open("rb") as file:
        assert len(toolkit.read(file)) == 3
        assert not file.closed


def test_the_limits_hold_for_tables(tmp_path):
    path = parquet(pa.table({"response": [TEXT, TEXT + " " * 5000]}), tmp_path)
    with pytest.warns(toolkit.ToolkitWarning, match="1 too_long"):
        lp = toolkit.read(path, limits=toolkit.Limits(record_bytes=2000))
    assert len(lp) == 1
    for source in (path, pd.DataFrame({"response": [TEXT] * 9})):
        with pytest.warns(toolkit.ToolkitWarning, match="source_over_limit"):
            lp = toolkit.read(source, limits=toolkit.Limits(source_bytes=700))
        assert_conserved(lp)
