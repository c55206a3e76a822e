"""An export that was stopped goes on where it was, and gives the files of one in one go."""

import errno
import gzip
import hashlib
import io
import json
import os
import shutil
import time
import warnings

import pytest

import toolkit
from tests.stress.exports import contents, exporting, files
from toolkit.dataset import parquet_writer
from toolkit.dataset.layout import MANIFEST

pytestmark = [
    pytest.mark.filterwarnings("ignore::toolkit.ToolkitWarning"),
    pytest.mark.skipif(os.name != "posix", reason="signals and locks of POSIX"),
]
NAMES = ("capitals_batch.jsonl", "stories_k10.jsonl.gz", "malformed.jsonl", "refusal_stream.sse")


@pytest.fixture
def sources(data, tmp_path):
    """Some recordings, each a shard, in a folder where they can be changed."""
    folder = tmp_path / "sources"
    folder.mkdir()
    return [shutil.copy2(data / name, folder / name) for name in NAMES]


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    monkeypatch.setattr("toolkit.dataset.shards.SHARD_BYTES", 1)


@pytest.fixture
def stopping(monkeypatch):
    """Let an export stop before a shard, and tell which shards are made."""
    made = []

    def stop_at(ordinal, error=KeyboardInterrupt):
        def write(parts, folder, shard, threads):
            if shard == ordinal:
                raise error
            made.append(shard)
            return parquet_writer.write_files(parts, folder, shard, threads)

        monkeypatch.setattr("toolkit.dataset.shard_files.write_files", write)
        made.clear()
        return made

    return stop_at


def stopped(sources, out, stopping, ordinal=2, **options):
    stopping(ordinal)
    with pytest.raises(KeyboardInterrupt):
        toolkit.export(sources, out, resume=True, **options)
    return stopping(None)


@pytest.mark.parametrize("ordinal", range(len(NAMES)))
def test_what_is_finished_is_not_made_again(sources, tmp_path, stopping, ordinal):
    whole = toolkit.export(sources, tmp_path / "whole")
    made = stopped(sources, tmp_path / "out", stopping, ordinal)
    assert not (tmp_path / "out").exists()
    out = toolkit.export(sources, tmp_path / "out", resume=True)
    assert made == list(range(ordinal, len(NAMES)))
    assert files(out) == files(whole)
    assert toolkit.read_parquet(out).equals(toolkit.read(sources))
    assert contents(tmp_path) == ["out", "sources", "whole"]


def test_several_stops(sources, tmp_path, stopping):
    whole = toolkit.export(sources, tmp_path / "whole")
    for ordinal in (1, 2, 3):
        stopped(sources, tmp_path / "out", stopping, ordinal)
    made = stopping(None)
    out = toolkit.export(sources, tmp_path / "out", resume=True)
    assert made == [3]
    assert files(out) == files(whole)


def test_one_that_goes_on_over_an_earlier_export(sources, tmp_path, stopping):
    out = toolkit.export(sources[:1], tmp_path / "out")
    stopped(sources, out, stopping, overwrite=True)
    assert toolkit.read_parquet(out).equals(toolkit.read(sources[:1]))
    with pytest.raises(toolkit.errors.ExportError, match="already exists"):
        toolkit.export(sources, out, resume=True)
    made = stopping(None)
    toolkit.export(sources, out, resume=True, overwrite=True)
    assert made == [2, 3]
    assert toolkit.read_parquet(out).equals(toolkit.read(sources))


def rewritten(path, tmp_path):
    with open(path, "ab") as file:
        file.write(b"\n")


def replaced_at_the_same_size_and_time(path, tmp_path):
    before = os.stat(path)
    with open(path, "r+b") as file:
        file.write(b" ")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def touched(path, tmp_path):
    os.utime(path, ns=(0, 0))


def damaged_part(path, tmp_path):
    [part] = tmp_path.glob(".out.staging-*/content/tokens/part-00000.parquet")
    part.write_bytes(part.read_bytes()[:-1] + b"?")


def lost_part(path, tmp_path):
    [part] = tmp_path.glob(".out.staging-*/content/tokens/part-00000.parquet")
    part.unlink()


def broken_checkpoint(path, tmp_path):
    [checkpoint] = tmp_path.glob(".out.staging-*/checkpoints/00000.json")
    checkpoint.write_text(checkpoint.read_text()[:-9])


def foreign_checkpoint(path, tmp_path):
    [checkpoint] = tmp_path.glob(".out.staging-*/checkpoints/00000.json")
    checkpoint.write_text(json.dumps(["no", "checkpoint"]))


