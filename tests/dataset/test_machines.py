"""The files of an export are the same, whoever runs its shards and whoever is killed."""

import hashlib
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import threading
import time
import warnings
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

import toolkit
from tests.conftest import ROOT
from tests.dataset import recordings
from tests.dataset.recordings import SHARD_BYTES
from tests.oracle import assert_conserved
from tests.stress.exports import contents, files
from toolkit.dataset import (
    Shard,
    ShardReport,
    export_shard,
    exporting,
    finish_export,
    plan_export,
    shards,
    workers,
)
from toolkit.errors import ArgumentError, ExportError, RecordError, SourceError, ToolkitWarning
from toolkit.loaders.sources.source import Span

pytestmark = pytest.mark.filterwarnings("ignore:.*rejected [(]:toolkit.ToolkitWarning")


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return recordings.make(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="module")
def alone(sources, tmp_path_factory):
    """The export by one process."""
    with warnings.catch_warnings(action="ignore"):
        folder = tmp_path_factory.mktemp("alone")
        return toolkit.export(sources, folder / "out", shard_bytes=SHARD_BYTES)


def tree(out):
    """Return one hash of all files of an export, its manifest included."""
    return hashlib.sha256(json.dumps(files(out)).encode()).hexdigest()


def through_json(each):
    return type(each).from_json(json.loads(json.dumps(each.to_json())))


class Counting(ThreadPoolExecutor):
    """Counts the calls for each shard; the first calls of some of them fail."""

    def __init__(self, failing=(), times=1):
        super().__init__(2)
        self.calls = Counter()
        self._failing, self._times = failing, times

    def submit(self, fn, shard, *args):
        self.calls[shard.ordinal] += 1
        if shard.ordinal in self._failing and self.calls[shard.ordinal] <= self._times:
            future = Future()
            future.set_exception(OSError("the machine is gone"))
            return future
        return super().submit(fn, through_json(shard), *args)


# One hash


def test_shards_give_the_tables_of_a_load(sources, alone):
    whole, found = toolkit.read(sources), toolkit.read_parquet(alone)
    assert found.equals(whole)
    assert found.ledger.equals(whole.ledger)
    assert_conserved(found)


def test_large_files_are_cut(sources):
    cut = Counter(shard.part_of for shard in plan_export(sources, shard_bytes=SHARD_BYTES))
    assert cut == {0: 3, None: 2, 2: 2, 3: 2}


def test_two_workers(sources, alone, tmp_path):
    out = toolkit.export(sources, tmp_path / "out", workers=2, shard_bytes=SHARD_BYTES)
    assert tree(out) == tree(alone)
    assert not multiprocessing.active_children()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_two_workers_of_which_one_is_killed(sources, alone, tmp_path):
    killed = []

    def kill():
        while not list(tmp_path.glob(".out.staging-*/content/*/.part-*")):
            time.sleep(0.001)
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
        killed.append(True)

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.warns(ToolkitWarning, match=r"1 try of shards failed .*exit code -9 \(signal 9"):
        out = toolkit.export(sources, tmp_path / "out", workers=2, shard_bytes=SHARD_BYTES)
    thread.join()
    assert killed
    assert tree(out) == tree(alone)
    assert contents(tmp_path) == ["out"]


@pytest.mark.parametrize("failing", [(), (0,), (1, 3, 8)])
def test_an_executor(sources, alone, tmp_path, failing):
    executor = Counting(failing)
    with executor, warnings.catch_warnings(record=True, action="always") as caught:
        out = toolkit.export(sources, tmp_path / "out", executor=executor, shard_bytes=SHARD_BYTES)
    assert tree(out) == tree(alone)
    # Shards 4 and 6 are the first parts of files that are read whole after all.
    expected = {i: 1 + (i in failing) + (i in (4, 6)) for i in range(9)}
    assert executor.calls == expected
    assert any("shards failed" in str(each.message) for each in caught) == bool(failing)


