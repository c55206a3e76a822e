"""Datasets in an object store appear whole, whatever is killed, raised or replaced meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import toolkit
from tests.object_store import MARKS, s3  # noqa: F401
from toolkit.dataset import abandon_exports, runs, upload_dataset
from toolkit.dataset.runs import Runs
from toolkit.errors import ArgumentError, ExportError, SourceError

pytestmark = MARKS
URI = "s3://buck/out/answers"
LINES = Path("data/capitals_batch.jsonl").read_bytes().splitlines(keepends=True)


@pytest.fixture
def outs(tmp_path: Path) -> list[Path]:
    """Two exports, of one and of four answers."""
    return [toolkit.export(b"".join(LINES[:n]), tmp_path / str(n)) for n in (1, 4)]


def keys(client: Any) -> dict[str, int]:
    found = client.list_objects_v2(Bucket="buck").get("Contents", [])
    return {each["Key"]: each["Size"] for each in found}


@pytest.mark.slow
def test_two_processes_publish_the_bytes_of_a_local_export(s3: Any, tmp_path: Path) -> None:  # noqa: F811
    for n in range(3):
        s3.put_object(Bucket="buck", Key=f"logs/{n}.jsonl", Body=LINES[n])
    local = toolkit.export("s3://buck/logs", tmp_path / "local", shard_bytes=1)
    scratch = toolkit.export("s3://buck/logs", tmp_path / "scratch", shard_bytes=1, workers=2)
    run = upload_dataset(scratch, URI)["run"]
    for file in local.rglob("*.parquet"):
        table, stem = file.parent.name, file.stem
        [key] = [key for key in keys(s3) if f"{run}/{table}/{stem}-" in key]
        assert s3.get_object(Bucket="buck", Key=key)["Body"].read() == file.read_bytes()
    assert toolkit.read_parquet(URI).equals(toolkit.read_parquet(local))


def test_overwrite_is_asked_for_and_old_runs_stay(s3: Any, outs: list[Path]) -> None:  # noqa: F811
    first, second = (upload_dataset(out, URI, overwrite=True)["run"] for out in outs)
    with pytest.raises(ExportError, match="overwrite=True"):
        upload_dataset(outs[0], URI)
    assert toolkit.read_parquet(URI).equals(toolkit.read_parquet(outs[1]))
    s3.put_object(Bucket="buck", Key="out/answers/notes/mine.txt", Body=b"mine")
    assert abandon_exports(URI) == []
    assert abandon_exports(URI, older_than=timedelta(0)) == [first]
    assert not any(first in key for key in keys(s3))
    assert any(second in key for key in keys(s3))
    assert "out/answers/notes/mine.txt" in keys(s3)
    assert toolkit.read_parquet(URI).equals(toolkit.read_parquet(outs[1]))


def test_a_store_that_removes_files_one_by_one(
    s3: Any,  # noqa: F811
    outs: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some that speak the protocol of S3 refuse requests that remove many files."""
    from moto.moto_server import werkzeug_app

    call, refused = werkzeug_app.DomainDispatcherApplication.__call__, []

    def refusing(self: Any, environ: dict[str, Any], start: Any) -> Any:
        if environ["REQUEST_METHOD"] == "POST" and environ["QUERY_STRING"].startswith("delete"):
            refused.append(environ["PATH_INFO"])
            start("501 Not Implemented", [("Content-Length", "0")])
            return [b""]
        return call(self, environ, start)

    first, second = (upload_dataset(out, URI, overwrite=True)["run"] for out in outs)
    monkeypatch.setattr(werkzeug_app.DomainDispatcherApplication, "__call__", refusing)
    assert abandon_exports(URI, older_than=timedelta(0)) == [first]
    assert refused
    assert not any(first in key and key.endswith(".parquet") for key in keys(s3))
    assert any(second in key for key in keys(s3))


