"""JSON that is kept as it is, tool calls: the scanner writes it as the reference decoder does."""

import json

import pytest

import toolkit
from tests.fuzz import compare
from tests.loaders.decoding.test_rows import ASKED, ENTRY

pytestmark = pytest.mark.skipif(
    toolkit.decoder() != "native", reason="the native scanner was not built"
)

SAME = [
    ('{"name": "f", "args": "{\\"a\\": [1]}"}', '{"args":"{\\"a\\": [1]}","name":"f"}'),
    ('{"b": 1, "a": {"d": [ ], "c": { } }}', '{"a":{"c":{},"d":[]},"b":1}'),
    ('{"x": [0.1, 1.0, -0.0, 0.30000000000000004]}', '{"x":[0.1,1.0,-0.0,0.30000000000000004]}'),
    ('{"x": [1234567.5, -12, 123456789012345678]}', '{"x":[1234567.5,-12,123456789012345678]}'),
    (
        '{"x": "\\u00e9 \\/ \\u001F\\t\\u007f é 日 \\ud83d\\ude00"}',
        '{"x":"é / \\u001f\\t\x7f é 日 😀"}',
    ),
    ('{"é": [true, false, null, [[]]]}', '{"é":[true,false,null,[[]]]}'),
]
UNCERTAIN = ["1.00", "1e3", "-0", "1e16", "0.1000000000000000055", "1" * 19, '"\\ud800"', "NaN"]


def record(call, key="delta"):
    """Return the text of a record with a tool call, whose JSON is given."""
    body = {"choices": [{"index": 0, key: {"tool_calls": "@"}, "logprobs": {"content": [ENTRY]}}]}
    return json.dumps(body).replace('"@"', f"[{call}]").encode()


@pytest.mark.parametrize("key", ["delta", "message"])
@pytest.mark.parametrize(("call", "kept"), SAME)
def test_tool_calls_are_read_natively(call, kept, key):
    raw = record(call, key)
    assert compare.taken([raw])
    assert not compare.differ([raw])
    found = compare.native(compare.framed([raw])).parts["tool_calls"].to_pylist()
    assert found == [f"[{kept}]"]


@pytest.mark.parametrize("value", UNCERTAIN)
def test_numbers_and_texts_that_python_writes_otherwise(value):
    raw = record(f'{{"x": {value}}}')
    assert not compare.taken([raw])
    assert not compare.differ([raw])


@pytest.mark.parametrize("call", ['{"a": 1, "a": 2}', '{"a": {"\\u0062": 1}}', "1", "null", "[{}]"])
def test_tool_calls_that_are_odd(call):
    raw = record(call)
    assert not compare.taken([raw])
    assert not compare.differ([raw])


def test_a_chunk_with_a_tool_call_is_not_joined():
    asked = json.dumps(ASKED)
    records = [record(json.dumps({"index": 0, "function": {"arguments": asked}}))] * 3
    assert not compare.joins_differ(records)
    assert compare.native(compare.framed(records)).bodies.num_rows == 3
