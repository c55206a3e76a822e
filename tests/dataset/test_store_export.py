"""Exports straight to an object store: the files of a local export, published by the manifest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import toolkit
from tests.dataset import recordings
from tests.dataset.recordings import SHARD_BYTES
from tests.object_store import MARKS, s3  # noqa: F401
from tests.oracle import assert_conserved
from tests.stress.exports import contents
from toolkit.dataset import (
    Shard,
    ShardReport,
    abandon_exports,
    export_shard,
    finish_export,
    plan_export,
    store_shards,
)
from toolkit.dataset.runs import Runs
from toolkit.errors import ArgumentError, ExportError, NoRecordsError, RecordError, SourceError

pytestmark = pytest.mark.filterwarnings("ignore:.*rejected [(]:toolkit.ToolkitWarning")
LINES = Path("data/capitals_batch.jsonl").read_bytes().splitlines(keepends=True)
NOW = timedelta(0)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return recordings.make(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="module")
def alone(sources: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export to a local directory."""
    with warnings.catch_warnings(action="ignore"):
        folder = tmp_path_factory.mktemp("alone")
        return toolkit.export(sources, folder / "out", shard_bytes=SHARD_BYTES)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of temporary directories."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    return tmp_path / "scratch"


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"file://{tmp_path}/store/answers"


@pytest.fixture
def few(tmp_path: Path) -> list[Path]:
    """Three files of one answer each; each is a shard."""
    for n in range(3):
        (tmp_path / f"{n}.jsonl").write_bytes(LINES[n])
    return [tmp_path / f"{n}.jsonl" for n in range(3)]


