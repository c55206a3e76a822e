"""The progress of a load is counted in the bytes of the sources as they are stored."""

import bz2
import gzip
import io

import pandas as pd
import pyarrow as pa
import pytest

import toolkit
from toolkit.loaders import batches
from toolkit.loaders.options import ReadOptions
from toolkit.loaders.session import ReadSession, stored_size
from toolkit.loaders.sources.resolve import resolve

LINE = b'{"id": "a", "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}\n'
pytestmark = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.jsonl", bytes),
        ("a.jsonl.gz", gzip.compress),
        ("a.jsonl.bz2", bz2.compress),
        ("a.jsonl.zst", lambda data: pa.compress(data, codec="zstd", asbytes=True)),
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_progress_ends_at_the_size_of_the_sources(name, pack, threads, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "_BLOCK_BYTES", 1 << 16)
    lines = b"".join(LINE[:-2] + b',"n":%d}\n' % i for i in range(5000))
    (tmp_path / name).write_bytes(pack(lines))
    (tmp_path / "b.jsonl").write_bytes(LINE)
    sources = resolve(tmp_path)
    seen = []
    session = ReadSession(ReadOptions(threads=threads))
    for _ in session.batches(enumerate(sources), seen.append):
        pass
    assert len(seen) > 2  # the large one has several blocks
    assert min(seen) >= 0
    assert sum(seen) == stored_size(sources) == sum(p.stat().st_size for p in tmp_path.iterdir())


def test_progress_moves_through_a_parquet_file(tmp_path):
    path = tmp_path / "rows.parquet"
    n = 5_000
    rows = pd.DataFrame({"n": range(n), "response": [LINE.decode()] * n})
    rows.to_parquet(path, row_group_size=250)
    seen = []
    for _ in ReadSession(ReadOptions()).batches(enumerate(resolve(path)), seen.append):
        pass
    assert 0.5 * path.stat().st_size < sum(seen) <= path.stat().st_size


@pytest.mark.parametrize("kind", ["folder", "bytes", "file object", "missing"])
def test_percent_is_shown_if_the_size_is_known(kind, tmp_path, capsys):
    (tmp_path / "a.jsonl").write_bytes(LINE * 2000)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(LINE * 2000))
    sources = {
        "folder": tmp_path,
        "bytes": LINE * 2000,
        "file object": io.BytesIO(LINE * 2000),
        "missing": [tmp_path / "a.jsonl", tmp_path / "none.jsonl"],
    }
    toolkit.read(sources[kind], progress=True)
    shown = capsys.readouterr().err
    assert "reading" in shown
    assert ("%" in shown) is (kind in ("folder", "bytes"))
