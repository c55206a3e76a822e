"""What a load says at its end: rejects, missing logprobs, and an error if nothing was read."""

import json
import warnings

import pytest

import toolkit
from toolkit.errors import NoRecordsError

GEMINI = {
    "candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 1},
}
CHAT = {"choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]}
MEAN = json.loads(json.dumps(GEMINI))
MEAN["candidates"][0]["avgLogprobs"] = -0.5


def warned(*records):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        toolkit.read("".join(json.dumps(record) + "\n" for record in records).encode())
    [warning] = caught
    return str(warning.message)


@pytest.mark.parametrize(
    ("record", "advice"),
    [
        (CHAT, "were they requested (logprobs=True, top_logprobs=20)?"),
        (
            GEMINI,
            "were they requested (responseLogprobs=true and logprobs=20 in generationConfig)?",
        ),
        (MEAN, "only means were sent; those of tokens have to be requested (responseLogprobs=true"),
        (CHAT | {"my_logprobs": [[-0.5]]}, "values that speak of them were not read; path= or"),
    ],
)
def test_the_advice_fits_the_format(record, advice):
    assert f"no response has logprobs: {advice}" in warned(record)


def test_the_first_reject_of_the_commonest_reason_is_named():
    message = warned(CHAT, 5, {"foo": 1}, {"bar": 2})
    assert message.startswith(
        "3 records were rejected (2 unknown_format, 1 not_an_object); <bytes>"
    )
    assert "<bytes>:3: expected a known format, found the keys 'foo'" in message


@pytest.mark.parametrize("load", [toolkit.read, lambda data: list(toolkit.scan(data))])
def test_an_error_if_every_record_was_rejected(load):
    with pytest.raises(NoRecordsError, match="no record could be read: 2 records were") as caught:
        load(b'{"foo": 1}\n{"foo": 2}\n')
    tables = caught.value.tables
    if load is toolkit.read:
        assert tables.rejects["line"].to_pylist() == [1, 2]
        assert tables.ledger["rejected"].to_pylist() == [2]


def test_an_error_if_every_object_was_rejected():
    with pytest.raises(NoRecordsError, match="no record could be read") as caught:
        toolkit.from_responses({"foo": 1})
    assert caught.value.tables.rejects.num_rows == 1
