"""The command line: what it prints equals the library, and what it prints is safe."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import unicodedata
import warnings
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from click.testing import CliRunner

import toolkit
from toolkit.cli import plots, show
from toolkit.cli.entry import main

LOGPROBS = [sys.executable, "-m", "toolkit"]
HOSTILE = [
    "\x1b[2J\x1b[31mred",  # clears the screen
    "\x9b31m",  # the same in one C1 character
    "\u202eevil\u2066",  # turns the line around
    "nul\0byte",
    "a\r\nb",
    "\u200bzero\ufeff",
    "\u2028line",
    "\U000e0041tag",
]
FORMULAS = [
    "=1+1",
    "+",
    "-",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\n=1",
    "\n",
    " =1",
    "\x0b-1",
    "\ufeff+1",
    "\xa0@x",
    "'quoted",
    "＝1",
]


def body(tokens, *, logprob=-0.5, **fields):
    """Return a completion whose tokens have one rival each."""
    rival = {"token": "rival", "logprob": -3.0, "bytes": list(b"rival")}
    entries = [
        {
            "token": token,
            "logprob": logprob,
            "bytes": list(token.encode()),
            "top_logprobs": [
                {"token": token, "logprob": logprob, "bytes": list(token.encode())},
                rival,
            ],
        }
        for token in tokens
    ]
    message = {"role": "assistant", "content": "".join(tokens)}
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": "stop",
        "logprobs": {"content": entries},
    }
    return {"object": "chat.completion", "id": "r", "model": "m", "choices": [choice]} | fields


def run(*args, status=0, **kwargs):
    """Run a command in this process and check its exit code."""
    result = CliRunner().invoke(main, [str(arg) for arg in args], **kwargs)
    assert result.exit_code == status, (args, result.stdout, result.stderr, result.exception)
    return result


def read_quietly(*sources):
    with warnings.catch_warnings(action="ignore"):
        return toolkit.read([str(source) for source in sources])


def objects(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def no_constants(name):
    raise AssertionError(f"{name} is not JSON")


def is_plain(text):
    return not any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") for c in text if c != "\n")


@pytest.fixture
def write(tmp_path):
    """Write bodies as JSON lines; returns the path."""

    def _write(*bodies, name="answers.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(each) + "\n" for each in bodies))
        return path

    return _write


@pytest.fixture
def two(write):
    return write(
        body(["Hi", " there"], id="a", usage={"prompt_tokens": 5, "completion_tokens": 2}),
        body(["No"], id="b", model="other", logprob=-2.5, created=1700000000),
    )


# read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [*(t.name for t in toolkit.schema.TABLES), "ledger"])
def test_read_json_is_the_table(data, table):
    result = run("read", data, "--table", table, "--json")
    lp = read_quietly(data)
    expected = lp[table].to_pylist()
    found = objects(result)
    assert len(found) == len(expected) > 0
    assert all(list(row) == lp[table].column_names for row in found)
    for name in lp[table].column_names:
        kind = lp[table].schema.field(name).type
        for ours, theirs in zip(found, expected, strict=True):
            value = theirs[name]
            if isinstance(value, bytes):
                value = list(value)
            elif pa.types.is_timestamp(kind) and value is not None:
                value = value.isoformat()
            assert ours[name] == value


@pytest.mark.parametrize("table", [*(t.name for t in toolkit.schema.TABLES), "ledger"])
def test_every_table_can_be_read(data, table):
    lines = run("read", data, "--table", table, "--text", "--limit", 3).stdout.splitlines()
    assert lines[-1].startswith("  … ")
    assert 5 <= len(lines) <= 8
    assert max(map(len, lines)) <= 100


def test_a_pipe_gets_json_lines_unless_another_form_is_requested(two):
    plain = run("read", two)
    assert plain.stdout == run("read", two, "--json").stdout
    assert [row["response_id"] for row in objects(plain)] == ["a", "b"]
    text = run("read", two, "--text").stdout
    assert [line.split()[:2] for line in text.splitlines()[-2:]] == [["0", "a"], ["1", "b"]]


def test_csv_parses_and_keeps_numbers(two):
    result = run("read", two, "--table", "tokens", "--csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [float(row["logprob"]) for row in rows] == [-0.5, -0.5, -2.5]
    assert [row["token"] for row in rows] == ["Hi", " there", "No"]
    assert json.loads(rows[0]["bytes"]) == list(b"Hi")
    assert rows[0]["chunk"] == ""
    created = [
        row["created"] for row in csv.DictReader(io.StringIO(run("read", two, "--csv").stdout))
    ]
    assert created == ["", "2023-11-14T22:13:20+00:00"]


def test_limit_and_columns(two):
    result = run("read", two, "--table", "tokens", "--columns", "token, logprob", "--limit", 2)
    assert objects(result) == [
        {"token": "Hi", "logprob": -0.5},
        {"token": " there", "logprob": -0.5},
    ]
    assert len(objects(run("read", two, "--table", "tokens", "--limit", 0))) == 3
    text = run("read", two, "--columns", "error,model", "--text").stdout
    assert [line.split() for line in text.splitlines()] == [
        ["error", "model"],
        ["–", "m"],
        ["–", "other"],
    ]


def test_a_readable_table_says_what_it_leaves_out(write):
    path = write(body(["x"] * 50))
    text = run("read", path, "--table", "tokens", "--text").stdout
    assert "… 10 more rows; --limit 0 shows all" in text
    every = run("read", path, "--table", "tokens", "--text", "--limit", 0).stdout
    assert "more rows" not in every
    assert len(every.splitlines()) >= 51


def test_json_has_no_nan_and_no_infinity(write):
    path = write(body(["a"], logprob="-Infinity"), body(["b"], logprob=None))
    for command in (["read", path, "--table", "tokens"], ["tokens", path], ["summary", path]):
        text = run(*command, "--json").stdout
        for document in [text] if command[0] == "summary" else text.splitlines():
            json.loads(document, parse_constant=no_constants)
    rows = objects(run("read", path, "--table", "tokens", "--json"))
    assert [row["logprob"] for row in rows] == ["-Infinity", None]
    cells = list(csv.DictReader(io.StringIO(run("tokens", path, "--csv").stdout)))
    assert [row["logprob"] for row in cells] == ["-inf", ""]


# summary ----------------------------------------------------------------------------------------


def test_summary_numbers_are_the_librarys(samples):
    lp = read_quietly(samples)
    doc = json.loads(run("summary", samples, "--json", "--by", "model").stdout)
    assert doc["tables"] == {
        name: lp[name].num_rows for name in ("responses", "choices", "tokens", "alternatives")
    }
    assert doc["records"]["records"] == sum(lp.ledger["records"].to_pylist())
    pooled = toolkit.corpus_metrics(lp).iloc[0]
    (confidence,) = doc["confidence"]
    for name in ("perplexity", "mean_entropy_lower", "off_top1_rate", "n_ok", "bits_per_byte"):
        assert confidence[name] == pooled[name]
    used = toolkit.usage(lp).iloc[0]
    for name in ("prompt_tokens", "completion_tokens", "p95_total_tokens", "logprob_coverage"):
        assert doc["usage"][name] == used[name]
    assert doc["usage"]["finish_reasons"] == used["finish_reasons"] == doc["finish_reasons"]
    (group,) = doc["groups"]
    assert group["model"] == "gemma-3-270m"
    assert group["confidence"]["perplexity"] == pooled["perplexity"]
    assert sum(doc["probabilities"]["counts"]) == pooled["n_ok"]


def test_summary_names_the_least_certain_answers(samples):
    lp = read_quietly(samples)
    sequences = toolkit.sequence_metrics(lp)
    doc = json.loads(run("summary", samples, "--json").stdout)
    worst = doc["least_certain"]
    assert [answer["perplexity"] for answer in worst] == (
        sorted(sequences["perplexity"], reverse=True)[:5]
    )
    for answer in worst:
        key = lp.responses["response_key"][answer["row"]].as_py()
        tokens = lp.filter(response_key=key, choice=answer["choice"]).tokens.to_pylist()
        weakest = min(tokens, key=lambda token: token["logprob"])
        assert answer["weakest_token"] == weakest["token"]
        assert answer["weakest_position"] == weakest["position"]


def test_summary_fits_the_page(data):
    text = run("summary", data).stdout
    lines = text.splitlines()
    assert len(lines) <= 55
    assert max(map(len, lines)) <= 100
    assert "6 records (0.3 %)" in text
    assert "data/malformed.jsonl:2" in text
    assert "\x1b" not in text
    for line in run("summary", data, env={"COLUMNS": "80"}).stdout.splitlines():
        assert len(line) <= 80


def test_summary_of_answers_without_logprobs(write):
    path = write({"choices": [{"message": {"content": "Hi"}}]})
    result = run("summary", path)
    assert "in 0 of 1 response" in result.stdout
    assert "perplexity" not in result.stdout
    assert result.stderr.startswith("warning: no response has logprobs")


def test_summary_groups(two):
    doc = json.loads(run("summary", two, "--by", "model", "--json").stdout)
    assert [group["model"] for group in doc["groups"]] == ["m", "other"]
    assert [group["confidence"]["n_ok"] for group in doc["groups"]] == [2, 1]
    lines = run("summary", two, "--by", "model").stdout.splitlines()
    assert sum(line.startswith(("  m ", "  other ")) for line in lines) == 2


def test_a_vocabulary_bounds_the_entropy(two):
    (open_,) = json.loads(run("summary", two, "--json").stdout)["confidence"]
    closed = json.loads(run("summary", two, "--json", "--vocab-size", 1000).stdout)
    (closed,) = closed["confidence"]
    assert open_["mean_entropy_upper"] is None
    assert closed["mean_entropy_upper"] > closed["mean_entropy_lower"]
    assert "≥" in run("summary", two).stdout
    assert "≥" not in run("summary", two, "--vocab-size", 1000).stdout


# tokens -----------------------------------------------------------------------------------------


def test_tokens_are_the_token_metrics(samples):
    path = samples / "capitals_batch.jsonl"
    lp = read_quietly(path)
    metrics = toolkit.token_metrics(lp)
    found = objects(run("tokens", path, "--json"))
    assert list(found[0]) == list(metrics.columns)
    assert [row["surprisal"] for row in found] == metrics["surprisal"].tolist()
    one = objects(run("tokens", path, "--response", "capital-007", "--json"))
    key = lp.responses["response_key"][7].as_py()
    assert one == [row for row in found if row["response_key"] == key]
    assert one == objects(run("tokens", path, "--response", 7, "--json"))


def test_tokens_of_one_choice_and_channel(write):
    refusal = body(["No"])
    refusal["choices"][0]["logprobs"]["refusal"] = refusal["choices"][0]["logprobs"]["content"]
    second = dict(body(["second"])["choices"][0], index=1)
    path = write({**refusal, "choices": [*refusal["choices"], second]})
    assert len(objects(run("tokens", path))) == 3
    (only,) = objects(run("tokens", path, "--choice", 1))
    assert only["token"] == "second"
    (only,) = objects(run("tokens", path, "--channel", "refusal"))
    assert (only["choice"], only["channel"]) == (0, "refusal")


def test_an_id_may_be_a_number(write):
    path = write(body(["first"], id="1"), body(["second"], id="0"))
    assert objects(run("tokens", path, "--response", 0))[0]["token"] == "first"
    assert objects(run("tokens", path, "--response", "id:0"))[0]["token"] == "second"
    assert objects(run("tokens", path, "--response", -1))[0]["token"] == "second"


def test_tokens_for_reading(write):
    pieces = body([" Paris", "\n", "�", ""])
    pieces["choices"][0]["logprobs"]["content"][2]["bytes"] = [0xF0, 0x9F]
    text = run("tokens", write(pieces), "--text").stdout
    heading, *_ = lines = text.splitlines()
    assert heading.split(" · ")[0].strip() == "response 0"
    assert "perplexity 1.65" in heading
    shown = [line[11:21].strip() for line in lines if line.split()[0] in "0123"]
    assert shown == ["␣Paris", "↵", "⟨f0 9f⟩", "∅"]
    assert all("rival 0.05" in line for line in lines if line.split()[0] in "0123")


# show -------------------------------------------------------------------------------------------


def test_show_prints_the_view_or_writes_the_page(data, tmp_path):
    path = data / "capitals_batch.jsonl"
    view = toolkit.show(read_quietly(path), response="capital-007")
    result = run("show", path, "--response", "capital-007")
    assert result.stdout == f"{view.text()}\n"
    page = tmp_path / "view.html"
    assert run("show", path, "--response", 7, "-o", page).stdout == f"{page}\n"
    assert view.html in page.read_text("utf-8")
    assert "by=" in run("show", path, "--by", "nothing", status=2).stderr
    assert "cannot be written" in run("show", path, "-o", tmp_path / "no" / "a", status=1).stderr


def test_show_prints_the_records_as_they_were_recorded(data, tmp_path):
    path = data / "capitals_batch.jsonl"
    lines = path.read_text("utf-8").splitlines()
    assert run("show", path, "--raw", "--response", "capital-007").stdout == f"{lines[7]}\n"
    assert run("show", path, "--raw", "--response", f"{path}:3").stdout == f"{lines[2]}\n"
    chunks = run("show", data / "pairs_stream.sse", "--raw", "--response", 2)
    sent = read_quietly(data / "pairs_stream.sse").responses["n_chunks"][2].as_py()
    assert len(objects(chunks)) == sent
    redirected = run("show", path, "--raw", "-o", tmp_path / "x", status=2).stderr
    assert "redirect" in redirected
    assert "<stdin>" in run("show", "-", "--raw", input=lines[0], status=2).stderr


def test_a_path_and_limits_are_those_of_the_load(write):
    path = write({"id": 7, "a": body(["no"], id="a"), "b": body(["yes"], id="b")})
    result = run("show", path, "--path", "b", "--raw", "--response", "b")
    assert result.stdout == path.read_text()


@pytest.mark.parametrize("command", ["summary", "read"])
def test_the_place_of_a_reject_can_be_pasted_back(data, monkeypatch, command):
    monkeypatch.chdir(data.parent)
    path = "data/malformed.jsonl"
    options = ["--table", "rejects", "--text"] if command == "read" else []
    printed = run(command, path, *options).stdout
    places = [word for word in printed.split() if word.startswith(path)]
    lines = (data / "malformed.jsonl").read_bytes().decode("utf-8", "replace").splitlines()
    assert len(places) == 6
    for place in places:
        line = int(place.rpartition(":")[2])
        shown = run("show", path, "-q", "--raw", "--response", place).stdout
        assert shown == f"{lines[line - 1]}\n"
        refused = run("show", path, "-q", "--response", place, status=2).stderr
        assert "was rejected" in refused
        assert "--raw" in refused


def test_a_clipped_place_can_be_pasted_back(data, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    path = data / "malformed.jsonl"
    printed = run("summary", path).stdout
    places = [word for word in printed.split() if word.startswith("…") and ":" in word]
    assert len(places) == 6
    assert run("show", path, "-q", "--raw", "--response", places[0]).stdout.startswith('{"id"')


@pytest.mark.parametrize("columns", [50, 80, 120])
def test_rejects_are_whole_at_any_width(columns, data, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    path = data / "malformed.jsonl"
    rejects = read_quietly(path).rejects.to_pylist()
    printed = run("read", path, "--table", "rejects", "--text").stdout
    for row in rejects:
        head = [f"{path}:{row['line']}", row["reason"], *([row["path"]] if row["path"] else [])]
        assert "  " + "  ".join(head) + "\n" in printed
        assert " ".join(row["message"].split()) in " ".join(printed.split())
    messages = [line for line in printed.splitlines() if line.startswith("      ")]
    assert max(map(len, messages)) <= columns


def test_one_response_is_selected_by_file_and_line(data):
    path = data / "capitals_batch.jsonl"
    by_line = run("tokens", path, "--response", "capitals_batch.jsonl:8").stdout
    assert by_line == run("tokens", path, "--response", "capital-007").stdout


def test_raw_text_cannot_control_the_terminal(write):
    path = write({**body(["hi"]), "note": "x"})
    path.write_text(path.read_text().replace('"x"', '"\u202e\x7f"'))
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    subprocess.run([*LOGPROBS, "show", str(path), "-q", "--raw"], stdout=follower, check=True)
    assert "⟨U+202E⟩⟨U+007F⟩" in os.read(leader, 100_000).decode()
    os.close(leader)
    os.close(follower)
    assert run("show", path, "-q", "--raw").stdout == path.read_text()


@pytest.mark.parametrize(
    ("env", "colours"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, 1 << 24),
        ({"TERM": "xterm-256color"}, 256),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, 0),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, 0),
        ({}, 0),
    ],
)
def test_show_has_the_colours_of_the_terminal(data, monkeypatch, env, colours):
    for name in ("TERM", "COLORTERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True))
    assert show._colours() == colours
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: False))
    assert show._colours() == 0


# plot, export, schema ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", plots.OF_ALL)
def test_plot_draws_all_answers(data, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    result = run("plot", data / "capitals_batch.jsonl", "--kind", kind)
    assert result.stdout == f"capitals_batch-all-{kind}.png\n"
    assert Path(result.stdout.strip()).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", [kind for kind in plots.OF_ONE if kind != "alternatives"])
def test_plot_writes_a_picture_and_prints_its_name(data, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    path = data / "capitals_batch.jsonl"
    result = run("plot", path, "--response", "capital-000", "--kind", kind)
    assert result.stdout == f"capitals_batch-capital-000-{kind}.png\n"
    assert Path(result.stdout.strip()).read_bytes().startswith(b"\x89PNG")
    assert run("plot", path, "--kind", kind, "-o", "x.svg").stdout == "x.svg\n"
    assert "<svg" in Path("x.svg").read_text()


def test_plot_says_what_is_wrong(data, tmp_path):
    path = data / "capitals_batch.jsonl"
    assert "999" in run("plot", path, "--response", 999, status=2).stderr
    assert "xyz" in run("plot", path, "-o", tmp_path / "a.xyz", status=2).stderr
    assert (
        "cannot be written" in run("plot", path, "-o", tmp_path / "no" / "a.png", status=1).stderr
    )


def test_export_prints_each_table(data, tmp_path):
    out = tmp_path / "answers"
    path = data / "pairs_stream.sse"
    result = run("export", path, "-o", out)
    lp = toolkit.read_parquet(out)
    assert lp.equals(read_quietly(path))
    *tables, directory = (line.split() for line in result.stdout.splitlines())
    assert directory == [str(out)]
    assert {name: int(rows.replace(",", "")) for name, rows, _ in tables} == {
        name: lp[name].num_rows for name in (*(t.name for t in toolkit.schema.TABLES), "ledger")
    }
    assert run("export", path, "-o", out, status=1).stderr == (
        f"error: {out} already exists; choose another name or pass --overwrite\n"
    )
    run("export", path, "-o", out, "--overwrite")
    assert json.loads(run("summary", out, "--json").stdout)["tables"]["responses"] == 12


def test_export_to_a_store(data, tmp_path):
    path, uri = data / "pairs_stream.sse", f"file://{tmp_path}/store/answers"
    *tables, name = run("export", path, "-o", uri).stdout.split("\n")[:-1]
    lp = toolkit.read_parquet(uri)
    assert lp.equals(read_quietly(path))
    assert f"  tokens        {lp.tokens.num_rows:>12,} rows" in tables
    assert name == f"  {uri}"
    assert "pass --overwrite to replace it" in run("export", path, "-o", uri, status=1).stderr
    run("export", path, "-o", uri, "--overwrite", "--resume")
    assert json.loads(run("summary", uri, "--json").stdout)["tables"]["responses"] == 12


def test_export_of_rejects_alone_leaves_no_directory(tmp_path):
    path = tmp_path / "odd.jsonl"
    path.write_text('{"x": 1}\n')
    for more in ((), ("--resume",)):
        run("export", path, "-o", tmp_path / "new" / "answers", *more, status=1)
    assert [each.name for each in tmp_path.iterdir()] == ["odd.jsonl"]


@pytest.mark.parametrize("name", ["picture", "picture.svg", "picture.pdf"])
def test_plot_writes_the_file_that_it_names(data, tmp_path, name):
    out = tmp_path / name
    result = run("plot", data / "pairs_whole.jsonl", "-o", out)
    assert result.stdout == f"{out}\n"
    start = {"": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[out.suffix]
    assert out.read_bytes().startswith(start)


def test_schema_tells_every_column():
    documents = json.loads(run("schema", "--json").stdout)
    declared = (*toolkit.schema.TABLES, toolkit.schema.LEDGER, *toolkit.schema.RESULTS)
    assert [each["name"] for each in documents] == [table.name for table in declared]
    text = run("schema").stdout
    for document, table in zip(documents, declared, strict=True):
        assert [column["name"] for column in document["columns"]] == table.names
        for column in table.columns:
            assert f"  {column.name} " in text
    one = json.loads(run("schema", "tokens", "--json").stdout)
    (logprob,) = (column for column in one["columns"] if column["name"] == "logprob")
    assert (logprob["type"], logprob["unit"], logprob["more_certain"]) == (
        "float64",
        "nats",
        "higher",
    )
    assert one["columns"][0]["nullable"] is False
    assert "tokens" in run("schema", "nonsense", status=2).stderr


@pytest.mark.parametrize("name", toolkit.metrics.__all__)
def test_schema_knows_a_result_by_the_name_of_its_function(name):
    declared = {table.name for table in toolkit.schema.RESULTS}
    result = run("schema", name, status=0 if name in declared else 2)
    assert (result.stdout.splitlines() or [""])[0] == (name if name in declared else "")


# Hostile data -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_raw_reaches_the_terminal(write, text):
    path = write(body([text], id=text, model=text), {"choices": text})
    commands = [
        ["read", path, "--text"],
        ["read", path, "--table", "choices", "--text"],
        ["read", path, "--table", "alternatives", "--text"],
        ["read", path, "--table", "tokens", "--columns", "token,bytes", "--text"],
        ["read", path, "--table", "rejects", "--text"],
        ["tokens", path, "--text"],
        ["answers", path, "--text"],
        ["answers", path, "--where", f"model={text}", "--json"],
        ["answers", path, "--text", "--sql", "select * from answers"],
        ["read", path, "--text", "--sql", "pivot tokens on token using count(*) group by choice"],
        ["read", path, "--json", "--sql", "pivot tokens on token using count(*) group by choice"],
        ["summary", path, "--by", "model"],
        ["summary", path, "--json"],
        ["tokens", path, "--response", text],
    ]
    for command in commands:
        result = run(*command)
        assert is_plain(result.stdout), command
        assert is_plain(result.stderr), command
    failure = run("tokens", path, "--response", f"no {text}", status=2)
    assert is_plain(failure.stderr)
    (token,) = objects(run("tokens", path, "--json"))
    assert token["token"] == text


@pytest.mark.parametrize("text", HOSTILE + FORMULAS)
def test_csv_is_exact_in_a_pipe(write, text):
    path = write(body([text]))
    for form in ("--csv", "--csv-raw"):
        result = CliRunner().invoke(main, ["tokens", str(path), form])
        (row,) = csv.DictReader(io.StringIO(result.stdout_bytes.decode(), newline=""))
        marked = form == "--csv" and text in FORMULAS
        assert row["token"] == ("'" + text if marked else text)
        assert float(row["logprob"]) == -0.5


def test_wide_characters_line_up(write):
    tokens = ["北京", "ab", "é", "e\u0301", "🎉", "\U0001fabc", "한국", "ｗ"]
    text = run("tokens", write(body(tokens)), "--text").stdout
    rows = [line for line in text.splitlines() if "0.6065" in line]
    assert len(rows) == len(tokens)

    def columns(text):
        return sum(
            0
            if unicodedata.combining(c)
            else 1 + (unicodedata.east_asian_width(c) in "WF" or c == "\U0001fabc")
            for c in text
        )

    assert len({columns(row.split("0.6065")[0]) for row in rows}) == 1


def test_long_texts_are_clipped_to_the_terminal(write):
    path = write(body(["word " * 2000], id="北" * 300, model="m" * 300))
    for command in (["read"], ["read", "--table", "choices"], ["tokens"]):
        text = run(command[0], path, *command[1:], "--text", env={"COLUMNS": "70"}).stdout
        assert "…" in text
        for line in text.splitlines():
            wide = sum(unicodedata.east_asian_width(c) in "WF" for c in line)
            assert len(line) + wide <= 70


# The process ------------------------------------------------------------------------------------


def test_help_lists_every_option():
    for name, command in main.commands.items():
        text = run(name, "--help").stdout
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert all(option in text for option in parameter.opts), (name, parameter.name)
                assert parameter.help, (name, parameter.name)
        assert "Examples:" in text
        assert name in run("--help").stdout
    assert toolkit.__version__ in run("--version").stdout


def test_choices_offered_are_those_of_the_schema():
    offered = {
        parameter.name: list(parameter.type.choices)
        for command in ("read", "tokens")
        for parameter in main.commands[command].params
        if hasattr(parameter.type, "choices")
    }
    stored = [*(table.name for table in toolkit.schema.TABLES), "ledger"]
    rejects = ["first", "all"]
    channels = list(toolkit.schema.CHANNELS)
    assert offered == {"table": stored, "channel": channels, "rejects": rejects}


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from toolkit.cli.entry import main; main(['--help'], standalone_mode=False);"
        "print(sorted({'pandas', 'matplotlib', 'pyarrow', 'numpy'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ["read", "summary", "tokens", "plot", "export"])
@pytest.mark.parametrize("text", ["", "\n\n", "not json\n", '{"choices": 1}\n'])
def test_nothing_usable_is_exit_code_1(tmp_path, monkeypatch, command, text):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "input.jsonl"
    path.write_text(text)
    options = ["-o", str(tmp_path / "out")] if command == "export" else []
    result = run(command, path, *options, status=1)
    assert "error: " in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: ")


def test_rejects_are_shown_even_if_nothing_is_usable(tmp_path):
    path = tmp_path / "input.jsonl"
    path.write_text("nonsense\n")
    result = run("read", path, "--table", "rejects", status=1)
    assert [row["reason"] for row in objects(result)] == ["not_json"]


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["read"],
        ["nonsense"],
        ["read", "{}", "--table", "nonsense"],
        ["read", "{}", "--columns", "nonsense"],
        ["read", "{}", "--limit", "-1"],
        ["tokens", "{}", "--response", "nonsense"],
        ["tokens", "{}", "--response", "99"],
        ["tokens", "{}", "--choice", "7"],
        ["summary", "{}", "--by", "nonsense"],
        ["export", "{}"],
    ],
)
def test_a_wrong_call_is_exit_code_2(two, args):
    result = run(*(str(two) if arg == "{}" else arg for arg in args), status=2)
    assert result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_file_does_not_stop_the_others(two, tmp_path):
    result = run("read", two, tmp_path / "missing.jsonl")
    assert len(objects(result)) == 2
    assert result.stderr.startswith("warning: ")


def test_warnings_are_one_line_and_quiet_silences_them(data):
    path = data / "malformed.jsonl"
    (line,) = run("read", path).stderr.splitlines()
    assert line.startswith("warning: 6 records were rejected")
    assert run("read", path, "--quiet").stderr == ""
    assert run("--quiet", "read", path).stderr == ""


def test_standard_input(two):
    whole = run("read", two, "--table", "tokens").stdout
    assert run("read", "-", "--table", "tokens", input=two.read_bytes()).stdout == whole
    piped = subprocess.run(
        [*LOGPROBS, "read", "-", "--table", "tokens"],
        input=two.read_bytes(),
        capture_output=True,
        check=True,
    )
    assert piped.stdout.decode() == whole
    assert piped.stderr == b""


def test_a_broken_pipe_ends_quietly(write):
    path = write(*(body(["word"] * 100, id=str(i)) for i in range(100)))
    command = [*LOGPROBS, "read", str(path), "--table", "tokens"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b"{")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_an_interrupt_is_exit_code_130():
    command = [*LOGPROBS, "read", "-"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        process.stdin.write(b"\n" * 500_000)  # more than a pipe holds: it is reading
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        process.stdin.close()
        assert process.wait(10) == 130
        assert process.stderr.read() == b""


def test_output_is_utf8_in_any_locale(write):
    path = write(body(["北京"]))
    out = subprocess.run(
        [*LOGPROBS, "tokens", str(path), "--csv"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert "北京" in out.stdout.decode()


DUMB = {"TERM": "dumb"}


def test_a_terminal_gets_a_table_in_colour(two):
    pty = pytest.importorskip("pty")
    colourful = {"TERM": "xterm-256color"}
    for environment, coloured in ((colourful, True), ({"NO_COLOR": "1"}, False), (DUMB, False)):
        leader, follower = pty.openpty()
        env = {**os.environ, "COLUMNS": "100", **environment}
        subprocess.run([*LOGPROBS, "read", str(two)], stdout=follower, env=env, check=True)
        text = os.read(leader, 100_000).decode()
        os.close(leader)
        os.close(follower)
        assert text.splitlines()[-1].split()[:2] == ["1", "b"]
        assert ("\x1b[1m" in text) is coloured
        leader, follower = pty.openpty()
        subprocess.run([*LOGPROBS, "read", "nothing"], stderr=follower, env=env, check=False)
        text = os.read(leader, 100_000).decode()
        os.close(leader)
        os.close(follower)
        assert text.startswith("\x1b[31merror:" if coloured else "error:")


def test_limits_have_an_option(data):
    path = data / "capitals_batch.jsonl"
    assert "12 too_long" in run("summary", path, "--allow", "record_bytes=2KiB").stdout
    for given in ("record_bytes", "record_bytes=", "records=5", "nesting=1e3", "nesting=999"):
        failed = run("summary", path, "--allow", given, status=2)
        assert given.split("=")[0] in failed.stderr


def test_an_export_goes_on(data, tmp_path):
    path, out = data / "capitals_batch.jsonl", tmp_path / "out"
    run("export", path, "-o", out, "--resume")
    assert toolkit.read_parquet(out).equals(toolkit.read(path))
    assert "already exists" in run("export", path, "-o", out, "--resume", status=1).stderr
