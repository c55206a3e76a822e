"""LiteLLM against a local server, in a process of its own, because its import warns.

The process runs this file with an address and a path; so all cases share one import.
"""

import asyncio
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import toolkit
from tests.clients.answers import ASKED, MODELS, OPTIONS, answer, assert_both_ways, expected
from tests.conftest import ROOT

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(
        importlib.util.find_spec("litellm") is None, reason="needs the extra clients"
    ),
]


def test_completion_and_acompletion(url, log):
    command = [sys.executable, "-W", "ignore", "-m", "tests.clients.test_litellm", url, str(log)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [f"{model}-{kind}" for model in MODELS for kind in KINDS]


def whole(litellm, model, options, log):
    assert_both_ways(model, lambda: litellm.completion(**options), log)


def lost(model):
    """What LiteLLM passes on of a streamed refusal: neither its text nor its tokens."""
    nothing = {"refusal": None, "logprobs_state": False, "tokens": [], "alternatives": []}
    return nothing if model == "refusal" else {}


def streamed(litellm, model, options, log):
    assert_both_ways(model, lambda: litellm.completion(**options, **STREAM), log, **lost(model))


def whole_async(litellm, model, options, log):
    assert_both_ways(model, lambda: asyncio.run(litellm.acompletion(**options)), log)


def streamed_async(litellm, model, options, log):
    async def use():
        stream = toolkit.tee(await litellm.acompletion(**options, **STREAM), log)
        return [chunk async for chunk in stream]

    chunks = asyncio.run(use())
    right = expected(model) | lost(model)
    assert answer(toolkit.from_responses(chunks)) == right
    assert answer(toolkit.read(log)) == right


KINDS = {each.__name__: each for each in (whole, streamed, whole_async, streamed_async)}
STREAM = {"stream": True, "stream_options": {"include_usage": True}}


def main(url, log):
    import litellm

    for model in MODELS:
        names = {"model": f"openai/{model}", "api_base": url, "api_key": "none"}
        for name, check in KINDS.items():
            log.unlink(missing_ok=True)
            check(litellm, model, {**names, "messages": ASKED, "max_retries": 0, **OPTIONS}, log)
            print(f"{model}-{name}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