def test_three_steps_with_reports_in_any_order_and_twice(sources, alone, tmp_path):
    shards = [through_json(each) for each in plan_export(sources, shard_bytes=SHARD_BYTES)]
    reports = [through_json(export_shard(shard, tmp_path / "out")) for shard in shards]
    again = export_shard(shards[2], tmp_path / "out", threads=2)
    assert again.tables == reports[2].tables
    [folder] = tmp_path.glob(".out.shards-*")
    (folder / "tokens" / ".part-00001.parquet.stray").write_bytes(b"of a killed process")
    (folder / "tokens" / "part-00099.parquet").write_bytes(b"of another plan")
    manifest = finish_export([again, *reversed(reports)], tmp_path / "out")
    assert manifest == json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert tree(tmp_path / "out") == tree(alone)
    assert contents(tmp_path) == ["out"]


def test_sources_in_memory_are_read_here(sources, tmp_path):
    given = [sources[1], sources[0].read_bytes()[:5000], sources[5]]
    one = toolkit.export(given, tmp_path / "one", shard_bytes=1)
    two = toolkit.export(given, tmp_path / "two", shard_bytes=1, workers=1)
    assert tree(one) == tree(two)
    with pytest.raises(ArgumentError, match="<bytes> cannot be opened by another process"):
        plan_export(given)


# Plans and reports


def test_a_plan_is_plain_data(sources):
    shape = toolkit.Shape(tokens="steps[]", marks=("kind=a", "steps"))
    shards = plan_export(
        sources, shard_bytes=SHARD_BYTES, shape=shape, keep=["a"], limits=toolkit.Limits(nesting=99)
    )
    for shard in shards:
        assert through_json(shard) == pickle.loads(pickle.dumps(shard)) == shard
        assert shard.options.shape == shape
    assert len({shard.run for shard in shards}) == 1
    assert plan_export(sources, shard_bytes=SHARD_BYTES)[0].run != shards[0].run


def test_an_engine_gets_whole_paths(sources, tmp_path, monkeypatch):
    class Elsewhere(Counting):
        def submit(self, fn, shard, write, attempt):
            assert write.keywords["folder"].is_absolute()
            assert all(os.path.isabs(source.location.path) for _, source in shard.sources)
            return super().submit(fn, shard, write, attempt)

    monkeypatch.chdir(sources[1].parent)
    with Elsewhere() as executor:
        out = toolkit.export(sources[1].name, "out", executor=executor)
    assert toolkit.read_parquet(out).equals(toolkit.read(sources[1].name))
    shutil.rmtree(out)


def test_relative_paths_are_those_of_the_planner(sources, tmp_path, monkeypatch):
    monkeypatch.chdir(sources[1].parent)
    [shard] = plan_export(sources[1].name)
    monkeypatch.chdir(tmp_path)
    finish_export([export_shard(shard, "out")], "out")
    read = toolkit.read_parquet("out").responses["source"].unique().to_pylist()
    assert read == [sources[1].name]


@pytest.mark.parametrize(("missing", "named"), [(3, "shard 3 is missing"), (8, "last")])
def test_a_missing_report_is_named(sources, tmp_path, missing, named):
    shards = plan_export(sources, shard_bytes=SHARD_BYTES)
    reports = [ShardReport(shard, {}, [], {}, []) for shard in shards if shard.ordinal != missing]
    with pytest.raises(ExportError, match=named):
        finish_export(reports, tmp_path / "out")


def test_reports_of_two_plans(sources, tmp_path):
    one, other = plan_export(sources[1]), plan_export([sources[5], sources[1]], shard_bytes=1)
    reports = [ShardReport(shard, {}, [], {}, []) for shard in (*one, *other[1:])]
    with pytest.raises(ExportError, match="of several plans"):
        finish_export(reports, tmp_path / "out")
    with pytest.raises(ArgumentError, match="reports is empty"):
        finish_export([], tmp_path / "out")


def test_files_on_another_disk(sources, tmp_path):
    reports = [export_shard(shard, tmp_path / "elsewhere") for shard in plan_export(sources[1])]
    with pytest.raises(ExportError, match="to the same disk"):
        finish_export(reports, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_failed_can_be_finished_again(sources, tmp_path):
    out = toolkit.export(sources[5], tmp_path / "out")
    reports = [export_shard(shard, out) for shard in plan_export(sources[1])]
    with pytest.raises(ExportError, match="already exists"):
        finish_export(reports, out)
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match="did not write"):
        finish_export(reports, out, overwrite=True)
    (out / "notes.txt").unlink()
    finish_export(reports, out, overwrite=True)
    assert toolkit.read_parquet(out).equals(toolkit.read(sources[1]))
    assert contents(tmp_path) == ["out"]


