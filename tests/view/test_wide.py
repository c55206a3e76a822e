"""Wide results are one line for each score in a notebook, and a DataFrame in all else."""

import pickle
import re

import pandas as pd
import pytest
from selectolax.lexbor import LexborHTMLParser as Parser

import toolkit
from tests.plot.cases import HOSTILE
from toolkit.metrics._results import WideFrame


@pytest.fixture(scope="module")
def judged(data):
    answers = toolkit.sequence_metrics(toolkit.read(data / "capitals_batch.jsonl"))
    return toolkit.join_labels(answers, pd.read_csv(data / "capitals_labels.csv"))


@pytest.fixture(scope="module")
def results(data, judged):
    confidence, correct = judged["min_probability"], judged["correct"]
    whole, stream = (toolkit.read(data / n) for n in ("pairs_whole.jsonl", "pairs_stream.sse"))
    return {
        "calibration": toolkit.calibration(confidence, correct, n_bootstrap=20),
        "selective": toolkit.selective(confidence, correct, n_bootstrap=20),
        "usage": toolkit.usage(whole, prices={"other": (1, 1)}),
        "compare_summary": toolkit.compare_summary(toolkit.compare(whole, stream)),
    }


def lines_of(frame):
    """Return the cells of each line, by the name of its score."""
    table = Parser(frame._repr_html_()).css_first("table")
    rows = [[cell.text() for cell in row.css("td")] for row in table.css("tr")]
    return {row[0]: row[1:] for row in rows if row}


@pytest.mark.parametrize("name", ["calibration", "selective", "usage", "compare_summary"])
def test_each_score_has_a_line_with_value_unit_and_meaning(results, name):
    frame = results[name]
    lines, row = lines_of(frame), frame.iloc[0]
    table = getattr(toolkit.schema, name.upper())
    for column in table.columns:
        if re.search("_(lower|upper)$", column.name) and not column.name.startswith("js_"):
            assert column.name not in lines
            continue
        value = row[column.name]
        if isinstance(value, dict | list):
            assert column.name in lines
        elif not pd.isna(value):
            shown, unit, _, meaning = lines[column.name]
            assert column.doc.startswith(meaning)
            assert "ull: " not in meaning
            assert unit == ("" if column.unit == "1" else column.unit)
            if isinstance(value, float):
                number = float(shown.split(" [")[0].replace(",", ""))
                assert number == pytest.approx(value, rel=0.006)
                low = row.get(f"{column.name}_lower")
                assert ("[" in shown) == (low is not None and not pd.isna(low))


def test_directions_are_named(results):
    scores = lines_of(results["calibration"]) | lines_of(results["selective"])
    for name, end in {"ece": "lower", "auroc": "higher", "prr": "higher", "aurc": "lower"}.items():
        assert scores[name][2] == end
    assert scores["gap"][2] == "nearer to 0"
    assert scores["mean_confidence"][2] == "higher: more certain"


def test_groups_are_columns(data, judged):
    lp = toolkit.read([data / "pairs_whole.jsonl", data / "pairs_stream.sse"])
    frame = toolkit.usage(lp, by="kind")
    head = [cell.text() for cell in Parser(frame._repr_html_()).css("tr")[0].css("th")]
    assert head == ["", "completion", "stream", "unit", "better", "meaning"]
    assert lines_of(frame)["n_responses"][:2] == ["12", "12"]
    many = toolkit.usage(lp, by="response_id")
    assert len(many) > 6
    assert many._repr_html_() == pd.DataFrame(many)._repr_html_()


def test_all_else_is_a_dataframe(results, tmp_path):
    frame = results["calibration"]
    plain = pd.DataFrame(frame)
    assert isinstance(frame, pd.DataFrame)
    assert frame.equals(plain)
    assert plain.equals(frame)
    pd.testing.assert_frame_equal(frame, plain)
    for made in (frame.copy(), frame[["ece", "n"]], frame.T, frame.round(2), frame.assign(a=1)):
        assert type(made) is pd.DataFrame
    assert type(pd.concat([frame, frame])) is pd.DataFrame
    assert repr(frame) == repr(plain)
    assert list(frame.columns) == toolkit.schema.CALIBRATION.names
    again = pickle.loads(pickle.dumps(frame))
    assert isinstance(again, WideFrame)
    assert again._repr_html_() == frame._repr_html_()
    frame.to_parquet(tmp_path / "calibration.parquet")
    assert pd.read_parquet(tmp_path / "calibration.parquet")["ece"][0] == frame["ece"][0]


def test_models_are_texts_and_never_markup():
    bodies = [
        {
            "model": text,
            "choices": [{"message": {"content": "a"}, "finish_reason": text}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1},
        }
        for text in ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', *HOSTILE[:3])
    ]
    for by in (None, "model"):
        with pytest.warns(toolkit.ToolkitWarning, match="no response has logprobs"):
            lp = toolkit.from_responses(bodies)
        html = toolkit.usage(lp, by=by, prices={})._repr_html_()
        found = {node.tag for node in Parser(html).css("*")}
        assert found <= {
            "html",
            "head",
            "body",
            "table",
            "tbody",
            "tr",
            "th",
            "td",
            "b",
            "br",
            "span",
        }
        attributes = {name for node in Parser(html).css("*") for name in node.attributes}
        assert attributes <= {"border", "class", "style", "colspan"}
        assert "\x1b" not in html
        assert "\u202e" not in html
