"""A server of chat completions on loopback, which answers as its model's name says."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
}


def entry(token, logprob):
    return {
        "token": token,
        "logprob": logprob,
        "bytes": list(token.encode()),
        "top_logprobs": [
            {"token": token, "logprob": logprob, "bytes": list(token.encode())},
            {"token": "X", "logprob": -4.0, "bytes": [88]},
        ],
    }


ENTRIES = [entry("I", -0.25), entry(" am", -0.5)]


def logprobs(channel, entries):
    return {"content": None, "refusal": None, channel: entries}


# What each model answers: the deltas of its stream, each with its logprobs.
DELTAS = {
    "text": [({"content": e["token"]}, logprobs("content", [e])) for e in ENTRIES],
    "refusal": [({"refusal": e["token"]}, logprobs("refusal", [e])) for e in ENTRIES],
    "tools": [
        (
            {
                "tool_calls": [
                    {"index": 0} | CALL | {"function": CALL["function"] | {"arguments": ""}}
                ]
            },
        ),
        ({"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},),
        ({"tool_calls": [{"index": 0, "function": {"arguments": '"Rome"}'}}]},),
    ],
}
MESSAGES = {
    "text": ({"content": "I am"}, logprobs("content", ENTRIES)),
    "refusal": ({"content": None, "refusal": "I am"}, logprobs("refusal", ENTRIES)),
    "tools": ({"content": None, "tool_calls": [CALL]}, None),
}


def reason(model):
    return "tool_calls" if model == "tools" else "stop"


def base(model, kind):
    names = {"id": f"chatcmpl-{model}", "created": 1_760_000_000, "model": model}
    return {**names, "object": kind, "system_fingerprint": "fp_1"}


def completion(model):
    message, found = MESSAGES[model]
    choice = {
        "index": 0,
        "message": {"role": "assistant", "refusal": None, **message},
        "logprobs": found,
        "finish_reason": reason(model),
    }
    return {**base(model, "chat.completion"), "choices": [choice], "usage": USAGE}


def chunks(model):
    """Yield the chunks of a stream, the usage last."""
    deltas = [({"role": "assistant", "content": "", "refusal": None},), *DELTAS[model]]
    for delta, *found in deltas:
        choice = {"index": 0, "delta": delta, "logprobs": found[0] if found else None}
        yield [choice | {"finish_reason": None}], None
    yield [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": reason(model)}], None
    yield [], USAGE


def events(model, with_usage=True):
    """Return the stream of a model as server-sent events."""
    body = base(model, "chat.completion.chunk")
    sent = [
        body | {"choices": choices, "usage": usage}
        for choices, usage in chunks(model)
        if with_usage or usage is None
    ]
    return b"".join(f"data: {json.dumps(each)}\n\n".encode() for each in sent) + b"data: [DONE]\n\n"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):  # noqa: N802, the name that http.server calls
        sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
        is_stream = bool(sent.get("stream"))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if is_stream else "application/json")
        self.end_headers()
        if is_stream:
            options = sent.get("stream_options") or {}
            self.wfile.write(events(sent["model"], bool(options.get("include_usage"))))
        else:
            self.wfile.write(json.dumps(completion(sent["model"])).encode())

    def log_message(self, *_):
        pass


@contextmanager
def serving():
    """Serve on a free port until the block ends; give the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
