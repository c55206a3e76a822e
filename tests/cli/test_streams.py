"""Streams that cannot be written, narrow terminals, and the exit code of every command."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tests.conftest import ROOT
from toolkit.cli.entry import main

DATA = str(ROOT / "data" / "capitals_batch.jsonl")
LABELS = str(ROOT / "data" / "capitals_labels.csv")
PRINTS = {
    "read": ["read", DATA],
    "check": ["check", DATA, "--json"],
    "show": ["show", DATA],
    "schema": ["schema", "check"],
    "help": ["read", "--help"],
    "version": ["--version"],
}
COMMANDS = {
    "answers": [],
    "calibrate": ["--labels", LABELS],
    "check": [],
    "compare": [DATA],
    "evaluate": ["--labels", LABELS],
    "export": ["-o", "answers", "--overwrite"],
    "fields": [],
    "labels": ["--label", "Paris"],
    "plot": ["-o", "picture.png"],
    "read": [],
    "report": [],
    "browse": [],
    "show": [],
    "summary": [],
    "tokens": [],
    "usage": [],
}


TABLES = ("answers", "check", "compare", "evaluate", "fields", "labels", "read", "tokens", "usage")


def test_every_command_that_reads_is_listed():
    assert set(COMMANDS) == set(main.commands) - {"schema"}


def run(arguments, redirection, cwd):
    """Run a command with a redirection of the shell; return its exit code, output and errors."""
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", sys.executable, "-m", "toolkit", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", PRINTS)
def test_an_output_that_cannot_be_written_is_one_line(name, tmp_path):
    code, _, errors = run(PRINTS[name], ">/dev/full", tmp_path)
    assert (code, errors) == (
        1,
        "error: standard output cannot be written: No space left on device\n",
    )
    code, _, errors = run(PRINTS[name], ">&-", tmp_path)
    assert code == 1
    assert errors == ("error: standard output is closed: expected a file, a pipe or a terminal\n")


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "<&-"])
def test_the_exit_code_remains_if_no_error_can_be_printed(redirection, tmp_path):
    (tmp_path / "junk.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "mixed.jsonl").write_text('{"choices": [{"message": {"content": "a"}}]}\n{"a"\n')
    for arguments, expected in {
        ("read", "mixed.jsonl"): 0,  # with a warning
        ("read", "junk.jsonl"): 1,
        ("read", "nowhere.jsonl"): 2,
        ("read", "--nonsense"): 2,
        ("nonsense",): 2,
    }.items():
        assert run(arguments, redirection, tmp_path)[0] == expected, arguments
    assert run(PRINTS["read"], redirection, tmp_path)[1].count("\n") == 100


def test_closed_standard_input_is_no_source(tmp_path):
    code, _, errors = run(["read", "-"], "<&-", tmp_path)
    assert code == 2
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("columns", [1, 14, 24, 40])
@pytest.mark.parametrize("name", COMMANDS)
def test_any_width_of_the_terminal_will_do(name, columns, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(columns))
    text = ["--text"] if name in TABLES else []
    done = CliRunner().invoke(main, [name, DATA, *COMMANDS[name], *text])
    assert done.exit_code == 0, (done.stderr, done.exception)


@pytest.mark.parametrize("name", COMMANDS)
def test_exit_codes_of_every_command(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "junk.jsonl").write_text('{"a": 1}\n')
    for source, expected in {DATA: 0, "junk.jsonl": 1, "nowhere.jsonl": 2, "no*.jsonl": 2}.items():
        done = CliRunner().invoke(main, [name, source, *COMMANDS[name], "-q"])
        assert done.exit_code == expected, (source, done.stderr, done.exception)
        assert done.stderr.count("\n") == (expected > 0), done.stderr
    assert CliRunner().invoke(main, [name, DATA, "--nonsense"]).exit_code == 2


def test_findings_can_be_ignored():
    sample = str(ROOT / "data" / "malformed.jsonl")
    strictly = ["check", sample, "--json", "-q", "--fail-on", "warning"]
    done = CliRunner().invoke(main, strictly)
    assert done.exit_code == 1
    codes = {line.split('"code": "')[1].split('"')[0] for line in done.stdout.splitlines()}
    ignore = [part for code in codes for part in ("--ignore", code)]
    done = CliRunner().invoke(main, [*strictly, *ignore])
    assert (done.exit_code, done.stdout) == (0, "")
    done = CliRunner().invoke(main, ["check", sample, "--ignore", "nonsense"])
    assert done.exit_code == 2
    assert "ignore='nonsense': expected one of '" in done.stderr
