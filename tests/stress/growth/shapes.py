"""Inputs that grow with a number: `SHAPES`, by name.

Each makes a source of `toolkit.read` from n. Most repeat one thing n times; the others make one
thing n times as long.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
import zipfile
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

SHAPES = {}
"""Name of each shape, to the function that makes it and the smallest n to measure it with."""
ENTRY = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
JUNK = b'{"a":\n'


class Exported(NamedTuple):
    """A file that is exported, and not read."""

    name: str
    data: bytes


def shape(n):
    """Declare a shape, with the smallest n that takes long enough to be measured."""

    def declare(make):
        SHAPES[make.__name__] = (make, n)
        return make

    return declare


def lines(values):
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def whole(i=0, **more):
    choice = {"index": 0, "message": {"role": "assistant", "content": "a"}}
    choice |= {"finish_reason": "stop", "logprobs": {"content": [ENTRY]}}
    return {"id": f"w{i}", "object": "chat.completion", "choices": [choice]} | more


def chunk(id_="a", content="a", finish=None, role=None, **more):
    delta = {"content": content} | ({"role": role} if role else {})
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    choice |= {"logprobs": {"content": [ENTRY]} if content else None}
    return {"id": id_, "object": "chat.completion.chunk", "choices": [choice]} | more


def odd(i=0):
    """Return an answer that the scanner leaves to the reference decoder."""
    return whole(i, created="yesterday")


def usage(id_="a", n=1):
    counts = {"prompt_tokens": 1, "completion_tokens": n, "total_tokens": n + 1}
    return {"id": id_, "object": "chat.completion.chunk", "choices": [], "usage": counts}


def tool(call, id_="a"):
    return {"id": id_, "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}


def sse(values, end=b"\n\n"):
    return b"".join(b"data: " + json.dumps(value).encode() + end for value in values)


# Lines that are answers


@shape(4000)
def whole_answers(n):
    return lines(whole(i) for i in range(n))


@shape(4000)
def answers_by_reference(n):
    return lines(odd(i) for i in range(n))


@shape(4000)
def good_and_odd_in_turn(n):
    return lines(odd(i) if i % 2 else whole(i) for i in range(n))


@shape(4000)
def good_and_bad_in_turn(n):
    return (lines([whole(1)]) + JUNK) * n


@shape(4000)
def batch_lines(n):
    return lines(
        {"custom_id": str(i), "response": {"status_code": 200, "body": whole(i)}} for i in range(n)
    )


@shape(50_000)
def tokens_of_an_answer(n):
    answer = whole()
    answer["choices"][0]["logprobs"]["content"] = [ENTRY] * n
    return lines([answer])


@shape(20_000)
def choices_of_an_answer(n):
    choice = whole()["choices"][0]
    return lines([{"id": "a", "choices": [choice | {"index": i} for i in range(n)]}])


@shape(4000)
def choices_with_one_index(n):
    choice = whole()["choices"][0]
    return lines([{"id": "a", "choices": [choice] * n}])


@shape(1_000_000)
def text_of_an_answer(n):
    answer = whole()
    answer["choices"][0]["message"]["content"] = "a" * n
    return lines([answer])


@shape(500_000)
def escapes_of_an_answer(n):
    answer = whole()
    answer["choices"][0]["message"]["content"] = "\u0001\ud83d" * n
    return lines([answer])


@shape(20_000)
def content_parts(n):
    answer = whole()
    answer["choices"][0]["message"]["content"] = [{"type": "text", "text": "a"}] * n
    return lines([answer])


@shape(100_000)
def keys_of_an_answer(n):
    return lines([whole(**{f"k{i}": 1 for i in range(n)})])


@shape(100_000)
def repeated_keys(n):
    return b"{" + b'"a": 1, ' * n + lines([whole()])[1:]


@shape(1000)
def alternatives(n):
    top = [{"token": str(i), "logprob": -1.0, "bytes": None} for i in range(100)]
    answer = whole()
    answer["choices"][0]["logprobs"]["content"] = [ENTRY | {"top_logprobs": top}] * n
    return lines([answer])


@shape(500_000)
def digits_of_a_number(n):
    return lines([whole()]) + b'{"id": "b", "x": ' + b"9" * n + b', "choices": []}\n'


# Streams


@shape(40_000)
def chunks_of_a_stream(n):
    return lines([*[chunk()] * n, chunk(finish="stop")])


@shape(4000)
def streams_one_after_the_other(n):
    return lines(
        each
        for i in range(n)
        for each in (chunk(f"s{i}", role="assistant"), chunk(f"s{i}", finish="stop"))
    )


@shape(2000)
def streams_at_once(n):
    return lines(chunk(f"s{i}") for _ in range(3) for i in range(n))


@shape(2000)
def streams_at_once_beside_one_without_id(n):
    return lines([chunk("")] + [chunk(f"s{i}") for _ in range(3) for i in range(n)])


@shape(2000)
def pairs_of_streams_beside_one_without_id(n):
    """Return streams of which each has chunks around those of another."""
    order = [name for i in range(0, n, 2) for name in (i, i + 1, i, i + 1)]
    return lines([chunk("")] + [chunk(f"s{i}") for i in order])


@shape(64_000)
def streams_without_end(n):
    return lines(chunk(f"s{i}") for i in range(n))


@shape(2000)
def open_streams_then_junk_lines(n):
    return lines(chunk(f"s{i}") for i in range(n)) + JUNK * n


@shape(2000)
def open_streams_then_empty_objects(n):
    return lines(chunk(f"s{i}") for i in range(n)) + b"{}\n" * n


@shape(2000)
def open_streams_and_junk_in_turn(n):
    return b"".join(lines([chunk(f"s{i}")]) + JUNK for i in range(n))


@shape(1000)
def finished_streams_junk_and_done(n):
    ends = [chunk(f"s{i}", finish="stop") for i in range(n)]
    return lines(ends) + (JUNK + b"[DONE]\n") * n


@shape(32_000)
def finished_streams_then_done(n):
    return lines(chunk(f"s{i}", finish="stop") for i in range(n)) + b"[DONE]\n" * n


@shape(128_000)
def finished_streams_then_late_chunks(n):
    streams = [chunk(f"s{i}", finish="stop") for i in range(n)]
    return lines(streams) + b"[DONE]\n" * n + lines(streams)


@shape(4000)
def a_chunk_and_an_error_in_turn(n):
    return lines(each for _ in range(n) for each in (chunk(), {"error": {"message": "slow down"}}))


@shape(4000)
def a_chunk_and_junk_in_turn(n):
    return (lines([chunk()]) + JUNK) * n


@shape(4000)
def streams_and_errors_in_turn(n):
    return lines(
        each for i in range(n) for each in (chunk(f"s{i}"), {"error": {"message": "slow down"}})
    )


@shape(4000)
def an_id_that_opens_again(n):
    return lines([chunk(role="assistant"), chunk(finish="stop")] * n)


@shape(4000)
def a_finish_that_comes_again(n):
    return lines([chunk(), *[chunk(content="", finish="stop")] * n])


@shape(4000)
def usage_that_comes_again(n):
    return lines([chunk(), *(usage(n=i) for i in range(n))])


@shape(4000)
def chunks_without_id(n):
    return lines(chunk("") for _ in range(n))


@shape(4000)
def prompt_filters(n):
    return lines([{"id": "", "choices": [], "prompt_filter_results": []}, chunk()] * n)


@shape(4000)
def choices_of_a_stream(n):
    choice = chunk()["choices"][0]
    return lines({"id": "a", "choices": [choice | {"index": i}]} for i in range(n))


@shape(1500)
def cumulative_chunks(n):
    """Return 300 / n streams of 20 chunks, each of which repeats what was sent."""
    tokens = [ENTRY | {"token": f"{i} "} for i in range(20)]
    return lines(
        {
            "id": f"s{i}",
            "choices": [
                {
                    "index": 0,
                    "delta": {"content": tokens[at]["token"]},
                    "logprobs": {"content": tokens[: at + 1]},
                }
            ],
        }
        for i in range(n // 10)
        for at in range(20)
    )


@shape(20_000)
def lists_that_look_cumulative(n):
    return lines([*[chunk()] * n, chunk(content="b", finish="stop")])


@shape(20_000)
def tool_call_fragments(n):
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}
    part = {"index": 0, "function": {"arguments": "some text of it "}}
    return lines([tool(call), *[tool(part)] * n])


@shape(4000)
def tool_call_fragments_without_index(n):
    part = {"function": {"arguments": "some text of it "}}
    return lines([tool({"id": "c"} | part), *[tool(part)] * n])


@shape(4000)
def tool_calls_of_a_stream(n):
    return lines(tool({"index": i, "id": str(i)}) for i in range(n))


@shape(4000)
def tool_calls_with_new_keys(n):
    return lines(tool({"index": 0, f"k{i}": 1}) for i in range(n))


@shape(20_000)
def tool_calls_of_an_answer(n):
    answer = whole()
    answer["choices"][0]["message"]["tool_calls"] = [{"id": str(i)} for i in range(n)]
    return lines([answer])


@shape(1_000_000)
def a_long_id(n):
    return lines([chunk("x" * n, finish=finish) for finish in (None, None, None, "stop")])


@shape(100)
def long_ids(n):
    return lines(chunk("x" * 5000 + str(i)) for i in range(n) for _ in range(3))


@shape(1_000_000)
def a_long_custom_id(n):
    return lines([{"custom_id": "x" * n, "response": {"body": whole(i)}} for i in range(4)])


@shape(2000)
def events_of_responses(n):
    base = {"type": "response.output_text.delta", "item_id": "m", "output_index": 0}
    delta = base | {"content_index": 0, "delta": "a", "logprobs": [ENTRY]}
    return sse([delta] * n)


@shape(2000)
def items_of_responses(n):
    return sse(
        {
            "type": "response.output_text.delta",
            "item_id": f"m{i}",
            "output_index": i,
            "content_index": 0,
            "delta": "a",
            "logprobs": [ENTRY],
        }
        for i in range(n)
    )


# Lines that are not answers


@shape(4000)
def opening_braces(n):
    return b"{\n" * n


@shape(4000)
def opening_brackets(n):
    return b"[\n" * n


@shape(4000)
def closing_braces(n):
    return b"}\n" * n


@shape(4000)
def quotes(n):
    return b'"\n' * n


@shape(4000)
def empty_objects(n):
    return b"{}\n" * n


@shape(4000)
def empty_objects_on_one_line(n):
    return b"{}" * n


@shape(4000)
def empty_arrays_on_one_line(n):
    return b"[]" * n


@shape(20_000)
def empty_objects_in_gzip(n):
    return gzip.compress(b"{}\n" * n)


@shape(125_000)
def empty_objects_in_gzip_exported(n):
    return Exported("log.jsonl.gz", gzip.compress(b"{}\n" * n))


@shape(4000)
def empty_objects_in_an_array(n):
    return b"[" + b"{}," * n + b"{}]"


@shape(20_000)
def numbers_in_an_array(n):
    return b"[" + b"1," * n + b"1]"


@shape(20_000)
def an_array_without_end(n):
    return b"[\n" + b"1,\n" * n


@shape(4000)
def answers_in_an_array_without_end(n):
    return b"[\n" + lines([whole()])[:-1] + (b",\n" + lines([whole()])[:-1]) * n


@shape(20_000)
def documents(n):
    return json.dumps(whole(), indent=1).encode() * n


@shape(4000)
def broken_documents(n):
    return (json.dumps(whole(), indent=1).encode()[:-2] + b"\n") * n


@shape(4000)
def good_and_odd_elements_in_turn(n):
    return b"[" + (json.dumps(whole(), indent=1).encode() + b", 1, {]}, ") * n + b"{}]"


@shape(4000)
def good_and_broken_documents_in_turn(n):
    good = json.dumps(whole(), indent=1).encode()
    return (good + b"\n" + good[:-2] + b"\n") * n


@shape(4000)
def numbers(n):
    return b"1\n" * n


@shape(100_000)
def blank_lines(n):
    return lines([whole()]) + b"\n" * n


@shape(100_000)
def done_markers(n):
    return lines([whole()]) + b"[DONE]\n" * n


@shape(100_000)
def comments(n):
    return lines([whole()]) + b": x\n" * n


@shape(4000)
def bytes_that_are_not_utf8(n):
    return lines([whole()]) + b'{"a": "\xff"}\n' * n


@shape(4000)
def lines_with_garbage_after_them(n):
    return lines([whole()]) + b"{} x\n" * n


@shape(300_000)
def nested_arrays(n):
    return lines([whole()]) + b"[" * n


@shape(300_000)
def nested_objects(n):
    return lines([whole()]) + b'{"a":' * n


@shape(300_000)
def a_text_that_is_cut(n):
    return lines([whole()]) + b'{"a": "' + b"x" * n


@shape(300_000)
def backslashes(n):
    return lines([whole()]) + b'{"a": "' + b"\\" * n


@shape(300_000)
def spaces(n):
    return lines([whole()]) + b" " * n + b"{}"


@shape(100_000)
def carriage_returns(n):
    return lines([whole()]) + b"\r" * n


# Server-sent events


@shape(20_000)
def events(n):
    return sse([chunk()] * n)


@shape(20_000)
def events_without_blank_lines(n):
    return sse([chunk()] * n, b"\n")


@shape(4000)
def data_lines_of_an_event(n):
    text = json.dumps(whole(), indent=1).encode()
    return b"".join(b"data: " + line + b"\n" for line in text.split(b"\n")) + b"data: {\n" * n


@shape(4000)
def simple_and_odd_events_in_turn(n):
    return (sse([chunk()]) + b"data: {\ndata: }\n\n{}\n") * n


@shape(4000)
def opening_events(n):
    return b"data: {\n\n" * n


@shape(4000)
def empty_events(n):
    return b"data: {}\n\n" * n


@shape(20_000)
def fields_of_events(n):
    return sse([chunk()]) + b"event: ping\nid: 1\n" * n


@shape(16_000)
def events_after_a_cut(n):
    return b'data: {"a": "\n' + sse([chunk()] * n, b"\n")


# Rows and other formats


@shape(4000)
def rows(n):
    return lines({"id": i, "output": whole(i)} for i in range(n))


@shape(4000)
def rows_with_text(n):
    return lines({"id": i, "output": json.dumps(whole(i))} for i in range(n))


@shape(4000)
def loose_lists(n):
    return lines(
        {"id": i, "tokens": ["a", "b"], "logprobs": [-0.5, -0.25], "text": "ab"} for i in range(n)
    )


@shape(50_000)
def a_long_loose_list(n):
    return lines([{"id": 1, "tokens": ["a"] * n, "logprobs": [-0.5] * n}])


@shape(4000)
def lists_of_dicts(n):
    return lines(
        {"id": i, "token_logprobs": [{"token": "a", "logprob": -0.5}] * 3} for i in range(n)
    )


@shape(4000)
def lists_of_dicts_by_token(n):
    return lines({"id": i, "logprobs": [{"a": -0.5}, {"b": -0.25}]} for i in range(n))


@shape(64_000)
def completions_with_lists(n):
    lists = {"tokens": ["a"], "token_logprobs": [-0.5], "top_logprobs": [{"a": -0.5, "b": -1.0}]}
    return lines(
        {"id": f"w{i}", "choices": [{"index": 0, "text": "a", "logprobs": lists}]} for i in range(n)
    )


@shape(4000)
def csv_rows(n):
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["id", "output"])
    writer.writerows([i, json.dumps(whole(i))] for i in range(n))
    return pd.read_csv(io.StringIO(out.getvalue()))


@shape(4000)
def parquet_rows(n):
    out = io.BytesIO()
    pq.write_table(
        pa.table({"id": range(n), "output": [json.dumps(whole(i)) for i in range(n)]}), out
    )
    return out.getvalue()


@shape(2000)
def interactions_of_a_cassette(n):
    body = json.dumps(whole())
    request = "- request: {method: POST, uri: 'https://a'}\n"
    one = request + f"  response:\n    body: {{string: '{body}'}}\n"
    return ("interactions:\n" + one * n + "version: 1\n").encode()


@shape(2000)
def sexagesimal_numbers(n):
    body = json.dumps(whole())
    number = "1" + ":1" * n
    head = f"- request: {{method: POST, x: {number}}}\n"
    return (
        f"interactions:\n{head}  response:\n    body: {{string: '{body}'}}\nversion: 1\n".encode()
    )


# Many sources, and containers


@shape(500)
def sources(n):
    return [lines([whole(i)]) for i in range(n)]


@shape(500)
def sources_with_an_open_stream(n):
    return [lines([chunk()]) for i in range(n)]


@shape(500)
def members_of_gzip(n):
    return b"".join(gzip.compress(lines([whole(i)])) for i in range(n))


@shape(8000)
def members_of_zip(n):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for i in range(n):
            archive.writestr(f"{i}.json", lines([whole(i)]))
    return out.getvalue()


@shape(500)
def members_of_tar(n):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for i in range(n):
            data = lines([whole(i)])
            info = tarfile.TarInfo(f"{i}.json")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()
