"""`logprobs check` and `logprobs compare`."""

import json
import shlex

import pytest
from click.testing import CliRunner

import toolkit
from tests.metrics.byte_pieces import body
from toolkit.cli.entry import main


def run(*args, status=0):
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    assert result.exit_code == status, (args, result.stdout, result.stderr, result.exception)
    return result


@pytest.fixture
def write(tmp_path):
    def _write(name, *bodies):
        path = tmp_path / name
        path.write_text("".join(json.dumps(each) + "\n" for each in bodies))
        return path

    return _write


def good(**fields):
    answer = body([(b"a", -0.1234567, [("a", -0.1234567), ("b", -3.1234567)])], **fields)
    answer["choices"][0]["finish_reason"] = "stop"
    return answer


def test_a_clean_load_exits_with_0(write):
    path = write("a.jsonl", good(id="1"), good(id="2"))
    assert run("check", path, "--text").stdout == "  no findings\n"
    assert run("check", path).stdout == ""


def test_an_error_exits_with_1_and_is_listed(write):
    path = write("a.jsonl", body([(b"a", 7.5)]))
    result = run("check", path, "--text", status=1)
    assert "invalid_logprobs" in result.stdout
    assert "1 of 1 tokens (100.0 %)" in result.stdout
    assert "1 finding of severity error or higher" in result.stderr
    assert "\x1b" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 130
    run("check", path, "--fail-on", "never")


def shown(text, code):
    """Return the arguments of the command that is printed with a finding."""
    lines = [line.strip() for line in text.splitlines()]
    [start] = [i for i, line in enumerate(lines) if f" {code}  " in line]
    return shlex.split(next(line for line in lines[start:] if line.startswith("logprobs ")))[1:]


@pytest.mark.parametrize(
    ("ids", "selected"),
    [
        (("a", "b"), "b"),
        (("a", "7"), "id:7"),
        (("a", "a"), "1"),
        (("a", None), "1"),
        (("a", "-b"), "1"),
        (("a", "it's b"), "it's b"),
    ],
)
def test_the_command_of_a_finding_shows_the_answer(write, ids, selected):
    odd = body([(b"Oh", None)], id=ids[1])
    path = write("with blank.jsonl", good(id=ids[0]), odd)
    other = write("other.jsonl", good(id="b"))
    arguments = shown(run("check", other, path, "--text").stdout, "missing_logprobs")
    assert arguments == ["show", str(path), "--response", selected]
    assert "Oh" in run(*arguments).stdout
    piped = CliRunner().invoke(main, ["check", "-", "--text"], input=path.read_text())
    assert "first at <stdin>:2, content position 0" in piped.stdout
    assert "logprobs show" not in piped.stdout


def test_commands_read_what_was_read(write, tmp_path):
    """Of another choice, by a path, of rejects, and of a source that is not a file."""
    odd = body([(b"a", -0.1)], id="x")
    odd["choices"] += [{**body([(b"Oh", None)])["choices"][0], "index": 2}]
    path = write("a.jsonl", {"raw": odd})
    text = run("check", path, "--path", "raw", "--text").stdout
    assert f"first at {path}:1, choice 2 content position 0" in text
    arguments = shown(text, "missing_logprobs")
    assert arguments[2:] == ["--path", "raw", "--response", "x", "--choice", "2"]
    assert "Oh" in run(*arguments).stdout
    path = write("b.jsonl", odd, {"x": 1})
    arguments = shown(run("check", path, "--text").stdout, "rejected_unknown_format")
    assert f'"source":"{path}"' in run(*arguments).stdout.replace(": ", ":")
    toolkit.read(write("c.jsonl", odd)).write_parquet(tmp_path / "kept")
    (tmp_path / "c.jsonl").unlink()
    arguments = shown(run("check", tmp_path / "kept", "--text").stdout, "missing_logprobs")
    assert arguments[:2] == ["show", str(tmp_path / "kept")]
    assert "Oh" in run(*arguments).stdout


