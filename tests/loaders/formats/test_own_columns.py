"""A row's own columns never change what is read of the answer in it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toolkit
from tests.loaders.formats.samples import ENTRIES
from tests.oracle import assert_conserved

pytestmark = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
TEXT = "Hello wörld"
CHOICE = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
ANSWER = {"id": "c", "model": "m", "choices": [CHOICE | {"logprobs": {"content": ENTRIES}}]}
LEGACY = {
    "tokens": ["Hello", " wörld"],
    "token_logprobs": [-0.25, -1.5],
    "top_logprobs": [None, None],
}
ANSWERS = [
    ANSWER,
    json.dumps(ANSWER),
    [ANSWER],
    {"custom_id": "x", "response": {"status_code": 200, "body": ANSWER}, "error": None},
    {"id": "c", "object": "text_completion", "model": "m"}
    | {"choices": [{"index": 0, "text": TEXT, "logprobs": LEGACY, "finish_reason": "stop"}]},
]
KEYS = (  # every key by which a format or an envelope is told
    *("candidates", "choices", "done", "generated_text", "output", "content", "response", "error"),
    *("message", "outputs", "details", "token", "meta_info", "generation", "parts", "kind", "type"),
    *(
        "data",
        "interactions",
        "Entries",
        "log",
        "samples",
        "request_states",
        "meta",
        "stop",
        "text",
    ),
    *("transcript", "delta", "object", "model", "usage", "prompt", "text_output", "resps", "event"),
    *(
        "finish_reason",
        "request_id",
        "custom_id",
        "created_at",
        "index",
        "label",
        "tokens",
        "chunk",
    ),
    *(
        "provider_metadata",
        "response_metadata",
        "generated_tokens",
        "token_ids",
        "doc_id",
        "event_id",
    ),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10),
    st.floats(0.5, 2.0),
    st.sampled_from(["", "A", "stop", "response", "ping", TEXT, "{not JSON", "data: x"]),
)
NAMES = ["a", "id", "role", "score", "text", "label"]
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["a", "id", "role", "score", "text", "label"]), inner, max_size=3
        ),
    ),
    max_leaves=6,
)
UNREAD = st.sampled_from([[[-0.5, -1.25]], {"x": {"y": [-0.5]}}, [[-1.0], [-2.0]]])


@settings(max_examples=400, deadline=None, print_blob=True)
@given(
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5),
    st.sampled_from(ANSWERS),
    st.sampled_from(["answer_1", "raw", "result", "run"]),
    st.none() | UNREAD,
    st.booleans(),
)
def test_own_columns_never_change_what_is_read(own, answer, key, unread, is_last):
    odd = {} if unread is None else {"my_logprobs": unread}
    row = {**own, **odd, key: answer} if is_last else {key: answer, **own, **odd}
    lp = toolkit.read((json.dumps(row) + "\n").encode())
    assert_conserved(lp)
    assert lp.tokens["token"].to_pylist() == ["Hello", " wörld"]
    assert lp.tokens["logprob"].to_pylist() == [-0.25, -1.5]
    assert lp.rejects.num_rows == 0
    whole = [i for i, n in enumerate(lp.choices["n_content_tokens"].to_pylist()) if n]
    assert [lp.choices["content"][i].as_py() for i in whole] == [TEXT]
    assert [lp.choices["finish_reason"][i].as_py() for i in whole] == ["stop"]
    notes = {note for found in lp.responses["notes"].to_pylist() for note in found}
    assert ("unread_logprobs" in notes) == (unread is not None)
    assert len(lp) == 1