def test_a_foreign_directory_of_that_name_is_kept(sources, tmp_path):
    [shard] = plan_export(sources[1])
    folder = tmp_path / f".out.shards-{shard.run}"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    finish_export([export_shard(shard, tmp_path / "out")], tmp_path / "out")
    assert contents(folder) == ["notes.txt"]


# Faults


def test_what_fails_three_times_ends_the_export(sources, tmp_path):
    with (
        Counting([1], times=3) as executor,
        pytest.raises(
            ExportError, match=r"shard 1 \(.*a-large.jsonl\) failed 3 times.*: the machine"
        ),
    ):
        toolkit.export(sources, tmp_path / "out", executor=executor, shard_bytes=SHARD_BYTES)
    assert executor.calls[1] == 3
    assert contents(tmp_path) == []


def test_a_file_that_a_lost_worker_wrote_late_is_noticed(sources, tmp_path):
    class Late(Counting):
        def submit(self, fn, shard, write, attempt):
            future = super().submit(fn, shard, write, attempt)
            if shard.ordinal == 0:
                future.result()
                with (write.keywords["folder"] / "tokens" / "part-00000.parquet").open(
                    "ab"
                ) as file:
                    file.write(b"?")
            return future

    with Late() as executor, pytest.raises(ExportError, match=r"tokens/part-00000.* were reported"):
        toolkit.export(sources[:1], tmp_path / "out", executor=executor, shard_bytes=SHARD_BYTES)
    assert contents(tmp_path) == []


def test_a_rejected_record_that_is_to_raise_is_not_tried_again(sources, tmp_path):
    options = {"on_error": "raise", "shard_bytes": SHARD_BYTES}
    with pytest.raises(RecordError) as alone:
        toolkit.export(sources, tmp_path / "out", **options)
    with Counting() as executor, pytest.raises(RecordError) as found:
        toolkit.export(sources, tmp_path / "out", executor=executor, **options)
    assert str(found.value) == str(alone.value)
    assert max(executor.calls.values()) == 1
    assert contents(tmp_path) == []


def test_a_worker_that_cannot_start(monkeypatch):
    # It is called with the connection, which is not an exit code, so the process fails.
    monkeypatch.setattr(workers, "_serve", os._exit)
    with workers.Workers(1) as pool, pytest.raises(workers.WorkerDiedError, match="__main__"):
        pool.submit(abs, -1).result()


def test_workers_answer_calls_and_errors():
    with workers.Workers(2) as pool:
        assert [pool.submit(abs, -n).result() for n in range(4)] == [0, 1, 2, 3]
        with pytest.raises(ValueError, match="invalid literal"):
            pool.submit(int, "x").result()
        with pytest.raises(workers.WorkerDiedError, match="exit code 7$"):
            pool.submit(os._exit, 7).result()
        assert pool.submit(abs, -5).result() == 5


def test_an_export_by_workers_can_be_resumed(sources, alone, tmp_path):
    with Counting([6], times=3) as executor, pytest.raises(ExportError, match="shard 6"):
        toolkit.export(
            sources, tmp_path / "out", executor=executor, shard_bytes=SHARD_BYTES, resume=True
        )
    with Counting() as executor:
        toolkit.export(
            sources, tmp_path / "out", executor=executor, shard_bytes=SHARD_BYTES, resume=True
        )
    assert executor.calls == {4: 1, 5: 1, 6: 2, 7: 1, 8: 1}
    assert tree(tmp_path / "out") == tree(alone)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers=0: expected a whole number"),
        ({"workers": 2, "executor": ThreadPoolExecutor(1)}, "either workers or executor"),
        ({"executor": 3}, "executor=3: expected a concurrent.futures.Executor"),
        ({"shard_bytes": "1 GB"}, "shard_bytes='1 GB': expected a whole number"),
    ],
)
def test_wrong_options(sources, tmp_path, options, message):
    with pytest.raises(ArgumentError, match=message):
        toolkit.export(sources, tmp_path / "out", **options)
    with pytest.raises(ArgumentError, match="shard is a str"):
        export_shard("0", tmp_path / "out")
    assert Shard.__doc__


