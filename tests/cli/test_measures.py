"""``usage``, ``fields``, ``labels``, ``calibrate`` and the plots that need more than a load."""

import json

import pandas as pd
import pytest

import toolkit
from tests.cli.test_commands import body, is_plain, objects, run, write  # noqa: F401
from toolkit.cli import plots


@pytest.fixture
def capitals(data):
    return data / "capitals_batch.jsonl"


@pytest.fixture
def truth(data):
    return data / "capitals_labels.csv"


def test_usage_is_that_of_the_library(data):
    paths = [data / "capitals_batch.jsonl", data / "pairs_whole.jsonl"]
    price = ["--price", "gemma-3-270m=1,2.5"]
    found = objects(run("usage", *paths, "--by", "source", *price))
    expected = toolkit.usage(toolkit.read(paths), by="source", prices={"gemma-3-270m": (1, 2.5)})
    assert [list(row) for row in found] == [list(expected.columns)] * 2
    for name in ("source", "total_tokens", "cost", "finish_reasons", "unpriced_models"):
        assert [row[name] for row in found] == expected[name].tolist(), name
    text = run("usage", *paths, "--by", "model", "--text").stdout
    assert "no price" not in text
    unpriced = run("usage", *paths, "--price", "gemma-3=1,1", "--text").stdout
    assert [line.split() for line in unpriced.splitlines()[-2:]] == [
        ["no", "price", "gemma-3-270m"],
        ["no", "model", "gemma-3"],
    ]


def test_list_prices_have_their_unit(write):  # noqa: F811
    path = write(body(["a"], model="gpt-4o", usage={"prompt_tokens": 9, "completion_tokens": 1}))
    pytest.importorskip("genai_prices")
    assert "cost $" in run("usage", path, "--list-prices", "--text").stdout
    assert "cost $" not in run("usage", path, "--price", "gpt-4o=1,1", "--text").stdout


def test_errors_of_usage_and_labels_name_what_was_typed(capitals, truth, write):  # noqa: F811
    error = run("usage", capitals, "--per", "fortnight", status=2).stderr
    assert "--per='fortnight': expected a length of time such as" in error
    error = run("answers", capitals, "--where", "modle=1", status=2).stderr
    assert "--where='modle': expected one of 'response_key'" in error
    error = run("calibrate", write(body(["a"])), "--labels", truth, status=2).stderr
    assert "--on='custom_id': no row of seq has one; join on another column" in error


def test_usage_by_day_and_model(capitals):
    found = objects(run("usage", capitals, "--by", "model", "--per", "1D"))
    assert [row["start"][11:] for row in found] == ["00:00:00+00:00"] * len(found)
    assert sum(row["total_tokens"] for row in found) == 5846
    auto = objects(run("usage", capitals, "--per", "auto"))
    spans = toolkit.usage_over_time(toolkit.read(capitals))
    assert [row["total_tokens"] for row in auto] == spans["total_tokens"].dropna().tolist()
    (row,) = objects(run("usage", capitals, "--sql", "select sum(total_tokens) t from usage"))
    assert row["t"] == 5846


def test_usage_omits_days_without_responses(write):  # noqa: F811
    days = ["2023-03-01T10:00Z", "2023-03-01T23:59Z", "2026-11-20T00:00Z"]
    bodies = [
        body(["a"], id=str(n), model=model, created=pd.Timestamp(day).timestamp())
        for n, (day, model) in enumerate(zip(days, "mno", strict=True))
    ]
    path = write(*bodies)
    found = objects(run("usage", path, "--per", "1D"))
    assert [(row["start"][:10], row["n_responses"]) for row in found] == [
        ("2023-03-01", 2),
        ("2026-11-20", 1),
    ]
    shown = run("usage", path, "--per", "1D", "--text").stdout
    assert [line.split()[0] for line in shown.splitlines()[2:]] == ["2023-03-01", "2026-11-20"]
    each = objects(run("usage", path, "--per", "1D", "--by", "model"))
    assert [(row["model"], row["start"][:4]) for row in each] == [
        ("m", "2023"),
        ("n", "2023"),
        ("o", "2026"),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--price", "m"], "expected MODEL=INPUT,OUTPUT"),
        (["--price", "m=1"], "expected MODEL=INPUT,OUTPUT"),
        (["--price", "m=-1,1"], "expected (input, output)"),
        (["--price", "m=1,1", "--list-prices"], "expected one of them"),
        (["--per", "soon"], "expected a length of time"),
        (["--by", "nothing"], "expected one of"),
    ],
)
def test_usage_says_what_is_wrong(capitals, options, message):
    assert message in run("usage", capitals, *options, status=2).stderr


def test_fields_below_a_probability(data):
    path = data / "structured.jsonl"
    every = toolkit.field_metrics(toolkit.read(path))
    assert len(objects(run("fields", path))) == len(every)
    found = objects(run("fields", path, "--below", 0.5))
    expected = every[every["probability"] < 0.5].sort_values("probability", kind="stable")
    assert [row["value"] for row in found] == expected["value"].tolist()
    assert found[0]["first_alternatives"] == expected["first_alternatives"].iloc[0]
    lines = run("fields", path, "--below", 0.5, "--text", "--limit", 0).stdout.splitlines()
    assert len(lines) == len(found) + 2


