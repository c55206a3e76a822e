"""Append whole lines to a file to which others append too."""

import errno
import os
import stat
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from toolkit.loaders import line_file
from toolkit.loaders.line_file import LineFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log"


@pytest.mark.parametrize(
    ("before", "after"), [(None, b"a\n"), (b"", b"a\n"), (b"x\n", b"x\na\n"), (b"x", b"x\na\n")]
)
def test_a_line_begins_on_a_line_of_its_own(before, after, path):
    if before is not None:
        path.write_bytes(before)
    LineFile(str(path)).append(b"a")
    assert path.read_bytes() == after


def test_a_write_that_takes_only_a_part_is_continued(path, monkeypatch):
    monkeypatch.setattr(os, "write", lambda file, data, _write=os.write: _write(file, data[:7]))
    for line in (b"a" * 50, b"", b"b" * 50):
        LineFile(str(path)).append(line)
    assert path.read_bytes() == b"a" * 50 + b"\n\n" + b"b" * 50 + b"\n"


def test_parts_of_lines_of_several_threads_do_not_mix(path, monkeypatch):
    def slow(file, data, _write=os.write):
        time.sleep(0.001)
        return _write(file, data[:2])

    pytest.importorskip("fcntl")
    monkeypatch.setattr(os, "write", slow)
    lines = [bytes([letter]) * 9 for letter in b"abcd"] * 5
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(LineFile(str(path)).append, lines))
    assert sorted(path.read_bytes().splitlines()) == sorted(lines)


def test_a_file_that_another_program_keeps_locked_is_written_to(path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(line_file, "_PATIENCE", 0.05)
    file = LineFile(str(path))
    with path.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        file.append(b"a")
        monkeypatch.setattr(line_file, "_PATIENCE", 600)  # it waits only once
        file.append(b"b")
    assert path.read_bytes() == b"a\nb\n"


def test_without_locks_a_line_is_one_write(path, monkeypatch):
    def refuse(_):
        raise OSError(errno.ENOSYS, "not implemented")  # a file system that has none

    monkeypatch.setattr(line_file, "try_lock", refuse)
    written = []
    monkeypatch.setattr(os, "write", lambda _, data: written.append(bytes(data)) or len(data))
    path.write_bytes(b"cut")
    LineFile(str(path)).append(b"a" * 100_000)
    assert written == [b"\n" + b"a" * 100_000 + b"\n"]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_a_file_that_may_be_written_only(path, monkeypatch):
    def strict(name, flags, *more, _open=os.open):  # root may read all
        if flags & os.O_RDWR:
            raise PermissionError
        return _open(name, flags, *more)

    path.write_bytes(b"x\n")
    monkeypatch.setattr(os, "open", strict)
    LineFile(str(path)).append(b"a")
    assert path.read_bytes() == b"x\na\n"
    assert stat.S_ISREG(path.stat().st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="needs a device")
def test_a_device_is_written_to():
    LineFile("/dev/null").append(b"a")
