"""Choose the files of a folder that hold answers, and say which were not taken."""

import builtins
import json
import pickle
import warnings

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import toolkit
from tests.oracle import assert_conserved

BODY = {
    "choices": [
        {"message": {"content": "a"}, "logprobs": {"content": [{"token": "a", "logprob": -1}]}}
    ]
}
CASSETTE = "http_interactions:\n- response:\n    body:\n      string: '{}'\n"


def warned(source):
    """Return the tables and the text of the warning of a load."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lp = toolkit.read(source)
    assert_conserved(lp)
    return lp, "; ".join(str(each.message) for each in caught)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.jsonl").write_text(json.dumps(BODY) + "\n")
    return tmp_path / "logs"


TABLES = {
    "texts": pd.DataFrame({"id": [1, 2], "response": [json.dumps(BODY)] * 2}),
    "late": pd.DataFrame({"response": [None] * 50 + [json.dumps(BODY)]}),
    "entries": pd.DataFrame({"answer": ["a"], "logprobs": [[{"token": "a", "logprob": -0.5}]]}),
    "arrays": pd.DataFrame({"tokens": [["a"]], "logprobs": [[-0.5]]}),
    "SSE": pd.DataFrame({"raw": [f"data: {json.dumps(BODY)}\n\n"]}),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "tsv", "parquet", "feather"])
def test_tables_with_answers_are_read(name, suffix, folder):
    frame = TABLES[name]
    path = folder / f"table.{suffix}"
    if suffix == "parquet":
        frame.to_parquet(path)
    elif suffix == "feather":
        frame.to_feather(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    lp, _ = warned(folder)
    assert str(path) in lp.responses["source"].to_pylist()
    assert lp.ledger["skipped"].to_pylist() == [0, 0]


OTHERS = {
    "labels": pd.DataFrame({"id": [1], "label": ["good"]}),
    "scores": pd.DataFrame({"choice": [0], "mean_logprob": [-0.5], "perplexity": [1.6]}),
    "options": pd.DataFrame({"question": ["x"], "choices": ["['Paris', 'Rome']"]}),
    "texts": pd.DataFrame({"text": ["{not an answer}", "[1, 2]"]}),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_without_answers_are_counted(name, suffix, folder):
    path = folder / f"table.{suffix}"
    if suffix == "csv":
        OTHERS[name].to_csv(path)
    else:
        OTHERS[name].to_parquet(path)
    lp, message = warned(folder)
    assert message == f"1 file of {folder} was not read: 1 .{suffix} without answers"
    assert lp.rejects.num_rows == 0
    assert lp.ledger["source"].to_pylist() == [str(folder / "a.jsonl"), str(folder)]
    assert lp.ledger["skipped"].to_pylist() == [0, 1]
    lp, message = warned(f"{folder}/*")
    assert f"1 .{suffix} without answers" in message
    assert lp.rejects.num_rows == 0


@pytest.fixture
def exported(folder):
    """An export below the folder."""
    (folder / "x").mkdir()
    toolkit.export(folder / "a.jsonl", folder / "x" / "exported")
    return folder / "x" / "exported"


@pytest.mark.parametrize("pattern", ["", "**", "*", "**/*", "x*", "**/*.json*", "**/x*"])
def test_an_export_is_left_out_where_recordings_are_looked_for(pattern, folder, exported):
    (folder / "x" / "b.jsonl").write_text(json.dumps(BODY) + "\n")
    name = f"{folder}/{pattern}" if pattern else str(folder)
    lp, message = warned(name)
    assert lp.rejects.num_rows == 0
    assert len(lp) == (1 if "x*" in pattern else 2)
    n = sum(path.is_file() for path in exported.rglob("*")) if "json" not in pattern else 1
    files = "1 file of" if n == 1 else f"{n} files of"
    were = "was" if n == 1 else "were"
    assert message == (
        f"{files} {name} {were} not read: {n} of the exported dataset {exported} "
        "(read_parquet reads it)"
    )
    assert sum(lp.ledger["skipped"].to_pylist()) == n


def test_a_folder_that_holds_only_an_export_says_so(folder, exported):
    for name in (folder / "x", [exported]):
        with pytest.raises(toolkit.errors.SourceError, match=r"exported \(read_parquet reads it\)"):
            toolkit.read(name)


def test_other_folders_with_a_manifest_are_read(folder):
    (folder / "job").mkdir()
    for name in ("manifest.json", "_SUCCESS", "part-0.jsonl"):  # as Spark writes them
        (folder / "job" / name).write_text(json.dumps(BODY) + "\n")
    lp, _ = warned(folder)
    assert len(lp) == 4


def test_recordings_inside_of_an_export_can_be_named(folder, exported):
    (exported / "logs").mkdir()
    (exported / "logs" / "b.jsonl").write_text(json.dumps(BODY) + "\n")
    for name in ("logs", "logs/*", "logs/b.jsonl"):
        assert len(warned(exported / name)[0]) == 1


def test_one_line_says_what_was_not_taken(folder, monkeypatch):
    (folder / "x").mkdir()
    for name in ("a.csv", "x/b.csv"):
        (folder / name).write_text("id,label\n1,good\n")
    (folder / "m.pkl").write_bytes(pickle.dumps(BODY))
    (folder / "cassette.yml").write_text(CASSETTE)
    (folder / "cut.parquet").write_bytes(b"PAR1")
    (folder / "readme.md").write_text("# Answers")
    (folder / ".hidden").write_text("")

    def refuse(name, *args, _import=builtins.__import__):
        if name == "yaml":
            raise ImportError
        return _import(name, *args)

    monkeypatch.setattr(builtins, "__import__", refuse)
    lp, message = warned(folder)
    assert message.startswith(f"6 files of {folder} were not read: 2 .csv without answers, ")
    for part in ("1 .pkl", "1 .parquet that cannot be read", "1 .md"):
        assert part in message
    assert "1 .yml (needs PyYAML: pip install 'logprob-toolkit[yaml]')" in message
    assert lp.ledger["skipped"].to_pylist() == [0, 6]
    assert len(lp) == 1


def test_documents_pictures_and_code_are_counted_without_a_warning(folder):
    for name in ("readme.md", "plot.png", "run.py", "config.yaml"):
        (folder / name).write_text("a: 1\n")
    lp, message = warned(folder)
    assert message == ""
    assert lp.ledger["skipped"].to_pylist() == [0, 4]


def test_a_folder_of_other_files_says_what_it_found(folder):
    (folder / "a.jsonl").rename(folder / "a.dat")
    with pytest.raises(toolkit.errors.SourceError, match=r"no recording .*\(found 1 \.dat\)"):
        toolkit.read(folder)


def test_a_missing_file_among_many_is_named(folder):
    lp, message = warned([folder / "a.jsonl", folder / "gone.jsonl"])
    assert len(lp) == 1
    assert f"{folder}/gone.jsonl: no such file" in message


def test_the_export_of_a_folder_counts_what_was_skipped(folder, tmp_path):
    pq.write_table(pa.table({"a": [1]}), folder / "t.parquet")
    with pytest.warns(toolkit.ToolkitWarning, match="1 .parquet without answers"):
        out = toolkit.export(folder, tmp_path / "out", resume=True)
    assert toolkit.read_parquet(out).ledger["skipped"].to_pylist() == [0, 1]
