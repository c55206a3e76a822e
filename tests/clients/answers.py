"""What is compared of an answer that came through a client library, and what it should be."""

import json

import toolkit
from tests.clients.server import completion, events
from tests.oracle import assert_conserved

MODELS = ("text", "refusal", "tools")
ASKED = [{"role": "user", "content": "Hi"}]
OPTIONS = {"logprobs": True, "top_logprobs": 2}
_RESPONSE = ("model", "prompt_tokens", "completion_tokens", "total_tokens", "finished", "notes")
_CHOICE = ("content", "refusal", "tool_calls", "finish_reason", "logprobs_state")
_TOKEN = ("channel", "position", "token", "bytes", "logprob", "status", "sampled_rank")


def answer(lp):
    """Return what any client must give of the one answer in some tables."""
    [response] = lp.responses.to_pylist()
    [choice] = lp.choices.to_pylist()
    calls = json.loads(choice["tool_calls"] or "[]")
    named = {name: response[name] for name in _RESPONSE} | {name: choice[name] for name in _CHOICE}
    return named | {
        "content": choice["content"] or None,
        "tool_calls": [
            (call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls
        ],
        "logprobs_state": choice["logprobs_state"] == "present",
        "tokens": [tuple(row[name] for name in _TOKEN) for row in lp.tokens.to_pylist()],
        "alternatives": lp.alternatives.select(
            ["position", "slot", "token", "logprob"]
        ).to_pylist(),
    }


def expected(model):
    """Return what the server's answer is, read as it was sent, whole and streamed alike."""
    whole = answer(toolkit.read(json.dumps(completion(model)).encode()))
    assert whole == answer(toolkit.read(events(model)))
    return whole


def assert_both_ways(model, ask, log, **but):
    """Assert that an answer is right through `from_responses` and through `tee` and `read`.

    Parameters
    ----------
    model : str
    ask : callable
        Returns the answer or the stream of a client, anew.
    log : path
    **but
        What the client loses of the answer.
    """
    right = expected(model) | but
    assert answer(toolkit.from_responses(ask())) == right
    for stored in (None, "mine"):
        log.unlink(missing_ok=True)
        teed = toolkit.tee(ask(), log, custom_id=stored)
        if hasattr(teed, "__next__"):
            list(teed)
        lp = toolkit.read(log)
        assert_conserved(lp)
        assert answer(lp) == right
        assert lp.responses["custom_id"].to_pylist() == [stored]
