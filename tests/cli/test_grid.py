"""Tables fit the terminal, and say as much as fits."""

import unicodedata
from datetime import UTC, datetime, timedelta

import click
import pytest

from tests.cli.test_commands import body, run, write  # noqa: F401
from toolkit.cli.grid import Number, beside, clip, grid, wrapped

TEXT = "The customer of order {} is fairly happy with the lamp, despite its late delivery."


def lines(monkeypatch, columns, names, rows, **options):
    monkeypatch.setenv("COLUMNS", str(columns))
    return [click.unstyle(line) for line in grid(names, rows, **options)]


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
@pytest.mark.parametrize("name", ["model", "text", "custom_id", "source"])
def test_clipped_values_that_differ_look_different(name, columns, monkeypatch):
    for values in (
        [f"{'same-beginning-' * 10}{i:02}" for i in range(20)],
        [f"{i:02}{'-same-end' * 20}" for i in range(20)],
    ):
        shown = lines(monkeypatch, columns, [name, "n"], [[value, 7] for value in values])
        assert max(map(len, shown)) <= columns
        assert len(set(shown[1:])) == len(values)


def test_a_text_is_clipped_at_its_end_if_that_is_enough(monkeypatch):
    rows = [[TEXT.format(i)] for i in range(3)]
    assert lines(monkeypatch, 60, ["text"], rows)[1] == "  " + clip(TEXT.format(0), 58)
    same = [["the same beginning of a text " * 3 + str(i)] for i in range(3)]
    assert lines(monkeypatch, 60, ["text"], same)[1].endswith("text 0")


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_texts_get_the_width_that_is_left(columns, monkeypatch):
    names = ["custom_id", "text_a", "text_b", "delta_nll", "same_text", "n_tokens_a", "js_lower"]
    rows = [
        [f"review-{i:03}", TEXT.format(i), TEXT.format(i), 0.5, True, 11, 0.1] for i in range(9)
    ]
    shown = lines(monkeypatch, columns, names, rows, can_omit=True)
    body = [line for line in shown if "review" in line]
    cut = [part for part in body[0].split("  ") if part.startswith("The customer")]
    assert len(cut) == 2
    assert min(map(len, cut)) >= 20
    assert columns - 1 <= max(map(len, body)) <= columns
    assert any("more column" in line for line in shown) is (columns < 100)


def test_a_table_without_heads_has_no_blank_line(monkeypatch):
    assert lines(monkeypatch, 80, ["", ""], [["a", 1]]) == ["  a  1"]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([timedelta(0), timedelta(days=1)], ["2026-11-23", "2026-11-24"]),
        ([timedelta(0), timedelta(hours=1)], ["2026-11-23 00:00", "2026-11-23 01:00"]),
        ([timedelta(seconds=5)], ["2026-11-23 00:00:05"]),
        ([timedelta(milliseconds=5)], ["2026-11-23 00:00:00.005"]),
        ([timedelta(0), None], ["2026-11-23", "–"]),
    ],
)
def test_times_are_as_precise_as_needed(steps, expected, monkeypatch):
    begin = datetime(2026, 11, 23, tzinfo=UTC)
    rows = [[None if step is None else begin + step] for step in steps]
    assert lines(monkeypatch, 80, ["start"], rows)[1:] == [f"  {text}" for text in expected]


def test_items_are_wrapped_by_their_width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    items = ["北京" * 4, "a" * 10, "上海" * 4, "b" * 10]
    shown = list(beside("  head  ", items, 4))
    assert "".join(shown).replace(" ", "").split("·") == ["head" + items[0], *items[1:]]
    assert max(len(line) + sum(c in "北京上海" for c in line) for line in shown) <= 40


def test_numbers_are_aligned_to_the_right(monkeypatch):
    shown = lines(monkeypatch, 80, ["n", "text"], [[Number("1,000"), "a"], [None, "b"]])
    assert shown[1:] == ["  1,000  a", "      –  b"]


