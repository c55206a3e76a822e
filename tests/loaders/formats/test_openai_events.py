"""Events of the OpenAI SDK's ``chat.completions.stream()``, as the SDK itself makes them."""

import json

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

import toolkit
from tests.loaders.formats.test_dialects import chunk, entry
from tests.oracle import assert_conserved

pytestmark = [
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
    pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning"),
]


def events():
    """Return the events of an answer of two tokens in three chunks."""
    found = {"created": 1_700_000_000, "model": "m"}
    chunks = [
        chunk("He", [entry("He")], **found),
        chunk("y", [entry("y", -0.25)], **found),
        chunk(delta={}, reason="stop", **found),
    ]
    state = ChatCompletionStreamState()
    return [
        event
        for each in chunks
        for event in state.handle_chunk(ChatCompletionChunk.model_validate(each))
    ]


def lines(records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def rows(lp):
    return lp.tokens.select(["token", "logprob"]).to_pylist()


TOKENS = [{"token": "He", "logprob": -0.5}, {"token": "y", "logprob": -0.25}]


def test_one_answer_of_its_chunks_in_a_file():
    found = [event.model_dump(mode="json") for event in events()]
    kinds = [event["type"] for event in found]
    assert kinds.count("chunk") == 3
    assert {"content.delta", "content.done", "logprobs.content.delta"} <= set(kinds)
    lp = toolkit.read(lines(found))
    assert_conserved(lp)
    assert rows(lp) == TOKENS
    assert lp.choices["content"].to_pylist() == ["Hey"]
    assert lp.responses["n_chunks"].to_pylist() == [3]
    assert lp.responses["notes"].to_pylist() == [[]]
    [ledger] = lp.ledger.to_pylist()
    assert (ledger["records"], ledger["control"]) == (3, len(found) - 3)
    assert ledger["envelopes"] == 3


def test_one_answer_of_its_chunks_in_memory():
    for given, custom_id in ((events(), None), ([events()], "mine"), ([iter(events())], "mine")):
        lp = toolkit.from_responses(given, custom_id=custom_id)
        assert_conserved(lp)
        assert rows(lp) == TOKENS
        assert lp.responses["custom_id"].to_pylist() == [custom_id]


def test_events_beside_other_records():
    found = [event.model_dump(mode="json") for event in events()]
    answer = {"id": "b", "choices": [{"index": 0, "message": {"content": "x"}}]}
    lp = toolkit.read(lines([answer, *found, answer, {"type": "content.done"}, 7]))
    assert_conserved(lp)
    assert lp.responses["kind"].to_pylist() == ["completion", "stream", "completion"]
    assert lp.rejects["reason"].to_pylist() == ["unknown_format", "not_an_object"]
    assert lp.rejects["record"].to_pylist() == [5, 6]


def test_events_inside_a_row():
    found = [event.model_dump(mode="json") for event in events()]
    lp = toolkit.read(lines([{"id": "q1", "events": found}]))
    assert_conserved(lp)
    assert rows(lp) == TOKENS
    assert lp.responses["custom_id"].to_pylist() == ["q1"]
    assert lp.ledger["control"].to_pylist() == [len(found) - 3]
