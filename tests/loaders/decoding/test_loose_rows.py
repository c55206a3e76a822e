"""Token logprobs in rows without an answer around them: the scanner reads what is certain."""

import json

import pytest

import toolkit
from tests.fuzz import compare
from tests.fuzz.odd_values import COLUMNS, KEYS, ROW_KEYS
from tests.loaders.decoding.test_rows import ENTRY, WHOLE
from toolkit.loaders.formats.lookup import Lookup

pytestmark = pytest.mark.skipif(
    toolkit.decoder() != "native", reason="the native scanner was not built"
)

BODY = {"content": [ENTRY], "refusal": None}
READ = [
    ({"id": 7, "answer": "Hi", "logprobs": BODY}, "$.logprobs", "Hi"),
    ({"reply": "no", "said": " Hi\u3000", "logprobs": [ENTRY]}, "$.logprobs", " Hi\u3000"),
    ({"text": "later", "answer": "first", "logprobs": [ENTRY]}, "$.logprobs", "first"),
    ({"run": {"logprobs": [ENTRY], "output": "in"}, "output": "out"}, "$.run.logprobs", "in"),
    ({"run": {"token_logprobs": [ENTRY]}, "output": "out"}, "$.run.token_logprobs", "out"),
    ({"n": {"a": ["x", {"b": "Hi"}]}, "text": "x", "logprobs": [ENTRY]}, "$.logprobs", "Hi"),
    ({"n": {"a": [[["Hi"]]]}, "logprobs": [ENTRY], "mean_logprob": -1}, None, None),
    ({"answer": 5, "logprobs": [ENTRY], "mean_logprob": -1.5}, "$.logprobs", None),
]
UNCERTAIN = [
    {"logprobs": []},
    {"logprobs": {"content": None, "refusal": [ENTRY]}},
    {"logprobs": {"content": [ENTRY], "reasoning": [ENTRY]}},
    {"logprobs": [ENTRY], "more_logprobs": [ENTRY]},
    {"logprobs": [ENTRY], "tokens": [{"text": "a", "logprob": -1}]},
    {"logprobs": [ENTRY, {"token": "a"}]},
    {"logprobs": [{**ENTRY, "choices": []}]},
    {"logprobs": [{**ENTRY, "token": '{"choices": []}'}]},
    {"logprobs": [{**ENTRY, "top_logprobs": [{**ENTRY, "token": ' {"choices": []}'}]}]},
    {"logprobs": [ENTRY], "answer": WHOLE},
    {"answer": WHOLE, "logprobs": [ENTRY]},
    {"id": 7, "top_logprobs": [ENTRY]},
    {"text": "a", "logprob": -1, "x_logprobs": [ENTRY]},
    {"logprobs": [ENTRY], "finish_reason": {"type": "stop"}},
    {"logprobs": [ENTRY], "usage": 5},
    {"logprobs": [ENTRY], "message": {"content": "Hi"}},
    {"usage": {"inputTokens": 5, "more": {"logprobs": [ENTRY]}}},
    {"model": "m", "run": {"model": {"logprobs": [ENTRY]}}},
    {"finish_reason": "stop", "run": {"finish_reason": [ENTRY]}},
    {"list": [{"logprobs": [ENTRY]}]},
    {"custom_id": "c", "response": {"body": {"logprobs": [ENTRY]}}},
    {"q17": [ENTRY]},
    {"logprobs17": [ENTRY]},
    {"logprobs": [ENTRY], "long": list(range(2000))},
]


def text(record):
    return json.dumps(record, ensure_ascii=False).encode()


@pytest.mark.parametrize(("record", "path", "content"), READ, ids=range(len(READ)))
def test_lists_of_entries_are_read_natively(record, path, content):
    raw = text(record)
    assert not compare.differ([raw])
    assert bool(compare.taken([raw])) == (path is not None)
    if path is not None:
        read = compare.native(compare.framed([raw]))
        assert read.bodies["path"].to_pylist() == [path]
        assert read.bodies["format"].to_pylist() == ["row"]
        assert read.parts["content"].to_pylist() == [content]


@pytest.mark.parametrize("record", UNCERTAIN, ids=range(len(UNCERTAIN)))
def test_what_is_uncertain_is_left_to_the_reference(record):
    raw = text(record)
    assert not compare.taken([raw])
    assert not compare.differ([raw])


def test_a_repeated_key_is_uncertain():
    for more in ('"a":"Hi","a":"b"', '"n":{"a":"Hi","a":"b"}', '"logprobs":null'):
        raw = text({"logprobs": [ENTRY]})[:-1] + f",{more}}}".encode()
        assert not compare.taken([raw])
        assert not compare.differ([raw])


