"""The corpora are what they claim to be, and the contestants agree; nothing here is timed."""

import importlib
import json
import math
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import toolkit
from benchmarks import contest, report, vocabulary
from benchmarks.__main__ import main
from benchmarks.containers import CONTAINERS
from benchmarks.contest import Contestant, DisagreementError, Result
from benchmarks.corpus import Spec, as_streamed, write
from benchmarks.flat import Flat, as_binary, checksums
from benchmarks.loops import repaired
from benchmarks.peers import PEERS
from benchmarks.sections import SCRIPTS
from benchmarks.tables import build, load, summary
from tests.conftest import ROOT

MB = 0.3
SPECS = {
    "k5": Spec(),
    "k20": Spec(k=20),
    "chunks": Spec(streamed=True),
    "interleaved": Spec(streamed=True, interleaved=True),
    "camel": Spec(camel=True),
    "spaced": Spec(spaced=True),
    "deferred": Spec(deferred=0.3),
    "array": Spec(container="array"),
    "pretty": Spec(container="pretty"),
    "pretty array": Spec(container="pretty array"),
    "sse": Spec(streamed=True, container="sse"),
    "data": Spec(streamed=True, container="data"),
    "rows": Spec(container="rows"),
    "short": Spec(container="rows, columns", short=True),
    **{name: Spec(container=name) for name, container in CONTAINERS.items() if container.entries},
}
# Columns that differ between a stream and a completion.
PLACE = ["response_key", "chunk"]


