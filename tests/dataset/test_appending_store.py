"""Sources that are added to an export in an object store: its files stay where they are."""

# ruff: noqa: F401, F811 (fixtures of other files are arguments here)
from __future__ import annotations

import json
import os
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import toolkit
from tests.dataset import recordings
from tests.dataset.recordings import SHARD_BYTES
from tests.dataset.test_store_export import Threads, few, stored, uri, written
from tests.object_store import MARKS, requests_of, s3
from tests.oracle import assert_conserved
from toolkit.cli.entry import main
from toolkit.dataset import abandon_exports, upload_dataset
from toolkit.dataset.pointer import keys_of, runs_of, signed
from toolkit.dataset.runs import Runs
from toolkit.errors import ExportError, SourceError

pytestmark = pytest.mark.filterwarnings("ignore:.*rejected [(]:toolkit.ToolkitWarning")
LINES = Path("data/capitals_batch.jsonl").read_bytes().splitlines(keepends=True)
NOW = timedelta(0)


def manifest_of(uri: str) -> dict[str, Any]:
    return json.loads((stored(uri) / "manifest.json").read_bytes())


def assert_like_local(uri: str, local: Path) -> None:
    """Compare the manifest, but for runs, and the files that it names with a local export."""
    manifest = manifest_of(uri)
    expected = json.loads((local / "manifest.json").read_bytes())
    for name, (key, _) in keys_of(manifest).items():
        assert (stored(uri) / key).read_bytes() == (local / name).read_bytes()
    for table in manifest["tables"].values():
        for part in table["files"]:
            part.pop("run", None)
    assert {name: manifest[name] for name in expected} == expected
    assert toolkit.read_parquet(uri).equals(toolkit.read_parquet(local))


