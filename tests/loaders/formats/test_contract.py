"""Check the rules that every format must follow, on one answer in each."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toolkit
from tests.loaders.formats.samples import SAMPLES, TOGETHER_STREAM, events, lines
from tests.oracle import assert_conserved
from toolkit.loaders.formats import detect
from toolkit.loaders.formats.token_lists import is_bare_entry

WHOLE = {name: sample for name, sample in SAMPLES.items() if sample.whole}
STREAMED = {name: sample for name, sample in SAMPLES.items() if sample.stream}
RECORDS = {
    f"{name}-{i}": (name, record)
    for name, sample in SAMPLES.items()
    for i, record in enumerate([sample.whole, *(sample.stream or ())])
    if record
} | {f"together-delta-{i}": ("together", each) for i, each in enumerate(TOGETHER_STREAM.stream)}


def format_of(name):
    """Return the format of a sample; what follows a comma tells samples of one format apart."""
    return name.partition(",")[0]


def expected(sample):
    """Return the rows of tokens and alternatives of the answer."""
    spelled = [("Hello", -0.25), (" wörld", -1.5)]
    tokens = [
        (text, logprob, text.encode() if sample.has_bytes else None) for text, logprob in spelled
    ]
    other = (" there!", -0.5, b" there!" if sample.has_bytes else None)
    return tokens, [other, tokens[1]]


def found(lp):
    names = ("token", "logprob", "bytes")
    return tuple(
        [tuple(row[name] for name in names) for row in lp[table].to_pylist()]
        for table in ("tokens", "alternatives")
    )


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_answer(name):
    sample = WHOLE[name]
    lp = toolkit.read(lines([sample.whole] * 2))
    assert_conserved(lp)
    assert lp.rejects.num_rows == 0
    assert lp.responses["kind"].to_pylist() == ["completion"] * 2
    assert lp.responses["format"].to_pylist() == [format_of(name)] * 2
    assert lp.responses["finished"].to_pylist() == [True] * 2
    assert lp.responses["notes"].to_pylist() == [[]] * 2
    tokens, alternatives = expected(sample)
    assert found(lp) == (tokens * 2, alternatives * 2)
    assert lp.text(0) == lp.text(1) == "Hello wörld"
    assert lp.tokens["sampled_rank"].to_pylist() == [None, 2] * 2
    assert all(id_ is not None for id_ in lp.tokens["token_id"].to_pylist()) == sample.has_ids


@pytest.mark.parametrize("name", STREAMED)
@pytest.mark.parametrize("written", [lines, events])
def test_a_stream_is_the_same_answer(name, written):
    sample = STREAMED[name]
    lp = toolkit.read(written(sample.stream))
    assert_conserved(lp)
    assert lp.rejects.num_rows == 0
    [response] = lp.responses.to_pylist()
    assert response["kind"] == "stream"
    assert response["n_chunks"] == len(sample.stream)
    assert response["finished"]
    assert response["notes"] == []
    assert found(lp) == expected(sample)
    [choice] = lp.choices.to_pylist()
    assert choice["content"] == "Hello wörld"
    whole = toolkit.read(lines([sample.whole]))
    names = ("prompt_tokens", "completion_tokens", "total_tokens", "reasoning_tokens", "model")
    assert {n: response[n] for n in names} == {n: whole.responses[n].to_pylist()[0] for n in names}
    assert choice["finish_reason"] == whole.choices["finish_reason"].to_pylist()[0]
    assert choice["alignment"] == whole.choices["alignment"].to_pylist()[0]


@pytest.mark.parametrize("name", STREAMED)
def test_streams_one_after_the_other_stay_apart(name):
    first = events(STREAMED[name].stream)
    second = re.sub(rb'(c|cmpl|g|resp)([-_])1"', rb'\1\g<2>2"', first)
    lp = toolkit.read(first + second)
    assert lp.responses["n_chunks"].to_pylist() == [len(STREAMED[name].stream)] * 2
    assert [lp.text(0), lp.text(1)] == ["Hello wörld"] * 2


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "openai_chat"])
def test_in_memory_as_from_a_file(name):
    lp = toolkit.from_responses([WHOLE[name].whole], custom_id=["mine"])
    assert found(lp) == expected(WHOLE[name])
    assert lp.responses["custom_id"].to_pylist() == ["mine"]


@pytest.mark.parametrize("key", RECORDS)
def test_exactly_one_format_matches(key):
    name, record = RECORDS[key]
    modules = (*detect.FORMATS, *detect.ENVELOPES)
    assert [module.NAME for module in modules if module.matches(record)] == [format_of(name)]


ODD = (
    *(None, 7, -1.5, True, "odd", "response.completed", "error", [], {}, [7], [None], {"a": 1}),
    *([{}], [[]], {"choices": []}, {"output": 7}, [{"choices": [{"delta": {}}]}]),
    *({"entries": [{"response": 7}]}, [{"ResponseBody": [7]}], [{"response": {"body": 7}}]),
)
FORMAT_KEYS = (
    *("choices", "output", "type", "response", "object", "usage", "candidates", "done", "stop"),
    *("message", "content", "data", "__data__", "Entries", "log", "interactions", "samples"),
    *("custom_id", "error", "generated_text", "completion_probabilities", "logprobs", "id"),
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))
        else:
            yield (*path, key)


@pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
@settings(max_examples=500, deadline=None)
@given(st.data())
def test_wrong_values_are_rejected_or_noted(data):
    """A damaged record gives rows, notes and rejects, and raises nothing."""
    _, record = RECORDS[data.draw(st.sampled_from(sorted(RECORDS)))]
    record = json.loads(json.dumps(record))
    path = data.draw(st.sampled_from([p for p in places(record) if p]))
    odd = data.draw(st.sampled_from(ODD))
    target = record
    for key in path[:-1]:
        target = target[key]
    what = data.draw(st.sampled_from(["replace", "delete", "add"]))
    if what == "replace":
        target[path[-1]] = odd
    elif what == "delete":
        del target[path[-1]]
    else:
        record[data.draw(st.sampled_from(FORMAT_KEYS))] = odd
    lp = toolkit.from_responses([record, {"choices": []}])
    assert_conserved(lp)


@pytest.mark.parametrize("name", RECORDS)
def test_no_answer_has_only_the_keys_of_an_entry(name):
    """Rows are searched for answers, and entries are not tried as one."""
    assert not is_bare_entry(RECORDS[name][1])
