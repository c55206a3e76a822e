"""Records of other formats than the chat schema that the scanner reads, as seeds and for tests."""

from __future__ import annotations

import json
from typing import Any

from toolkit import Shape

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
_ARRAYS = {
    "tokens": ["Hi", "\n"],
    "logprobs": [-0.25, None],
    "top_logprobs": [{"Hi": -0.25, "\n": -1.5}, [{"token": "x", "logprob": -1}]],
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
        {
            "request_id": "v-2", "prompt_token_ids": [1, 6],
            "prompt_logprobs": [None, {"6": {"logprob": -2.5, "rank": 3, "decoded_token": " a"}}],
            "outputs": [{"index": 0, "text": "Hi!", "token_ids": [5, 7], "logprobs": _DICTS},
                        {"index": 1, "text": "Hi!", "token_ids": [5, 7], "logprobs": _DICTS}],
        },
    ),
    "ollama": (
        {"model": "m", "created_at": "2026-02-28T23:59:59.123456789Z", "done": True,
         "message": {"role": "assistant", "content": "Hi!", "thinking": "so", "tool_calls": []},
         "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 2,
         "logprobs": [_ENTRY, _LAST]},
        {"model": "m", "created_at": "2024-02-29T00:00:00Z", "response": "Hi", "done": False,
         "logprobs": [_ENTRY]},
    ),
    "llama_server": (
        {"index": 1, "content": "Hi!", "id_slot": 0, "stop": True, "model": "m", "stop_type": "eos",
         "tokens_predicted": 2, "tokens_evaluated": 5,
         "completion_probabilities": [{"id": 5, **_ENTRY}, _LAST]},
        {"content": "Hi", "stop": False, "slot_id": 0, "completion_probabilities": [_ENTRY]},
    ),
    "cohere_chat": (
        {"id": "c-1", "finish_reason": "COMPLETE", "usage": {"tokens": _COUNTS},
         "message": {"role": "assistant", "content": [{"type": "text", "text": "Hi!"}]},
         "logprobs": [{"text": "Hi", "token_ids": [5], "logprobs": [-0.25]},
                      {"text": "!?", "token_ids": [7, 8], "logprobs": [-1, -0.5]},
                      {"text": "", "token_ids": [], "logprobs": [-0.5]}][:2]},
    ),
    "oci_chat": (
        {"modelId": "m", "chatResponse": {"apiFormat": "GENERIC", "choices": [
            {"index": 0, "message": {"role": "USER", "content": [{"type": "TEXT", "text": "Hi\n"}]},
             "finishReason": "stop",
             "logprobs": {"textOffset": [0, 2], "tokenLogprobs": [-0.25, "-1.0"],
                          "tokens": ["Hi", "\n"],
                          "topLogprobs": [{"Hi": "-0.25", "He": "-2.5e0"}, None]}}]}},
    ),
    "row": (
        {"id": "q1", "prompt": "Who?", "answer": " Hi!\n", "logprobs": {"content": [_ENTRY, _LAST]},
         "model": "m", "mean_logprob": -0.5, "usage": _CHAT_COUNTS, "finish_reason": "stop"},
        {"index": 7, "messages": [{"role": "user", "content": "Who?"}], "text": "Hi!",
         "token_logprobs": [_ENTRY, _LAST], "tags": ["a", {"b": "Hi!"}]},
        {"task_id": 3, "run": {"output": "x", "model": None, "logprobs": [_ENTRY]}, "model": "m"},
        {"logprobs": {"content": [{"token": "é\u3000", "logprob": -1}], "refusal": []}, "a": "é"},
        {"id": "q2", "problem": "Who?", "generation": "Hi\n", **_ARRAYS, "expected": {"name": [1]},
         "messages": [{"role": "user", "content": "Who?"}], "error": None, "reward": 0.5},
        {"uuid": 7, "response": "Hi", "tokens": ["Hi"], "token_logprobs": [-0.5],
         "finish_reason": "stop", "model": "m", "usage": _CHAT_COUNTS, "mean_logprob": -0.5},
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
        {
            "generated_text": " Hi",
            "details": {
                "finish_reason": "length", "generated_tokens": 1, "tokens": [_TGI],
                "prefill": [{"id": 1, "text": "a", "logprob": None}, _TGI],
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
        {
            "text": "Hi",
            "meta_info": {
                "id": "s-2", "finish_reason": {"type": "stop"}, "prompt_tokens": 2,
                "completion_tokens": 1, "output_token_logprobs": [_TRIPLE],
                "input_token_logprobs": [[None, 1, "a"], _BARE],
                "input_top_logprobs": [None, [_BARE, _TRIPLE]],
            },
        },
    ),
    "helm": (
        {"adapter_spec": {"name": "x"}, "request_states": [
            {"instance": {"id": f"id{i}", "split": "test"}, "request": {"model": "m"},
             "result": {"success": True, "cached": False, "completions": [
                 {"text": "Hi!", "logprob": -0.75, "finish_reason": {"reason": "stop"},
                  "tokens": [{"text": "Hi", "logprob": -0.25}, {"text": "!", "logprob": -1}]}]}}
            for i in range(2)]},
    ),
    "langchain": (
        _MESSAGE,
        {**_MESSAGE, "type": "AIMessageChunk", "tool_call_chunks": []},
        {"generations": [[{"text": "Hi!", "generation_info": {"logprobs": {"content": [_ENTRY]}}}],
                         [{"text": "Hi", "generation_info": {"finish_reason": "stop"}}]]},
    ),
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

_STEPS = [
    {"tok": "Hi", "lp": -0.25, "top": _TOP, "id": 5},
    {"tok": "!", "lp": -1, "top": [], "id": 7},
]
SHAPED: tuple[tuple[Shape, Any], ...] = (
    (
        Shape(tokens="steps[].tok", logprobs="steps[].lp", alternatives="steps[].top",
              token_ids="steps[].id", text="out", finish_reason="why", name="steps"),
        {"id": "r-1", "out": "Hi!", "steps": _STEPS, "why": "stop"},
    ),
    (
        Shape(tokens="a.toks", logprobs="a.lps|lps", alternatives="a.tops", text="out", model="m",
              custom_id="n", usage="use", stream="maybe"),
        {"a": {"toks": ["Hi", "!"], "lps": [-0.25, None], "tops": [{"Hi": -0.25, "He": -2}, None]},
         "out": "Hi!", "m": "m", "n": 7, "use": _COUNTS},
    ),
    (
        Shape(answers="runs[]", tokens="log", prompt="$.asked", text="said", marks=("kind=run",)),
        {"kind": "run", "index": 3, "asked": [_ENTRY], "runs": [{"said": "Hi!", "log": [_ENTRY]}]},
    ),
    (
        Shape(records="data.runs[]", tokens="log", text="said", id="n", model="$.m"),
        {"uuid": "u", "m": "m", "data": {"kind": "k", "runs": [
            {"n": 5, "said": "Hi!", "log": [_ENTRY, _LAST]},
            {"n": 6, "said": "", "log": [_LAST]}]}},
    ),
    (
        Shape(tokens="lists", text="out", keys="id", id="id"),
        {"id": 3, "key": "k", "lists": [{"5": -0.25, "6": -1.5}, {"7": -0.5}], "out": "Hi!"},
    ),
)  # fmt: skip
"""Declarations of a caller, each with a record of which it is certain."""


def texts() -> list[bytes]:
    """Return all records as JSON."""
    return [
        json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
        for records in RECORDS.values()
        for record in (*records, *(record for _, record in SHAPED))
    ]