def files(uri: str) -> dict[Path, tuple[bytes, int]]:
    """The content of each file of a store but the manifest, and when it was written."""
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in stored(uri).glob("*/*/*")
        if path.is_file()
    }


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of tables that are read or copied while a store is written."""
    keys: list[str] = []
    for name in ("open", "copy"):
        method = getattr(Runs, name)

        def noted(self: Runs, key: str, *args: Any, method: Any = method) -> Any:
            keys.append(key)
            return method(self, key, *args)

        monkeypatch.setattr(Runs, name, noted)
    return keys


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Recordings of every kind of shard; the last two are in the export that the others join."""
    return recordings.make(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def appended(made: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an append to a local export gives."""
    out = tmp_path_factory.mktemp("appended") / "out"
    with warnings.catch_warnings(action="ignore"):
        for sources in (made[4:], made):
            toolkit.export(sources, out, append=True, shard_bytes=SHARD_BYTES)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["one process", "executor"])
def test_files_are_those_of_a_local_append(
    made: list[Path],
    appended: Path,
    uri: str,
    downloads: list[str],
    engine: str,
) -> None:
    """Two files are cut, two are cut and have to be exported whole."""
    toolkit.export(made[4:], uri, append=True, shard_bytes=SHARD_BYTES)
    before = files(uri)
    with Threads(2) as threads:
        executor = None if engine == "one process" else threads
        again = toolkit.export(
            made, uri, append=True, shard_bytes=SHARD_BYTES, resume=True, executor=executor
        )
    assert again == uri
    assert downloads == []
    assert_like_local(uri, appended)
    assert_conserved(toolkit.read_parquet(uri))
    after = files(uri)
    assert {path: after[path] for path in before} == before
    dataset = toolkit.open_dataset(uri)
    assert dataset.n_rows() == toolkit.open_dataset(appended).n_rows()
    found = {Path(stored(file)) for table in dataset.n_rows() for file in dataset.files(table)}
    assert found == {path for path in after if path.suffix == ".parquet"}


def test_again_and_again_and_swept(few: list[Path], tmp_path: Path, uri: str) -> None:
    """What the manifest names is in three runs; only a fourth one is removed."""
    for n in (1, 2, 3):
        toolkit.export(few[:n], uri, append=True, shard_bytes=1)
        local = toolkit.export(few[:n], tmp_path / "local", append=True, shard_bytes=1)
    assert len(runs_of(manifest_of(uri))) == 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runs, "publish", None)
        with pytest.raises(TypeError):
            toolkit.export(few[0].read_bytes(), uri, append=True)
    assert_like_local(uri, local)
    before = files(uri)
    [old] = abandon_exports(uri, older_than=NOW)
    assert old not in runs_of(manifest_of(uri))
    assert files(uri) == {path: each for path, each in before.items() if old not in path.parts}
    assert_like_local(uri, local)
    assert toolkit.read_parquet(uri).equals(toolkit.read(few))


def test_small_files_are_joined(
    few: list[Path],
    tmp_path: Path,
    uri: str,
    monkeypatch: pytest.MonkeyPatch,
    downloads: list[str],
) -> None:
    """Then those of earlier runs are downloaded; they stay until they are swept."""
    toolkit.export(few[:2], uri, shard_bytes=1)
    local = toolkit.export(few[:2], tmp_path / "local", shard_bytes=1)
    before = files(uri)
    monkeypatch.setattr("toolkit.dataset.finishing._MOST_FILES", 2)
    for target in (uri, local):
        toolkit.export(few, target, append=True, shard_bytes=1)
    assert len(toolkit.open_dataset(uri).files("tokens")) == 1
    assert_like_local(uri, local)
    assert before.items() <= files(uri).items()
    assert len(downloads) == len(set(downloads))
    assert abandon_exports(uri) == []
    assert before.items() <= files(uri).items()
    assert abandon_exports(uri, older_than=NOW) == []
    named = {stored(uri) / key for key, _ in keys_of(manifest_of(uri)).values()}
    assert {path for path in files(uri) if path.suffix == ".parquet"} == named
    assert len(named & before.keys()) == 1  # the table of rejects has one file
    assert_like_local(uri, local)


def test_a_dataset_that_was_uploaded(few: list[Path], tmp_path: Path, uri: str) -> None:
    local = toolkit.export(few[:1], tmp_path / "local")
    upload_dataset(local, uri)
    for target in (uri, local):
        toolkit.export(few, target, append=True)
    assert_like_local(uri, local)


def test_nothing_new_writes_nothing(
    few: list[Path],
    uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toolkit.export(few, uri)
    monkeypatch.setattr(Runs, "put", None)
    monkeypatch.setattr("toolkit.loaders.sources.source.Source.blocks", None)
    assert toolkit.export(few[1:], uri, append=True) == uri


def test_a_failed_append_is_resumed(
    few: list[Path],
    tmp_path: Path,
    uri: str,
    monkeypatch: pytest.MonkeyPatch,
    written: list[int],
) -> None:
    """It publishes nothing; the shards that it has finished are not read again."""
    upload = Runs.upload

    def failing(self: Runs, file: Path, key: str) -> None:
        if "part-00002" in key:
            raise OSError("the network is down")
        upload(self, file, key)

    toolkit.export(few[:1], uri)
    before = manifest_of(uri)
    with monkeypatch.context() as patch:
        patch.setattr(Runs, "upload", failing)
        with pytest.raises(ExportError, match="cannot be written"):
            toolkit.export(few, uri, append=True, shard_bytes=1)
    assert manifest_of(uri) == before
    written.clear()
    toolkit.export(few, uri, append=True, shard_bytes=1, resume=True)
    assert written == [2]
    for n in (1, 3):
        local = toolkit.export(few[:n], tmp_path / "local", append=True, shard_bytes=1)
    assert_like_local(uri, local)


def test_a_reader_sees_whole_datasets_meanwhile(
    tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are added, joined and swept while it reads."""
    monkeypatch.setattr("toolkit.dataset.finishing._MOST_FILES", 3)
    sources = [tmp_path / f"{n}.jsonl" for n in range(10)]
    for path, line in zip(sources, LINES, strict=False):
        path.write_bytes(line)
    wholes = [toolkit.read(sources[:n]) for n in range(1, 11)]
    toolkit.export(sources[0], uri)

    def add() -> None:
        for path in sources[1:]:
            toolkit.export(path, uri, append=True)
            abandon_exports(uri, older_than=NOW)

    with ThreadPoolExecutor(1) as pool:
        added, n_read = pool.submit(add), 0
        while not added.done():
            found = toolkit.read_parquet(uri)
            assert any(found.equals(each) for each in wholes)
            n_read += 1
        added.result()
    assert n_read > 5
    assert toolkit.read_parquet(uri).equals(wholes[-1])
    assert len(runs_of(manifest_of(uri))) < 10  # because files were joined


@pytest.mark.parametrize("n_before", [0, 1])
@pytest.mark.parametrize("other", ["append", "overwrite", "removed"])
def test_another_writer_is_not_replaced(
    few: list[Path],
    uri: str,
    monkeypatch: pytest.MonkeyPatch,
    n_before: int,
    other: str,
) -> None:
    """It publishes while sources are read; the second call adds to what it published."""
    if n_before:
        toolkit.export(few[0], uri)
    require_files = Runs.require_files

    def late(self: Runs, manifest: dict[str, Any], advice: str) -> dict[str, int]:
        sizes = require_files(self, manifest, advice)
        if advice == "call again":
            monkeypatch.setattr(Runs, "require_files", require_files)
            if other == "removed":
                (stored(uri) / "manifest.json").unlink(missing_ok=True)
            else:
                toolkit.export(few[1], uri, **{other: True})
        return sizes

    monkeypatch.setattr(Runs, "require_files", late)
    if other == "removed" and not n_before:  # as it was
        toolkit.export(few[2], uri, append=True)
        return
    with pytest.raises(ExportError, match="was replaced while sources were added; call again"):
        toolkit.export(few[2], uri, append=True)
    expected = {"append": few[:2] if n_before else few[1:2], "overwrite": few[1:2], "removed": []}
    toolkit.export(few[2], uri, append=True)
    assert toolkit.read_parquet(uri).equals(toolkit.read([*expected[other], few[2]]))


def test_what_cannot_be_added_to(few: list[Path], tmp_path: Path, uri: str) -> None:
    toolkit.export(few[:1], uri, texts=False)
    with pytest.raises(ExportError, match=r"/answers has no texts.*overwrite=True"):
        toolkit.export(few, uri, append=True)
    upload_dataset(toolkit.read(few).write_parquet(tmp_path / "loaded"), uri, overwrite=True)
    with pytest.raises(ExportError, match="has no sources: expected an export of recordings"):
        toolkit.export(few, uri, append=True)
    toolkit.export(few[:2], uri, overwrite=True)
    os.utime(few[1], ns=(1, 1))
    with pytest.raises(ExportError, match="1.jsonl is not as it was .*overwrite=True"):
        toolkit.export(few, uri, append=True)
    copied = f"{uri}-copied"
    shutil.copytree(toolkit.export(few[0], tmp_path / "local"), stored(copied))
    with pytest.raises(ExportError, match=r"manifest\.json is not replaced .*copied"):
        toolkit.export(few, copied, append=True)


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_a_file_that_is_missing_is_named_before_anything_is_read(
    few: list[Path],
    uri: str,
    written: list[int],
    damage: str,
) -> None:
    for n in (1, 2):
        toolkit.export(few[:n], uri, append=True, shard_bytes=1)
    written.clear()
    [file] = stored(uri).glob("*/tokens/part-00000-*")
    before = manifest_of(uri)
    file.unlink() if damage == "gone" else file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ExportError, match=r"part-00000-\w+\.parquet has not .*overwrite=True"):
        toolkit.export(few, uri, append=True)
    assert written == []
    assert manifest_of(uri) == before


@pytest.mark.parametrize("run", ["../other", "", 12, None])
def test_a_manifest_that_leads_elsewhere_is_damaged(
    few: list[Path], uri: str, run: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    toolkit.export(few[0], uri)
    monkeypatch.setattr("toolkit.dataset.runs._PAUSE", 0)
    manifest = manifest_of(uri)
    del manifest["hash"]
    manifest["tables"]["tokens"]["files"][0]["run"] = run
    (stored(uri) / "manifest.json").write_text(json.dumps(signed(manifest)))
    with pytest.raises(SourceError, match="a file is of no run"):
        toolkit.read_parquet(uri)
    for fails in (
        lambda: toolkit.export(few, uri, append=True),
        lambda: abandon_exports(uri, older_than=NOW),
    ):
        with pytest.raises(ExportError, match="a file is of no run"):
            fails()


def test_the_command(few: list[Path], uri: str) -> None:
    for path in few:
        found = CliRunner().invoke(main, ["export", str(path), "-o", uri, "--append"])
        assert found.exit_code == 0, found.output
    assert toolkit.read_parquet(uri).equals(toolkit.read(few))
    assert "3 rows" in found.output


class TestOnS3:
    """The same on a server."""

    pytestmark = MARKS

    def test_only_new_files_are_uploaded(
        self,
        s3: Any,
        few: list[Path],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for n in range(3):
            s3.put_object(Bucket="buck", Key=f"logs/{n}.jsonl", Body=LINES[n])
        target = "s3://buck/out/answers"
        toolkit.export([f"s3://buck/logs/{n}.jsonl" for n in (0, 2)], target)
        with requests_of(monkeypatch) as seen:
            toolkit.export("s3://buck/logs", target, append=True)
        assert seen["PUT"] == 7  # five tables, a report and the manifest
        expected = toolkit.read([f"s3://buck/logs/{n}.jsonl" for n in (0, 2, 1)])
        assert toolkit.read_parquet(target).equals(expected)
        assert abandon_exports(target, older_than=NOW) == []
        assert toolkit.read_parquet(target).equals(expected)
