"""A reader finds one export whole, while another export replaces it."""

import multiprocessing
import os
import threading
from collections import Counter

import pytest

import toolkit
from tests.conftest import ROOT
from tests.stress.exports import contents, read_alone, read_until
from toolkit.dataset import publish, read, snapshot
from toolkit.dataset.layout import MANIFEST, objection

DATA = ROOT / "data"
SOURCES = [DATA / "capitals_batch.jsonl", DATA / "pairs_whole.jsonl"]


@pytest.fixture(scope="module")
def both():
    return [toolkit.read(source) for source in SOURCES]


def assert_all_whole(counts):
    assert set(counts) == {"whole"}, counts
    assert counts["whole"] > 10


@pytest.mark.slow
def test_readers_beside_overwrites(both, tmp_path):
    """A reader in a thread and one in a process; `tests.stress.torture` does more of them."""
    out = both[0].write_parquet(tmp_path / "out")
    processes = multiprocessing.get_context("spawn")
    stop, results = processes.Event(), processes.Queue()
    process = processes.Process(target=read_alone, args=(stop, out, SOURCES, results))
    process.start()
    results.get(timeout=60)  # it has begun
    counts: list[Counter[str]] = []
    thread = threading.Thread(target=lambda: counts.append(read_until(stop, out, both)))
    thread.start()
    try:
        for i in range(50):
            both[i % 2].write_parquet(out, overwrite=True)
    finally:
        stop.set()
        thread.join()
        counts.append(results.get(timeout=60))
        process.join()
    for each in counts:
        assert_all_whole(each)
    assert contents(tmp_path) == ["out"]


def test_a_reader_beside_overwrites_by_two_renames(both, tmp_path, monkeypatch):
    """For a moment nothing has the name."""
    monkeypatch.setattr(publish, "_exchange", lambda one, other: False)
    out = both[0].write_parquet(tmp_path / "out")
    stop, counts = threading.Event(), Counter()

    def reads():
        while not stop.is_set():
            found = toolkit.read_parquet(out)
            counts["whole" if any(found.equals(each) for each in both) else "mixed"] += 1

    def overwrites():
        for i in range(30):
            both[i % 2].write_parquet(out, overwrite=True)

    thread = threading.Thread(target=reads)
    thread.start()
    with pytest.warns(toolkit.ToolkitWarning, match="replaced in two steps"):
        overwrites()
    stop.set()
    thread.join()
    assert set(counts) == {"whole"}


@pytest.mark.parametrize("most_open", [1, 200])
@pytest.mark.parametrize("times", [1, 2, 5])
def test_an_export_that_is_replaced_after_its_manifest_was_read(
    both, tmp_path, monkeypatch, times, most_open
):
    monkeypatch.setattr(snapshot, "_MOST_OPEN", most_open)
    monkeypatch.setattr(read, "_PAUSE", 0)
    out = both[0].write_parquet(tmp_path / "out")
    parse, seen = read.parse_manifest, []

    def replaced_meanwhile(raw):
        seen.append(raw)
        if len(seen) <= times:
            both[len(seen) % 2].write_parquet(out, overwrite=True)
        return parse(raw)

    monkeypatch.setattr(read, "parse_manifest", replaced_meanwhile)
    found = toolkit.read_parquet(out)
    assert found.equals(both[times % 2])
    assert found.ledger.equals(both[times % 2].ledger)
    assert len(seen) == times + 1


def test_files_that_are_open_are_read_after_the_export_was_removed(both, tmp_path, monkeypatch):
    out = both[0].write_parquet(tmp_path / "out")
    real, seen = read.conform_earlier, []

    def replaced_meanwhile(table, *rest):
        seen.append(table)
        if len(seen) == 2:  # the first file has been read; the first table is an empty one
            both[1].write_parquet(out, overwrite=True)
        return real(table, *rest)

    monkeypatch.setattr(read, "conform_earlier", replaced_meanwhile)
    assert toolkit.read_parquet(out).equals(both[0])
    assert len(seen) > 2


def test_an_export_that_is_replaced_for_ever(both, tmp_path, monkeypatch):
    monkeypatch.setattr(read, "_PAUSE", 0)
    monkeypatch.setattr(read, "_TRIES", 3)
    out = both[0].write_parquet(tmp_path / "out")
    parse = read.parse_manifest

    def replaced_meanwhile(raw):
        both[0].write_parquet(out, overwrite=True)
        return parse(raw)

    monkeypatch.setattr(read, "parse_manifest", replaced_meanwhile)
    with pytest.raises(toolkit.errors.SourceError, match="replaced 3 times while it was read"):
        toolkit.read_parquet(out)


def test_a_first_export_that_is_at_work(both, tmp_path):
    out = tmp_path / "out"
    with (
        publish.staged(out, overwrite=False, objection=objection),
        pytest.raises(toolkit.errors.SourceError, match="does not exist yet; read it when"),
    ):
        toolkit.read_parquet(out)


def test_a_missing_file_is_not_waited_for(both, tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail("a pause"))
    out = both[0].write_parquet(tmp_path / "out")
    (out / "tokens" / "part-00000.parquet").unlink()
    with pytest.raises(toolkit.errors.SourceError, match="part-00000"):
        toolkit.read_parquet(out)


@pytest.mark.skipif(os.name != "posix", reason="named pipes of POSIX")
@pytest.mark.parametrize("name", [MANIFEST, "tokens/part-00000.parquet"])
@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_not_a_file_is_an_error(both, tmp_path, name, kind):
    out = both[0].write_parquet(tmp_path / "out")
    (out / name).unlink()
    (os.mkfifo if kind == "pipe" else os.mkdir)(out / name)
    with pytest.raises(toolkit.errors.SourceError, match="not a file"):
        toolkit.read_parquet(out)


def test_a_directory_of_many_files(tmp_path, monkeypatch):
    """More files than a process may have open."""
    monkeypatch.setattr(snapshot, "_MOST_OPEN", 3)
    names = [f"{i}" for i in range(10)]
    for name in names:
        (tmp_path / name).write_text(name)
    with snapshot.Snapshot(tmp_path) as held:
        before = len(os.listdir("/dev/fd"))
        for name, file in zip(names, held.open_all(names), strict=True):
            assert file.read() == name.encode()
            assert len(os.listdir("/dev/fd")) <= before + 3


def test_without_handles_of_directories(both, tmp_path, monkeypatch):
    """Windows: an open file prevents that its directory is renamed."""
    monkeypatch.setattr(snapshot, "_HAS_HANDLES", False)
    out = both[0].write_parquet(tmp_path / "out")
    assert toolkit.read_parquet(out).equals(both[0])
    (out / "tokens" / "part-00000.parquet").unlink()
    with pytest.raises(toolkit.errors.SourceError, match="part-00000"):
        toolkit.read_parquet(out)
    with pytest.raises(toolkit.errors.SourceError, match="not an export"):
        toolkit.read_parquet(tmp_path / "missing")
