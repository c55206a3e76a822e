"""OpenAI's SDK against a local server: whole, streamed, and its stream of events."""

import asyncio

import openai
import pytest

import toolkit
from tests.clients.answers import ASKED, MODELS, OPTIONS, answer, assert_both_ways, expected

pytestmark = pytest.mark.parametrize("model", MODELS)
USAGE = {"stream_options": {"include_usage": True}}


@pytest.fixture(scope="module")
def client(url):
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        yield client


@pytest.mark.parametrize("streamed", [{}, {"stream": True, **USAGE}], ids=["whole", "streamed"])
def test_create(client, model, streamed, log):
    def ask():
        return client.chat.completions.create(model=model, messages=ASKED, **OPTIONS, **streamed)

    assert_both_ways(model, ask, log)


def test_stream_of_events(client, model, log):
    right = expected(model)
    options = {"model": model, "messages": ASKED, **OPTIONS, **USAGE}
    with client.chat.completions.stream(**options) as stream:
        assert answer(toolkit.from_responses(stream)) == right
    with toolkit.tee(client.chat.completions.stream(**options), log) as stream:
        assert {"chunk"} < {event.type for event in stream}
    assert answer(toolkit.read(log)) == right
    assert b"snapshot" not in log.read_bytes()


def test_the_final_completion_of_a_stream_of_events(client, model, log):
    manager = client.chat.completions.stream(model=model, messages=ASKED, **OPTIONS, **USAGE)
    with toolkit.tee(manager, log, custom_id="mine") as stream:
        final = stream.get_final_completion()
    assert answer(toolkit.from_responses(final)) == expected(model)
    assert answer(toolkit.read(log)) == expected(model)


def test_async(url, model, log):
    async def ask():
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            options = {"model": model, "messages": ASKED, **OPTIONS}
            create = client.chat.completions.create
            whole = await create(**options)
            chunks = [each async for each in await create(**options, stream=True, **USAGE)]
            teed = toolkit.tee(await create(**options, stream=True, **USAGE), log)
            assert [each async for each in teed] == chunks
            events = client.chat.completions.stream(**options, **USAGE)
            async with toolkit.tee(events, log, custom_id="mine") as stream:
                final = await stream.get_final_completion()
            return whole, chunks, final

    for found in asyncio.run(ask()):
        assert answer(toolkit.from_responses(found)) == expected(model)
    saved = toolkit.read(log)
    assert saved.responses["custom_id"].to_pylist() == [None, "mine"]
    assert [answer(saved.only(i)) for i in range(2)] == [expected(model)] * 2
