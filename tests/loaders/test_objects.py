"""Objects of other packages, replaced by objects with the same attributes.

`tests/clients` has the real ones.
"""

import enum
import json
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import toolkit
from tests.conftest import ROOT

ENTRIES = [
    {"token": "Hi", "logprob": -0.25, "bytes": [72, 105], "top_logprobs": []},
    {"token": "!", "logprob": -1.0, "bytes": [33], "top_logprobs": []},
]
METADATA = {
    "model_name": "gpt-4o",
    "system_fingerprint": "fp_1",
    "id": "chatcmpl-1",
    "finish_reason": "stop",
    "logprobs": {"content": ENTRIES, "refusal": None},
    "token_usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


class Dumped:
    """An object with `model_dump`, as in SDKs that use pydantic."""

    def __init__(self, value):
        self.value = value

    def model_dump(self):
        return self.value


@pytest.mark.parametrize("dumped", [True, False])
def test_a_message_of_langchain(dumped):
    message = SimpleNamespace(content="Hi!", id="run-1", response_metadata=METADATA, tool_calls=[])
    if dumped:
        message = {"content": "Hi!", "type": "ai", "response_metadata": METADATA}
    lp = toolkit.from_responses([message], custom_id=["a"])
    assert lp.tokens["logprob"].to_pylist() == [-0.25, -1.0]
    assert lp.choices["alignment"].to_pylist() == ["exact"]
    [response] = lp.responses.to_pylist()
    names = ("response_id", "model", "custom_id", "total_tokens", "finished")
    assert tuple(response[name] for name in names) == ("chatcmpl-1", "gpt-4o", "a", 5, True)


CALL = {"name": "weather", "args": {"city": "Rome"}, "id": "call_1", "type": "tool_call"}
JOINED = [
    {
        "function": {"arguments": '{"city":"Rome"}', "name": "weather"},
        "id": "call_1",
        "type": "function",
    }
]


def message(**more):
    """A message of LangChain, whose usage stands beside the metadata of the server."""
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    metadata = {**METADATA, "token_usage": {}}
    names = {"content": "Hi!", "id": "run-1", "additional_kwargs": {}, "tool_calls": []}
    return names | {"response_metadata": metadata, "usage_metadata": usage} | more


def as_object(value):
    return SimpleNamespace(**value)


def serialized(value):
    """A message as LangChain's serializer writes it, in runs of LangSmith."""
    return {"lc": 1, "type": "constructor", "id": ["langchain", "AIMessage"], "kwargs": value}


@pytest.mark.parametrize("form", [dict, as_object, serialized])
def test_usage_tool_calls_and_refusals_of_langchain(form):
    lp = toolkit.from_responses([form(message(tool_calls=[CALL]))])
    assert json.loads(lp.choices["tool_calls"][0].as_py()) == JOINED
    [response] = lp.responses.to_pylist()
    assert (response["prompt_tokens"], response["completion_tokens"]) == (3, 2)
    assert (response["system_fingerprint"], response["response_id"]) == ("fp_1", "chatcmpl-1")
    refused = {**METADATA, "logprobs": {"content": None, "refusal": ENTRIES}}
    kwargs = {"refusal": "Hi!"}
    given = message(content="", response_metadata=refused, additional_kwargs=kwargs)
    lp = toolkit.from_responses([form(given)])
    assert lp.choices["refusal_alignment"].to_pylist() == ["exact"]


@pytest.mark.parametrize("form", [dict, as_object, serialized])
def test_results_of_langchain(form):
    """The logprobs of a generation stand in its message too."""

    def generation(**more):
        info = {"finish_reason": "stop", "logprobs": METADATA["logprobs"]}
        return {"text": "Hi!", "generation_info": info, "message": form(message(**more))}

    one, two = generation(), generation(tool_calls=[CALL])
    for result, n in (([[one]], [1]), ([[one, two]], [2]), ([[one], [two]], [1, 1])):
        lp = toolkit.from_responses({"generations": result, "llm_output": None})
        assert lp.responses["n_choices"].to_pylist() == n
        assert lp.responses["notes"].to_pylist() == [[]] * len(n)
        assert lp.responses["response_id"].to_pylist() == ["chatcmpl-1"] * len(n)
        assert lp.responses["completion_tokens"].to_pylist() == [2] * len(n)
        assert lp.choices["alignment"].to_pylist() == ["exact"] * sum(n)
    run = {"id": "run-9", "outputs": {"generations": [[two]], "llm_output": None}}
    lp = toolkit.from_responses([run])
    assert json.loads(lp.choices["tool_calls"][0].as_py()) == JOINED
    assert lp.responses["custom_id"].to_pylist() == ["run-9"]
    lp = toolkit.from_responses([one])
    assert lp.responses["notes"].to_pylist() == [[]]


@pytest.mark.parametrize("form", [dict, as_object])
def test_a_history_of_messages_gives_its_answers(form):
    prompt = {"content": "Hi?", "type": "human", "additional_kwargs": {}, "response_metadata": {}}
    asked = {"parts": [{"content": "Hi?", "part_kind": "user-prompt"}], "kind": "request"}
    answer = message(type="ai")
    histories = ([prompt, answer], {"messages": [prompt, answer]}, [form(prompt), form(answer)])
    for history in (*histories, [asked, form(answer)]):
        lp = toolkit.from_responses(history)
        assert lp.choices["alignment"].to_pylist() == ["exact"]
        assert lp.ledger["control"].to_pylist() == [1]
        assert lp.rejects.num_rows == 0


def langchain_chunks(calls=False):
    """The chunks of one stream of LangChain, the usage after the finish reason."""
    texts = [("", None), ("Hi", ENTRIES[0]), ("!", ENTRIES[1])]
    fragments = [(CALL["name"], "", CALL["id"]), (None, '{"city":', None), (None, '"Rome"}', None)]
    for (text, entry), (name, args, id_) in zip(texts, fragments, strict=True):
        metadata = {"logprobs": {"content": [entry]}} if entry else {}
        fragment = {"name": name, "args": args, "id": id_, "index": 0, "type": "tool_call_chunk"}
        calls_of = [fragment] if calls else []
        yield {"content": text, "response_metadata": metadata, "tool_call_chunks": calls_of}
    yield {"content": "", "response_metadata": {"finish_reason": "stop", "model_name": "m"}}
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    yield {"content": "", "response_metadata": {}, "usage_metadata": usage}
    yield {"content": "", "response_metadata": {}, "chunk_position": "last"}


@pytest.mark.parametrize("form", [dict, as_object])
@pytest.mark.parametrize("kind", [list, iter])
def test_a_stream_of_langchain_is_one_response(form, kind):
    names = {"type": "AIMessageChunk", "additional_kwargs": {}, "tool_calls": []}
    for calls in (False, True):
        chunks = [form(names | {"id": "run-1"} | each) for each in langchain_chunks(calls)]
        lp = toolkit.from_responses(kind(chunks), custom_id="mine")
        [response] = lp.responses.to_pylist()
        assert (response["custom_id"], response["total_tokens"]) == ("mine", 5)
        assert (response["finished"], response["n_chunks"], response["notes"]) == (True, 6, [])
        [choice] = lp.choices.to_pylist()
        assert (choice["content"], choice["alignment"]) == ("Hi!", "exact")
        assert choice["tool_calls"] is None or calls
        if calls:
            assert json.loads(choice["tool_calls"]) == JOINED


def logprob(value, rank, token):
    return SimpleNamespace(logprob=value, rank=rank, decoded_token=token)


def output(logprobs, token_ids=(7, 9), request_id="r-1"):
    """An output of an inference engine with one answer."""
    one = SimpleNamespace(
        index=0, text="Hi!", token_ids=token_ids, logprobs=logprobs, finish_reason="stop"
    )
    return SimpleNamespace(request_id=request_id, prompt_token_ids=[1, 2], outputs=[one])


def tokens(lp):
    return [(row["token"], row["token_id"], row["logprob"]) for row in lp.tokens.to_pylist()]


def test_an_output_of_vllm():
    steps = [
        {7: logprob(-0.25, 1, "Hi")},
        {9: logprob(-1.0, 2, "!"), 8: logprob(-0.5, 1, "."), 6: logprob(-3.0, 3, None)},
    ]
    one = SimpleNamespace(
        index=0, text="Hi!", token_ids=(7, 9), logprobs=steps, finish_reason="stop"
    )
    other = SimpleNamespace(
        index=1, text="Hi", token_ids=(7,), logprobs=None, finish_reason="length"
    )
    both = SimpleNamespace(request_id="r-1", prompt_token_ids=[1, 2], outputs=[one, other])
    lp = toolkit.from_responses(both)
    assert lp.choices["finish_reason"].to_pylist() == ["stop", "length"]
    assert lp.choices["logprobs_state"].to_pylist() == ["present", "absent"]
    assert tokens(lp) == [("Hi", 7, -0.25), ("!", 9, -1.0)]
    assert lp.tokens["sampled_rank"].to_pylist() == [1, 2]
    assert lp.tokens["bytes"].to_pylist() == [None, None]
    assert lp.alternatives["token"].to_pylist() == ["Hi", "!", ".", "token_id:6"]
    assert lp.responses["prompt_tokens"].to_pylist() == [2]
    assert lp.responses["completion_tokens"].to_pylist() == [3]
    assert lp.choices["alignment"].to_pylist() == ["exact", "unknown"]


def test_an_output_of_tensorrt_llm():
    """Its logprobs are numbers, or objects by id; its public names are properties."""

    class Output:
        def __init__(self, logprobs):
            self._outputs = output(logprobs).outputs
            self.prompt_token_ids = [1, 2]
            self._engine = self

        @property
        def outputs(self):
            return self._outputs

        def __aiter__(self):
            raise NotImplementedError

        __iter__ = __aiter__

    numbers = Output([-0.25, -1.0])
    objects = Output([{7: logprob(-0.25, 1, None)}, {9: logprob(-1.0, 1, None)}])
    for lp in (toolkit.from_responses(numbers), toolkit.from_responses([objects])):
        assert tokens(lp) == [("token_id:7", 7, -0.25), ("token_id:9", 9, -1.0)]
        assert lp.responses["prompt_tokens"].to_pylist() == [2]
        assert lp.text(0) == "Hi!"


@pytest.mark.parametrize("steps", [[-0.25], [{7: logprob(-0.25, 1, "token_id:7")}]])
def test_fewer_logprobs_than_ids_cost_only_themselves(steps):
    good = output([-0.5, -1.0], request_id="r-2")
    lp = toolkit.from_responses([output(steps), good])
    assert tokens(lp)[:1] == [("token_id:7", 7, -0.25)]
    assert len(tokens(lp)) == 3
    assert lp.responses["notes"].to_pylist() == [["unequal_logprobs"], []]


def test_the_answers_of_an_output_alone():
    steps = [{7: logprob(-0.25, 1, "Hi")}, {9: logprob(-1.0, 1, "!")}]
    [answer] = output(steps).outputs
    answer.cumulative_logprob = -1.25
    lp = toolkit.from_responses([answer])
    assert tokens(lp) == [("Hi", 7, -0.25), ("!", 9, -1.0)]
    assert lp.responses["format"].to_pylist() == ["vllm_output"]
    assert lp.responses["completion_tokens"].to_pylist() == [2]


def test_ids_of_requests_may_be_numbers():
    lp = toolkit.from_responses(output([-0.25, -1.0], request_id=3))
    assert lp.responses["response_id"].to_pylist() == ["3"]
    assert lp.responses["notes"].to_pylist() == [[]]


def test_an_output_without_any_logprob_of_its_tokens():
    lp = toolkit.from_responses([output(None), output([-0.25, -0.5, -1.0])])
    assert lp.choices["logprobs_state"].to_pylist() == ["absent", "present"]
    assert tokens(lp) == [("token_id:7", 7, -0.25), ("token_id:9", 9, -0.5)]
    assert lp.responses["notes"].to_pylist() == [[], ["unequal_logprobs"]]


class Role(enum.Enum):
    ASSISTANT = "assistant"


def test_a_message_of_haystack():
    @dataclass
    class Text:
        text: str

    @dataclass
    class Message:
        _role: Role
        _content: list
        _meta: dict

        role = property(lambda self: self._role)
        meta = property(lambda self: self._meta)

        def to_dict(self):
            return {"role": "assistant", "meta": self._meta, "content": [{"text": "Hi!"}]}

    meta = {"model": "m", "finish_reason": "stop", "logprobs": {"content": ENTRIES}}
    lp = toolkit.from_responses(Message(Role.ASSISTANT, [Text("Hi!")], meta))
    assert lp.responses["format"].to_pylist() == ["haystack"]
    assert lp.choices["alignment"].to_pylist() == ["exact"]
    assert lp.choices["role"].to_pylist() == ["assistant"]


def test_a_response_of_pydantic_ai():
    @dataclass
    class Part:
        content: str
        part_kind: str

    @dataclass
    class Response:
        parts: list
        provider_details: dict
        kind: str = "response"
        model_name: str = "m"
        finish_reason: str = "stop"

        @property
        def vendor_details(self):
            raise RuntimeError("deprecated")

    lp = toolkit.from_responses([Response([Part("Hi!", "text")], {"logprobs": ENTRIES})])
    assert lp.responses["format"].to_pylist() == ["pydantic_ai"]
    assert lp.choices["alignment"].to_pylist() == ["exact"]


ARGUMENTS = {"city": "Rome"}
WITH_CALLS = {
    "haystack": {
        "role": "assistant",
        "content": [
            {"text": "Hi!"},
            {"tool_call": {"tool_name": "weather", "arguments": ARGUMENTS, "id": "call_1"}},
        ],
        "meta": {"finish_reason": "tool_calls", "logprobs": {"content": ENTRIES}},
    },
    "pydantic_ai": {
        "kind": "response",
        "parts": [
            {"part_kind": "text", "content": "Hi!"},
            {
                "part_kind": "tool-call",
                "tool_name": "weather",
                "args": json.dumps(ARGUMENTS, separators=(",", ":")),
                "tool_call_id": "call_1",
            },
        ],
        "provider_details": {"logprobs": ENTRIES},
    },
    "vercel_ai": {
        "text": "Hi!",
        "finishReason": "tool-calls",
        "toolCalls": [{"toolCallId": "call_1", "toolName": "weather", "input": ARGUMENTS}],
        "providerMetadata": {"openai": {"logprobs": ENTRIES}},
    },
}


@pytest.mark.parametrize("name", WITH_CALLS)
def test_tool_calls_of_other_libraries(name):
    lp = toolkit.from_responses(WITH_CALLS[name])
    assert lp.responses["format"].to_pylist() == [name]
    assert lp.responses["notes"].to_pylist() == [[]]
    assert json.loads(lp.choices["tool_calls"][0].as_py()) == JOINED
    assert lp.choices["alignment"].to_pylist() == ["exact"]


@pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
def test_objects_inside_a_row():
    row = {"qid": "q1", "response": Dumped({"choices": [{"message": {"content": "Hi"}}]}), "n": 7}
    lp = toolkit.from_responses([row])
    assert lp.text("q1") == "Hi"
    lp = toolkit.from_responses([row], path="response", id="n", keep=["qid"])
    assert lp.text("7") == "Hi"
    assert lp.responses["kept"].to_pylist() == ['{"qid":"q1"}']
    shape = toolkit.Shape(text="response.choices[].message.content", custom_id="qid")
    assert toolkit.from_responses([row], shape=shape).text("q1") == "Hi"


def test_objects_of_sdks_in_other_formats():
    event = {"type": "response.output_text.delta", "delta": "Hi", "logprobs": ENTRIES[:1]}
    created = {"type": "response.created", "response": {"id": "resp_1", "model": "m"}}
    stream = [Dumped(created), Dumped(event)]
    lp = toolkit.from_responses([iter(stream)])
    assert lp.responses["response_id"].to_pylist() == ["resp_1"]
    assert lp.tokens["token"].to_pylist() == ["Hi"]


def test_an_async_stream_is_refused_with_what_to_do():
    async def stream():
        yield {}

    with pytest.raises(toolkit.errors.ArgumentError, match="async for"):
        toolkit.from_responses(stream())


def test_a_context_manager_is_refused_with_what_to_do():
    class Manager:
        def __enter__(self):
            return iter(())

        def __exit__(self, *_):
            pass

    with pytest.raises(toolkit.errors.ArgumentError, match="enter it first"):
        toolkit.from_responses(Manager())


class Broken:
    """An object that raises when it is looked at."""

    def model_dump(self):
        raise OSError


class Deep:
    """An object that always holds another."""

    def to_dict(self):
        return {"inner": Deep()}


@pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
def test_an_object_that_cannot_be_read_costs_only_itself():
    good = {"choices": [{"message": {"content": "Hi"}}]}
    lp = toolkit.from_responses([object(), Broken(), Deep(), good], custom_id=list("abcd"))
    assert lp.rejects["message"].to_pylist() == [
        "expected an object, found a Python object",
        "expected an object, found a Python Broken that raises OSError",
        "expected an object, found a Python Deep that raises RecursionError",
    ]
    assert lp.text("d") == "Hi"


LOGITS = np.zeros(1 << 21, np.float32)


class Holder:
    """An object that is in each of those it holds, many times."""

    def __init__(self, depth):
        self.inner = [Holder(depth - 1)] * 2 if depth else []
        self.outer = [self]
        self.logits = LOGITS


def test_objects_that_hold_themselves_or_logits_are_read():
    answer = SimpleNamespace(choices=[{"message": {"content": "Hi!"}}], client=Holder(30))
    entries = [ENTRIES[0] | {"logprob": np.float32(-0.25)}, ENTRIES[1]]
    answer.choices[0]["logprobs"] = {"content": entries}
    lp = toolkit.from_responses(answer)
    assert lp.choices["alignment"].to_pylist() == ["exact"]


def test_tables_are_read_as_by_read():
    answer = {"choices": [{"message": {"content": "Hi!"}, "logprobs": {"content": ENTRIES}}]}
    table = pa.table({"qid": ["a", "b"], "raw": [json.dumps(answer)] * 2})
    for given in (table, table.to_pandas(), pl.DataFrame(table)):
        lp = toolkit.from_responses(given)
        assert lp.responses["custom_id"].to_pylist() == ["a", "b"]
        assert lp.choices["alignment"].to_pylist() == ["exact"] * 2
    for column in (table["raw"], table.to_pandas()["raw"]):
        lp = toolkit.from_responses(column, custom_id=["x", "y"])
        assert lp.text("y") == "Hi!"


CHUNKS = {
    "chat": [{"id": "a", "choices": [{"delta": {"content": text}}]} for text in "ab"],
    "gemini": [
        {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": reason}]}
        for text, reason in (("a", None), ("b", "STOP"))
    ],
    "events": [
        {"type": "response.created", "response": {"id": "resp_1", "model": "m"}},
        {"type": "response.output_text.delta", "delta": "ab", "logprobs": []},
    ],
}


@pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
@pytest.mark.parametrize("kind", [list, iter, lambda chunks: map(json.dumps, chunks)])
def test_chunks_are_one_stream_with_one_id(chunks, kind):
    lp = toolkit.from_responses(kind(chunks), custom_id="mine")
    assert lp.responses["custom_id"].to_pylist() == ["mine"]
    assert lp.text(0) == "ab"


@pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
def test_whole_answers_of_gemini_are_no_stream():
    whole = CHUNKS["gemini"][1]
    lp = toolkit.from_responses([whole, whole], custom_id=["x", "y"])
    assert lp.responses["custom_id"].to_pylist() == ["x", "y"]


# What is read as JSON is read as an object, and the other way round

FOLDERS = [ROOT.parent / "shared" / name for name in ("field/servers", "field/files", "realdata")]
PLACES = {"source", "line", "byte_offset", "length"}


def recordings():
    """Yield the recordings that are one JSON value, and each value of those with one a line."""
    for path in sorted(path for folder in FOLDERS for path in folder.glob("*")):
        try:
            yield path.name, path.read_bytes(), json.loads(path.read_bytes())
        except ValueError:
            if path.suffix == ".jsonl":
                lines = path.read_bytes().splitlines(keepends=True)
                yield (
                    path.name,
                    b"".join(lines),
                    [json.loads(line) for line in lines if line.strip()],
                )


def attributes(value):
    """Return a JSON value with objects that have attributes in place of those with such keys."""
    if isinstance(value, list):
        return [attributes(each) for each in value]
    if not isinstance(value, dict):
        return value
    inner = {key: attributes(each) for key, each in value.items()}
    is_object = inner and all(key.isidentifier() and not key.startswith("_") for key in inner)
    return SimpleNamespace(**inner) if is_object else inner


def rows(lp):
    return {
        name: [
            {key: value for key, value in row.items() if key not in PLACES}
            for row in lp[name].to_pylist()
        ]
        for name in ("responses", "choices", "tokens", "alternatives", "rejects")
    }


def loaded(load, given):
    try:
        return rows(load(given))
    except toolkit.errors.NoRecordsError:
        return None


@pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
@pytest.mark.skipif(not FOLDERS[0].is_dir(), reason="the recordings are not beside the project")
def test_objects_are_read_as_their_json(subtests):
    n = 0
    for name, text, value in recordings():
        expected = loaded(toolkit.read, text)
        for kind, given in (("dicts", value), ("objects", attributes(value))):
            n += 1
            with subtests.test(name, kind=kind):
                assert loaded(toolkit.from_responses, given) == expected
    assert n > 100


@pytest.mark.parametrize(
    "given",
    [
        "answers.jsonl",
        "logs/*.jsonl.gz",
        "no/such/answers.parquet",
        ROOT / "data" / "capitals_batch.jsonl",
        str(ROOT / "data"),
        ["a.jsonl", "b.sse"],
    ],
)
def test_files_are_refused_with_what_opens_them(given):
    with pytest.raises(toolkit.errors.ArgumentError, match="toolkit.read.* opens files") as caught:
        toolkit.from_responses(given)
    first = given[0] if isinstance(given, list) else given
    assert repr(str(first)) in str(caught.value) or len(str(first)) > 90


@pytest.mark.parametrize(
    "text", ["not JSON", '"a.jsonl"', "{", "[a.json", "a\nb.jsonl", "x" * 5000]
)
def test_other_texts_are_responses_that_cannot_be_read(text):
    with pytest.raises(toolkit.errors.NoRecordsError):
        toolkit.from_responses(text)