def test_heads_are_broken_before_columns_are_omitted(monkeypatch):
    names = ["response_id", "min_probability", "n_tokens"]
    rows = [["chatcmpl-1234567890", Number("0.5"), Number("7")]]
    wide = lines(monkeypatch, 48, names, rows, can_omit=True)
    assert wide[0].split() == ["min"]
    assert wide[1].split() == ["response", "id", "probability", "n", "tokens"]
    tight = lines(monkeypatch, 43, names, rows, can_omit=True)
    assert [line.split() for line in tight] == [
        ["min", "n"],
        ["response", "id", "probability", "tokens"],
        ["chatcmpl-1234567890", "0.5", "7"],
    ]


@pytest.mark.parametrize("columns", [40, 80])
def test_what_is_omitted_is_named_and_what_is_missing_said(columns, monkeypatch):
    names = [f"a_long_name_of_a_column_{i}" for i in range(9)]
    shown = lines(monkeypatch, columns, names[:2] + names, [["x" * 30] * 11], can_omit=True)
    more = " ".join(" ".join(shown).split("…")[-1].split())
    omitted = more.removesuffix(".").partition("; --columns prints them: ")
    assert omitted[0] == f"{len(omitted[2].split(', '))} more columns"
    assert max(map(len, shown)) <= columns
    one = lines(monkeypatch, 44, names[:2], [["x" * 30] * 2], can_omit=True)
    assert " ".join("".join(one[-2:]).split()) == (
        "… 1 more column; --columns prints it: a_long_name_of_a_column_1"
    )
    assert lines(monkeypatch, columns, ["n"], [])[-1] == "  no rows"
    assert lines(monkeypatch, 80, ["custom_id"], [[None]])[-1] == "  –"


def test_texts_are_wrapped_by_width_and_names_with_hyphens_stay_whole(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    name = "'openai-openai-python-1734.bin'"
    assert any(name in line for line in wrapped(f"found the keys {name} and 2 more", "    "))
    mixed = wrapped("東京 " * 30 + "東" * 60)
    assert max(len(line) + sum(c in "東京" for c in line) for line in mixed) <= 40
    assert wrapped("a " * 60, "  ", most=30)[1] == "  " + "a " * 13 + "a"


def test_syllables_of_hangul_are_as_wide_in_parts_as_whole(monkeypatch):
    whole = "한국어"
    parts = unicodedata.normalize("NFD", whole)
    shown = lines(monkeypatch, 80, ["text", "n"], [[whole, 1], [parts, 1]])
    assert shown[1].replace(whole, "") == shown[2].replace(parts, "")


def test_one_more_row_is_a_row(write):  # noqa: F811
    path = write(body(["a"]), body(["b"]), body(["c"]))
    assert "… 1 more row; --limit 0" in run("read", path, "--text", "--limit", "2").stdout
    assert "… 2 more rows; --limit 0" in run("read", path, "--text", "--limit", "1").stdout


def test_help_says_what_each_command_does(monkeypatch):
    text = " ".join(run("--help", env={"COLUMNS": "80"}).stdout.split())
    assert "..." not in text.split("Commands:")[1]
    assert "Print tokens used and their cost, by model, by day or by any column of" in text


def test_errors_name_the_options_of_the_command(write):  # noqa: F811
    path = write(body(["a"], custom_id="x"), body(["b"], custom_id="x"))
    error = run("compare", path, path, "--on", "custom_id", status=2).stderr
    assert "--on='custom_id': " in error
    assert "; --on='position' pairs" in error
    error = run("answers", path, "--sort", "nope", status=2).stderr
    assert "--sort='nope': expected one of" in error


@pytest.mark.parametrize("command", ["summary", "calibrate"])
def test_pages_take_text_as_tables_do(command, data):
    args = [command, data / "capitals_batch.jsonl"]
    args += ["--labels", data / "capitals_labels.csv"] if command == "calibrate" else []
    assert run(*args, "--text").stdout == run(*args).stdout
    assert run(*args, "--json").stdout.startswith("{")
    assert run(*args, "--json", "--text").stdout == run(*args).stdout