def stored(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def through_json(each: Any) -> Any:
    return type(each).from_json(json.loads(json.dumps(each.to_json())))


class Threads(ThreadPoolExecutor):
    """Gives shards to other threads as plain data."""

    def submit(self, fn: Any, shard: Shard, *args: Any) -> Any:
        return super().submit(fn, through_json(shard), *args)


def assert_like_local(uri: str, local: Path) -> None:
    """Compare all files with those of a local export; the run has no other file of a table."""
    root = stored(uri)
    manifest = json.loads((root / "manifest.json").read_bytes())
    expected = json.loads((local / "manifest.json").read_bytes())
    assert {name: manifest[name] for name in expected} == expected
    run = root / manifest["run"]
    found = {file.read_bytes() for file in run.glob("*/*.parquet")}
    assert found == {file.read_bytes() for file in local.glob("*/*.parquet")}
    names = [f"{file.parent.name}/{file.name}" for file in run.glob("*/*.parquet")]
    assert len(names) == sum(len(table["files"]) for table in expected["tables"].values())
    assert toolkit.read_parquet(uri).equals(toolkit.read_parquet(local))


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ordinals of the shards that are read and written."""
    ordinals: list[int] = []
    write = store_shards.write_shard

    def noted(shard: Shard, *args: Any, **options: Any) -> ShardReport:
        ordinals.append(shard.ordinal)
        return write(shard, *args, **options)

    monkeypatch.setattr(store_shards, "write_shard", noted)
    return ordinals


# The files of a local export


def test_one_process(sources: list[Path], alone: Path, uri: str, scratch: Path) -> None:
    assert toolkit.export(sources, uri, shard_bytes=SHARD_BYTES) == uri
    assert_like_local(uri, alone)
    assert_conserved(toolkit.read_parquet(uri))
    assert contents(scratch) == []


def test_an_executor(sources: list[Path], alone: Path, uri: str) -> None:
    with Threads(2) as executor:
        toolkit.export(sources, uri, shard_bytes=SHARD_BYTES, executor=executor)
    assert_like_local(uri, alone)


@pytest.mark.slow
def test_two_workers(sources: list[Path], alone: Path, uri: str) -> None:
    toolkit.export(sources, uri, shard_bytes=SHARD_BYTES, workers=2)
    assert_like_local(uri, alone)


def test_three_steps(sources: list[Path], alone: Path, uri: str, written: list[int]) -> None:
    shards = [through_json(each) for each in plan_export(sources, shard_bytes=SHARD_BYTES)]
    reports = [through_json(export_shard(shard, uri)) for shard in shards]
    with pytest.raises(SourceError, match=r"no manifest\.json"):
        toolkit.read_parquet(uri)
    written.clear()
    again = [export_shard(shard, uri, resume=True) for shard in shards]
    assert written == [each.shard.ordinal for each in reports if each.refused]
    manifest = finish_export([*again, *reversed(reports)], uri)
    assert manifest == json.loads((stored(uri) / "manifest.json").read_bytes())
    assert_like_local(uri, alone)


def test_small_tables_are_joined(
    sources: list[Path], tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.dataset.finishing._MOST_FILES", 3)
    local = toolkit.export(sources, tmp_path / "local", shard_bytes=SHARD_BYTES)
    toolkit.export(sources, uri, shard_bytes=SHARD_BYTES)
    assert len(toolkit.open_dataset(uri).files("responses")) == 1
    assert_like_local(uri, local)


def test_sources_in_memory(tmp_path: Path, uri: str) -> None:
    local = toolkit.export(LINES[:2], tmp_path / "local", shard_bytes=1)
    toolkit.export(LINES[:2], uri, shard_bytes=1)
    assert_like_local(uri, local)
    toolkit.export(LINES[:2], uri, shard_bytes=1, overwrite=True, resume=True)
    assert_like_local(uri, local)


def test_a_kill_after_the_manifest_leaves_files_that_are_swept(
    few: list[Path], tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.dataset.finishing._MOST_FILES", 2)
    local = toolkit.export(few, tmp_path / "local", shard_bytes=1)
    with monkeypatch.context() as patch:
        patch.setattr(Runs, "remove_files", lambda self, keys: None)
        toolkit.export(few, uri, shard_bytes=1)
    assert toolkit.read_parquet(uri).equals(toolkit.read_parquet(local))
    with pytest.raises(AssertionError):
        assert_like_local(uri, local)
    assert abandon_exports(uri) == []
    assert abandon_exports(uri, older_than=NOW) == []
    assert_like_local(uri, local)


def test_a_run_that_is_resumed_is_not_swept(few: list[Path], uri: str) -> None:
    def refuse(*args: Any) -> None:
        raise OSError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runs, "publish", refuse)
        with pytest.raises(ExportError):
            toolkit.export(few, uri, shard_bytes=1)
        for file in stored(uri).rglob("*"):
            os.utime(file, (0, 0))
        with pytest.raises(ExportError):
            toolkit.export(few, uri, shard_bytes=1, resume=True)
    assert abandon_exports(uri) == []
    assert len(abandon_exports(uri, older_than=NOW)) == 1


# Faults and repetitions


def test_an_error_publishes_nothing(few: list[Path], uri: str, scratch: Path) -> None:
    few[1].write_bytes(b"{bad\n")
    with pytest.raises(RecordError):
        toolkit.export(few, uri, shard_bytes=1, on_error="raise")
    with pytest.raises(NoRecordsError):
        toolkit.export(few[1], uri)
    with pytest.raises(SourceError, match=r"no manifest\.json"):
        toolkit.read_parquet(uri)
    assert contents(scratch) == []
    assert len(abandon_exports(uri, older_than=NOW)) == 2
    assert not any(file.is_file() for file in stored(uri).rglob("*"))


def test_a_failed_upload_is_resumed(
    few: list[Path], tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch, written: list[int]
) -> None:
    upload = Runs.upload

    def failing(self: Runs, file: Path, key: str) -> None:
        if "part-00002" in key:
            raise OSError("https://account/?sig=secret is down")
        upload(self, file, key)

    with monkeypatch.context() as patch:
        patch.setattr(Runs, "upload", failing)
        with pytest.raises(ExportError, match=r"answers: cannot be written \(OSError\)$"):
            toolkit.export(few, uri, shard_bytes=1)
        with (
            Threads(1) as executor,
            pytest.raises(ExportError, match="shard 2 .* 3 times") as found,
        ):
            toolkit.export(few, uri, shard_bytes=1, executor=executor, resume=True)
        assert "secret" not in str(found.value)
    assert written == [0, 1, 2, 2, 2, 2]
    written.clear()
    toolkit.export(few, uri, shard_bytes=1, resume=True)
    assert written == [2]
    assert_like_local(uri, toolkit.export(few, tmp_path / "local", shard_bytes=1))


def test_only_what_is_new_or_changed_is_read_again(
    few: list[Path], tmp_path: Path, uri: str, written: list[int]
) -> None:
    toolkit.export(few, uri, shard_bytes=1)
    few[1].write_bytes(LINES[7])
    (tmp_path / "3.jsonl").write_bytes(LINES[3])
    few.append(tmp_path / "3.jsonl")
    written.clear()
    toolkit.export(few, uri, shard_bytes=1, overwrite=True, resume=True)
    assert written == [1, 3]
    local = toolkit.export(few, tmp_path / "local", shard_bytes=1)
    assert_like_local(uri, local)
    assert len(abandon_exports(uri, older_than=NOW)) == 1
    assert_like_local(uri, local)
    written.clear()
    toolkit.export(few, uri, shard_bytes=1, overwrite=True, resume=True)
    assert written == []
    toolkit.export(few, uri, shard_bytes=1, overwrite=True, resume=True, rejects="all")
    assert written == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "damage", ["no report", "broken report", "other tables", "no file", "short file"]
)
def test_what_is_damaged_is_written_again(
    few: list[Path], uri: str, written: list[int], damage: str
) -> None:
    toolkit.export(few, uri, shard_bytes=1)
    before = {file: file.read_bytes() for file in stored(uri).rglob("*") if file.is_file()}
    pattern = "tokens/part-00001-*" if "file" in damage else "_reports/00001-*"
    [file] = stored(uri).glob(f"*/{pattern}")
    if damage == "other tables":
        report = json.loads(file.read_bytes())
        report["tables"]["../x"] = report["tables"].pop("rejects")
        file.write_text(json.dumps(report))
    elif damage.startswith("no"):
        file.unlink()
    else:
        file.write_bytes(b"{}")
    written.clear()
    toolkit.export(few, uri, shard_bytes=1, overwrite=True, resume=True)
    assert written == [1]
    assert {file: file.read_bytes() for file in stored(uri).rglob("*") if file.is_file()} == before


def test_overwrite_is_asked_for_before_anything_is_read(
    few: list[Path], uri: str, written: list[int]
) -> None:
    toolkit.export(few, uri, shard_bytes=1)
    shards = plan_export(few)
    reports = [export_shard(shard, uri) for shard in shards]
    written.clear()
    with pytest.raises(ExportError, match="overwrite=True"):
        toolkit.export(few, uri)
    with pytest.raises(ExportError, match="overwrite=True"):
        finish_export(reports, uri)
    assert written == []
    finish_export(reports, uri, overwrite=True)


def test_an_option_that_only_a_store_has(few: list[Path], tmp_path: Path) -> None:
    [shard] = plan_export(few)
    with pytest.raises(ArgumentError, match="resume=True: expected a target in an object store"):
        export_shard(shard, tmp_path / "out", resume=True)


def test_an_export_without_texts_leaves_no_hash_of_them(few: list[Path], uri: str) -> None:
    toolkit.export(few, uri, texts=False, shard_bytes=1)
    root = stored(uri)
    manifest = json.loads((root / "manifest.json").read_bytes())
    assert manifest["texts"] is False
    assert all(set(each) == {"source", "bytes", "modified_ns"} for each in manifest["sources"])
    assert not list(root.glob("*/_reports/*"))
    assert toolkit.read_parquet(uri).tokens.num_rows == toolkit.read(few).tokens.num_rows
    with pytest.raises(ArgumentError, match="texts=False: expected a local .* export_shard"):
        toolkit.export(few, uri, texts=False, resume=True, overwrite=True)


def test_shards_without_texts_are_resumed_by_who_has_their_key(
    sources: list[Path], uri: str, written: list[int]
) -> None:
    """The store has neither the key nor a hash of what was read."""
    plans = [plan_export(sources[:2], shard_bytes=SHARD_BYTES, texts=False) for _ in range(2)]
    shards, others = [list(map(through_json, each)) for each in plans]
    assert sum(shard.part_of is not None for shard in shards) > 1
    reports = [export_shard(shard, uri, resume=True) for shard in shards]
    written.clear()
    again = [export_shard(shard, uri, resume=True) for shard in shards]
    assert written == []
    finish_export(map(through_json, again), uri)
    first = toolkit.read_parquet(uri)
    assert first.responses.num_rows == toolkit.read(sources[:2]).responses.num_rows
    hashes = {source["sha256"] for report in reports for source in report.sources}
    assert len(hashes) > 2
    secrets = [shards[0].texts_key, *hashes]
    for file in filter(Path.is_file, stored(uri).rglob("*")):
        raw = file.read_bytes()
        assert not any(secret.encode() in raw or bytes.fromhex(secret) in raw for secret in secrets)
    finish_export(reports, uri, overwrite=True)
    assert toolkit.read_parquet(uri).equals(first)
    for shard in others:
        export_shard(shard, uri, resume=True)
    assert written == [shard.ordinal for shard in others]


def test_scratch_space_that_cannot_be_written(
    few: list[Path], uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(ExportError, match=r"scratch space in .*none cannot|TMPDIR"):
        toolkit.export(few, uri)


def test_a_folder_around_a_dataset_is_read_without_it(
    few: list[Path], tmp_path: Path, uri: str
) -> None:
    """A dataset that is published, one that is not, and a recording beside them."""
    toolkit.export(few[:2], uri, shard_bytes=1)
    [shard] = plan_export(few[2])
    export_shard(shard, uri.replace("answers", "unfinished"))
    (tmp_path / "store" / "log.jsonl").write_bytes(LINES[5])
    for folder in (tmp_path / "store", f"file://{tmp_path}/store", f"{tmp_path}/store/**/*.json*"):
        with pytest.warns(toolkit.ToolkitWarning, match="of the exported dataset .*answers"):
            lp = toolkit.read(folder)
        assert lp.responses.num_rows == 1
        assert lp.rejects.num_rows == 0
    with pytest.raises(SourceError, match=r"answers \(read_parquet reads it\)"):
        list(toolkit.scan(uri))
    assert toolkit.read(uri).equals(toolkit.read_parquet(uri))


class TestOnS3:
    """The same on a server."""

    pytestmark = MARKS
    URI = "s3://buck/out/answers"

    @pytest.mark.slow
    def test_a_kill_in_mid_upload_is_resumed(
        self,
        s3: Any,  # noqa: F811
        tmp_path: Path,
        written: list[int],
    ) -> None:
        for n in range(3):
            s3.put_object(Bucket="buck", Key=f"logs/{n}.jsonl", Body=LINES[n])
        script = f"""
import toolkit
import os, signal
from toolkit.dataset.runs import Runs
n, put = 0, Runs.put
def killed(self, key, data):
    global n
    n += 1
    if n >= 9:  # of the second shard; some run at the same time
        sink = self._store.filesystem.open_output_stream(self._path(key))
        sink.write(data[:100])
        os.kill(os.getpid(), signal.SIGKILL)
    put(self, key, data)
Runs.put = killed
toolkit.export("s3://buck/logs", {self.URI!r}, shard_bytes=1)
"""
        command = [sys.executable, "-c", script]
        assert subprocess.run(command, env=os.environ, timeout=100).returncode == -signal.SIGKILL
        with pytest.raises(SourceError, match=r"no manifest\.json"):
            toolkit.read_parquet(self.URI)
        toolkit.export("s3://buck/logs", self.URI, shard_bytes=1, resume=True)
        assert written == [1, 2]
        local = toolkit.export("s3://buck/logs", tmp_path / "local", shard_bytes=1)
        found = [
            s3.get_object(Bucket="buck", Key=each["Key"])["Body"].read()
            for each in s3.list_objects_v2(Bucket="buck", Prefix="out/")["Contents"]
            if each["Key"].endswith(".parquet")
        ]
        assert sorted(found) == sorted(file.read_bytes() for file in local.rglob("*.parquet"))
        assert toolkit.read_parquet(self.URI).equals(toolkit.read_parquet(local))

    def test_a_server_that_refuses(
        self,
        s3: Any,  # noqa: F811
        few: list[Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """An export of other sources, and one of those that are published."""
        from moto.moto_server import werkzeug_app

        call = werkzeug_app.DomainDispatcherApplication.__call__

        def refusing(self: Any, environ: dict[str, Any], start: Any) -> Any:
            if environ["REQUEST_METHOD"] in ("PUT", "POST"):
                start("403 Forbidden", [("Content-Length", "0")])
                return [b""]
            return call(self, environ, start)

        toolkit.export(few[0], self.URI)
        before = s3.list_objects_v2(Bucket="buck")["Contents"]
        with monkeypatch.context() as patch:
            patch.setattr(werkzeug_app.DomainDispatcherApplication, "__call__", refusing)
            for source in few[:2]:
                with pytest.raises(ExportError, match=r"answers: .*ACCESS_DENIED"):
                    toolkit.export(source, self.URI, overwrite=True)
        assert s3.list_objects_v2(Bucket="buck")["Contents"] == before
        assert toolkit.read_parquet(self.URI).equals(toolkit.read(few[0]))

    def test_reports_of_another_run_are_copied(
        self,
        s3: Any,  # noqa: F811
        few: list[Path],
        written: list[int],
    ) -> None:
        toolkit.export(few[:2], self.URI, shard_bytes=1)
        written.clear()
        toolkit.export(few, self.URI, shard_bytes=1, overwrite=True, resume=True)
        assert written == [2]
        found = toolkit.read_parquet(self.URI)
        assert found.equals(toolkit.read(few))

    def test_a_folder_around_a_dataset_is_read_without_it(
        self,
        s3: Any,  # noqa: F811
        few: list[Path],
    ) -> None:
        toolkit.export(few, self.URI)
        s3.put_object(Bucket="buck", Key="out/log.jsonl", Body=LINES[5])
        for uri in ("s3://buck/out", "s3://buck/**/*.json*"):
            lp = toolkit.read(uri)
            assert lp.responses.num_rows == 1
            assert lp.rejects.num_rows == 0

    def test_credentials_in_the_uri(self, s3: Any, few: list[Path]) -> None:  # noqa: F811
        private = self.URI.replace("//", "//dummy:SECRET@")
        assert toolkit.export(few, private) == self.URI
        for each in s3.list_objects_v2(Bucket="buck")["Contents"]:
            body = s3.get_object(Bucket="buck", Key=each["Key"])["Body"].read()
            assert b"SECRET" not in body
        with pytest.raises(ExportError) as found:
            toolkit.export(few, private)
        assert "SECRET" not in str(found.value)
        with pytest.raises(ArgumentError, match="in the environment of each process") as refused:
            toolkit.export(few, private, overwrite=True, workers=2)
        assert "SECRET" not in str(refused.value)

    def test_a_bucket_that_does_not_exist(self, s3: Any, few: list[Path]) -> None:  # noqa: F811
        with pytest.raises(ExportError, match=r"no-bucket/answers: .*\(NO_SUCH_BUCKET\)"):
            toolkit.export(few, "s3://no-bucket/answers")
