"""``logprobs answers``: rows of `toolkit.answers`, and a table that fits the terminal."""

import json
import random

import pytest

import toolkit
from tests.cli.test_commands import body, is_plain, objects, run, write  # noqa: F401
from tests.view.test_hostile import ODD


def test_rows_are_those_of_the_library(data):
    lp = toolkit.read(data / "arithmetic_n5.jsonl")
    options = ["--sort", "perplexity", "--where", "n_tokens>1", "--where", "choice=2"]
    found = objects(run("answers", data / "arithmetic_n5.jsonl", *options))
    expected = toolkit.answers(lp, sort="perplexity", where=["n_tokens>1", "choice=2"])
    assert [list(row) for row in found] == [list(expected.columns)] * len(expected)
    for name in ("response_key", "text", "perplexity", "weakest_token", "weakest_position"):
        assert [row[name] for row in found] == expected[name].tolist(), name
    assert len(found) > 10


def test_the_order_can_be_given(data):
    path = data / "capitals_batch.jsonl"
    worst, best = (
        objects(run("answers", path, "--sort", "perplexity", flag, "--limit", 3))
        for flag in ("--descending", "--ascending")
    )
    assert worst[0]["perplexity"] > worst[2]["perplexity"] > best[2]["perplexity"]
    assert worst == objects(run("answers", path, "--sort", "perplexity", "--limit", 3))
    assert "expected one of" in run("answers", path, "--sort", "certainty", status=2).stderr
    assert "expected a column" in run("answers", path, "--where", "model", status=2).stderr


def test_a_readable_table_has_no_column_that_says_nothing(write):  # noqa: F811
    path = write(body(["one"], id="a"), body(["two"], id="b", custom_id="own"))
    head = run("answers", path, "--text").stdout.splitlines()[:2]
    words = " ".join(head).split()
    assert not {"model", "choice", "channel", "finish"} & set(words)
    assert "text" in words
    both = write(body(["one"], model="m"), body(["two"], model="n"))
    assert "model" in run("answers", both, "--text").stdout.split()
    none = run("answers", path, "--text", "--where", "n_tokens>5").stdout
    assert none.splitlines()[-1] == "  no rows"
    assert "n tokens" in none


def test_kept_columns_are_printed(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [{"prompt": f"Question {i}?", "answer": body(["one"])} for i in range(2)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = objects(run("answers", path, "--keep", "prompt"))
    assert [row["prompt"] for row in found] == ["Question 0?", "Question 1?"]
    assert "Question 1?" in run("answers", path, "--keep", "prompt", "--text").stdout
    query = "select prompt from answers where line = 2"
    assert objects(run("answers", path, "--keep", "prompt", "--sql", query)) == [
        {"prompt": "Question 1?"}
    ]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_ids_that_differ_at_their_end_differ_in_the_table(write, columns):  # noqa: F811
    bodies = (body([f" answer {i}"] * 9, id=f"chatcmpl-{'x' * 40}-{i:02}") for i in range(20))
    path = write(*bodies)
    for command in (["answers", "--sort", "text"], ["read"]):
        lines = run(command[0], path, *command[1:], "--text", env={"COLUMNS": str(columns)}).stdout
        rows = [line for line in lines.splitlines() if "chatcmp" in line]
        assert len({line.split()[1] for line in rows}) == 20, lines
        assert max(map(len, lines.splitlines())) <= columns


def test_columns_that_do_not_fit_are_named(write):  # noqa: F811
    path = write(body(["a"], id="r" * 30, model="m" * 30, usage={"prompt_tokens": 1}))
    narrow = run("read", path, "--text", env={"COLUMNS": "40"}).stdout
    assert "more columns; --columns prints them: " in narrow.replace("\n    ", " ")
    assert "prompt_tokens" in narrow
    wide = run("read", path, "--text", env={"COLUMNS": "200"}).stdout
    assert "more column" not in wide
    asked = run("read", path, "--text", "--columns", "response_id,model,source,kind")
    assert "more column" not in asked.stdout


def test_hostile_answers_reach_no_terminal(write):  # noqa: F811
    odd = ["\x1b[2J", "\u202eevil", "a\r\nb", "\0", "=1+1"]
    path = write(*(body([text], id=text, model=text, custom_id=text) for text in odd))
    result = run("answers", path, "--text", "--sort", "model")
    assert is_plain(result.stdout)
    found = objects(run("answers", path))
    assert [row["text"] for row in found] == odd
    assert [row["weakest_token"] for row in found] == odd
    assert is_plain(run("answers", path).stdout)
    assert json.loads(run("answers", path, "--where", "text===1+1").stdout)["text"] == "=1+1"


@pytest.mark.slow
def test_the_hostile_corpus_reaches_no_terminal_and_stays_exact(write):  # noqa: F811
    rng = random.Random(11)

    def text():
        made = "".join(rng.choices(ODD, k=rng.randint(1, 6)))
        return made.encode("utf-8", "replace").decode()  # half a surrogate pair has no bytes

    path = write(
        *(body([text(), text()], id=text(), model=text(), custom_id=text()) for _ in range(500))
    )
    lp = toolkit.read(path)
    expected = toolkit.answers(lp)
    names = ["text", "custom_id", "model", "response_id", "weakest_token", "finish_reason"]
    found = objects(run("answers", path))
    asked = objects(run("answers", path, "--sql", f"select {','.join(names)} from answers"))
    for name in names:
        values = expected[name].astype(object).where(expected[name].notna(), None).tolist()
        assert [row[name] for row in found] == values
        assert [row[name] for row in asked] == values
    for options in (
        ["--limit", "0"],
        ["--limit", "0", "--sql", "select * from answers"],
        ["--limit", "0", "--sql", "select text, count(*) from answers group by text"],
        ["--sql", "pivot answers on weakest_token using count(*) group by choice"],
        ["--sort", "text", "--where", "model>a"],
    ):
        for columns in (24, 80):
            shown = run("answers", path, "--text", *options, env={"COLUMNS": str(columns)}).stdout
            assert is_plain(shown.replace("\u200c", "").replace("\u200d", ""))
            assert len(shown.splitlines()) >= 2