CHANGES = [
    rewritten,
    replaced_at_the_same_size_and_time,
    touched,
    damaged_part,
    lost_part,
    broken_checkpoint,
    foreign_checkpoint,
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_made_again(sources, tmp_path, stopping, change):
    made = stopped(sources, tmp_path / "out", stopping)
    change(sources[0], tmp_path)
    out = toolkit.export(sources, tmp_path / "out", resume=True)
    assert made == [0, 2, 3]
    assert files(out) == files(toolkit.export(sources, tmp_path / "whole"))


@pytest.mark.parametrize(
    "options", [{"stream_window": 5}, {"limits": toolkit.Limits(nesting=30)}, {"on_error": "raise"}]
)
def test_other_options_make_all_anew(sources, tmp_path, stopping, options):
    made = stopped(sources, tmp_path / "out", stopping)
    try:
        toolkit.export(sources, tmp_path / "out", resume=True, **options)
    except toolkit.errors.RecordError:
        assert options["on_error"] == "raise"
    assert made[:2] == [0, 1]


def test_other_sources_make_anew_what_is_not_the_same(sources, tmp_path, stopping):
    made = stopped(sources, tmp_path / "out", stopping)
    out = toolkit.export([sources[0], *sources[2:]], tmp_path / "out", resume=True)
    assert made == [1, 2]
    assert toolkit.read_parquet(out).equals(toolkit.read([sources[0], *sources[2:]]))


def test_what_can_be_read_but_once_is_read_again(sources, tmp_path, stopping):
    def named():
        with open(sources[0], "rb") as file:
            return [io.BytesIO(file.read()), sources[1], sources[2]]

    made = stopped(named(), tmp_path / "out", stopping)
    toolkit.export(named(), tmp_path / "out", resume=True)
    assert made == [0, 2]


def test_a_source_that_was_missing_is_looked_for_again(sources, tmp_path, stopping):
    hidden = sources[0].with_suffix(".away")
    sources[0].rename(hidden)
    made = stopped(sources, tmp_path / "out", stopping)
    hidden.rename(sources[0])
    out = toolkit.export(sources, tmp_path / "out", resume=True)
    assert made == [0, 2, 3]
    assert toolkit.read_parquet(out).equals(toolkit.read(sources))


def test_a_call_without_it_clears_up(sources, tmp_path, stopping):
    stopped(sources, tmp_path / "out", stopping)
    assert [name.startswith(".out.staging-") for name in contents(tmp_path)] == [True, False]
    toolkit.export(sources, tmp_path / "out")
    assert contents(tmp_path) == ["out", "sources"]


def test_without_it_nothing_is_kept(sources, tmp_path, stopping):
    stopping(2)
    with pytest.raises(KeyboardInterrupt):
        toolkit.export(sources, tmp_path / "out")
    assert contents(tmp_path) == ["sources"]


def test_a_full_disk_can_be_gone_on_from(sources, tmp_path, stopping):
    stopping(2, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(toolkit.errors.ExportError, match="No space left"):
        toolkit.export(sources, tmp_path / "out", resume=True)
    made = stopping(None)
    toolkit.export(sources, tmp_path / "out", resume=True)
    assert made == [2, 3]


@pytest.mark.filterwarnings("default::toolkit.ToolkitWarning")
def test_the_warning_tells_of_all(sources, tmp_path, stopping):
    with pytest.warns(toolkit.ToolkitWarning) as whole:
        toolkit.export(sources, tmp_path / "whole")
    stopped(sources, tmp_path / "out", stopping, ordinal=3)
    with pytest.warns(toolkit.ToolkitWarning) as resumed:
        toolkit.export(sources, tmp_path / "out", resume=True)
    assert [str(w.message) for w in resumed] == [str(w.message) for w in whole]


def test_all_finished_and_not_in_place(sources, tmp_path, stopping, monkeypatch):
    """Stopped between the last shard and the rename, nothing is made again."""

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("toolkit.dataset.publish._put_in_place", stop)
        with pytest.raises(KeyboardInterrupt):
            toolkit.export(sources, tmp_path / "out", resume=True)
    made = stopping(None)
    out = toolkit.export(sources, tmp_path / "out", resume=True)
    assert made == []
    assert files(out) == files(toolkit.export(sources, tmp_path / "whole"))


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.02, 0.08, 0.15, 0.25])
def test_killed_and_gone_on(sources, tmp_path, after):
    process = exporting(sources, tmp_path / "out", resume=True, shard_bytes=1)
    time.sleep(after)
    process.kill()
    process.communicate()
    if not (tmp_path / "out").exists():
        toolkit.export(sources, tmp_path / "out", resume=True)
    assert files(tmp_path / "out") == files(toolkit.export(sources, tmp_path / "whole"))
    assert contents(tmp_path) == ["out", "sources", "whole"]


# Shards and the manifest


@pytest.mark.parametrize(("size", "expected"), [(1, 4), (180_000, 2), (10**9, 1)])
def test_sources_are_taken_together_up_to_a_size(sources, tmp_path, monkeypatch, size, expected):
    monkeypatch.setattr("toolkit.dataset.shards.SHARD_BYTES", size)
    out = toolkit.export(sources, tmp_path / "out")
    names = {path.name for path in out.rglob("*.parquet")}
    assert names == {f"part-{i:05d}.parquet" for i in range(expected)}
    assert toolkit.read_parquet(out).equals(toolkit.read(sources))


def test_the_manifest_tells_of_every_source(sources, tmp_path):
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(sources[0].read_bytes()))
    missing = tmp_path / "missing.jsonl"
    given = [*sources, packed, b"{}", missing]
    out = toolkit.export(given, tmp_path / "out")
    listed = json.loads((out / MANIFEST).read_text())["sources"]
    assert [source["source"] for source in listed] == [
        *map(str, [*sources, packed]),
        "<bytes>",
        str(missing),
    ]
    for path, source in zip([*sources, packed], listed, strict=False):
        assert source["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert source["bytes"] == path.stat().st_size
        assert source["modified_ns"] == path.stat().st_mtime_ns
    assert (listed[-2]["bytes"], listed[-2]["modified_ns"]) == (2, None)
    assert listed[-1]["bytes"] == 0


def test_nothing_at_all_is_no_export(tmp_path):
    with pytest.raises(toolkit.errors.NoRecordsError):
        toolkit.export([], tmp_path / "out")
    with warnings.catch_warnings(action="ignore"), pytest.raises(toolkit.errors.SourceError):
        toolkit.export(tmp_path / "missing", tmp_path / "out", resume=True)
    assert not (tmp_path / "out").exists()
