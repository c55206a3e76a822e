"""Objects of other packages, replaced by objects with the same attributes."""

from types import SimpleNamespace

import pytest

import toolkit

ENTRIES = [
    {"token": "Hi", "logprob": -0.25, "bytes": [72, 105], "top_logprobs": []},
    {"token": "!", "logprob": -1.0, "bytes": [33], "top_logprobs": []},
]
METADATA = {
    "model_name": "gpt-4o",
    "system_fingerprint": "fp_1",
    "id": "chatcmpl-1",
    "finish_reason": "stop",
    "logprobs": {"content": ENTRIES, "refusal": None},
    "token_usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


class Dumped:
    """An object with `model_dump`, as in SDKs that use pydantic."""

    def __init__(self, value):
        self.value = value

    def model_dump(self):
        return self.value


@pytest.mark.parametrize("dumped", [True, False])
def test_a_message_of_langchain(dumped):
    message = SimpleNamespace(content="Hi!", id="run-1", response_metadata=METADATA, tool_calls=[])
    if dumped:
        message = {"content": "Hi!", "type": "ai", "response_metadata": METADATA}
    lp = toolkit.from_responses([message], custom_id=["a"])
    assert lp.tokens["logprob"].to_pylist() == [-0.25, -1.0]
    assert lp.choices["alignment"].to_pylist() == ["exact"]
    [response] = lp.responses.to_pylist()
    names = ("response_id", "model", "custom_id", "total_tokens", "finished")
    assert tuple(response[name] for name in names) == ("chatcmpl-1", "gpt-4o", "a", 5, True)


def test_an_output_of_vllm():
    def logprob(value, rank, token):
        return SimpleNamespace(logprob=value, rank=rank, decoded_token=token)

    steps = [
        {7: logprob(-0.25, 1, "Hi")},
        {9: logprob(-1.0, 2, "!"), 8: logprob(-0.5, 1, "."), 6: logprob(-3.0, 3, None)},
    ]
    one = SimpleNamespace(
        index=0, text="Hi!", token_ids=(7, 9), logprobs=steps, finish_reason="stop"
    )
    other = SimpleNamespace(
        index=1, text="Hi", token_ids=(7,), logprobs=None, finish_reason="length"
    )
    output = SimpleNamespace(request_id="r-1", prompt_token_ids=[1, 2], outputs=[one, other])
    lp = toolkit.from_responses(output)
    assert lp.choices["finish_reason"].to_pylist() == ["stop", "length"]
    assert lp.choices["logprobs_state"].to_pylist() == ["present", "absent"]
    tokens = lp.tokens.to_pylist()
    assert [(t["token"], t["token_id"], t["logprob"]) for t in tokens] == [
        ("Hi", 7, -0.25),
        ("!", 9, -1.0),
    ]
    assert [t["sampled_rank"] for t in tokens] == [1, 2]
    assert [t["bytes"] for t in tokens] == [None, None]
    assert lp.alternatives["token"].to_pylist() == ["Hi", "!", ".", "token_id:6"]
    assert lp.responses["prompt_tokens"].to_pylist() == [2]
    assert lp.choices["alignment"].to_pylist() == ["exact", "unknown"]


def test_objects_of_sdks_in_other_formats():
    event = {"type": "response.output_text.delta", "delta": "Hi", "logprobs": ENTRIES[:1]}
    created = {"type": "response.created", "response": {"id": "resp_1", "model": "m"}}
    stream = [Dumped(created), Dumped(event)]
    lp = toolkit.from_responses([iter(stream)])
    assert lp.responses["response_id"].to_pylist() == ["resp_1"]
    assert lp.tokens["token"].to_pylist() == ["Hi"]


def test_an_async_stream_is_refused_with_what_to_do():
    async def stream():
        yield {}

    with pytest.raises(toolkit.errors.ArgumentError, match="async for"):
        toolkit.from_responses(stream())


@pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
def test_an_unknown_object_is_a_reject_that_names_its_type():
    lp = toolkit.from_responses([object(), {"choices": []}])
    assert lp.rejects["message"].to_pylist() == ["expected an object, found a Python object"]
