"""A row of a result table selects its response, its choice and its channel."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import toolkit
from tests.loaders.merging.test_merger import entry, stream
from tests.loaders.test_read import whole
from tests.test_tables import two_choices
from toolkit.errors import ArgumentError, SelectionError
from toolkit.tables.rows import pick


@pytest.fixture
def lp():
    """``x``; ``two`` with two choices, of which the second has a refusal; the stream ``s``."""
    two = two_choices()
    two["choices"][1]["message"]["refusal"] = "no"
    two["choices"][1]["logprobs"]["refusal"] = [entry("no", -2.0)]
    return toolkit.from_responses(
        [whole("hi", "x"), two, stream("s", "yz")], custom_id=["c0", "c1", "c2"]
    )


FORMS = {
    "series": lambda frame, i: frame.iloc[i],
    "frame": lambda frame, i: frame.iloc[[i]],
    "itertuples": lambda frame, i: list(frame.itertuples())[i],
    "dict": lambda frame, i: frame.iloc[i].to_dict(),
    "arrow table": lambda frame, i: pa.Table.from_pandas(frame).slice(i, 1),
    "arrow batch": lambda frame, i: pa.RecordBatch.from_pandas(frame).slice(i, 1),
    "struct": lambda frame, i: pa.Table.from_pandas(frame).to_struct_array()[i],
    "nullable": lambda frame, i: frame.convert_dtypes().iloc[i],
    "floats": lambda frame, i: frame.select_dtypes("number").iloc[i].astype(float),
    "polars": lambda frame, i: pytest.importorskip("polars").from_pandas(frame)[i],
}


@pytest.mark.parametrize("form", FORMS)
def test_a_row_in_any_form_selects_its_response_and_choice(form, lp):
    frame = toolkit.sequence_metrics(lp)
    frame = frame[frame["channel"] == "content"].drop(columns=["custom_id", "response_id"])
    assert frame["choice"].tolist() == [0, 0, 1, 0]
    for i, text in enumerate(["hi", "ab", "c", "yz"]):
        row = FORMS[form](frame, i)
        assert lp.locate(row) == [0, 1, 1, 2][i]
        assert lp.text(row) == text
        assert lp.only(row).equals(lp.only([0, 1, 1, 2][i], [0, 0, 1, 0][i]))


RESULTS = {
    "responses": lambda lp: lp.to_pandas("responses"),
    "choices": lambda lp: lp.to_pandas("choices"),
    "tokens": lambda lp: lp.to_pandas("tokens"),
    "token_metrics": toolkit.token_metrics,
    "sequence_metrics": toolkit.sequence_metrics,
    "confidence_metrics": toolkit.confidence_metrics,
    "word_metrics": toolkit.word_metrics,
    "arrow": lambda lp: lp.responses.to_pandas(types_mapper=pd.ArrowDtype),
}


@pytest.mark.parametrize("table", RESULTS)
def test_rows_of_every_table_have_their_response(table, lp):
    frame = RESULTS[table](lp)
    keys = lp.responses["response_key"].to_pylist()
    assert len(frame) >= 3
    for _, row in frame.iterrows():
        assert keys[lp.locate(row)] == row["response_key"]


def test_the_channel_of_a_row_is_used_unless_one_is_given(lp):
    frame = toolkit.sequence_metrics(lp)
    row = frame[frame["channel"] == "refusal"].iloc[0]
    assert lp.text(row) == "no"
    assert lp.text(row, channel="content") == "c"
    assert lp.text(row, choice=0, channel="content") == "ab"
    shown = toolkit.show(lp, response=row).text()
    assert "perplexity of refusal" in shown
    assert shown == toolkit.show(lp, response="two", choice=1, channel="refusal").text()
    assert "refusal" in toolkit.plot.token_confidence(lp, response=row).get_title()


def test_plots_take_rows(lp):
    frame = toolkit.token_metrics(lp)
    row = frame[(frame["response_key"] == 1) & (frame["position"] == 1)].iloc[0]
    assert toolkit.plot.alternatives(lp, response=row).get_title().startswith("position 1")
    own = toolkit.plot.alternatives(lp, response=row, position=0).get_title()
    assert own.startswith("position 0")
    for plot in (toolkit.plot.confidence_over_position, toolkit.plot.entropy_by_position):
        assert "c1" in plot(lp, response=row).get_title()


def test_a_row_of_compare_selects_one_answer_of_each_run(lp):
    other = toolkit.from_responses([whole("ho", "y"), whole("hi", "z")], custom_id=["c9", "c0"])
    found = toolkit.compare(lp, other, on="custom_id")
    row = found[found["custom_id"] == "c0"].iloc[0]
    view = toolkit.show(lp, other, response=row)
    assert view.text() == toolkit.show(lp, other, response=("x", "z"), choice=0).text()
    with pytest.raises(SelectionError, match="response_key_a"):
        lp.locate({"response_key_a": 0, "response_key_b": 0})


def test_a_pair_of_namedtuples_is_a_pair(lp):
    first, *_, last = toolkit.sequence_metrics(lp).itertuples()
    view = toolkit.show(lp, lp, response=(first, last))
    same = toolkit.show(lp, lp, response=(0, 2), channel="content")
    assert view.text() == same.text()


def test_a_row_of_another_load_is_refused(lp):
    last = toolkit.sequence_metrics(lp).iloc[-1]
    with pytest.raises(SelectionError, match="response_key 2: the row is of another load"):
        toolkit.from_responses(whole("a")).text(last)
    with pytest.raises(SelectionError, match="another load"):
        lp.text({"response_key": -1})
    with pytest.raises(SelectionError, match="has no choice 7"):
        lp.text({"response_key": 0, "choice": 7})


@pytest.mark.parametrize("key", [None, np.nan, pd.NA, "0", 0.5])
def test_a_row_without_a_key_is_refused_or_has_an_id(key, lp):
    with pytest.raises(SelectionError, match="has no response_key"):
        lp.locate({"response_key": key})
    assert lp.locate({"response_key": key, "custom_id": "c1"}) == 1
    assert lp.locate(pd.Series({"response_id": "s", "correct": True})) == 2


def test_several_rows_select_nothing(lp):
    frame = toolkit.sequence_metrics(lp)
    for rows in (frame, frame.iloc[:0], lp.responses):
        with pytest.raises(SelectionError, match=f"a table of {len(rows)} rows"):
            lp.text(rows)


def test_what_the_caller_says_comes_first():
    row = {"response_key": 5, "choice": 2, "channel": "refusal", "position": 4}
    assert pick(row)[1:] == (2, "refusal", 4)
    assert pick(row, 0, "content")[1:] == (0, "content", 4)
    assert pick("id") == ("id", 0, None, None)
    assert pick({"response_key": 5, "choice": pd.NA, "channel": np.nan})[1:] == (0, None, None)


# FILE:LINE


@pytest.fixture
def lines(data, monkeypatch):
    monkeypatch.chdir(data.parent)
    with pytest.warns(toolkit.ToolkitWarning):
        return toolkit.read("data/malformed.jsonl")


@pytest.mark.parametrize(
    "name", ["data/malformed.jsonl", "malformed.jsonl", "…formed.jsonl"], ids=["path", "end", "cut"]
)
def test_file_and_line_select_the_response_that_begins_there(name, lines):
    found = lines.responses["line"].to_pylist()
    once = [line for line in found if found.count(line) == 1]
    assert len(once) == 6
    for line in once:
        assert lines.locate(f"{name}:{line}") == found.index(line)
    for row in lines.rejects.to_pylist():
        reason = rf"was rejected \({row['reason']}\).*--raw"
        with pytest.raises(SelectionError, match=reason):
            lines.locate(f"{name}:{row['line']}")


@pytest.mark.parametrize("text", ["lformed.jsonl:1", "malformed.jsonl:999", ":1", "x:", "a:²"])
def test_other_places_select_nothing(text, lines):
    with pytest.raises(SelectionError, match="no response has"):
        lines.locate(text)


def test_an_id_comes_before_a_place(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "a.jsonl:2", "choices": [{"message": {"content": "x"}}]}\n' * 2)
    with pytest.warns(toolkit.ToolkitWarning):
        lp = toolkit.read(path)
    with pytest.raises(SelectionError, match=r"2 responses have the response_id .*: 0, 1"):
        lp.locate("a.jsonl:2")


def test_a_line_of_several_responses_names_their_rows(tmp_path):
    path = tmp_path / "a.jsonl"
    body = '{"choices": [{"message": {"content": "x"}}]}'
    path.write_text(f"{body}\n[{body}, {body}]\n")
    with pytest.warns(toolkit.ToolkitWarning):
        lp = toolkit.read(path)
    with pytest.raises(SelectionError, match=r"2 responses begin at .*: 1, 2"):
        lp.locate(f"{path}:2")


@pytest.mark.parametrize("key", [0, -1, True, "capital-000", "nothing", slice(3), None, [1], 1.5])
def test_a_key_that_names_no_table_is_refused_with_what_to_type(lp, key):
    with pytest.raises(
        ArgumentError, match="expected the name of a table, one of 'alternatives'"
    ) as caught:
        lp[key]
    shown = repr(key) if isinstance(key, int | str) else "ROW"
    assert f"lp.text({shown})" in str(caught.value)
    with pytest.raises(ArgumentError, match="expected the name of a table"):
        list(lp)
