"""``--sql``: one question about the tables of a load, without any way out of them."""

import csv
import io
import sys

import pytest

import toolkit
from tests.cli.test_commands import body, is_plain, objects, run, write  # noqa: F401

SECRET = "nobody may read this"


@pytest.fixture
def ask(data):
    """Run a query about the capitals."""

    def _ask(sql, *options, command="answers", status=0):
        return run(command, data / "capitals_batch.jsonl", "--sql", sql, *options, status=status)

    return _ask


def test_a_query_counts_what_the_tables_hold(data, ask):
    lp = toolkit.read(data / "capitals_batch.jsonl")
    for name in (*(table.name for table in toolkit.schema.TABLES), "ledger"):
        assert objects(ask(f"select count(*) n from {name}")) == [{"n": lp[name].num_rows}]
    (row,) = objects(ask("select avg(perplexity) p, sum(n_tokens) s from answers"))
    answers = toolkit.answers(lp)
    assert row["p"] == pytest.approx(answers["perplexity"].mean())
    assert row["s"] == answers["n_tokens"].sum()
    assert isinstance(row["s"], int)


@pytest.mark.parametrize(
    ("command", "table"),
    [("read", "responses"), ("tokens", "token_metrics"), ("check", "findings")]
    + [("answers", "answers")],
)
def test_a_query_about_all_rows_of_a_command_gives_its_rows(data, ask, command, table):
    expected = objects(run(command, data / "capitals_batch.jsonl", "--json"))
    if command == "read":
        expected = [{key: row[key] for key in row if key != "created"} for row in expected]
        found = objects(ask(f"select * exclude (created) from {table}", command=command))
    else:
        found = objects(ask(f"select * from {table}", command=command))
    assert found == expected


def test_two_runs_have_tables_of_each(data):
    paths = [data / "pairs_whole.jsonl", data / "pairs_stream.sse"]
    (row,) = objects(
        run("compare", *paths, "--sql", "select (select count(*) from compare) pairs, "
            "(select count(*) from tokens_a) a, (select count(*) from responses_b) b")
    )  # fmt: skip
    assert row == {"pairs": 12, "a": 576, "b": 12}
    capitals = data / "capitals_batch.jsonl"
    given = ["evaluate", capitals, "--labels", data / "capitals_labels.csv"]
    sql = "select mean, (select count(*) from responses) n from evaluate"
    assert objects(run(*given, "--sql", sql)) == [{"mean": 0.87, "n": 100}]
    sql = "select n_pairs, (select count(*) from choices_b) n from compare_evaluations"
    assert objects(run(*given, "--against", capitals, "--sql", sql)) == [{"n_pairs": 100, "n": 100}]


def test_values_of_sql_can_be_printed(ask):
    sql = """select 1.5::decimal(4, 2) d, 10::hugeint * 10 h, date '2026-01-02' t, [1, 2] l,
        {'a': 1} s, map {'k': 2} m, 'x'::blob b, interval 1 day i, null z, true f, 'nan'::double q,
        time '01:02:03' c, timestamptz '2026-01-02 03:04:05+00' w, 1 as d, 2 as d"""
    (row,) = objects(ask(sql))
    assert (row["d"], row["h"], row["t"], row["l"]) == (1.5, 100, "2026-01-02", [1, 2])
    assert (row["s"], row["b"], row["z"], row["q"]) == ({"a": 1}, [120], None, None)
    assert (row["c"], row["w"]) == ("01:02:03", "2026-01-02T03:04:05+00:00")
    assert (row["d_2"], row["d_3"]) == (1, 2)
    (cells,) = csv.DictReader(io.StringIO(ask(sql, "--csv").stdout))
    assert (cells["d"], cells["h"], cells["f"]) == ("1.5", "100", "true")
    assert ask(sql, "--text").stdout.splitlines()[-1].split()[:2] == ["1.5000", "100"]


