"""Records of other formats than the chat schema that the scanner reads, as seeds and for tests."""

from __future__ import annotations

import json
from typing import Any

_TOP = [{"token": "Hi", "logprob": -0.25, "bytes": [72, 105]}, {"token": "He\n", "logprob": -1.5}]
_ENTRY = {"token": "Hi", "logprob": -0.25, "bytes": [72, 105], "top_logprobs": _TOP}
_LAST = {"token": "!", "logprob": -9999.0, "bytes": [33], "top_logprobs": []}
_PART = {"type": "output_text", "text": "Hi!", "annotations": [], "logprobs": [_ENTRY, _LAST]}
_ITEM = {"id": "msg_1", "type": "message", "role": "assistant", "content": [_PART]}
_THOUGHT = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "so"}]}
_COUNTS = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1700000000,
    "status": "completed",
    "model": "m",
    "output": [_THOUGHT, _ITEM],
    "incomplete_details": None,
    "error": None,
    "usage": {**_COUNTS, "input_tokens_details": {"cached_tokens": 1}},
}
_AT = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
_DICTS = [
    {"5": {"logprob": -0.25, "rank": 1, "decoded_token": "Hi"}, "6": {"logprob": -1.5, "rank": 2}},
    {"7": {"logprob": -0.5, "rank": 1, "decoded_token": "!"}},
]
_TGI = {"id": 5, "text": " Hi", "logprob": -0.25, "special": False}
_TRIPLE, _BARE = [-0.25, 5, "Hi"], [-0.5, 7, None]
_GEMINI = [{"token": "Hi", "tokenId": 5, "logProbability": -0.25}]
_LEGACY = {
    "tokens": ["Hi", "\n"],
    "token_logprobs": [-0.25, -1],
    "top_logprobs": [{"Hi": -0.25, "\n": -1.5, "\t": -2}, None],
    "text_offset": [0, 2],
}
_ECHO = {
    "tokens": ["Hi", "\n"],
    "token_logprobs": [None, -1.5],
    "top_logprobs": [None, {"\n": -1.5, "x": -2}],
    "text_offset": [0, 2],
}
_HEAD = {"id": "cmpl-1", "object": "text_completion", "created": 1700000000, "model": "m"}
_CHAT_COUNTS = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
_MESSAGE = {
    "content": "Hi!",
    "additional_kwargs": {"refusal": None},
    "response_metadata": {
        "token_usage": {**_CHAT_COUNTS, "completion_tokens_details": {"reasoning_tokens": 1}},
        "model_name": "m",
        "finish_reason": "stop",
        "logprobs": {"content": [_ENTRY, _LAST], "refusal": None},
    },
    "type": "ai",
    "id": "run-1",
    "tool_calls": [],
    "usage_metadata": {**_COUNTS, "input_token_details": {"cache_read": 2}},
}

