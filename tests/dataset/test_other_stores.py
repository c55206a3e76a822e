"""The same protocol in stores other than S3: Google Cloud Storage, Azure, and what fsspec opens."""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow.fs as pafs
import pytest

import toolkit
from tests.object_store import MARKS, azure, connection_string, gcs  # noqa: F401
from toolkit.dataset import abandon_exports, export_shard, finish_export, plan_export
from toolkit.dataset.runs import Runs
from toolkit.errors import ArgumentError, ExportError, SourceError

pytestmark = MARKS
LINES = Path("data/capitals_batch.jsonl").read_bytes().splitlines(keepends=True)


@pytest.fixture
def logs(tmp_path: Path) -> list[Path]:
    """Three files of one answer each; each is a shard."""
    for n in range(3):
        (tmp_path / f"{n}.jsonl").write_bytes(LINES[n])
    return [tmp_path / f"{n}.jsonl" for n in range(3)]


@pytest.fixture
def memory() -> str:
    pytest.importorskip("fsspec", reason="the extra stores is not installed")
    return f"fsspec+memory://{uuid.uuid4().hex}"


def assert_whole_life(root: str, options: str, logs: list[Path]) -> None:
    """Export, read, refuse, resume, replace, add and sweep; then read recordings from the store."""
    uri = f"{root}/out/answers{options}"
    with pytest.raises(SourceError, match=r"no manifest\.json"):
        toolkit.open_dataset(uri)
    assert toolkit.export(logs[:2], uri, shard_bytes=1) == Runs(uri).name
    assert toolkit.read_parquet(uri).equals(toolkit.read(logs[:2]))
    with pytest.raises(ExportError, match="overwrite=True"):
        toolkit.export(logs, uri)
    toolkit.export(logs, uri, shard_bytes=1, overwrite=True, resume=True)
    whole = toolkit.read(logs)
    assert toolkit.read_parquet(uri).equals(whole)
    figures = toolkit.open_dataset(uri).corpus_metrics()
    pd.testing.assert_frame_equal(figures, toolkit.corpus_metrics(whole), check_exact=True)
    reports = [export_shard(shard, uri) for shard in plan_export(logs[0])]
    finish_export(reports, uri, overwrite=True)
    assert toolkit.read_parquet(uri).equals(toolkit.read(logs[0]))
    found, _ = pafs.FileSystem.from_uri(uri)
    if found.get_file_info(f"{Runs(uri)._store.path}/manifest.json").mtime is not None:
        assert len(abandon_exports(uri, older_than=timedelta(0))) == 2
    assert toolkit.read_parquet(uri).equals(toolkit.read(logs[0]))
    toolkit.export(logs, uri, append=True)
    assert toolkit.read_parquet(uri).equals(whole)
    assert abandon_exports(uri, older_than=timedelta(0)) == []
    assert toolkit.read_parquet(uri).equals(whole)

    store = Runs(f"{root}/logs/x{options}")
    store.put("1.jsonl", LINES[0])
    store.put("2.jsonl", LINES[1])
    lp = toolkit.read(f"{root}/logs/x/*.jsonl{options}")
    assert lp.tokens.equals(toolkit.read(logs[:2]).tokens)


def test_google_cloud_storage(gcs: str, logs: list[Path]) -> None:  # noqa: F811
    assert_whole_life("gs://anonymous@buck", gcs, logs)


@pytest.mark.slow
def test_azure(azure: tuple[str, str], logs: list[Path]) -> None:  # noqa: F811
    assert_whole_life(*azure, logs)


@pytest.mark.slow
def test_azure_with_a_key_by_fsspec(
    azure: tuple[str, str],  # noqa: F811
    logs: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The key is in the environment, so other processes have it too."""
    pytest.importorskip("adlfs", reason="adlfs is not installed")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection_string(azure[0]))
    assert_whole_life("fsspec+abfs://buck", "", logs)
    toolkit.export(logs, "fsspec+abfs://buck/out/two", workers=2, shard_bytes=1)
    assert toolkit.read_parquet("fsspec+abfs://buck/out/two").equals(toolkit.read(logs))


def test_a_signature_of_azure_is_shown_nowhere(azure: tuple[str, str], logs: list[Path]) -> None:  # noqa: F811
    root, options = azure
    uri, name = f"{root}/out/answers{options}", f"{root}/out/answers"
    signature = options.rpartition("sig=")[2]
    assert toolkit.export(logs, uri) == name
    assert all(file.startswith(name) for file in toolkit.open_dataset(uri).files("tokens"))
    store = Runs(uri)
    assert not any(signature.encode() in store.read(key) for key, _ in store.files())
    failing: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: toolkit.export(logs, uri), ExportError, "overwrite=True"),
        (lambda: toolkit.export(logs, uri, append=True, workers=2), ArgumentError, "credentials"),
        (lambda: toolkit.read(uri.replace("sig=", "sig=x")), SourceError, "AuthorizationFailure"),
        (lambda: toolkit.read(uri.replace("buck", "none")), SourceError, "no such bucket"),
        (lambda: toolkit.export(logs, uri.replace("buck", "none")), ExportError, "NotFound"),
    ]
    for call, kind, message in failing:
        with pytest.raises(kind, match=message) as found:
            call()
        assert signature not in "".join(traceback.format_exception(found.value))


def test_fsspec(memory: str, logs: list[Path]) -> None:
    assert_whole_life(memory, "", logs)


@pytest.mark.parametrize("n", [0, 1])
def test_a_failed_export_keeps_what_is_published(
    memory: str, logs: list[Path], monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    """Also if its files are those that are published."""

    def failing(self: Runs, key: str, data: bytes) -> None:
        raise OSError("the network is down")

    uri = f"{memory}/answers"
    toolkit.export(logs[:1], uri)
    with monkeypatch.context() as patch:
        patch.setattr(Runs, "put", failing)
        with pytest.raises(ExportError, match="cannot be written"):
            toolkit.export(logs[n], uri, overwrite=True)
    assert toolkit.read_parquet(uri).equals(toolkit.read(logs[:1]))


@pytest.mark.parametrize(
    ("uri", "kind", "path"),
    [
        ("gs://bucket/out/answers", "GcsFileSystem", "bucket/out/answers"),
        ("gcs://bucket/answers", "GcsFileSystem", "bucket/answers"),
        ("abfs://box@name.dfs.core.windows.net/out", "AzureFileSystem", "box/out"),
        ("abfss://box@name.dfs.core.windows.net/a/b", "AzureFileSystem", "box/a/b"),
    ],
)
def test_uris_that_pyarrow_opens(
    uri: str, kind: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a server: the URI leads to the file system of its kind."""
    monkeypatch.setattr("toolkit.loaders.sources.azure._has_identity", lambda *args: True)
    store = Runs(uri)._store
    assert type(store.filesystem).__name__ == kind
    assert store.path == path
    assert Runs(uri).is_portable
    assert Runs(uri).name == uri