# Limits of keys


@pytest.mark.parametrize(
    ("ordinal", "before", "message"),
    [
        (1 << 31, 0, r"b-small.jsonl is source 2,147,483,649: response_key numbers 2,147,483,648"),
        (0, (1 << 32) - 1, r"b-small.jsonl has more records than the 4,294,967,296 of a source"),
        ((1 << 31) - 1, (1 << 32) - 40, None),
    ],
)
def test_keys_that_would_be_equal_are_refused(sources, tmp_path, ordinal, before, message):
    [shard] = plan_export(sources[1])
    [(_, source)] = shard.sources
    size, time_ns = source.size(), os.stat(sources[1]).st_mtime_ns
    part = replace(source, span=Span(0, size, before, 0, size, time_ns))
    shard = replace(shard, sources=((ordinal, part),))
    if message is not None:
        with pytest.raises(SourceError, match=message):
            export_shard(shard, tmp_path / "out")
        return
    report = export_shard(shard, tmp_path / "out")
    [file] = tmp_path.glob(".out.shards-*/responses/*.parquet")
    keys = pq.read_table(file)["response_key"].to_pylist()
    assert (keys[-1], report.counts["responses"]) == ((1 << 63) - 1, 40)


# Sizes


@pytest.mark.parametrize(
    ("total", "expected"), [(0, 256 << 20), (10**12, 400_000_000), (10**14, 4 << 30)]
)
def test_the_size_of_shards_follows_from_all_bytes(total, expected):
    assert shards._size(total) == expected


@pytest.mark.parametrize(("most_bytes", "n_files"), [(1, 9), (1 << 20, 1)])
def test_small_files_of_very_many_are_joined(sources, tmp_path, monkeypatch, most_bytes, n_files):
    many = [sources[1]] * 9
    one = toolkit.export(many, tmp_path / "one", shard_bytes=1)
    monkeypatch.setattr("toolkit.dataset.finishing._MOST_FILES", 8)
    monkeypatch.setattr("toolkit.dataset.finishing._JOINED_BYTES", most_bytes)
    out = toolkit.export(many, tmp_path / "out", shard_bytes=1)
    for name in ("responses", "tokens", "ledger"):
        assert len(contents(out / name)) == n_files
        assert contents(out / name)[0] == "part-00000.parquet"
    assert toolkit.read_parquet(out).equals(toolkit.read_parquet(one))
    assert toolkit.export(sources[1], out, overwrite=True)


# The cap of listed rejects


@pytest.mark.parametrize(("most", "is_cut"), [(20, False), (1000, True)])
def test_parts_list_the_rejects_that_a_whole_file_lists(
    sources, tmp_path, monkeypatch, most, is_cut
):
    for module in ("toolkit.loaders.batches", "toolkit.dataset.shards"):
        monkeypatch.setattr(f"{module}.LISTED", most)
    whole = toolkit.read(sources[0])
    out = toolkit.export(sources[0], tmp_path / "out", shard_bytes=SHARD_BYTES)
    found = toolkit.read_parquet(out)
    assert found.equals(whole)
    assert found.ledger.equals(whole.ledger)
    assert (found.ledger["unlisted"].to_pylist()[0] > 0) == (not is_cut)
    assert len(contents(out / "responses")) == (3 if is_cut else 1)


def test_workers_say_what_they_have_read(tmp_path, monkeypatch):
    sources = [ROOT / "data" / f"given_q4_{i}.jsonl.gz" for i in (0, 1)] * 3
    size = sum(path.stat().st_size for path in sources)
    seen = []

    @contextmanager
    def bar(what, total, **_):
        assert total() in (size, 0)  # nothing is counted
        yield lambda n: seen.append((what, n))

    monkeypatch.setattr(exporting, "progress_bar", bar)
    monkeypatch.setattr(shards, "progress_bar", bar)
    toolkit.export(sources, tmp_path / "out", workers=2, shard_bytes=1 << 20)
    assert {what for what, _ in seen} == {"exporting"}
    assert sum(n for _, n in seen) == size
    assert len([n for _, n in seen if n]) >= 6  # not once for the only shard
