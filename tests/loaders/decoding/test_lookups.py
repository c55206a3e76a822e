"""`path=`, `id=` and `keep=`: the scanner finds what is named, and only if it is certain."""

import json

import pytest

import toolkit
from tests.fuzz import compare
from tests.loaders.decoding.test_rows import CHUNK, WHOLE, row
from toolkit.loaders.decoding.plans import lookup_plan
from toolkit.loaders.formats.lookup import Lookup

pytestmark = pytest.mark.skipif(
    toolkit.decoder() != "native", reason="the native scanner was not built"
)

ROW = {"id": 7, "q": {"text": "Who?", "n": 2}, "response": "@", "score": 0.875, "tags": ["a", {}]}
READ = [
    (ROW, Lookup(keep=("score", "q.text")), "7", {"q.text": "Who?", "score": 0.875}),
    (ROW, Lookup(id="q.n", keep=("tags",)), "2", {"tags": ["a", {}]}),
    (ROW, Lookup(id="nowhere", keep=("nowhere", "q.none")), "7", None),
    (ROW, Lookup(path="response", keep=("tags[0]", "q")), "7", {"q": ROW["q"], "tags[0]": "a"}),
    (ROW, Lookup(id="model", keep=("choices[].index",)), "m", {"choices[].index": 0}),
    ({"runs": [{"id": 1}, {"uuid": "u", "out": "@"}]}, Lookup(path="runs[1].out"), "u", None),
    ({"aB": "@", "choices": [], "candidates": []}, Lookup(path="a_b"), None, None),
    ({"q": "@", "nTokens": 1}, Lookup(path="q", keep=("n_tokens",)), None, {"n_tokens": 1}),
    ({"choices": "@", "raw": "@"}, Lookup(path="$.choices"), None, None),
]
UNCERTAIN = [
    (ROW, Lookup(path="q")),  # there is no answer
    (ROW, Lookup(path="nowhere")),
    (ROW, Lookup(id="score")),  # not a text or a whole number
    ({"a.b": "@", "n": 1}, Lookup(keep=("n",))),
    ({"a": "@", "x": 1e-7}, Lookup(keep=("x",))),
    ({"a": "@", "x": {"y": 1}, "x.y": 2}, Lookup(path="x.y")),
    ({"a": ["@", "@"]}, Lookup(path="a[]")),
    ({"a": "@", "aB": "@"}, Lookup(path="a[k=v]")),
    ({"a_b": "@", "aB": "@"}, Lookup(path="a_b")),
    ({"0": "@"}, Lookup(path="0")),
    ({"a": json.dumps(CHUNK)}, Lookup(path="a")),
    ({"index": 3, "finish_reason": "stop", "a": "@"}, Lookup(path="a")),
]


@pytest.mark.parametrize("body", [WHOLE, CHUNK], ids=["whole", "chunk"])
@pytest.mark.parametrize(("template", "lookup", "id_", "kept"), READ, ids=range(len(READ)))
def test_what_a_caller_names_is_found_natively(template, lookup, id_, kept, body):
    record = row(template, {"model": "m", **body})
    assert not compare.differ([record], lookup=lookup)
    assert not compare.joins_differ([record, record], lookup)
    assert compare.taken([record], lookup)
    bodies = compare.native(compare.framed([record]), lookup).bodies
    assert bodies["custom_id"].to_pylist() == [id_]
    found = bodies["kept"][0].as_py()
    assert found == (kept and json.dumps(kept, separators=(",", ":"), sort_keys=True))


@pytest.mark.parametrize(("template", "lookup"), UNCERTAIN, ids=range(len(UNCERTAIN)))
def test_what_is_uncertain_is_left_to_the_reference(template, lookup):
    record = row(template, WHOLE)
    assert not compare.differ([record], lookup=lookup)
    assert lookup_plan(lookup) is None or not compare.taken([record], lookup)


def test_the_columns_of_another_format_are_in_the_record_itself():
    generated = {"text": "Hi", "meta_info": {"completion_tokens": 1}, "id": 3, "prompt": "Who?"}
    record = json.dumps(generated).encode()
    lookup = Lookup(id="id", keep=("prompt", "text"))
    assert compare.taken([record], lookup)
    assert not compare.differ([record], lookup=lookup)


def test_chunks_with_other_columns_are_not_joined():
    lookup = Lookup(keep=("n",))
    records = [row({"a": "@", "n": n}, CHUNK) for n in (1, 1, 2)]
    assert not compare.joins_differ(records, lookup)
    lp = toolkit.read(b"\n".join(records), keep="n")
    assert lp.responses["kept"].to_pylist() == ['{"n":1}']
