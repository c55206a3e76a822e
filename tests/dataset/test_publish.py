"""A directory appears whole or not at all: whatever fails, and whenever."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from unittest.mock import Mock

import pytest

import toolkit
from tests.conftest import ROOT
from tests.stress import faults
from tests.stress.exports import contents, exporting
from toolkit.dataset import publish
from toolkit.dataset.layout import MANIFEST, SUCCESS, is_dataset, objection

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and locks of POSIX")
CALLS = ("fsync", "rename", "mkdir", "open", "unlink", "listdir", "write", "rmdir")


@pytest.fixture(scope="module")
def lp(data):
    return toolkit.read(data / "pairs_whole.jsonl")


@pytest.fixture(scope="module")
def data():
    from tests.conftest import ROOT

    return ROOT / "data"


# What is written


def test_the_manifest_tells_of_every_file(lp, tmp_path):
    out = lp.write_parquet(tmp_path / "out")
    manifest = json.loads((out / MANIFEST).read_text())
    assert manifest["toolkit"] == toolkit.__version__
    for name, table in manifest["tables"].items():
        for part in table["files"]:
            raw = (out / name / part["name"]).read_bytes()
            assert part["bytes"] == len(raw)
            assert part["sha256"] == hashlib.sha256(raw).hexdigest()
    assert (out / SUCCESS).read_bytes() == b""
    assert contents(tmp_path) == ["out"]


def test_everything_is_on_the_disk_before_it_is_in_place(lp, tmp_path, monkeypatch):
    done = []
    sync, rename = os.fsync, os.rename

    def path_of(handle):
        return os.readlink(f"/proc/self/fd/{handle}")

    monkeypatch.setattr(os, "fsync", lambda handle: (done.append(path_of(handle)), sync(handle)))
    monkeypatch.setattr(os, "rename", lambda a, b: (done.append("rename"), rename(a, b)))
    out = lp.write_parquet(tmp_path / "out")
    before = done[: done.index("rename")]
    for path in out.rglob("*"):  # a folder after what is in it
        of = [name for name in before if name.endswith(f"/content/{path.relative_to(out)}")]
        inside = [name for name in before if f"/content/{path.relative_to(out)}/" in name]
        assert of
        assert all(before.index(name) < before.index(of[-1]) for name in inside)
    synced = {Path(name).name for name in before}
    assert {path.name for path in out.rglob("*")} <= synced
    assert Path(before[-2]).name == SUCCESS
    assert done[-1] == os.fspath(tmp_path)


def left_over(target):
    """Make the staging directory of a killed export."""
    target.parent.mkdir(exist_ok=True)
    staging = publish.Staging(target.with_name(f".{target.name}.staging-{uuid.uuid4().hex}"))
    staging.folder.mkdir()
    staging.mark.touch()
    return staging.folder


# Links


def test_a_link_is_replaced_and_not_followed(lp, tmp_path):
    elsewhere = lp.write_parquet(tmp_path / "elsewhere")
    out = tmp_path / "out"
    out.symlink_to(elsewhere)
    with pytest.raises(toolkit.errors.ExportError, match="already exists"):
        lp.write_parquet(out)
    new = lp.filter(response_key=lp.responses["response_key"][0].as_py())
    new.write_parquet(out, overwrite=True)
    assert not out.is_symlink()
    assert toolkit.read_parquet(out).equals(new)
    assert toolkit.read_parquet(elsewhere).equals(lp)
    assert contents(tmp_path) == ["elsewhere", "out"]


@pytest.mark.parametrize("place", ["content", "checkpoints", "content/tokens"])
@pytest.mark.parametrize("resume", [False, True])
def test_links_among_what_was_left_lead_nowhere(data, tmp_path, place, resume):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "dear").write_text("mine")
    link = left_over(tmp_path / "in" / "out") / place
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(elsewhere)
    toolkit.export(data / "structured.jsonl", tmp_path / "in" / "out", resume=resume)
    assert contents(elsewhere) == ["dear"]
    assert contents(tmp_path / "in") == ["out"]


# Faults


def counted(monkeypatch, name, nth, code):
    """Let the nth call of a function of os fail."""
    real, calls = getattr(os, name), [0]

    def failing(*args, **kwargs):
        calls[0] += 1
        if calls[0] == nth:
            raise OSError(code, os.strerror(code))
        return real(*args, **kwargs)

    monkeypatch.setattr(os, name, failing)
    return calls


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("is_there", [False, True], ids=["new", "over"])
def test_any_call_may_fail(lp, tmp_path, monkeypatch, name, code, is_there):
    """Fail the first, second, … call until one run has no such call left to fail."""
    new = lp.filter(response_key=lp.responses["response_key"][0].as_py())
    for nth in range(1, 100):
        folder = tmp_path / f"{nth}"
        folder.mkdir()
        if is_there:
            lp.write_parquet(folder / "out")
        with monkeypatch.context() as patch:
            calls = counted(patch, name, nth, code)
            try:
                new.write_parquet(folder / "out", overwrite=True)
                failed = False
            except toolkit.errors.ExportError:
                failed = True
        if calls[0] < nth:
            assert not failed
            break
        if (folder / "out").exists():
            found = toolkit.read_parquet(folder / "out")
            assert found.equals(new) or (is_there and found.equals(lp))
        else:
            assert failed
            assert not is_there
        new.write_parquet(folder / "out", overwrite=True)  # and the next run clears up
        assert contents(folder) == ["out"]
    else:
        raise AssertionError(f"{name} was called more than 99 times")


@pytest.mark.parametrize("limit", [1, 4096, 20_000, 60_000])
def test_a_full_disk_leaves_nothing(data, tmp_path, limit):
    process = exporting(data / "stories_k10.jsonl.gz", tmp_path / "out", limit)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 3, stderr
    assert "cannot be written" in stderr
    assert contents(tmp_path) == []


def killed(source, out, signal_, after):
    """Kill an export after so many seconds; return its exit code."""
    process = exporting(source, out)
    time.sleep(after)
    process.send_signal(signal_)
    process.communicate(timeout=60)
    return process.returncode


@pytest.mark.slow
@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_export_leaves_the_old_one_or_the_new_one(data, tmp_path, signal_):
    out = tmp_path / "out"
    old = toolkit.read(data / "capitals_batch.jsonl")
    new = toolkit.read(data / "stories_k10.jsonl.gz")
    old.write_parquet(out)
    for i in range(6):
        killed(data / "stories_k10.jsonl.gz", out, signal_, 0.15 * i)
        found = toolkit.read_parquet(out)
        assert is_dataset(out)
        assert found.tokens.equals(old.tokens) or found.tokens.equals(new.tokens)
        old.write_parquet(out, overwrite=True)
        assert contents(tmp_path) == ["out"]


def test_what_was_killed_between_two_renames_is_brought_back(lp, tmp_path):
    out = lp.write_parquet(tmp_path / "out")
    out.rename(left_over(out) / "replaced")
    left_over(out)
    with pytest.raises(toolkit.errors.ExportError, match="already exists"):
        lp.write_parquet(out)
    assert toolkit.read_parquet(out).equals(lp)
    assert contents(tmp_path) == ["out"]


@pytest.mark.parametrize("nth", [1, 2])
def test_a_rename_that_fails_where_directories_cannot_be_exchanged(lp, tmp_path, monkeypatch, nth):
    out = lp.write_parquet(tmp_path / "out")
    new = lp.filter(response_key=lp.responses["response_key"][0].as_py())
    with monkeypatch.context() as patch:
        patch.setattr(publish, "_exchange", lambda one, other: False)
        counted(patch, "rename", nth, errno.EIO)
        with pytest.raises(toolkit.errors.ExportError, match="cannot be written"):
            new.write_parquet(out, overwrite=True)
    assert toolkit.read_parquet(out).equals(lp)
    assert contents(tmp_path) == ["out"]


def test_an_earlier_export_is_kept_while_another_program_has_its_name(lp, tmp_path, monkeypatch):
    """A directory that appears between the two renames."""
    out = lp.write_parquet(tmp_path / "out")
    real, calls = os.rename, []

    def renames(one, other):
        calls.append(other)
        if len(calls) == 2:
            (out / "theirs").mkdir(parents=True)
        real(one, other)

    with monkeypatch.context() as patch:
        patch.setattr(publish, "_exchange", lambda one, other: False)
        patch.setattr(os, "rename", renames)
        with pytest.raises(toolkit.errors.ExportError):
            lp.write_parquet(out, overwrite=True)
    assert contents(out) == ["theirs"]
    with pytest.raises(toolkit.errors.ExportError, match="not an export"):
        lp.write_parquet(out, overwrite=True)
    (out / "theirs").rmdir()
    out.rmdir()
    with pytest.raises(toolkit.errors.ExportError, match="already exists"):  # it is back
        lp.write_parquet(out)
    assert toolkit.read_parquet(out).equals(lp)
    assert contents(tmp_path) == ["out"]


# Others


def test_another_export_at_work_is_reported(lp, tmp_path):
    out = tmp_path / "out"
    with (
        publish.staged(out, overwrite=False, objection=objection),
        pytest.raises(toolkit.errors.ExportError, match="another export"),
    ):
        lp.write_parquet(out)
    assert contents(tmp_path) == ["out"]


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 4])
def test_one_of_several_wins(data, tmp_path, n):
    for i in range(2):
        out = tmp_path / f"out{i}"
        sources = [data / "capitals_batch.jsonl", data / "stories_k10.jsonl.gz"]
        racing = [exporting(sources[j % 2], out) for j in range(n)]
        codes = [(p.communicate(timeout=60), p.returncode)[1] for p in racing]
        assert set(codes) <= {0, 3}
        assert 0 in codes
        found = toolkit.read_parquet(out)
        assert any(found.tokens.equals(toolkit.read(source).tokens) for source in sources)
    assert contents(tmp_path) == ["out0", "out1"]


def test_without_an_exchange_two_renames_do(lp, tmp_path, monkeypatch):
    out = lp.write_parquet(tmp_path / "out")
    monkeypatch.setattr(publish, "_exchange", lambda one, other: False)
    smaller = lp.filter(response_key=lp.responses["response_key"][0].as_py())
    with pytest.warns(toolkit.ToolkitWarning, match="replaced in two steps") as caught:
        smaller.write_parquet(out, overwrite=True)
    assert [warning.filename for warning in caught] == [__file__]
    assert toolkit.read_parquet(out).equals(smaller)
    assert contents(tmp_path) == ["out"]


@pytest.mark.slow
def test_some_torture():
    """A short run of the loops that ``python -m tests.stress.torture`` makes long."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.stress.torture", "--minutes", "0.2", "--seed", "3"],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 violations" in done.stdout


