"""The ways to keep records: one a line, as server-sent events, in an array, pretty-printed.

`CONTAINERS` says how each is written, and `records` reads it as a script would. A form in which the
record itself differs (inside an envelope, in a row, another format) is a container whose `written`
makes it.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import toolkit

_DONE = "[DONE]"


class Container(NamedTuple):
    """How records are kept in a file.

    Attributes
    ----------
    head, between, tail : str
        What is written before the first record, between two, and after the last.
    written : callable
        Makes the text of a record from its line.
    ends_streams : bool
        Whether ``[DONE]`` follows the chunks of an answer.
    is_value : bool
        Whether the whole file is one JSON value, an array.
    texts : callable
        Makes the records' texts from the file's content, unless it is one value.
    key : str
        The key under which the record is in what is written; empty: it is all of it.
    entries : tuple of str and int
        Keys and indices that lead to the entries, if what is written is of another format.
    options : mapping
        What the toolkit is told of it.
    """

    head: str = ""
    between: str = "\n"
    tail: str = "\n"
    written: Callable[[str], str] = str
    ends_streams: bool = False
    is_value: bool = False
    texts: Callable[[bytes], Iterator[bytes]] = bytes.splitlines
    key: str = ""
    entries: tuple[str | int, ...] = ()
    options: Mapping[str, Any] = MappingProxyType({})

    def joined(self, lines: list[str], *, is_first: bool) -> str:
        """Return the text of an answer, which is in one line or in several."""
        before = self.head if is_first else self.between
        done = [_DONE] if self.ends_streams and len(lines) > 1 else []
        return before + self.between.join([*map(self.written, lines), *done])


def _pretty(line: str) -> str:
    return json.dumps(json.loads(line), indent=2, ensure_ascii=False)


def _pretty_element(line: str) -> str:
    return textwrap.indent(_pretty(line), "  ", lambda _: True)


def _payloads(data: bytes) -> Iterator[bytes]:
    found = (line[6:] for line in data.splitlines() if line.startswith(b"data: "))
    return (payload for payload in found if payload != _DONE.encode())


def _documents(data: bytes) -> Iterator[bytes]:
    return iter(re.split(rb"(?<=\n\})\n(?=\{)", data))


def _event(line: str) -> str:
    return f'{{"data":{line}}}'


def _row(line: str) -> str:
    asked = '{"model":"m","messages":[{"role":"user","content":"Who?"}],"logprobs":true}'
    return f'{{"id":"r","request":{asked},"response":{line},"expected":"yes"}}'


def _other(make: Callable[[dict[str, Any], str, list[Any]], Any]) -> Callable[[str], str]:
    """Return what writes a record in another format, from a body, its text and its entries."""

    def written(line: str) -> str:
        body = json.loads(line)
        [choice] = body["choices"]
        record = make(body, choice["message"]["content"], choice["logprobs"]["content"])
        return json.dumps(record, ensure_ascii=False, separators=(",", ":"))

    return written


@_other
def _list_in_row(body: dict[str, Any], text: str, entries: list[Any]) -> Any:
    return {"id": body["id"], "question": "Who?", "answer": text, "logprobs": entries}


def _response_of(body: dict[str, Any], text: str, entries: list[Any]) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": entries}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "content": [part]}
    usage = {"input_tokens": 9, "output_tokens": len(entries), "total_tokens": 9 + len(entries)}
    head = {"id": body["id"], "object": "response", "created_at": body["created"]}
    return {**head, "status": "completed", "model": "m", "output": [item], "usage": usage}


_response = _other(_response_of)


@_other
def _response_in_row(body: dict[str, Any], text: str, entries: list[Any]) -> Any:
    return {"id": "r", "question": "Who?", "response": _response_of(body, text, entries)}


@_other
def _langchain(body: dict[str, Any], text: str, entries: list[Any]) -> Any:
    metadata = {"model_name": "m", "finish_reason": "stop", "logprobs": {"content": entries}}
    return {"content": text, "type": "ai", "id": body["id"], "response_metadata": metadata}


@_other
def _ollama(body: dict[str, Any], text: str, entries: list[Any]) -> Any:
    said = {"role": "assistant", "content": text}
    head = {"model": "m", "created_at": "2026-11-20T10:00:00.123456789Z", "message": said}
    return {**head, "done": True, "done_reason": "stop", "eval_count": 9, "logprobs": entries}


def _text_in_row(line: str) -> str:
    return json.dumps({"id": "r", "question": "Who?", "response": line}, ensure_ascii=False)


def _responses(data: bytes) -> Iterator[bytes]:
    return (json.loads(line)["response"].encode() for line in data.splitlines())


def _answers_in_row(line: str) -> str:
    other = line.replace("chatcmpl-", "other-", 1)
    return f'{{"id":"r","baseline":{line},"finetuned":{other}}}'


@_other
def _steps(body: dict[str, Any], text: str, entries: list[Any]) -> Any:
    steps = [
        {"tok": each["token"], "lp": each["logprob"], "top": each["top_logprobs"]}
        for each in entries
    ]
    return {"id": body["id"], "out": text, "steps": steps}


@_other
def _arrays_in_row(body: dict[str, Any], text: str, entries: list[Any]) -> Any:
    tops = [{top["token"]: top["logprob"] for top in each["top_logprobs"]} for each in entries]
    columns = {name: [each[name] for each in entries] for name in ("token", "logprob")}
    arrays = {"tokens": columns["token"], "logprobs": columns["logprob"], "top_logprobs": tops}
    return {"id": body["id"], "problem": "Who?", "generation": text, **arrays}


def _by_id(entry: dict[str, Any]) -> dict[str, Any]:
    tops = {top["token"]: top for top in (entry, *entry["top_logprobs"])}.values()
    return {
        str(number): {"logprob": top["logprob"], "rank": i + 1, "decoded_token": top["token"]}
        for i, (number, top) in enumerate(zip(range(900, 999), tops, strict=False))
    }


@_other
def _vllm(body: dict[str, Any], text: str, entries: list[Any]) -> Any:
    ids = [900] * len(entries)
    prompt = [None, *map(_by_id, entries[: len(entries) // 2])]
    answer = {"index": 0, "text": text, "token_ids": ids, "logprobs": [*map(_by_id, entries)]}
    output = {**answer, "finish_reason": "stop", "stop_reason": None}
    head = {"request_id": "0", "prompt": "Who?", "prompt_token_ids": [900] * len(prompt)}
    return {**head, "prompt_logprobs": prompt, "outputs": [output], "finished": True}


def _triple(entry: dict[str, Any]) -> list[Any]:
    return [entry["logprob"], 900, entry["token"]]


@_other
def _sglang(body: dict[str, Any], text: str, entries: list[Any]) -> Any:
    found = {
        "input_token_logprobs": [[None, 900, "W"], *map(_triple, entries[: len(entries) // 2])],
        "output_token_logprobs": [*map(_triple, entries)],
        "output_top_logprobs": [[*map(_triple, each["top_logprobs"])] for each in entries],
    }
    head = {"id": body["id"], "finish_reason": {"type": "stop"}, "prompt_tokens": 9}
    return {"text": text, "meta_info": {**head, "completion_tokens": len(entries), **found}}


def _tgi_entry(entry: dict[str, Any]) -> dict[str, Any]:
    return {"id": 900, "text": entry["token"], "logprob": entry["logprob"], "special": False}


@_other
def _tgi(body: dict[str, Any], text: str, entries: list[Any]) -> Any:
    first = {"id": 900, "text": "W", "logprob": None}
    details = {
        "finish_reason": "length",
        "generated_tokens": len(entries),
        "seed": None,
        "prefill": [first, *map(_tgi_entry, entries[: len(entries) // 2])],
        "tokens": [*map(_tgi_entry, entries)],
        "top_tokens": [[*map(_tgi_entry, each["top_logprobs"])] for each in entries],
    }
    return {"generated_text": text, "details": details}


@_other
def _llama(body: dict[str, Any], text: str, entries: list[Any]) -> Any:
    found = [
        {"id": 900, **each, "top_logprobs": [{"id": 900, **top} for top in each["top_logprobs"]]}
        for each in entries
    ]
    head = {"index": 0, "content": text, "id_slot": 0, "stop": True, "model": "m"}
    counts = {"tokens_predicted": len(entries), "tokens_evaluated": 9, "stop_type": "eos"}
    return {**head, **counts, "completion_probabilities": found}


@_other
def _helm(body: dict[str, Any], text: str, entries: list[Any]) -> Any:
    tokens = [{"text": each["token"], "logprob": each["logprob"]} for each in entries]
    answer = {"text": text, "logprob": -1.5, "tokens": tokens, "finish_reason": {"reason": "stop"}}
    states = [
        {
            "instance": {"id": f"id{i}"},
            "request": {"model": "m"},
            "result": {"success": True, "completions": [answer], "cached": False},
        }
        for i in range(3)
    ]
    return {"adapter_spec": {"name": "x"}, "request_states": states}


@_other
def _cohere(body: dict[str, Any], text: str, entries: list[Any]) -> Any:
    lists = [
        {"text": each["token"], "token_ids": [900], "logprobs": [each["logprob"]]}
        for each in entries
    ]
    said = {"role": "assistant", "content": [{"type": "text", "text": text}]}
    usage = {"tokens": {"input_tokens": 9, "output_tokens": len(entries)}}
    head = {"id": body["id"], "finish_reason": "COMPLETE", "message": said}
    return {**head, "usage": usage, "logprobs": lists}


@_other
def _oci(body: dict[str, Any], text: str, entries: list[Any]) -> Any:
    tops = [{top["token"]: str(top["logprob"]) for top in each["top_logprobs"]} for each in entries]
    columns = {
        "tokenLogprobs": [each["logprob"] for each in entries],
        "tokens": [each["token"] for each in entries],
        "topLogprobs": tops,
    }
    said = {"role": "ASSISTANT", "content": [{"type": "TEXT", "text": text}]}
    choice = {"index": 0, "message": said, "finishReason": "stop", "logprobs": columns}
    return {"modelId": "m", "chatResponse": {"apiFormat": "GENERIC", "choices": [choice]}}


_COLUMNS = MappingProxyType({"path": "response", "id": "id", "keep": ("expected", "request.model")})
_STEPS = toolkit.Shape(
    tokens="steps[].tok", logprobs="steps[].lp", alternatives="steps[].top", text="out", id="id"
)
_IN_OUTPUT = ("output", 0, "content", 0, "logprobs")

CONTAINERS = {
    "lines": Container(),
    "sse": Container("data: ", "\n\ndata: ", "\n\n", ends_streams=True, texts=_payloads),
    "array": Container("[", ", ", "]\n", is_value=True),
    "pretty": Container(written=_pretty, texts=_documents),
    "data": Container(written=_event, key="data"),
    "rows": Container(written=_row, key="response"),
    "pretty array": Container("[\n", ",\n", "\n]\n", written=_pretty_element, is_value=True),
    "rows, columns": Container(written=_row, key="response", options=_COLUMNS),
    "lists in rows": Container(written=_list_in_row, entries=("logprobs",)),
    "responses": Container(written=_response, entries=_IN_OUTPUT),
    "responses in rows": Container(written=_response_in_row, entries=("response", *_IN_OUTPUT)),
    "langchain": Container(
        written=_langchain, entries=("response_metadata", "logprobs", "content")
    ),
    "ollama": Container(written=_ollama, entries=("logprobs",)),
    "text in rows": Container(written=_text_in_row, texts=_responses),
    "two answers in rows": Container(written=_answers_in_row),
    "shape=": Container(written=_steps, options=MappingProxyType({"shape": _STEPS})),
    "arrays in rows": Container(written=_arrays_in_row),
    "vllm": Container(written=_vllm),
    "sglang": Container(written=_sglang),
    "tgi": Container(written=_tgi),
    "llama.cpp": Container(written=_llama),
    "helm": Container(written=_helm),
    "cohere": Container(written=_cohere),
    "oci": Container(written=_oci),
}
"""Containers by name."""
PARSED = tuple(CONTAINERS)[list(CONTAINERS).index("ollama") + 1 :]
"""Those of which a script must know more than where the entries are."""


def records(
    path: Path, container: str, loads: Callable[[bytes], Any], loads_all: Callable[[bytes], Any]
) -> Iterator[Any]:
    """Yield the records of a file, parsed.

    Parameters
    ----------
    path : Path
    container : str
    loads, loads_all : callable
        Parse one record; parse an array of records.
    """
    found = CONTAINERS[container]
    data = path.read_bytes()
    yield from loads_all(data) if found.is_value else map(loads, found.texts(data))
