"""A bar on stderr shows how far a call has come: in terminals and notebooks, and nowhere else."""

import os
import re
import subprocess
import sys
import types

import pytest

import toolkit
from tests.conftest import ROOT
from toolkit import progress
from toolkit.cli.entry import main
from toolkit.progress import no_progress, progress_bar


@pytest.fixture
def terminal(monkeypatch):
    """Show bars at once, as if stderr were a terminal on which half a second has passed."""
    monkeypatch.setattr(progress, "_in_terminal", lambda: True)
    monkeypatch.setattr(progress, "_DELAY", 0.0)


def shown(capsys):
    """Return the names of the bars that were shown, and whether each had percent."""
    found = re.findall(r"([a-z ]+): ?( *\d+%)?", capsys.readouterr().err)
    return {name.strip(): bool(percent) for name, percent in found}


def test_nothing_is_shown_where_nobody_looks(tmp_path, data, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_DELAY", 0.0)
    lp = toolkit.read(data / "capitals_batch.jsonl")
    toolkit.token_metrics(lp)
    toolkit.report(lp, tmp_path / "report.html")
    toolkit.export(data / "capitals_batch.jsonl", tmp_path / "out")
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("terminal")
def test_long_calls_show_percent(tmp_path, data, capsys):
    lp = toolkit.read(data / "stories_k10.jsonl.gz")
    assert shown(capsys) == {"reading": True}
    for metric in (toolkit.token_metrics, toolkit.sequence_metrics, toolkit.confidence_metrics):
        metric(lp)
        assert shown(capsys) == {"measuring": True}, metric
    toolkit.check(lp)
    assert shown(capsys)["measuring"]
    toolkit.report(lp, tmp_path / "report.html")
    assert shown(capsys)["writing the report"]
    toolkit.compare(lp, lp, on="position")
    assert shown(capsys) == {"comparing": True}
    dataset = toolkit.open_dataset(lp.write_parquet(tmp_path / "answers"))
    for measure in (dataset.corpus_metrics, dataset.usage, dataset.token_histogram, dataset.check):
        capsys.readouterr()
        measure()
        assert shown(capsys) == {"measuring": True}, measure


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("workers", [None, 1])
def test_an_export_shows_percent_from_its_start(workers, tmp_path, data, capsys):
    big = tmp_path / "big.jsonl"
    big.write_bytes((data / "capitals_batch.jsonl").read_bytes() * 10)
    toolkit.export(
        [big, data / "stories_k10.jsonl.gz"],
        tmp_path / "out",
        workers=workers,
        shard_bytes=1 << 20,
    )
    err = capsys.readouterr().err
    assert re.search(r"exporting: +0%", err)
    assert "counting records" in err
    read = [int(percent) for percent in re.findall(r"exporting: +(\d+)%", err)]
    assert read == sorted(read)
    assert max(read) <= 100


@pytest.mark.usefixtures("terminal")
def test_one_bar_at_a_time(data, capsys):
    with progress_bar("outer", lambda: 4) as advance:
        toolkit.token_metrics(toolkit.read(data / "capitals_batch.jsonl"))
        advance(4)
    assert shown(capsys) == {"outer": True}
    toolkit.read(data / "capitals_batch.jsonl")
    assert shown(capsys) == {"reading": True}
    with no_progress(), no_progress():
        toolkit.read(data / "capitals_batch.jsonl")
    toolkit.read(data / "capitals_batch.jsonl", progress=False)
    assert shown(capsys) == {}


@pytest.mark.usefixtures("terminal")
def test_a_bar_ends_with_an_error(capsys):
    with pytest.raises(ZeroDivisionError), progress_bar("failing", lambda: None):
        raise ZeroDivisionError
    with progress_bar("later", lambda: 1):
        pass
    assert shown(capsys) == {"failing": False, "later": True}


@pytest.mark.usefixtures("terminal")
def test_quiet_hides_every_bar(data, capsys):
    command = ["summary", str(data / "capitals_batch.jsonl")]
    for args in (["-q", *command], [*command, "-q"], ["-q", *command, "-q"]):
        main.main(args, standalone_mode=False)
        assert shown(capsys) == {}
    main.main(command, standalone_mode=False)
    assert shown(capsys) == {"reading": True, "measuring": True}


def test_short_calls_show_nothing_in_a_terminal(data, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_in_terminal", lambda: True)
    monkeypatch.setattr(progress, "_DELAY", 3600)
    toolkit.token_metrics(toolkit.read(data / "capitals_batch.jsonl"))
    assert shown(capsys) == {}


def test_a_notebook_is_recognised(capsys, monkeypatch):
    ipython = types.ModuleType("IPython")
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setattr(progress, "_DELAY", 0.0)
    for shell, is_seen in ((None, False), (object(), False), (_Kernel(), True)):
        ipython.get_ipython = lambda shell=shell: shell
        with progress_bar("in a notebook", lambda: 1) as advance:
            advance(1)
        assert bool(shown(capsys)) is is_seen, shell


class _Kernel:
    kernel = object()


CALL = """
import sys, toolkit
from toolkit import progress
progress._DELAY = 0.0
toolkit.read(sys.argv[1])
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no pseudo-terminals in Python")
@pytest.mark.parametrize("hidden", [False, True])
def test_a_real_terminal_sees_percent(hidden, data):
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    environment = os.environ | ({"TQDM_DISABLE": "1"} if hidden else {})
    with subprocess.Popen(
        [sys.executable, "-c", CALL, data / "stories_k10.jsonl.gz"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        seen = b""
        try:
            while more := os.read(ours, 1 << 16):
                seen += more
        except OSError:  # how Linux says that the other side is closed
            pass
        assert process.stdout.read() == b""
    os.close(ours)
    assert process.returncode == 0
    assert (b"reading" in seen and b"%" in seen) is not hidden, seen
