"""The bytes of an export depend on its sources alone, not on threads, batches or hash seeds."""

import json
import os
import subprocess
import sys

import pytest

import toolkit
from tests.conftest import ROOT
from tests.stress.exports import files

DATA = ROOT / "data"
SOURCES = [
    DATA / name for name in ("arithmetic_n5.jsonl", "pairs_stream.sse", "stories_k10.jsonl.gz")
] + [DATA / "malformed.jsonl", DATA / "refusal_stream.sse"]
SCRIPT = """
import json, sys, warnings
sys.path.insert(0, sys.argv[1])
warnings.simplefilter("ignore")
import toolkit
from pathlib import Path
from tests.stress.exports import files
found = []
for threads in (1, 2, 8):
    out = toolkit.export(json.loads(sys.argv[2]), f"{sys.argv[3]}/{threads}", threads=threads)
    found.append(files(out))
print(json.dumps(found))
"""
pytestmark = pytest.mark.filterwarnings("ignore::toolkit.ToolkitWarning")


@pytest.mark.parametrize("seed", ["0", "1", "4294967295"])
def test_threads_and_hash_seeds_make_no_difference(tmp_path, seed):
    expected = files(toolkit.export(SOURCES, tmp_path / "here"))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, ROOT, json.dumps([*map(str, SOURCES)]), tmp_path],
        env=os.environ | {"PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [expected] * 3


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("batch_bytes", [1, 64, 5000, 30_000, 10**9])
def test_batches_make_no_difference(tmp_path, batch_bytes, threads):
    # No record has fewer than 64 bytes; so many batches would take long for all sources.
    sources = SOURCES[-2:] if batch_bytes <= 64 else SOURCES
    expected = files(toolkit.read(sources, threads=1).write_parquet(tmp_path / "read"))
    parts = toolkit.scan(sources, batch_bytes=batch_bytes, threads=threads)
    assert files(toolkit.concat(parts).write_parquet(tmp_path / "scanned")) == expected


@pytest.mark.parametrize("block_bytes", [97, 997, 4096])
def test_blocks_make_no_difference(tmp_path, monkeypatch, block_bytes):
    sources = SOURCES[-2:] if block_bytes < 100 else SOURCES
    expected = files(toolkit.read(sources).write_parquet(tmp_path / "usual"))
    monkeypatch.setattr("toolkit.loaders.batches._BLOCK_BYTES", block_bytes)
    assert files(toolkit.read(sources).write_parquet(tmp_path / "cut")) == expected


def test_decoders_make_no_difference(tmp_path, monkeypatch):
    expected = files(toolkit.export(SOURCES, tmp_path / "native"))
    monkeypatch.setattr("toolkit.loaders.scanner._scan", None)
    assert files(toolkit.export(SOURCES, tmp_path / "reference")) == expected