def test_an_export_is_not_loaded(write, tmp_path, monkeypatch):
    odd = body([(b"Oh", None)], id="b")
    path = write("a.jsonl", good(id="a"), odd, body([(b"a", 7.5)], id="c"))
    out = toolkit.export(path, tmp_path / "out")
    expected = [run("check", path, form, status=1).stdout for form in ("--text", "--json")]
    assert "--response b" in expected[0]
    queried = run("check", out, "--sql", "SELECT code FROM findings", "--json", status=1).stdout
    monkeypatch.setattr(toolkit, "read", None)
    found = [run("check", out, form, status=1).stdout for form in ("--text", "--json")]
    assert found == expected
    codes = [json.loads(line)["code"] for line in expected[1].splitlines()]
    assert [json.loads(line)["code"] for line in queried.splitlines()] == codes
    path.unlink()
    assert f"{out} --response b" in run("check", out, "--text", status=1).stdout


def test_infos_about_all_rows_name_none(write):
    text = run("check", write("a.jsonl", {**body([(b"a", -0.1)]), "id": "x"}), "--text").stdout
    assert "no_alternatives  1 of 1" in text
    assert "first at" not in text.split("no_alternatives")[1]


def test_warnings_fail_only_if_asked(write):
    path = write(
        "a.jsonl", {**good(), "choices": [{**good()["choices"][0], "finish_reason": None}]}
    )
    assert "unfinished" in run("check", path).stdout
    run("check", path, "--fail-on", "warning", status=1)


def test_rows_are_the_findings(write):
    path = write("a.jsonl", body([(b"a", 7.5)]))
    rows = [json.loads(line) for line in run("check", path, status=1).stdout.splitlines()]
    found = toolkit.check(toolkit.read(path))
    assert [row["code"] for row in rows] == found["code"].tolist()
    assert rows[0]["message"] == found["message"][0]
    assert "code,count" in run("check", path, "--csv", "--columns", "code,count", status=1).stdout


def test_two_runs_are_summed_up_and_the_most_different_come_first(write):
    a = write("a.jsonl", body([(b"a", -1.0)], id="1"), body([(b"b", -1.0)], id="2"))
    b = write("b.jsonl", body([(b"a", -1.25)], id="1"), body([(b"c", -3.0)], id="2"))
    text = run("compare", a, b, "--text").stdout
    assert "pairs        2\n" in text
    assert "same text    50.0 % [" in text
    assert "+1.1250 nats/token" in text  # two pairs have no interval
    rows = [json.loads(line) for line in run("compare", a, b).stdout.splitlines()]
    assert [row["delta_nll"] for row in rows] == [2.0, 0.25]
    tokens = [json.loads(line) for line in run("compare", a, b, "--tokens").stdout.splitlines()]
    assert [(row["token_a"], row["token_b"]) for row in tokens] == [("a", "a"), ("b", "c")]
    last = run("compare", a, b, "--tokens", "--text").stdout.splitlines()[-1]
    assert last.split()[2:4] == ["b", "c"]


def test_the_divergence_of_two_runs_is_a_report_of_measures(write):
    a = write("a.jsonl", body([(b"a", -0.5, [("a", -0.5), ("b", -1.0)])], id="1"))
    b = write("b.jsonl", body([(b"a", -0.75, [("a", -0.75), ("b", -0.7)])], id="1"))
    text = run("compare", a, b, "--divergence", "--text").stdout
    assert "kl lower" in text
    assert any(line.split()[:1] == ["median"] for line in text.splitlines())
    rows = [json.loads(line) for line in run("compare", a, b, "--divergence").stdout.splitlines()]
    found = toolkit.metrics.divergence(toolkit.read(a), toolkit.read(b))
    assert [row["measure"] for row in rows] == found["measure"].tolist()
    assert [row["mean"] for row in rows] == found["mean"].tolist()
    assert rows[-1]["mean"] == 0.25


