"""Traces hold one answer several times in a record: it is read once, and the copies are counted."""

import json

import pytest

import toolkit
from tests.oracle import assert_conserved

pytestmark = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")


def answer(id_="x", text="A", **more):
    entries = [{"token": text, "logprob": -0.1, "top_logprobs": []}]
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": id_, "choices": [choice | {"logprobs": {"content": entries}}], **more}


def bare(found):
    choices = [{**choice, "logprobs": None} for choice in found["choices"]]
    return {**found, "choices": choices}


def responses(text="A"):
    part = {"type": "output_text", "text": text, "logprobs": [{"token": text, "logprob": -0.1}]}
    item = {"type": "message", "role": "assistant", "content": [part]}
    return {"id": "resp_1", "object": "response", "status": "completed", "output": [item]}


def load(record):
    lp = toolkit.read(json.dumps(record).encode())
    assert_conserved(lp)
    assert lp.rejects.num_rows == 0
    return lp


def spans(*found):
    return {"trace": "t", "spans": [{"name": "s", "result": each} for each in found]}


@pytest.mark.parametrize(
    "found",
    [
        [answer(), answer()],
        [answer(), json.dumps(answer())],
        [json.dumps(answer()), answer()],
        [json.dumps(answer()), json.dumps(answer(), indent=1)],
        [answer(), [answer()]],
        [answer(), json.dumps({"response": answer()})],
        [answer(), answer(created=5)],
        [json.dumps(answer()), bare(answer())],
        [responses(), json.dumps(responses())],
    ],
)
def test_copies_are_counted(found):
    lp = load(spans(*found))
    assert lp.tokens["token"].to_pylist() == ["A"]
    assert lp.ledger["records"].to_pylist() == [1]
    assert lp.ledger["control"].to_pylist() == [1]
    assert lp.ledger["envelopes"].to_pylist() == [1]


@pytest.mark.parametrize(
    "found",
    [
        [answer("x"), answer("y")],
        [answer(text="A"), answer(text="B")],
        [answer(None), answer(None)],
        [json.dumps(answer("x")), answer("y")],
    ],
)
def test_other_answers_are_no_copies(found):
    lp = load(spans(*found))
    assert len(lp) == 2
    assert lp.ledger["control"].to_pylist() == [0]


def test_equal_records_are_no_copies():
    """Whoever keeps an answer twice, in records of their own, gets it twice."""
    text = (json.dumps(answer()) + "\n") * 2 + (json.dumps(spans(answer())) + "\n") * 2
    lp = toolkit.read(text.encode())
    assert len(lp) == 4


def test_equal_answers_of_a_recorded_session_are_two():
    lp = load({"Entries": [{"RequestUri": "/", "ResponseBody": answer()}] * 2})
    assert len(lp) == 2