def test_columns_are_those_around_the_lists():
    raw = text({"id": "q", "n": 2, "run": {"n": 1, "logprobs": BODY}})
    lookup = Lookup(id="n", keep=("id", "refusal", "n"))
    assert compare.taken([raw], lookup)
    assert not compare.differ([raw], lookup=lookup)


ARRAYS = {"tokens": ["H", "i"], "logprobs": [-0.5, -1.25], "top_logprobs": [{"H": -0.5}, None]}
WITH_ARRAYS = [
    ({"id": 7, "generation": "Hi", **ARRAYS}, "Hi"),
    ({**ARRAYS, "top_logprobs": [[{"token": "H", "logprob": -0.5}], []], "answer": "Hi"}, "Hi"),
    ({"tokens": ["Hi"], "tokenLogprobs": [None, -0.5][1:], "text_offset": [0], "a": "x"}, None),
    ({**ARRAYS, "messages": [{"role": "user", "content": "x"}], "said": {"it": "Hi "}}, "Hi "),
    ({**ARRAYS, "custom_id": "c", "index": 3, "answer": "no"}, "no"),
    ({**ARRAYS, "error": None, "response": "no"}, "no"),
    ({**ARRAYS, "mean_logprob": -1, "scores": [0.5, 1], "answer": "H"}, "H"),
]
UNCERTAIN_ARRAYS = [
    {**ARRAYS, "tokens": ["H"]},
    {**ARRAYS, "logprobs": [-1, -2]},
    {**ARRAYS, "logprobs": {"content": [ENTRY]}},
    {**ARRAYS, "token_logprobs": [-0.5, -1.25]},
    {**ARRAYS, "token_ids": [1, 2]},
    {**ARRAYS, "prompt_tokens": ["a", "b"]},
    {**ARRAYS, "ids": [1, 2]},
    {**ARRAYS, "stop": ["H", "i"], "stop_tokens": []},
    {**ARRAYS, "content": [ENTRY]},
    {**ARRAYS, "choices": []},
    {**ARRAYS, "response": {"text": "Hi"}},
    {**ARRAYS, "custom_id": "c", "response": None},
    {**ARRAYS, "raw": json.dumps(WHOLE)},
    {**ARRAYS, "steps": [{"logprobs": [-0.5]}]},
    {**ARRAYS, "steps": [{"alternatives": [-0.5]}]},
    {**ARRAYS, "pairs": [[1, -0.5]]},
    {**ARRAYS, "index": 0, "text": "Hi", "finish_reason": "stop"},
    {**ARRAYS, "done": True},
    {"run": ARRAYS},
]


@pytest.mark.parametrize(("record", "content"), WITH_ARRAYS, ids=range(len(WITH_ARRAYS)))
def test_arrays_in_rows_are_read_natively(record, content):
    raw = text(record)
    assert compare.taken([raw])
    assert not compare.differ([raw])
    read = compare.native(compare.framed([raw]))
    assert read.parts["content"].to_pylist() == [content]
    assert read.bodies["format"].to_pylist() == ["row"]
    assert read.envelopes == 0
    lookup = Lookup(id="answer", keep=("said", "custom_id"))
    assert not compare.differ([raw], lookup=lookup)


@pytest.mark.parametrize("record", UNCERTAIN_ARRAYS, ids=range(len(UNCERTAIN_ARRAYS)))
def test_arrays_that_are_uncertain_are_left_to_the_reference(record):
    raw = text(record)
    assert not compare.taken([raw])
    assert not compare.differ([raw])


def test_a_row_without_keys_may_have_a_column_of_answers():
    raw = text({"rows": [[ENTRY], [[ENTRY], None, [ENTRY]]]})
    assert not compare.differ([raw])
    read = compare.reference(compare.framed([raw]))
    assert read.bodies["path"].to_pylist() == ["$.rows[0]", "$.rows[1][0]", "$.rows[1][2]"]


@pytest.mark.parametrize("where", ["%s,", '"a":{%s},', '"a":[{%s}],'])
def test_any_key_beside_arrays(where):
    """With any value; some mean another format, a part of an answer, or more arrays."""
    row = text({"id": 7, "generation": "Hi", **ARRAYS})[1:]
    arrays = (b'["H","i"]', b"[1,2]", b'[{"a":-0.5},{"b":-1}]', b"[-0.5,-1.25]")
    keys = {*ROW_KEYS, *KEYS, b"top", b"ids", b"x_tokens", b"kind", b"ARGUMENTS", b"logprobs2"}
    for key in sorted(keys):
        members = [b'"%s":%s' % (key, value) for value in (*COLUMNS[::5], *arrays)]
        records = [b"{" + where.encode() % member + row for member in members]
        if compare.differ(records):
            assert not [record for record in records if compare.differ([record])]
