"""JSON in texts, whole and cut."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.metrics._alignment.json_leaves import MAX_DEPTH, documents

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-999, 999), st.floats(-5, 5), st.text(max_size=6)
)
KEYS = st.text(max_size=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def naive(value, path="$"):
    """Return (path, decoded value) of each leaf."""
    if isinstance(value, dict) and value:
        found = []
        for key, item in value.items():
            plain = key.isascii() and key.isidentifier()
            tail = f".{key}" if plain else f"[{json.dumps(key, ensure_ascii=False)}]"
            found += naive(item, path + tail)
        return found
    if isinstance(value, list) and value:
        return [pair for i, item in enumerate(value) for pair in naive(item, f"{path}[{i}]")]
    return [(path, value)]


def said(leaf):
    return leaf.value if leaf.kind == "string" else json.loads(leaf.value)


@settings(max_examples=500)
@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_leaves_are_those_of_json(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    if isinstance(value, dict | list):
        for around in ("{}", "Here:\n```json\n{}\n```\nSo."):
            whole = around.format(text) if around != "{}" else text
            if isinstance(value, list) and not (value and isinstance(value[0], str | dict)):
                whole = text  # numbers in brackets in prose are not JSON
            ((leaves, state),) = documents(whole)
            assert state == "closed"
            assert [(leaf.path, said(leaf)) for leaf in leaves] == naive(value)
            assert all(leaf.is_complete for leaf in leaves)
            for leaf in leaves:
                assert json.loads(whole[leaf.start : leaf.end]) == said(leaf)
    else:
        ((leaves, _),) = documents(text)
        assert [(leaf.path, said(leaf)) for leaf in leaves] == [("$", value)]


@given(st.dictionaries(st.text(max_size=4), VALUES, min_size=1, max_size=3), st.data())
def test_cut_json_gives_the_fields_that_are_there(value, data):
    text = json.dumps(value, ensure_ascii=False)
    cut = text[: data.draw(st.integers(0, len(text)))]
    ((whole, _),) = documents(text)
    found = list(documents(cut))
    got = [leaf for leaves, _ in found for leaf in leaves]
    assert all(state == ("closed" if cut == text else "cut") for _, state in found)
    there = [leaf for leaf in whole if leaf.end <= len(cut)]
    assert [(leaf.path, leaf.kind, leaf.value) for leaf in got[: len(there)]] == [
        (leaf.path, leaf.kind, leaf.value) for leaf in there
    ]
    assert len(got) <= len(there) + 1
    assert all(leaf.is_complete for leaf in got[: len(there)] if leaf.end < len(cut))
    for leaf in got[len(there) :]:
        assert not leaf.is_complete
        assert leaf.path == whole[len(there)].path
        assert leaf.end == len(cut)
        if leaf.kind == "string":
            assert whole[len(there)].value.startswith(leaf.value.rstrip("\ufffd"))


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("no JSON here", []),
        ("see [1] and {x} and {1}", []),
        ('{"a": 1} and {"b": 2}', [["$.a"], ["$.b"]]),
        ('{"a": 1,}', [["$.a"]]),
        ('{"a": 1 "b": 2}', [["$.a"]]),
        ('{"a": {"b": [], "c": {}}}', [["$.a.b", "$.a.c"]]),
        ('{"a": 1, "a": 2}', [["$.a", "$.a"]]),
        ('{"a b": 1, "ü": 2}', [['$["a b"]', '$["ü"]']]),
        ('[{"a": 1}]', [["$[0].a"]]),
        ("[1, 2]", [["$[0]", "$[1]"]]),
        ('Done: ["x"]', [["$[0]"]]),
        ('"yes"', [["$"]]),
        ("42", [["$"]]),
        ("42 is it", []),
        ("```json\ntrue\n```", [["$"]]),
        ('{"a": NaN, "b": -Infinity}', [["$.a", "$.b"]]),
        ('{"a": 01}', []),
        ('{"[": {"', []),
        ('{"[": {"x', []),
        ('{"[', []),
        ("{'a': 1}", []),
        ("{}", [["$"]]),
        ("{", []),
        ('{"a', []),
        ('{"a":', []),
        ('{"a": tr', [["$.a"]]),
        ('{"a": -', [["$.a"]]),
        ('{"a": "x\\', [["$.a"]]),
    ],
)
def test_paths(text, paths):
    assert [[leaf.path for leaf in leaves] for leaves, _ in documents(text)] == paths


def test_values_are_decoded():
    ((leaves, _),) = documents('{"a": "x\\u00e9\\n\\ud83d\\udc99", "b": "\\ud83d", "c": "\\q"}')
    assert [leaf.value for leaf in leaves] == ["xé\n💙", "\ufffd", "\\q"]
    ((leaves, _),) = documents('{"a": "x\\u00')
    assert leaves[0].value == "x"
    ((leaves, _),) = documents('{"a": "x\\\\')
    assert leaves[0].value == "x\\"


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ('{"a": 1}', "closed"),
        ('{"a": 1,}', "closed"),
        ('{"a": 1} and so on', "closed"),
        ('{"a": 1', "cut"),
        ('{"a": 1, ', "cut"),
        ('{"a": 1, "b', "cut"),
        ('{"a": 1, "b\\"', "cut"),
        ('{"a": 1, "b" ', "cut"),
        ('{"a": 1, "b": ', "cut"),
        ('{"a": 1, "b": [', "cut"),
        ('{"a": 1, "b": tr', "cut"),
        ('{"a": 1, "b": "x', "cut"),
        ('{"a": 1 "b": 2}', "broken"),
        ('{"a": 1, b: 2}', "broken"),
        ('{"a": 1, "b": }', "broken"),
        ('{"a": 1]', "broken"),
        ('{"a": 1\n```', "broken"),
        ("42", "closed"),
        ('"yes', "cut"),
    ],
)
def test_a_document_says_how_it_ended(text, state):
    assert [document.state for document in documents(text)] == [state]


def test_depth_has_a_limit():
    def nest(depth, tail="}"):
        return '{"a":' * depth + '"}"' + tail * depth

    path = "$" + ".a" * MAX_DEPTH
    ((leaves, state),) = documents(nest(MAX_DEPTH))
    assert [(leaf.path, leaf.value) for leaf in leaves] == [(path, "}")]
    assert state == "closed"
    ((leaves, state), (more, _)) = documents(nest(MAX_DEPTH + 9) + ' {"b": 1}')
    assert [(leaf.path, leaf.kind, leaf.value) for leaf in leaves] == [(path, "object", nest(9))]
    assert leaves[0].is_complete
    assert state == "closed"
    assert [leaf.path for leaf in more] == ["$.b"]
    ((leaves, state),) = documents(nest(MAX_DEPTH + 9, ""))
    assert [(leaf.path, leaf.value) for leaf in leaves] == [(path, nest(9, ""))]
    assert not leaves[0].is_complete
    assert state == "cut"


HOSTILE = [
    "{",
    '{"a":',
    '["',
    "[[",
    '{"a" ',
    '{"a":[',
    '{"k":{"x',
    "[{",
    '{"\\"',
    "[tf",
    "[1e",
    "[{}",
    "{ \n",
    "[-",
    "[1 ",
    '{"a":"\\',
    '[["\\u',
    "]",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_is_linear(piece):
    def seconds(n):
        begin = time.process_time()
        list(documents((piece * n)[:n]))
        return time.process_time() - begin

    # Quadratic time would be many seconds, and grow 64-fold.
    assert seconds(160_000) < 0.5 + 24 * min(seconds(20_000) for _ in range(3))
