"""A llama.cpp server, end to end: whole and streamed answers load to equal rows.

Needs a server and a model, named by environment variables::

    LLAMA_SERVER=/path/to/llama-server LLAMA_MODEL=/path/to/model.gguf pytest -m live
"""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

import toolkit
from tests.oracle import assert_conserved

SERVER, MODEL = os.environ.get("LLAMA_SERVER"), os.environ.get("LLAMA_MODEL")
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        not (SERVER and MODEL), reason="LLAMA_SERVER and LLAMA_MODEL name no server and model"
    ),
]
PROMPTS = (
    "The capital of France is",
    "Il était une fois une petite",
    "日本の首都は",
    "Emoji for love: 💙 and for joy:",
    '{"name": "Ada", "born":',
)
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"  # a base model's


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("llama") / "server.log"
    command = [SERVER, "-m", MODEL, "--host", "127.0.0.1", "--port", str(port), "-c", "2048"]
    command += ["-np", "1", "--jinja", "--chat-template", TEMPLATE]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as server,
    ):
        try:
            wait_for(f"http://127.0.0.1:{port}/health", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def wait_for(address, server, log, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise AssertionError(log.read_text(errors="replace")[-2000:])


def ask(address, **body):
    data = json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as response:
        return response.read() + b"\n"


def answers(url, path, stream, **body):
    """Return what the server sends for all prompts, one after the other."""
    sent = {"temperature": 0, "seed": 1, "cache_prompt": False, "stream": stream, **body}
    pieces = []
    for prompt in PROMPTS:
        if path == "/v1/chat/completions":
            sent["messages"] = [{"role": "user", "content": prompt}]
        else:
            sent["prompt"] = prompt
        pieces.append(ask(url + path, **sent))
    return b"".join(pieces)


def assert_same_answers(whole, streamed):
    """Compare the rows of tokens and alternatives, and the texts."""
    for lp in (whole, streamed):
        assert_conserved(lp)
        assert lp.rejects.num_rows == 0
        assert len(lp) == len(PROMPTS)
    assert set(whole.responses["kind"].to_pylist()) == {"completion"}
    assert set(streamed.responses["kind"].to_pylist()) == {"stream"}
    assert whole.tokens.num_rows > 20
    without = ("response_key", "chunk")
    for table in ("tokens", "alternatives"):
        a, b = (lp[table].drop_columns([n for n in without if n in lp[table].column_names])
                for lp in (whole, streamed))  # fmt: skip
        assert a.to_pylist() == b.to_pylist(), table
    for i in range(len(PROMPTS)):
        assert whole.text(i) == streamed.text(i)
    for name in ("content", "finish_reason", "alignment", "n_content_tokens"):
        assert whole.choices[name].to_pylist() == streamed.choices[name].to_pylist(), name


def test_chat_completions(url):
    body = {"max_tokens": 16, "logprobs": True, "top_logprobs": 5}
    whole = toolkit.read(answers(url, "/v1/chat/completions", False, **body))
    options = {"stream_options": {"include_usage": True}}
    streamed = toolkit.read(answers(url, "/v1/chat/completions", True, **body, **options))
    assert_same_answers(whole, streamed)
    assert set(whole.tokens["n_alternatives"].to_pylist()) == {5}
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert whole.responses[name].to_pylist() == streamed.responses[name].to_pylist(), name


def test_legacy_completions(url):
    body = {"max_tokens": 16, "logprobs": 5}
    whole = toolkit.read(answers(url, "/v1/completions", False, **body))
    streamed = toolkit.read(answers(url, "/v1/completions", True, **body))
    assert set(whole.responses["format"].to_pylist()) == {"openai_legacy"}
    assert_same_answers(whole, streamed)


def test_its_own_completion(url):
    body = {"n_predict": 16, "n_probs": 5}
    whole = toolkit.read(answers(url, "/completion", False, **body))
    streamed = toolkit.read(answers(url, "/completion", True, **body))
    assert set(whole.responses["format"].to_pylist()) == {"llama_server"}
    assert_same_answers(whole, streamed)


def test_probabilities_after_sampling(url):
    body = {"n_predict": 8, "n_probs": 3, "post_sampling_probs": True, "temperature": 0.8}
    lp = toolkit.read(answers(url, "/completion", False, **body))
    assert_conserved(lp)
    assert lp.rejects.num_rows == 0
    assert all(notes == ["from_prob"] for notes in lp.responses["notes"].to_pylist())