RECORDS: dict[str, tuple[Any, ...]] = {
    "openai_legacy": (
        {
            **_HEAD,
            "choices": [{"index": 0, "text": "Hi", "logprobs": _LEGACY, "finish_reason": "stop"}],
            "usage": _CHAT_COUNTS,
        },
        {
            **_HEAD,
            "choices": [{"index": 0, "text": "Hi\n", "logprobs": _ECHO, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        },
        {**_HEAD, "choices": [{"index": 0, "text": "Hi", "logprobs": None, "finish_reason": None}]},
    ),
    "gemini": (
        {
            "responseId": "g-1",
            "modelVersion": "m",
            "candidates": [
                {
                    "content": {"parts": [{"text": "H"}, {"text": "i"}], "role": "model"},
                    "finishReason": "STOP",
                    "index": 0,
                    "avgLogprobs": -0.25,
                    "logprobsResult": {
                        "topCandidates": [{"candidates": [*_GEMINI, {**_GEMINI[0], "token": "1"}]}],
                        "chosenCandidates": _GEMINI,
                    },
                }
            ],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 1},
        },
        {"candidates": [{"content": {"parts": [{"text": "H"}], "role": "model"}}]},
    ),
    "openai_responses": (
        _RESPONSE,
        {"type": "response.created", "response": {**_RESPONSE, "output": [], "usage": None}},
        {"type": "response.output_text.delta", **_AT, "delta": "Hi", "logprobs": [_ENTRY]},
        {"type": "response.reasoning_summary_text.delta", **_AT, "delta": "so"},
        {"type": "response.output_text.done", **_AT, "text": "Hi!", "logprobs": [_ENTRY, _LAST]},
        {"type": "response.content_part.done", **_AT, "part": _PART},
        {"type": "response.output_item.done", "output_index": 1, "item": _ITEM},
        {"type": "response.completed", "response": _RESPONSE},
    ),
    "vllm_output": (
        {
            "request_id": "v-1",
            "prompt_token_ids": [1, 2],
            "prompt_logprobs": None,
            "outputs": [
                {"index": 0, "text": "Hi!", "token_ids": [5, 7], "cumulative_logprob": -0.75,
                 "logprobs": _DICTS, "finish_reason": "stop"}
            ],
            "finished": True,
        },
    ),
    "row": (
        {"id": "q1", "prompt": "Who?", "answer": " Hi!\n", "logprobs": {"content": [_ENTRY, _LAST]},
         "model": "m", "mean_logprob": -0.5, "usage": _CHAT_COUNTS, "finish_reason": "stop"},
        {"index": 7, "messages": [{"role": "user", "content": "Who?"}], "text": "Hi!",
         "token_logprobs": [_ENTRY, _LAST], "tags": ["a", {"b": "Hi!"}]},
        {"task_id": 3, "run": {"output": "x", "model": None, "logprobs": [_ENTRY]}, "model": "m"},
        {"logprobs": {"content": [{"token": "é\u3000", "logprob": -1}], "refusal": []}, "a": "é"},
    ),
    "ray_data_llm": (
        {"generated_text": "Hi!", "generated_tokens": [5, 7], "logprobs": _DICTS,
         "num_generated_tokens": 2, "num_input_tokens": 5},
    ),
    "bedrock_import": (
        {"generation": "Hi", "generation_token_count": 1, "stop_reason": "stop",
         "prompt_token_count": 5, "logprobs": [{"5": -0.25, "6": -1.5}]},
    ),
    "tgi_generate": (
        {
            "generated_text": " Hi",
            "details": {
                "finish_reason": "length", "generated_tokens": 1, "prefill": [],
                "tokens": [_TGI], "top_tokens": [[_TGI, {**_TGI, "id": 6, "text": "He"}]],
            },
        },
        {"index": 1, "token": _TGI, "generated_text": None, "details": None},
    ),
    "sglang_generate": (
        {
            "text": "Hi",
            "meta_info": {
                "id": "s-1", "finish_reason": {"type": "stop"}, "prompt_tokens": 5,
                "completion_tokens": 2, "output_token_logprobs": [_TRIPLE, _BARE],
                "output_top_logprobs": [[_TRIPLE, _BARE], None],
            },
        },
    ),
    "langchain": (_MESSAGE, {**_MESSAGE, "type": "AIMessageChunk", "tool_call_chunks": []}),
    "haystack": (
        {"role": "assistant", "content": [{"text": "Hi!"}], "name": None,
         "meta": {"model": "m", "index": 0, "finish_reason": "stop", "usage": _CHAT_COUNTS,
                  "logprobs": {"content": [_ENTRY, _LAST]}}},
    ),
    "pydantic_ai": (
        {"parts": [{"content": "Hi!", "part_kind": "text"}], "kind": "response", "model_name": "m",
         "usage": _COUNTS, "provider_response_id": "p-1",
         "provider_details": {"finish_reason": "stop", "logprobs": [_ENTRY, _LAST]}},
    ),
    "vercel_ai": (
        {"text": "Hi!", "finishReason": "stop", "usage": {"inputTokens": 5, "outputTokens": 2},
         "response": {"id": "a-1", "modelId": "m"},
         "providerMetadata": {"openai": {"logprobs": [_ENTRY, _LAST]}}},
    ),
    "dashscope": (
        {"request_id": "d-1", "usage": _COUNTS,
         "output": {"choices": [{"finish_reason": "stop", "message": {"content": "Hi!"},
                                 "logprobs": {"content": [_ENTRY, _LAST]}}]}},
    ),
    "transcription": (
        {"type": "transcript.text.delta", "delta": "Hi", "logprobs": [_ENTRY]},
        {"type": "transcript.text.done", "text": "Hi", "logprobs": [_ENTRY], "usage": _COUNTS},
    ),
}  # fmt: skip
"""Records by format, each of which is certain."""


def texts() -> list[bytes]:
    """Return all records as JSON."""
    return [
        json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
        for records in RECORDS.values()
        for record in records
    ]
