"""Token logprobs in rows without an answer around them: the scanner reads what is certain."""

import json

import pytest

import toolkit
from tests.fuzz import compare
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
