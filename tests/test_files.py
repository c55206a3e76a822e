"""A file is written whole or not at all."""

import errno
import os
import stat
import threading
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

import toolkit
from tests.conftest import ROOT
from tests.stress.exports import contents
from toolkit.cli.entry import main
from toolkit.errors import ExportError
from toolkit.files import write_file

OLD, NEW = b"old" * 100, b"new" * 100_000


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "page.html"
    assert write_file(path, "é") == path
    assert path.read_bytes() == "é".encode()
    assert write_file(os.fspath(path), NEW) == path
    assert path.read_bytes() == NEW
    assert contents(tmp_path) == ["page.html"]


def test_a_name_of_the_greatest_length(tmp_path):
    path = tmp_path / ("n" * os.pathconf(tmp_path, "PC_NAME_MAX"))
    assert write_file(path, NEW).read_bytes() == NEW


def test_permissions_are_those_that_writing_gives(tmp_path):
    (tmp_path / "usual").touch()
    path = write_file(tmp_path / "page", OLD)
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode
    path.chmod(0o640)
    assert stat.S_IMODE(write_file(path, NEW).stat().st_mode) == 0o640


def test_a_file_that_is_read_only_is_not_replaced(tmp_path, monkeypatch):
    path = write_file(tmp_path / "page", OLD)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everything
    with pytest.raises(ExportError, match="read-only"):
        write_file(path, NEW)
    assert path.read_bytes() == OLD


def test_a_link_is_followed(tmp_path):
    (tmp_path / "there").mkdir()
    real, link = tmp_path / "there" / "real", tmp_path / "link"
    link.symlink_to(real)
    write_file(link, NEW)
    assert link.is_symlink()
    assert real.read_bytes() == NEW


def test_a_pipe_is_written_to(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    thread = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    thread.start()
    write_file(pipe, NEW)
    thread.join(10)
    assert read == [NEW]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", [".", "missing/page", "nul\0", "file/page"])
def test_a_place_that_cannot_be_written(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match=r"cannot be written: \w+ \w+"):
        write_file(tmp_path / name, NEW)
    assert contents(tmp_path) == ["file"]


@pytest.fixture(scope="module")
def lp():
    return toolkit.read(ROOT / "data" / "pairs_whole.jsonl")


def command(*arguments):
    result = CliRunner().invoke(main, [os.fspath(argument) for argument in arguments])
    if result.exit_code:
        raise ExportError(result.output)


def writers(lp, samples, fault):
    functions = {
        "write_file": lambda path: write_file(path, NEW),
        "report": lambda path: toolkit.report(lp, path),
        "save": lambda path: toolkit.show(lp).save(path),
    }
    source = samples / "pairs_whole.jsonl"
    commands = {
        "logprobs report": lambda path: command("report", source, "-o", path),
        "logprobs show": lambda path: command("show", source, "-o", path),
        "logprobs plot": lambda path: command("plot", source, "-o", path),
    }
    return functions | (commands if fault == "write" else {})


@pytest.mark.parametrize("fault", ["write", "fsync", "replace", "interrupt"])
@pytest.mark.parametrize("is_there", [False, True], ids=["new", "over"])
def test_the_old_file_survives_a_full_disk(lp, samples, tmp_path, fault, is_there):
    """Every function and command that writes a file for its user."""
    for name, write in writers(lp, samples, fault).items():
        folder = tmp_path / name
        folder.mkdir()
        path = folder / "page.png"
        if is_there:
            path.write_bytes(OLD)
        with broken(fault) as expected, pytest.raises(expected):
            write(path)
        assert contents(folder) == (["page.png"] if is_there else []), name
        assert not is_there or path.read_bytes() == OLD, name
        write(path)
        assert path.read_bytes() != OLD
        assert contents(folder) == ["page.png"]


@contextmanager
def broken(fault):
    """Let a call fail while files are written; provide the errors that may come."""
    if fault == "write":  # the system refuses more than so many bytes of a file
        resource = pytest.importorskip("resource")
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
        try:
            yield ExportError
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        return

    def fails(*_):
        raise KeyboardInterrupt if fault == "interrupt" else OSError(errno.ENOSPC, "full")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync" if fault == "interrupt" else fault, fails)
        # A command ends with its exit code.
        yield (KeyboardInterrupt, ExportError) if fault == "interrupt" else ExportError
