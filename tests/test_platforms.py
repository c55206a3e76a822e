"""What Windows, macOS and odd file systems lack, and what the toolkit does instead."""

import ctypes
import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import toolkit
from tests.conftest import ROOT
from tests.stress.exports import contents

fcntl = pytest.importorskip("fcntl", reason="the workflow runs the tests on Windows itself")
linux = pytest.mark.skipif(sys.platform != "linux", reason="imitates other systems with Linux")


@pytest.fixture(scope="module")
def lp():
    return toolkit.read(ROOT / "data" / "pairs_whole.jsonl")


@linux
def test_a_tour_without_what_windows_lacks(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.windows", tmp_path],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["busy", "log.jsonl", "out", "report.html"]
    assert contents(tmp_path) == done.stdout.split()


@linux
def test_macos_exchanges_directories_and_flushes_the_disk(lp, tmp_path, monkeypatch):
    exchange = ctypes.CDLL(None, use_errno=True).renameat2
    flushed = []
    library = SimpleNamespace(
        renamex_np=lambda one, other, flag: exchange(-100, one, -100, other, flag)
    )

    def control(handle, command):
        flushed.append(os.readlink(f"/proc/self/fd/{handle}"))
        assert command == "F_FULLFSYNC"

    out = lp.write_parquet(tmp_path / "out")
    new = lp.filter(response_key=lp.responses["response_key"][0].as_py())
    with monkeypatch.context() as patch:
        patch.setattr("ctypes.CDLL", lambda *_, **__: library)
        patch.setattr(fcntl, "F_FULLFSYNC", "F_FULLFSYNC", raising=False)
        patch.setattr(fcntl, "fcntl", control)
        patch.setattr("sys.platform", "darwin")
        new.write_parquet(out, overwrite=True)  # without a warning
    assert toolkit.read_parquet(out).equals(new)
    assert flushed[-1] == os.fspath(tmp_path)


def test_a_file_system_without_locks_is_refused(lp, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(toolkit.errors.ExportError, match="no locks .*write to a local disk"):
        lp.write_parquet(tmp_path / "out")
    assert contents(tmp_path) == []


def test_no_module_needs_another_system():
    """Modules of one system are imported where the system is known."""
    found = {
        path.name
        for path in Path(toolkit.__file__).parent.rglob("*.py")
        if any(
            f"import {name}\n" in path.read_text()
            for name in ("fcntl", "msvcrt", "resource", "pwd")
        )
    }
    assert found == {"files.py"}