@pytest.mark.parametrize(
    ("option", "name", "pair"),
    [
        ("--same-model", "same_model", ("repeats_bf16", "repeats_q4_0")),
        ("--noise", "noise_floor", ("rollout_bf16", "rollout_fp32")),
        ("--survival", "prefix_survival", ("rollout_bf16", "rollout_fp32")),
        ("--rollout", "rollout_mismatch", ("rollout_bf16", "rollout_fp32")),
    ],
)
def test_other_measures_of_two_runs_are_those_of_the_library(option, name, pair, data):
    paths = [data / f"{each}.jsonl.gz" for each in pair]
    rows = [
        json.loads(line) for line in run("compare", *paths, option, "--json").stdout.splitlines()
    ]
    found = getattr(toolkit.metrics, name)(*map(toolkit.read, paths))
    assert len(rows) == len(found) > 0
    for column in found.select_dtypes("number"):
        got = [float("nan") if row[column] is None else row[column] for row in rows]
        assert got == pytest.approx(found[column].astype(float).tolist(), nan_ok=True), column
    text = run("compare", *paths, option, "--text").stdout
    shown = {"--same-model": "p_value", "--noise": "n_pairs", "--survival": "risk"}
    assert shown.get(option, "token    answer  sequence") in text


def test_the_same_model_is_tested_by_custom_id_alone(data):
    path = data / "repeats_bf16.jsonl.gz"
    error = run("compare", path, path, "--same-model", "--on", "position", status=2).stderr
    assert "--on=position: expected --on=custom_id with --same-model" in error


def test_what_has_no_partner_is_said(write):
    a = write("a.jsonl", body([(b"a", -1.0)]), body([(b"b", -1.0)]))
    b = write("b.jsonl", body([(b"a", -1.0)]))
    assert "2 and 1" in run("compare", a, b, status=2).stderr
    text = run("compare", a, b, "--on", "position", "--text").stdout
    assert "1, 1 only in the first, 0 only in the second" in text


def test_the_page_to_browse_is_that_of_the_library(data, tmp_path):
    source, out = data / "capitals_batch.jsonl", tmp_path / "answers.html"
    assert run("browse", source, "-o", out, "--title", "Capitals").stdout == f"{out}\n"
    theirs = toolkit.browse(toolkit.read(source), tmp_path / "own.html", title="Capitals")
    assert out.read_text("utf-8") == theirs.read_text("utf-8")
    target = tmp_path / "no" / "a.html"
    assert "cannot be written" in run("browse", source, "-o", target, status=1).stderr


def test_the_report_is_that_of_the_library(data, tmp_path):
    import pandas as pd

    source, truth = data / "capitals_batch.jsonl", data / "capitals_labels.csv"
    out = tmp_path / "cli.html"
    assert run("report", source, "--labels", truth, "-o", out).stdout == f"{out}\n"
    theirs = toolkit.report(toolkit.read(source), tmp_path / "own.html", labels=pd.read_csv(truth))
    assert out.read_text("utf-8") == theirs.read_text("utf-8")
    assert (
        "cannot be written" in run("report", source, "-o", tmp_path / "no" / "a", status=1).stderr
    )


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize(
    ("option", "name", "pair"),
    [
        ("--same-model", "same_model", ("repeats_bf16", "repeats_q4_0")),
        ("--noise", "noise_floor", ("rollout_bf16", "rollout_fp32")),
    ],
)
def test_scores_of_two_runs_are_explained(option, name, pair, columns, data, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    text = run("compare", *(data / f"{each}.jsonl.gz" for each in pair), option, "--text").stdout
    shown = " ".join(text.split())
    for column in getattr(toolkit.schema, name.upper()).columns:
        meaning = column.doc.partition(". ")[0].partition("; null")[0].rstrip(".")
        is_end = column.name.endswith(("_lower", "_upper"))
        if f"  {column.name} " in text:
            assert not is_end
            assert " ".join(meaning.split()) in shown, column.name
    assert "p_value" in text or "near_tie" in text
    if columns >= 80:
        assert max(map(len, text.splitlines())) <= columns


def test_a_channel_without_positions_is_named(data):
    paths = [data / f"given_{each}.jsonl.gz" for each in ("q4_0", "q4_1")]
    text = run("compare", *paths, "--divergence", "--text").stdout
    assert "no position to compare" in text
    assert "--channel" in text
