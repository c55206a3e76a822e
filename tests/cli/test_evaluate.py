"""`logprobs evaluate`: what it prints equals the library."""

import json

import pandas as pd
import pytest

import toolkit
from tests.cli.test_check import run
from tests.metrics.byte_pieces import body


def rows(*args):
    return [json.loads(line) for line in run("evaluate", *args, "--json").stdout.splitlines()]


def said(*texts, path):
    """Write answers with these texts and the custom_ids 0, 1, and so on."""
    bodies = [body([(text.encode(), -0.5)]) for text in texts]
    lines = [
        json.dumps({"custom_id": str(i), "response": {"status_code": 200, "body": each}})
        for i, each in enumerate(bodies)
    ]
    path.write_text("\n".join(lines))
    return path


def test_labels_give_the_share_of_right_answers_and_its_interval(data):
    source, labels = data / "capitals_batch.jsonl", data / "capitals_labels.csv"
    [row] = rows(source, "--labels", labels)
    truth = toolkit.join_labels(toolkit.sequence_metrics(toolkit.read(source)), pd.read_csv(labels))
    expected = toolkit.evaluate(truth).iloc[0]
    assert (row["n"], row["mean"]) == (100, 0.87)
    for name in ("mean_lower", "mean_upper", "error", "least_detectable"):
        assert row[name] == pytest.approx(expected[name]), name
    text = run("evaluate", source, "--labels", labels, "--text").stdout
    assert "0.8700  0.7888  0.9238" in text


def test_answers_to_one_question_are_one_cluster(data):
    source, labels = data / "arithmetic_n5.jsonl", data / "arithmetic_labels.csv"
    [row] = rows(source, "--labels", labels)  # numbers of requests
    assert (row["n"], row["n_clusters"], row["cluster"]) == (200, 40, "response_key")
    assert row["design_effect"] > 1


def test_expected_answers_are_compared_as_they_are_written(tmp_path):
    source = said(" 007", "NA", "none\n", "8", path=tmp_path / "a.jsonl")
    labels = tmp_path / "labels.csv"
    labels.write_text("custom_id,topic,expected\n0,x,007\n1,x,NA\n2,y,None\n3,y,\n")
    found = rows(source, "--labels", labels, "--by", "topic")
    assert [(row["topic"], row["n"], row["mean"]) for row in found] == [("x", 2, 1), ("y", 1, 0)]
    assert found[1]["n_missing"] == 1


def test_two_runs_are_compared_question_by_question(tmp_path):
    a = said("1", "2", "3", "9", path=tmp_path / "a.jsonl")
    b = said("1", "9", "9", "9", path=tmp_path / "b.jsonl")
    labels = tmp_path / "labels.csv"
    labels.write_text("custom_id,expected\n" + "".join(f"{i},{i + 1}\n" for i in range(4)))
    [row] = rows(a, "--against", b, "--labels", labels)
    assert (row["n_pairs"], row["mean_a"], row["mean_b"]) == (4, 0.75, 0.25)
    assert (row["difference"], row["mcnemar_p"]) == (-0.5, 0.5)
    assert "-0.5000" in run("evaluate", a, "--against", b, "--labels", labels, "--text").stdout
    # A column `correct` is of one run, so it cannot judge another.
    labels.write_text("custom_id,correct\n0,1\n1,1\n2,1\n3,0\n")
    assert rows(a, "--labels", labels)[0]["mean"] == 0.75
    error = run("evaluate", a, "--against", b, "--labels", labels, status=2).stderr
    assert "no column 'expected', to judge both runs by; it has ['custom_id', 'correct']" in error


def test_options_are_scored_by_each_measure(data):
    sources = [data / f"options_{name}.jsonl.gz" for name in ("q4_1", "q4_0")]
    found = rows(sources[0], "--options", data / "options.csv")
    assert [(row["measure"], row["mean"]) for row in found[:4]] == [
        ("acc", 0.6), ("acc_norm", 0.575), ("acc_bytes", 0.575), ("acc_tokens", 0.475)
    ]  # fmt: skip
    found = rows(sources[0], "--against", sources[1], "--options", data / "options.csv")
    assert [(row["n_pairs"], row["mean_b"]) for row in found[:2]] == [(40, 0.6), (40, 0.55)]


def test_wrong_calls_say_what_to_type(data, tmp_path):
    source, labels = data / "capitals_batch.jsonl", data / "capitals_labels.csv"
    assert (
        "expected either --labels=CSV or --options=CSV" in run("evaluate", source, status=2).stderr
    )
    both = ("--labels", labels, "--options", labels)
    assert "expected either" in run("evaluate", source, *both, status=2).stderr
    error = run("evaluate", source, "--labels", labels, "--by", "continent", status=2).stderr
    assert "by='continent': expected one of" in error
    bare = tmp_path / "bare.csv"
    bare.write_text("custom_id,answer\ncapital-000,x\n")
    error = run("evaluate", source, "--labels", bare, status=2).stderr
    assert "no column 'correct' or 'expected'; it has ['custom_id', 'answer']" in error
    bare.write_bytes(b"")
    assert "expected a CSV file" in run("evaluate", source, "--labels", bare, status=2).stderr
