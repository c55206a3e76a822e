"""LangChain against a local server: `invoke`, `stream` and `astream`."""

import asyncio

import pytest

import toolkit
from tests.clients.answers import MODELS, answer, assert_both_ways, expected

langchain_openai = pytest.importorskip("langchain_openai", reason="needs the extra clients")
pytestmark = [
    pytest.mark.clients,
    pytest.mark.parametrize("model", MODELS),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # LangChain's own
]


@pytest.fixture
def llm(url, model):
    return langchain_openai.ChatOpenAI(
        model=model,
        base_url=url,
        api_key="none",
        max_retries=0,
        logprobs=True,
        top_logprobs=2,
        stream_usage=True,
    )


def lost(model):
    """What LangChain's chunks lack: the text of a refusal."""
    return {"refusal": None} if model == "refusal" else {}


def test_invoke(llm, model, log):
    assert_both_ways(model, lambda: llm.invoke("Hi"), log)


def test_stream(llm, model, log):
    assert_both_ways(model, lambda: llm.stream("Hi"), log, **lost(model))


def test_astream(llm, model, log):
    async def use():
        return [chunk async for chunk in toolkit.tee(llm.astream("Hi"), log)]

    chunks = asyncio.run(use())
    right = expected(model) | lost(model)
    assert answer(toolkit.from_responses(chunks)) == right
    assert answer(toolkit.read(log)) == right


def test_generate(llm, model, log):
    from langchain_core.messages import HumanMessage

    assert_both_ways(model, lambda: llm.generate([[HumanMessage("Hi")]]), log)