@pytest.fixture(scope="module", autouse=True)
def small_pools():
    """Draw answers from fewer entries, which takes less time to make."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "ENTRIES", 20_000)
        vocabulary.pool.cache_clear()
        yield
    vocabulary.pool.cache_clear()


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpora")
    return {
        name: write(folder / f"{name}.jsonl", spec, megabytes=MB) for name, spec in SPECS.items()
    }


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """The same ten answers in several forms."""
    folder = tmp_path_factory.mktemp("answers")
    specs = {
        "whole": Spec(),
        "camel": Spec(camel=True),
        "chunks": as_streamed(Spec()),
        "interleaved": as_streamed(Spec(), interleaved=True),
        "array": Spec(container="array"),
        "pretty": Spec(container="pretty"),
        "pretty array": Spec(container="pretty array"),
        "sse": as_streamed(Spec(container="sse")),
        "data": as_streamed(Spec(container="data")),
        "rows": Spec(container="rows"),
    }
    return {
        name: toolkit.read(write(folder / f"{name}.jsonl", spec, answers=10))
        for name, spec in specs.items()
    }


@pytest.mark.parametrize("name", SPECS)
def test_corpora_load_whole(corpora, name):
    lp = toolkit.read(corpora[name])
    assert lp.rejects.num_rows == 0
    assert lp.tokens.num_rows > 100
    assert np.isclose(lp.alternatives.num_rows / lp.tokens.num_rows, SPECS[name].k, rtol=0.01)
    assert set(lp.choices["alignment"].to_pylist()) <= {"exact", "tokens_extra"}
    damaged = sum("lone_surrogate" in notes for notes in lp.responses["notes"].to_pylist())
    assert (damaged > 0) == (name == "deferred")


def test_corpora_have_the_size_that_was_asked_for(corpora):
    for path in corpora.values():
        assert MB * 1e6 <= path.stat().st_size < MB * 1e6 + 1.2e6  # and at most one group more


def test_corpora_are_realistic(corpora):
    lp = toolkit.read(corpora["k20"])
    texts = "".join(lp.tokens["token"].to_pylist() + lp.alternatives["token"].to_pylist())
    assert {"\n", '"', "\\", " "} < set(texts)
    assert any(ord(character) > 0xFFFF for character in texts)
    assert "\\xf0\\x9f" in texts  # an emoji in pieces
    ranks = lp.tokens["sampled_rank"]
    assert 0 < ranks.null_count < 0.1 * len(ranks)
    assert 0.8 < np.mean(ranks.to_numpy() == 1) < 1.0
    logprobs = lp.alternatives["logprob"].to_numpy()
    assert (logprobs == -9999.0).any()
    assert (logprobs == 0.0).any()
    raw = corpora["k20"].read_text()
    assert "e-0" in raw
    assert "\\u" in raw


@pytest.mark.parametrize("name", ["k5", "interleaved"])
def test_the_seed_decides_the_bytes(corpora, tmp_path, name):
    again = write(tmp_path / "again.jsonl", SPECS[name], megabytes=MB)
    assert again.read_bytes() == corpora[name].read_bytes()
    other = write(tmp_path / "other.jsonl", replace(SPECS[name], seed=1), megabytes=MB)
    assert other.read_bytes() != corpora[name].read_bytes()


def test_gzip_holds_the_same_lines(corpora, tmp_path):
    path = write(tmp_path / "k5.jsonl.gz", SPECS["k5"], megabytes=MB)
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    packed, plain = toolkit.read(path), toolkit.read(corpora["k5"])
    assert packed.tokens.equals(plain.tokens)


@pytest.mark.parametrize(
    "form",
    ["camel", "chunks", "interleaved", "array", "pretty", "pretty array", "sse", "data", "rows"],
)
def test_every_form_says_the_same(answers, form):
    whole, other = answers["whole"], answers[form]
    assert len(other) == len(whole) == 10
    for name in ("tokens", "alternatives", "choices"):
        dropped = [column for column in PLACE if column in whole[name].column_names]
        assert other[name].drop_columns(dropped).equals(whole[name].drop_columns(dropped))
    counted = ["prompt_tokens", "completion_tokens", "total_tokens", "model", "response_id"]
    assert other.responses.select(counted).equals(whole.responses.select(counted))


def flat_of(module, path, spec):
    peer = importlib.import_module(f"benchmarks.peers.{module}")
    result = peer.read(path, spec, 1)
    return peer.flat(result) if hasattr(peer, "flat") else result


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.module)
def test_contestants_agree(corpora, peer):
    for package in peer.needs:
        pytest.importorskip(package, reason=f"the contestant {peer.name} needs {package}")
    for name, spec in SPECS.items():
        if (spec.camel and not peer.camel) or (spec.deferred and not peer.surrogates):
            continue
        if spec.container != "lines" and peer.module not in ("toolkit", *SCRIPTS):
            continue
        if not peer.tables:
            if not spec.deferred:
                assert flat_of(peer.module, corpora[name], spec) is None
            continue
        ours = checksums(flat_of("toolkit", corpora[name], spec))
        assert checksums(flat_of(peer.module, corpora[name], spec)) == ours, name


def test_checksums_see_every_value(corpora):
    flat = flat_of("toolkit", corpora["k5"], SPECS["k5"])
    good = checksums(flat)
    for table in Flat._fields:
        for column in getattr(flat, table).column_names:
            values = getattr(flat, table)[column].to_pylist()
            values[7] = {str: "?", bytes: b"?"}.get(type(values[7])) or values[7] + 1e-9
            place = getattr(flat, table).schema.get_field_index(column)
            kind = None if column in ("token", "bytes") else pa.float64()
            if column in ("response", "position", "slot"):
                values, kind = [int(value) + (i == 7) for i, value in enumerate(values)], pa.int64()
            changed = getattr(flat, table).set_column(place, column, pa.array(values, kind))
            bad = checksums(flat._replace(**{table: changed}))
            assert {key for key in good if good[key] != bad[key]} == {f"{table}.{column}"}


def test_checksums_tell_null_from_empty():
    def table(raw):
        columns = {"response": [0], "position": [0], "slot": [1], "token": [""], "logprob": [0.0]}
        return pa.table(columns | {"bytes": pa.array([raw], pa.binary())})

    flats = [Flat(table(raw).drop_columns(["slot"]), table(raw)) for raw in (None, b"")]
    assert checksums(flats[0]) != checksums(flats[1])


def test_as_binary_reinterprets_lists():
    lists = pa.array([[72, 105], None, [], [33]], pa.list_(pa.uint8()))
    assert as_binary(lists).to_pylist() == [b"Hi", None, b"", b"!"]
    assert as_binary(lists.slice(1)).to_pylist() == [None, b"", b"!"]


def test_repaired_replaces_halves_alone():
    line = b'{"a": "x\\ud83dy \\ud83d\\ude00 \xc3\xa9"}'
    assert json.loads(repaired(line)) == {"a": "x\ufffdy \U0001f600 é"}


def test_disagreement_is_an_error():
    results = [
        Result(Contestant(name, {}, 1.0, 1, "file"), 0.0, checks={"tokens": 5, "sum": total})
        for name, total in (("a", 1.0), ("b", 1.0 + 1e-12), ("c", 2.0))
    ]
    contest.agree(results[:2])
    with pytest.raises(DisagreementError, match="sum is 2.0 by c"):
        contest.agree(results)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = build(tmp_path_factory.mktemp("tables"), 1000, Spec())
    return load(folder)


def test_tables_repeat_answers_under_new_keys(tables):
    assert tables.tokens.num_rows >= 1000
    keys = tables.responses["response_key"].to_numpy()
    assert (np.diff(keys) > 0).all()


@pytest.mark.parametrize("module", ["toolkit", "duckdb", "polars", "pandas", "pyarrow"])
def test_kernels_agree(tables, module):
    pytest.importorskip(module, reason=f"the contestant {module} is not installed")
    kernel = importlib.import_module(f"benchmarks.kernels.{module}")
    state = kernel.load(tables)
    sequences = toolkit.sequence_metrics(tables)
    found = summary(kernel.perplexity(state))
    assert found["rows"] == len(sequences)
    assert math.isclose(found["sum"], sequences["perplexity"].sum(), rel_tol=1e-9)
    ours = importlib.import_module("benchmarks.kernels.toolkit")
    expected = summary(ours.entropy(tables))
    assert summary(kernel.entropy(state)) == pytest.approx(expected, rel=1e-9)
    if module == "toolkit":
        assert kernel.perplexity_by_counts(state).equals(kernel.perplexity(state))


def test_the_runner_prints_tables(tmp_path, capsys):
    out = tmp_path / "out.json"
    arguments = ["--only", "export", "--mb", "0.1", "--repeats", "1", "--peers", "json"]
    main([*arguments, "--cache", str(tmp_path), "--json", str(out)])
    text = capsys.readouterr().out
    assert "Export: JSON to Parquet" in text
    assert "× slower" in text
    first = json.loads(out.read_text())["tables"][0]["rows"]
    assert {row[""] for row in first} == {"toolkit", "json + loops"}
    assert all(row["MB/s"] > 0 and row["peak RSS MB"] > 0 for row in first)


def test_the_readme_takes_tables(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(report.README.read_text())
    table = report.Table("Speed", [{"": "toolkit", "MB/s": 512.34}, {"": "other", "MB/s": 5.0}])
    report.write_readme([table], path)
    text = path.read_text()
    assert "| toolkit | 512 |" in text
    report.write_readme([table], path)  # in the place of the first
    assert path.read_text() == text
    aligned = table.text().splitlines()
    assert aligned[-1].split() == ["other", "5"]
    assert len(aligned[-1]) == len(aligned[-2])


def test_unknown_sections_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "reading"])
    assert "no section 'reading'" in capsys.readouterr().err


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_ENABLE_SHARED") or not shutil.which("cc"),
    reason="needs a shared Python library and a C compiler",
)
def test_the_share_that_holds_the_interpreter_lock(tmp_path):
    command = [sys.executable, "-m", "benchmarks.interpreter_lock", "--mb", "1", "--repeats", "1"]
    run = subprocess.run(
        [*command, "--cache", tmp_path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    rows = [line.rsplit(maxsplit=3) for line in run.stdout.splitlines()[5:]]
    assert [row[0] for row in rows] == ["read", "read stream chunks", "read gzip", "export"]
    assert all(0 < float(held) < 100 and int(times) > 100 for _, _, held, times in rows)
