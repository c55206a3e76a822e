"""What the command line says of records that it cannot read, and what can be typed then."""

import json
import re
import shlex

import pytest
from click.testing import CliRunner

from toolkit.cli.entry import main

ROWS = [{"out": text, "steps": [{"tok": text, "lp": -0.5}], "q": i} for i, text in enumerate("ab")]


@pytest.fixture
def own(tmp_path):
    """A file in a format that nobody knows."""
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return str(path)


def run(*arguments):
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize("command", ["summary", "read", "tokens", "show"])
def test_the_commonest_reject_says_what_to_pass(own, command):
    done = run(command, own)
    assert done.exit_code == 1
    assert f"2 records were rejected (2 unknown_format); {own}:1: expected a known" in done.stderr
    [options] = re.findall(r"pass (--shape .*)", done.stderr)
    again = run("read", own, *shlex.split(options), "--keep", "q", "--id", "q", "--json")
    assert again.exit_code == 0
    rows = [json.loads(line) for line in again.stdout.splitlines()]
    assert [(row["custom_id"], row["kept"]) for row in rows] == [("0", '{"q":0}'), ("1", '{"q":1}')]


def test_rejects_and_ledger_are_printed_if_all_records_were_rejected(own):
    for table, n in (("rejects", 2), ("ledger", 1)):
        done = run("read", own, "--table", table, "--json")
        assert done.exit_code == 1
        assert len(done.stdout.splitlines()) == n


def test_a_missing_file_among_others_is_named(own, tmp_path):
    good = tmp_path / "good.jsonl"
    good.write_text('{"choices": [{"message": {"content": "a"}}]}\n')
    done = run("read", str(good), str(tmp_path / "nowhere.jsonl"))
    assert done.exit_code == 0
    assert "nowhere.jsonl: no such file" in done.stderr


def test_a_part_that_a_shape_does_not_have(own):
    done = run("read", own, "--shape", "token=steps[].tok")
    assert done.exit_code == 2
    assert "--shape 'token': expected PART=PATH with one of tokens, logprobs" in done.stderr