@pytest.mark.parametrize("error", [MemoryError, RuntimeError("a bug"), OSError(5, "EIO")])
@pytest.mark.parametrize("resume", [False, True])
def test_a_writing_thread_that_dies_leaves_nothing(data, tmp_path, monkeypatch, error, resume):
    real = toolkit.dataset.parquet_writer._Files.write

    def dies(files, part, table):
        if files.declared.name == "tokens":
            raise error
        real(files, part, table)

    out = toolkit.export(data / "capitals_batch.jsonl", tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr("toolkit.dataset.parquet_writer._Files.write", dies)
        raised = toolkit.errors.ExportError if isinstance(error, OSError) else error
        with pytest.raises(raised if isinstance(raised, type) else RuntimeError):
            toolkit.export(data / "structured.jsonl", out, overwrite=True, resume=resume)
    assert toolkit.read_parquet(out).equals(toolkit.read(data / "capitals_batch.jsonl"))
    toolkit.export(data / "structured.jsonl", out, overwrite=True, resume=resume)
    assert contents(tmp_path) == ["out"]


@pytest.mark.slow
def test_faults_at_every_kind_of_call(tmp_path):
    """Every 41st write, fsync, close, rename, open, mkdir and unlink."""
    if faults.compiled(tmp_path) is None:
        pytest.skip("no C compiler, or another system than Linux: faults are not injected")
    done = subprocess.run(
        [sys.executable, "-m", "tests.stress.faults", "--errors", "ENOSPC", "EIO", "--step", "41"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 violations" in done.stdout
    counts = {line.split()[0]: int(line.split()[1]) for line in done.stdout.splitlines()[:-1]}
    assert set(counts) == set(faults.CALLS)
    assert all(counts.values())


@pytest.mark.parametrize("lacks", ["platform", "call", "file system"])
def test_where_directories_cannot_be_exchanged(lp, tmp_path, monkeypatch, lacks):
    out = lp.write_parquet(tmp_path / "out")
    new = lp.filter(response_key=lp.responses["response_key"][0].as_py())
    if lacks == "platform":
        monkeypatch.setattr("sys.platform", "freebsd14")
    elif lacks == "call":
        monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: object())
    else:
        monkeypatch.setattr("ctypes.get_errno", lambda: errno.ENOTSUP)
        monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: Mock(**{"renameat2.return_value": -1}))
    with pytest.warns(toolkit.ToolkitWarning, match="replaced in two steps"):
        new.write_parquet(out, overwrite=True)
    assert toolkit.read_parquet(out).equals(new)
    assert contents(tmp_path) == ["out"]
