"""Object stores are read like folders: listed once, by several processes, with clear errors."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import fs

import toolkit
from tests.object_store import MARKS, requests_of, s3  # noqa: F401
from toolkit.dataset import Shard, plan_export
from toolkit.errors import ArgumentError, SourceError
from toolkit.loaders.sources.locations import Remote
from toolkit.loaders.sources.resolve import resolve
from toolkit.loaders.sources.source import Source, StoredBytes
from toolkit.loaders.sources.stores import parse_uri

pytestmark = MARKS
DATA = Path("data/capitals_batch.jsonl").read_bytes()
LINES = DATA.splitlines(keepends=True)
FILES = {
    "logs/1.jsonl": b"".join(LINES[:30]),
    "logs/2.jsonl.gz": gzip.compress(b"".join(LINES[30:60])),
    "logs/a b/3 [x]%41.jsonl.zst": pa.compress(b"".join(LINES[60:]), codec="zstd", asbytes=True),
}


@pytest.fixture
def logs(s3: Any) -> Any:  # noqa: F811
    for key, body in FILES.items():
        s3.put_object(Bucket="buck", Key=key, Body=body)
    return s3


@pytest.mark.parametrize(
    ("uri", "n"),
    [
        ("s3://buck/logs", 3),
        ("s3://buck/logs/", 3),
        ("s3://buck/**/*.jsonl*", 3),
        ("s3://buck/logs/?.jsonl", 1),
        ("s3://buck/logs/[12].*", 2),
        ("s3://buck/logs/2.jsonl.gz?region=us-east-1", 1),
        ("s3://dummy:dummy@buck/logs/a b/3%20%5Bx%5D%2541.jsonl.zst", 1),
    ],
)
def test_folders_patterns_and_compressed_objects(logs: Any, uri: str, n: int) -> None:
    sources = resolve(uri)
    assert len(sources) == n
    assert all((source.size() or 0) > 100 for source in sources)
    assert "dummy" not in "".join(source.name for source in sources)
    assert toolkit.read(uri).responses.num_rows > 0


def test_a_server_that_the_uri_names(logs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    uri = f"s3://buck/logs?endpoint_override={server}&scheme=http"
    assert len(toolkit.read(uri)) == len(LINES)
    [shard, *_] = plan_export(uri)  # other processes find it too
    assert server in json.dumps(shard.to_json())


def test_the_same_tables_as_from_local_files(logs: Any, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for n, body in enumerate(FILES.values()):
        (tmp_path / "logs" / str(n)).write_bytes(body)
    there, here = toolkit.read("s3://buck/logs"), toolkit.read(tmp_path / "logs")
    drop = "source"
    for name in ("tokens", "alternatives", "choices"):
        assert getattr(there, name).equals(getattr(here, name))
    assert there.responses.drop_columns([drop]).equals(here.responses.drop_columns([drop]))


def test_a_listing_needs_no_request_for_each_object(
    logs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(40):
        logs.put_object(Bucket="buck", Key=f"many/{n}.jsonl", Body=LINES[0])
    with requests_of(monkeypatch) as seen:
        shards = plan_export("s3://buck/many/*.jsonl")
    assert len(shards[0].sources) == 40
    assert 1 <= seen.total() <= 4


def test_shards_carry_no_credentials(logs: Any) -> None:
    [shard] = plan_export("s3://buck/logs")
    text = json.dumps(shard.to_json())
    assert "dummy" not in text
    assert Shard.from_json(json.loads(text)) == shard
    with pytest.raises(ArgumentError, match="another process"):
        plan_export("s3://dummy:dummy@buck/logs")


@pytest.mark.slow
def test_two_processes_export_the_files_of_one(logs: Any, tmp_path: Path) -> None:
    outs = [
        toolkit.export("s3://buck/logs", tmp_path / str(n), workers=n, shard_bytes=1)
        for n in (None, 2)
    ]
    one, two = ({p.relative_to(o): p.read_bytes() for p in o.rglob("*.parquet")} for o in outs)
    assert one == two
    assert len(one) > 10


def test_resume_compares_sizes_and_times_of_the_listing(logs: Any, tmp_path: Path) -> None:
    logs.put_object(Bucket="buck", Key="logs/4.jsonl", Body=b"{}")
    out, reads = tmp_path / "out", []
    with pytest.raises(toolkit.ToolkitError):
        toolkit.export("s3://buck/logs", out, resume=True, shard_bytes=1, on_error="raise")
    logs.put_object(Bucket="buck", Key="logs/4.jsonl", Body=LINES[0])
    opened = Remote.open

    def counted(self: Remote) -> Any:
        reads.append(self.path)
        return opened(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Remote, "open", counted)
        toolkit.export("s3://buck/logs", out, resume=True, shard_bytes=1, on_error="raise")
    assert "buck/logs/4.jsonl" in reads
    assert "buck/logs/1.jsonl" not in reads


def test_append_reads_only_what_is_new(logs: Any, tmp_path: Path) -> None:
    out = toolkit.export("s3://buck/logs", tmp_path / "out")
    logs.put_object(Bucket="buck", Key="logs/5.jsonl", Body=LINES[0])
    before = toolkit.read_parquet(out).responses.num_rows
    toolkit.export("s3://buck/logs", out, append=True)
    assert toolkit.read_parquet(out).responses.num_rows == before + 1


def test_an_object_that_is_replaced_while_it_is_read_is_reported(logs: Any) -> None:
    [source] = resolve("s3://buck/logs/1.jsonl")
    logs.put_object(Bucket="buck", Key="logs/1.jsonl", Body=LINES[0])
    with pytest.raises(SourceError, match="replaced") as caught:
        list(source.blocks())
    assert caught.value.reason == "changed_source"


def test_a_stream_says_how_far_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(FILES["logs/2.jsonl.gz"])
    local = fs.LocalFileSystem()
    info = local.get_file_info(str(path))
    location = Remote(local, str(path), None, info.size, info.mtime_ns)
    stored = StoredBytes()
    assert b"".join(Source("log", location).blocks(stored=stored)) == b"".join(LINES[30:60])
    assert stored.read == path.stat().st_size


@pytest.mark.parametrize("uri", ["s3://no-bucket/logs", "s3://no-bucket/*.jsonl"])
def test_a_wrong_bucket(s3: Any, uri: str) -> None:  # noqa: F811
    with pytest.raises(SourceError, match="no such bucket or folder: no-bucket"):
        toolkit.read(uri)


def test_missing_credentials(logs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SourceError, match=r"ACCESS_DENIED.*AWS_ACCESS_KEY_ID"):
        toolkit.read("s3://buck/logs/1.jsonl")


def test_no_server(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(SourceError, match=r"NETWORK_CONNECTION.*AWS_ACCESS_KEY_ID"):
        list(toolkit.scan("s3://buck/logs"))  # Arrow tries for some seconds; `read` asks twice


@pytest.mark.parametrize(
    ("uri", "name", "root"),
    [
        ("s3://me:secret@b/x y", "s3://b/x y", None),
        ("gs://anonymous@b/x", "gs://b/x", "gs://anonymous@b"),
        ("abfs://box@a.dfs.core.windows.net/x", *("abfs://box@a.dfs.core.windows.net",) * 2),
        ("abfs://box:secret@a/x", "abfs://box@a/x", None),
        ("abfs://a/x?client_secret=secret", "abfs://a/x", None),
        ("s3://b/x?region=eu", "s3://b/x", "s3://b?region=eu"),
    ],
)
def test_names_and_roots_have_no_secrets(uri: str, name: str, root: str | None) -> None:
    found, _, found_root = parse_uri(uri)
    assert found.removesuffix("/x") == name.removesuffix("/x")
    assert found_root == root