def test_labels_may_have_several_texts(data):
    path = data / "sentiment_k20.jsonl"
    texts = ["positive", "negative", "other=neutral", "other=mixed"]
    found = objects(run("labels", path, *(part for t in texts for part in ("--label", t))))
    expected = toolkit.label_distribution(
        toolkit.read(path),
        {"positive": "positive", "negative": "negative", "other": ["neutral", "mixed"]},
    )
    for name in ("label", "probability_lower", "probability_upper"):
        assert [row[name] for row in found] == expected[name].tolist()
    assert "at least one label" in run("labels", path, status=2).stderr


def test_calibration_with_a_file_of_labels(capitals, truth, tmp_path):
    options = ["--labels", truth, "--accuracy", 0.8]
    found = json.loads(run("calibrate", capitals, *options, "--json").stdout)
    answers = toolkit.confidence_metrics(toolkit.read(capitals))
    judged = toolkit.join_labels(answers, pd.read_csv(truth))
    columns = judged["min_probability"], judged["correct"]
    for name, frame in {
        "calibration": toolkit.calibration(*columns),
        "selective": toolkit.selective(*columns),
        "threshold_for": toolkit.threshold_for(*columns, accuracy=0.8),
    }.items():
        assert list(found[name]) == list(frame.columns)
        for column in ("accuracy", "ece", "auroc", "threshold"):
            if column in frame:
                assert found[name][column] == frame[column][0]
    assert isinstance(found["selective"]["accuracy_at_coverage"], dict)
    lines = run("calibrate", capitals, *options, env={"COLUMNS": "80"}).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert {"calibration", "selective", "threshold_for"} <= {line.strip() for line in lines}

    texts = pd.read_csv(truth)
    texts["verdict"] = texts["correct"].map({1: "yes", 0: "no"})
    texts.drop(columns="correct").to_csv(tmp_path / "texts.csv", index=False)
    given = ["--labels", tmp_path / "texts.csv", "--correct", "verdict"]
    again = json.loads(run("calibrate", capitals, *given, "--right", "yes", "--json").stdout)
    assert again["calibration"] == found["calibration"]
    assert "holds string" in run("calibrate", capitals, *given, status=2).stderr
    missing = run("calibrate", capitals, "--labels", tmp_path / "texts.csv", status=2).stderr
    assert "has no column 'correct'; it has 'custom_id'" in missing


def test_answers_to_one_question_are_a_cluster(write, tmp_path):  # noqa: F811
    lines = (
        {"custom_id": f"q{i // 2}", "response": {"body": body(["x"], logprob=-0.1 * i, id=str(i))}}
        for i in range(60)
    )
    path = write(*lines)
    labels = "".join(f"q{i},{i % 2}\n" for i in range(30))
    (tmp_path / "labels.csv").write_text(f"custom_id,correct\n{labels}")
    given = ["--labels", tmp_path / "labels.csv"]
    found = json.loads(run("calibrate", path, *given, "--json").stdout)
    assert found["calibration"]["cluster"] == "custom_id"
    assert (found["calibration"]["n"], found["calibration"]["n_clusters"]) == (60, 30)
    text = "".join(f"{i},{i % 2}\n" for i in range(60))
    (tmp_path / "labels.csv").write_text(f"request,correct\n{text}")
    found = json.loads(run("calibrate", path, *given, "--on", "request", "--json").stdout)
    assert found["calibration"]["n"] == found["calibration"]["n_clusters"] == 60
    assert "no column 'text'" in run("calibrate", path, *given, "--on", "text", status=2).stderr


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("alternatives", ["--position", "0"]),
        ("labels", ["--label", "Paris", "--label", "Tokyo"]),
        ("reliability", ["--labels", "TRUTH"]),
        ("risk-coverage", ["--labels", "TRUTH", "--confidence", "probability"]),
        ("compare", ["--second", "CAPITALS"]),
        ("divergence", ["--second", "CAPITALS"]),
        ("prefix-survival", ["--second", "CAPITALS"]),
        ("usage", ["--by", "model"]),
        ("perplexity", ["--by", "kind"]),
    ],
)
def test_plots_that_need_more_than_a_load(capitals, truth, tmp_path, monkeypatch, kind, options):
    monkeypatch.chdir(tmp_path)
    given = [{"TRUTH": truth, "CAPITALS": capitals}.get(each, each) for each in options]
    out = run("plot", capitals, "--kind", kind, *given).stdout.strip()
    assert (tmp_path / out).read_bytes().startswith(b"\x89PNG")
    if kind not in ("usage", "perplexity"):
        missing = run("plot", capitals, "--kind", kind, status=2).stderr
        assert f"--kind {kind} needs {options[0]}" in missing


def test_every_plot_has_a_kind():
    kinds = plots.OF_ONE | plots.OF_ALL | plots.OF_LABELS | plots.OF_JUDGED | plots.OF_TWO
    of_scores = {"compare_evaluations"}  # compares tables of scores, not loads
    assert set(kinds.values()) | of_scores == set(toolkit.plot.__all__)


def test_hostile_texts_reach_no_terminal(write, tmp_path):  # noqa: F811
    odd = "\x1b[2J\u202e"
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    path = write(body(['{"a":"', odd, '"}'], id=odd, model=odd, custom_id=odd, usage=usage))
    (tmp_path / "labels.csv").write_text(f'response_id,correct\n"{odd}",1\n')
    for command in (
        ["usage", path, "--by", "model", "--price", "x=1,1", "--text"],
        ["fields", path, "--text"],
        ["labels", path, "--label", odd, "--text"],
        ["calibrate", path, "--labels", tmp_path / "labels.csv", "--on", "response_id"],
    ):
        result = run(*command)
        assert is_plain(result.stdout), command
        assert is_plain(result.stderr), command
