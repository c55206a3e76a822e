"""Write one answer, " wörld" after "Hello", in every wire format, whole and streamed.

Each format has a whole answer and a stream of two or more records with the same content; None if
the format has only one of them.
"""

import json
from typing import NamedTuple

HELLO = {"token": "Hello", "logprob": -0.25}
WORLD = {"token": " wörld", "logprob": -1.5}
OTHER = {"token": " there!", "logprob": -0.5}


def entry(token, top=(), **more):
    return {**token, "bytes": list(token["token"].encode()), "top_logprobs": list(top), **more}


ENTRIES = [entry(HELLO), entry(WORLD, [entry(OTHER), entry(WORLD)])]


class Sample(NamedTuple):
    """An answer as records, parsed.

    Attributes
    ----------
    whole : dict or None
    stream : list of dict or None
    has_bytes, has_ids : bool
        Whether the format sends the bytes and the ids of tokens.
    """

    whole: dict | None
    stream: list | None
    has_bytes: bool = True
    has_ids: bool = False


def _chat(key, content, entries, reason):
    logprobs = {"content": entries, "refusal": None} if entries is not None else None
    choice = {"index": 0, key: {"content": content}, "logprobs": logprobs, "finish_reason": reason}
    return {"id": "c-1", "model": "m", "choices": [choice]}


CHAT = Sample(
    _chat("message", "Hello wörld", ENTRIES, "stop"),
    [
        _chat("delta", "Hello", ENTRIES[:1], None),
        _chat("delta", " wörld", ENTRIES[1:], None),
        _chat("delta", None, None, "stop"),
    ],
)


def _legacy(text, rows, reason):
    tops = [{" there!": -0.5, " wörld": -1.5} if row is WORLD else None for row in rows]
    logprobs = {
        "tokens": [row["token"] for row in rows],
        "token_logprobs": [row["logprob"] for row in rows],
        "top_logprobs": tops,
        "text_offset": [-1 for _ in rows],
    }
    choice = {"index": 0, "text": text, "logprobs": logprobs if rows else None}
    return {
        "id": "cmpl-1",
        "object": "text_completion",
        "model": "m",
        "choices": [choice | {"finish_reason": reason}],
    }


LEGACY = Sample(
    _legacy("Hello wörld", [HELLO, WORLD], "stop"),
    [_legacy("Hello", [HELLO], None), _legacy(" wörld", [WORLD], None), _legacy("", [], "stop")],
    has_bytes=False,
)


def _arrays():
    whole = _legacy("", [HELLO, WORLD], "eos")
    [choice] = whole["choices"]
    logprobs = choice["logprobs"] | {"token_ids": [11.0, 12.0]}
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hello wörld"}}
    return whole | {"choices": [choice | {"logprobs": logprobs, "finish_reason": "eos"}]}


TOGETHER = Sample(_arrays(), None, has_bytes=False, has_ids=True)
TOGETHER_STREAM = Sample(
    None,
    [
        {
            "id": "t-1",
            "choices": [
                {"index": 0, "delta": {"content": text, "token_id": 11}, "logprobs": -0.25}
            ],
        }
        for text in ("Hello", " wörld")
    ],
    has_bytes=False,
    has_ids=True,
)


def _output(entries, text):
    part = {"type": "output_text", "text": text, "logprobs": entries, "annotations": []}
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": [part]}


_USAGE = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_700_000_000,
    "model": "m",
    "status": "completed",
    "output": [_output(ENTRIES, "Hello wörld")],
    "usage": _USAGE | {"output_tokens_details": {"reasoning_tokens": 0}},
}
_ROUNDED = [{**each, "logprob": round(each["logprob"], 1)} for each in ENTRIES]


def _delta(text, entries):
    return {
        "type": "response.output_text.delta",
        "item_id": "msg_1",
        "output_index": 0,
        "content_index": 0,
        "delta": text,
        "logprobs": entries,
    }


RESPONSES = Sample(
    _RESPONSE,
    [
        {"type": "response.created", "response": {**_RESPONSE, "output": [], "usage": None}},
        {"type": "response.output_item.added", "output_index": 0, "item": _output([], "")},
        _delta("Hello", ENTRIES[:1]),
        _delta(" wörld", ENTRIES[1:]),
        {"type": "response.output_text.done", "text": "Hello wörld", "logprobs": _ROUNDED},
        {
            "type": "response.completed",
            "response": {**_RESPONSE, "output": [_output(_ROUNDED, "Hello wörld")]},
        },
    ],
)


def _gemini(text, rows, reason):
    def candidate(row):
        return {
            "token": row["token"],
            "tokenId": len(row["token"]),
            "logProbability": row["logprob"],
        }

    tops = [
        {"candidates": [candidate(OTHER), candidate(WORLD)] if row is WORLD else []} for row in rows
    ]
    result = {"chosenCandidates": [candidate(row) for row in rows], "topCandidates": tops}
    found = {"content": {"parts": [{"text": text}], "role": "model"}, "logprobsResult": result}
    if reason:
        found["finishReason"] = reason
    return {
        "candidates": [found],
        "modelVersion": "gemini-2.5-flash",
        "responseId": "g-1",
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
    }


GEMINI = Sample(
    _gemini("Hello wörld", [HELLO, WORLD], "STOP"),
    [_gemini("Hello", [HELLO], None), _gemini(" wörld", [WORLD], "STOP")],
    has_bytes=False,
    has_ids=True,
)


def _ollama(text, entries, done):
    end = {"done_reason": "stop", "prompt_eval_count": 3, "eval_count": 2} if done else {}
    return {
        "model": "gemma3",
        "created_at": "2025-11-13T10:00:00.123456789Z",
        "message": {"role": "assistant", "content": text},
        "done": done,
        "logprobs": entries,
    } | end


OLLAMA = Sample(
    _ollama("Hello wörld", ENTRIES, True),
    [
        _ollama("Hello", ENTRIES[:1], False),
        _ollama(" wörld", ENTRIES[1:], False),
        _ollama("", None, True),
    ],
)


def _llama(text, entries, stop):
    end = {"tokens_evaluated": 3, "tokens_predicted": 2, "stop_type": "eos"} if stop else {}
    return {"content": text, "stop": stop, "completion_probabilities": entries} | end


LLAMA = Sample(
    _llama("Hello wörld", [{**each, "id": 11} for each in ENTRIES], True),
    [
        _llama("Hello", [{**ENTRIES[0], "id": 11}], False),
        _llama(" wörld", [{**ENTRIES[1], "id": 11}], False),
        _llama("", [], True),
    ],
    has_ids=True,
)

SAMPLES = {
    "openai_chat": CHAT,
    "openai_legacy": LEGACY,
    "openai_chat, arrays": TOGETHER,
    "openai_responses": RESPONSES,
    "gemini": GEMINI,
    "ollama": OLLAMA,
    "llama_server": LLAMA,
}


def lines(records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def events(records):
    return "".join(f"data: {json.dumps(record)}\n\n" for record in records).encode()