def test_options_of_rows_hold_for_a_query(ask):
    sql = "select custom_id, n_tokens from answers order by custom_id"
    assert objects(ask(sql, "--limit", 2, "--columns", "custom_id")) == [
        {"custom_id": "capital-000"},
        {"custom_id": "capital-001"},
    ]
    assert "60 more rows" in ask(sql, "--text").stdout
    assert "expected one of 'custom_id', 'n_tokens'" in ask(sql, "--columns", "x", status=2).stderr


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('secret.csv')",
        "select * from read_text('secret.csv')",
        "select * from read_blob('secret.csv')",
        "select * from read_json('secret.csv')",
        "select * from read_parquet('secret.csv')",
        "select * from sniff_csv('secret.csv')",
        "select * from 'secret.csv'",
        'select * from "secret.csv"',
        "select * from glob('*')",
        "select * from read_csv('https://localhost:1/a.csv')",
        "select * from 'https://localhost:1/a.parquet'",
        "copy answers to 'out.csv'",
        "copy (select 1) to 'out.parquet'",
        "copy answers from 'secret.csv'",
        "export database 'out'",
        "import database 'out'",
        "attach 'out.db'",
        "attach 'secret.csv' (type sqlite)",
        "install httpfs",
        "load httpfs",
        "load './secret.csv'",
        "set enable_external_access = true",
        "set lock_configuration = false",
        "reset lock_configuration",
        "set python_enable_replacements = true",
        "set temp_directory = 'out'",
        "pragma enable_profiling; pragma profiling_output='out.json'; select 1",
        "select 1; select 2",
        "create table a as select 1; copy a to 'out.csv'; select 1",
        "create table a as select 1",
        "create table a as from read_csv('secret.csv'); select * from a",
        "select getenv('HOME')",
        "select * from views",  # a variable of the process that runs the query
        "select * from os",
        "",
        "nonsense",
        "select",
        "select * from nowhere",
        "select nothing from answers",
        "\0",
        "select '\ud800'",
    ],
)
def test_a_query_reaches_nothing_else(ask, sql, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.csv").write_text(f"a\n{SECRET}\n")
    result = ask(sql, status=2)
    assert result.stdout == ""
    assert SECRET not in result.stderr
    assert result.stderr.startswith("error: --sql")
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


def test_an_error_about_a_value_does_not_quote_it(write):  # noqa: F811
    path = write(body([SECRET]))
    for sql in (
        "select text::int from answers",
        "select strptime(text, '%Y') from answers",
        "select error(text) from answers",
        "select text::date from answers",
        "select json_extract(text, '$') from answers",
    ):
        result = run("answers", path, "--sql", sql, status=2)
        assert SECRET not in result.stderr
        assert "TRY_CAST" in result.stderr


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[2J",
        "\u202eevil",
        "nul\0byte",
        "a\r\nb",
        "'; drop table answers; --",
        '"',
        "=1+1",
        "💙",
    ],
)
def test_hostile_texts_are_values_and_never_sql(write, text):  # noqa: F811
    path = write(body([text], id=text, model=text))
    for form in ("--json", "--text", "--csv"):
        result = run(
            "answers", path, form, "--sql", "select text, model, weakest_token from answers"
        )
        if form == "--text":
            assert is_plain(result.stdout)
        elif form == "--json":
            assert objects(result) == [dict.fromkeys(("text", "model", "weakest_token"), text)]
    pivoted = "pivot answers on model using count(*) group by choice"
    assert list(objects(run("answers", path, "--sql", pivoted))[0]) == [
        "choice",
        text.split("\0")[0],
    ]
    assert is_plain(run("answers", path, "--text", "--sql", pivoted).stdout)
    head = next(csv.reader(io.StringIO(run("answers", path, "--csv", "--sql", pivoted).stdout)))
    assert not head[1].startswith("=")


def test_without_duckdb_the_extra_is_named(ask, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert "pip install 'logprob-toolkit[sql]'" in ask("select 1", status=2).stderr