def test_an_exception_publishes_nothing_and_a_second_call_goes_on(
    s3: Any,  # noqa: F811
    outs: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upload_dataset(outs[0], URI)
    upload, done = Runs.upload, []

    def failing(self: Runs, file: Path, key: str) -> None:
        if len(done) == 3:
            raise OSError("the network is down")
        done.append(file)
        upload(self, file, key)

    monkeypatch.setattr(Runs, "upload", failing)
    with pytest.raises(ExportError):
        upload_dataset(outs[1], URI, overwrite=True)
    assert toolkit.read_parquet(URI).equals(toolkit.read_parquet(outs[0]))
    first = list(done)
    done[:] = []
    monkeypatch.setattr(Runs, "upload", lambda *each: (done.append(each[1]), upload(*each)))
    upload_dataset(outs[1], URI, overwrite=True)
    assert not set(done) & set(first)
    assert toolkit.read_parquet(URI).equals(toolkit.read_parquet(outs[1]))


@pytest.mark.slow
def test_a_kill_in_mid_upload_leaves_the_old_pointer(s3: Any, outs: list[Path]) -> None:  # noqa: F811
    upload_dataset(outs[0], URI)
    script = f"""
from toolkit.dataset import upload_dataset
import os, signal
from toolkit.dataset.runs import Runs
n, put = 0, Runs.put
def killed(self, key, data):
    global n
    n += 1
    if n >= 2:  # some run at the same time
        sink = self._store.filesystem.open_output_stream(self._path(key))
        sink.write(data[:100])
        os.kill(os.getpid(), signal.SIGKILL)
    put(self, key, data)
Runs.put = killed
upload_dataset({str(outs[1])!r}, {URI!r}, overwrite=True)
"""
    code = subprocess.run([sys.executable, "-c", script], env=os.environ, timeout=100).returncode
    assert code == -signal.SIGKILL
    assert toolkit.read_parquet(URI).equals(toolkit.read_parquet(outs[0]))
    upload_dataset(outs[1], URI, overwrite=True)
    assert toolkit.read_parquet(URI).equals(toolkit.read_parquet(outs[1]))


@pytest.mark.slow
def test_a_reader_sees_whole_datasets_while_the_pointer_changes(
    s3: Any,  # noqa: F811
    outs: list[Path],
) -> None:
    upload_dataset(outs[0], URI)
    whole = [toolkit.read_parquet(out) for out in outs]
    changed = threading.Event()

    def change() -> None:
        try:
            for n in range(1, 51):
                upload_dataset(outs[n % 2], URI, overwrite=True)
        finally:
            changed.set()

    thread = threading.Thread(target=change)
    thread.start()
    n_read = 0
    while not changed.is_set():
        found = toolkit.read_parquet(URI)
        assert any(found.equals(each) for each in whole)
        n_read += 1
    thread.join()
    assert n_read > 5
    assert toolkit.read_parquet(URI).equals(whole[0])


def test_what_is_no_dataset(
    s3: Any,  # noqa: F811
    outs: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "_PAUSE", 0)
    with pytest.raises(SourceError, match=r"no manifest\.json"):
        toolkit.read_parquet("s3://dummy:secret@buck/none")
    with pytest.raises(ArgumentError, match="bucket and name"):
        upload_dataset(outs[0], "s3://buck")
    with pytest.raises(ArgumentError, match="not an export"):
        upload_dataset(tmp_path, URI)
    with pytest.raises(ExportError):
        upload_dataset(outs[0], "s3://no-bucket/answers")
    for body in (b"{}", b"secret", json.dumps({"run": "../../x"}).encode()):
        s3.put_object(Bucket="buck", Key="out/answers/manifest.json", Body=body)
        with pytest.raises(ExportError, match="not replaced"):
            upload_dataset(outs[0], URI, overwrite=True)
        with pytest.raises(SourceError, match=r"manifest\.json"):
            toolkit.read_parquet(URI)
        with pytest.raises(ExportError):
            abandon_exports(URI, older_than=timedelta(0))
