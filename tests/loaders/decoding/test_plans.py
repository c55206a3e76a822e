"""Other formats that the scanner reads: declarations as plans, and formats with code."""

import copy
import json

import pytest

import toolkit
from tests.fuzz import compare
from tests.fuzz.other_formats import RECORDS, SHAPED
from toolkit.loaders import scanner
from toolkit.loaders.decoding.plans import NAMES, lookup_plan, plans
from toolkit.loaders.formats.declared import SHAPES
from toolkit.loaders.formats.lookup import Lookup
from toolkit.loaders.formats.paths import find, steps_of

pytestmark = pytest.mark.skipif(
    toolkit.decoder() != "native", reason="the native scanner was not built"
)
EACH = [(name, record) for name, records in RECORDS.items() for record in records]
LEGACY, GEMINI, RESPONSE, VLLM, TGI = (
    RECORDS[name][0]
    for name in ("openai_legacy", "gemini", "openai_responses", "vllm_output", "tgi_generate")
)
COHERE, OCI = RECORDS["cohere_chat"][0], RECORDS["oci_chat"][0]
OLLAMA, LLAMA = RECORDS["ollama"][0], RECORDS["llama_server"][0]
OCI_LISTS = "chatResponse.choices[0].logprobs"
ECHO = RECORDS["openai_legacy"][1]
LANGCHAIN = RECORDS["langchain"][0]
HELM = RECORDS["helm"][0]


def text(record):
    return json.dumps(record, ensure_ascii=False).encode()


@pytest.mark.parametrize(("name", "record"), EACH, ids=[name for name, _ in EACH])
def test_a_record_of_another_format_is_read_natively(name, record):
    raw = text(record)
    assert compare.taken([raw])
    assert not compare.differ([raw])
    assert not compare.joins_differ([raw, raw])
    assert set(compare.native(compare.framed([raw])).bodies["format"].to_pylist()) == {name}


@pytest.mark.parametrize(("shape", "record"), SHAPED, ids=range(len(SHAPED)))
def test_what_a_caller_declares_is_read_natively(shape, record):
    raw, lookup = text(record), Lookup(shape=shape, id="out", keep=("out",))
    for each in (Lookup(shape=shape), lookup):
        assert compare.taken([raw], each)
        assert not compare.differ([raw], lookup=each)
        read = compare.native(compare.framed([raw]), each)
        assert set(read.bodies["format"].to_pylist()) == {shape.name}
    assert lookup_plan(Lookup(shape=shape, path="a")) is None
    assert lookup_plan(Lookup(shape=toolkit.Shape(tokens="a.0.b"))) is None


def test_what_a_declaration_does_not_match_is_left_to_the_reference():
    lookup = Lookup(shape=toolkit.Shape(tokens="steps"))
    records = [text(VLLM), text({"steps": None}), text({"steps": [{"lp": "x"}]}), text(OCI)]
    assert not compare.taken(records, lookup)
    assert not compare.differ(records, lookup=lookup)


@pytest.mark.parametrize(("shape", "record"), SHAPED, ids=range(len(SHAPED)))
def test_a_member_of_a_declared_record_that_is_odd(shape, record):
    odd_members(record, Lookup(shape=shape))


@pytest.mark.parametrize(("name", "record"), EACH, ids=[name for name, _ in EACH])
def test_a_member_that_is_missing_null_or_odd(name, record):
    odd_members(record)


def odd_members(record, lookup=compare.CONTENT):
    records = []
    for value in ("gone", None, "", 7, -0.5, True, [], {}, [[-0.5]], "null", {"a": [{"b": 1}]}):
        stack = [()]
        while stack:
            path = stack.pop()
            changed = inner = copy.deepcopy(record)
            for key in path[:-1]:
                inner = inner[key]
            here = inner[path[-1]] if path else inner
            stack += [(*path, k) for k in (here if isinstance(here, dict) else ())]
            stack += [(*path, i) for i in range(len(here[:2]) if isinstance(here, list) else 0)]
            if path and value == "gone":
                del inner[path[-1]]
            elif path:
                inner[path[-1]] = value
            records.append(text(changed))
    if compare.differ(records, lookup=lookup):
        assert not [each for each in records if compare.differ([each], lookup=lookup)]


def changed(record, path, value):
    record = copy.deepcopy(record)
    *outer, last = steps_of(path)
    [(inner, _)] = find(record, tuple(outer))
    inner[last] = value
    return record


UNCERTAIN = {
    "an echo longer than the answer": changed(ECHO, "usage.prompt_tokens", 3),
    "an echo of unknown length": changed(ECHO, "usage", None),
    "an echo of half a token": changed(ECHO, "usage.prompt_tokens", 1.0),
    "an echo of two choices": {
        **ECHO,
        "choices": [*ECHO["choices"], {**ECHO["choices"][0], "index": 1}],
    },
    "arrays of unequal length": changed(LEGACY, "choices[0].logprobs.tokens", ["Hi"]),
    "arrays with another channel": changed(LEGACY, "choices[0].logprobs.refusal", ""),
    "a label": changed(LEGACY, "choices[0].logprobs.tokens", ["token_id:5", "x"]),
    "spelled bytes": changed(LEGACY, "choices[0].logprobs.tokens", ["bytes:\\xe2", "x"]),
    "a thought": changed(GEMINI, "candidates[0].content.parts[0].thought", True),
    "a time": {**GEMINI, "createTime": "2025-01-01T00:00:00Z"},
    "a mean alone": {"candidates": [{"content": {"parts": []}, "avgLogprobs": -0.5}]},
    "a call": {**RESPONSE, "output": [{"type": "function_call", "name": "f"}]},
    "logprobs that are not read": {**RESPONSE, "scores": {"logprobs": [-0.5]}},
    "an error": {**RESPONSE, "error": {"code": "x"}},
    "logprobs of the prompt": {**VLLM, "prompt_logprobs": [None, {"1": {"logprob": -1.0}}]},
    "fewer ids": changed(VLLM, "outputs[0].token_ids", [5]),
    "an id that was not among them": changed(VLLM, "outputs[0].token_ids", [5, 9]),
    "a prompt of nothing": changed(VLLM, "prompt_logprobs", [None]),
    "prefill without a token": changed(TGI, "details.prefill", [None, {"id": 1, "logprob": -1}]),
    "a span with fewer ids": changed(COHERE, "logprobs[0].token_ids", []),
    "an alternative of no number": changed(OCI, f"{OCI_LISTS}.topLogprobs[0].Hi", "1_0"),
    "whole numbers": changed(OCI, f"{OCI_LISTS}.tokenLogprobs", [-1, -2]),
    "a call of Ollama": changed(OLLAMA, "message.tool_calls", [{"function": {"name": "f"}}]),
    "probabilities": changed(LLAMA, "completion_probabilities", [{"content": "a", "probs": []}]),
    "another type": {**LLAMA, "type": "x"},
    "another array": changed(OCI, f"{OCI_LISTS}.tokenIds", [1, 2]),
    "a tool call": {**LANGCHAIN, "tool_calls": [{"name": "f", "args": {}}]},
    "a message of a person": {**LANGCHAIN, "type": "human"},
    "another format first": {**LANGCHAIN, "candidates": []},
    "an error beside it": {"choices": [{"text": "a"}], "model": "m", "error": "no"},
}


@pytest.mark.parametrize("name", UNCERTAIN)
def test_what_is_uncertain_is_left_to_the_reference(name):
    raw = text(UNCERTAIN[name])
    assert not compare.taken([raw])
    assert not compare.differ([raw])


@pytest.mark.parametrize(("n", "said"), [(1, "\n"), (2, "")])
def test_the_tokens_of_an_echo_are_those_of_the_prompt(n, said):
    raw = text(changed(ECHO, "usage.prompt_tokens", n))
    assert compare.taken([raw])
    assert not compare.differ([raw])
    read = compare.native(compare.framed([raw]))
    assert read.parts["content"].to_pylist() == [said]
    assert read.parts["n_prompt"].to_pylist() == [n]
    assert read.tokens["token"].to_pylist() == (["\n", "Hi"] if n == 1 else ["Hi", "\n"])


@pytest.mark.parametrize("hour", ["00:00:00Z", "23:59:59.999999999Z"])
def test_the_seconds_of_a_time_of_ollama(hour):
    days = ("1970-01-01", "1999-12-31", "2000-02-29", "2026-03-01", "2099-12-31")
    records = [text({**OLLAMA, "created_at": f"{day}T{hour}"}) for day in days]
    assert compare.taken(records) == records
    assert not compare.differ(records)
    created = compare.native(compare.framed(records)).bodies["created"].to_pylist()
    assert created == sorted(set(created))


def test_times_that_are_left_to_the_reference():
    times = (
        *("2100-01-01T00:00:00Z", "2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01", ""),
        *("2026-01-01T24:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00+02:00", 5),
        *("1969-12-31T00:00:00Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.0xZ"),
    )
    records = [text({**OLLAMA, "created_at": time}) for time in times]
    assert not compare.taken(records)
    assert not compare.differ(records)


def test_elements_of_a_list_are_records():
    states = HELM["request_states"]
    document = {**HELM, "request_states": [states[0], None, *states * 200]}
    lookup = Lookup(keep=("adapter_spec.name", "instance.split", "cached"))
    records = [text(LANGCHAIN), text(document), text(HELM), text(LANGCHAIN)]
    for each in (Lookup(), lookup):
        assert compare.taken(records, each) == records
        assert not compare.differ(records, lookup=each)
    lp = toolkit.read(b"\n".join(records), keep=lookup.keep)
    assert lp.responses["record"].to_pylist() == [*range(1 + 401 + 2 + 1)]
    assert lp.responses["line"].to_pylist() == [1, *[2] * 401, 3, 3, 4]
    assert lp.responses["path"][:4].to_pylist() == [
        None,
        *(f"$.request_states[{i}]" for i in (0, 2, 3)),
    ]
    assert lp.responses["custom_id"][:4].to_pylist() == [None, "id0", "id0", "id1"]
    assert lp.responses["kept"][1].as_py() == '{"adapter_spec.name":"x","instance.split":"test"}'
    assert lp.ledger["envelopes"].to_pylist() == [2]


@pytest.mark.parametrize(
    "document",
    [
        {**HELM, "token_logprobs": [-0.5, -1]},
        {**HELM, "request_states": [*HELM["request_states"], "x"]},
        {**HELM, "request_states": [*HELM["request_states"], {"result": {"completions": []}}]},
        {"a": HELM},
        {"generations": [[{**LANGCHAIN, "text": "a", "message": LANGCHAIN}]] * 2},  # equal ids
    ],
    ids=range(5),
)
def test_elements_that_are_uncertain_are_left_to_the_reference(document):
    record = text(document)
    assert not compare.taken([record])
    assert not compare.differ([text(HELM), record, text(HELM)])


def test_alternatives_whose_text_is_a_number():
    """They are entries, not dicts of logprobs by text."""
    lp = toolkit.from_responses(GEMINI)
    assert lp.alternatives["token"].to_pylist() == ["Hi", "1"]


def test_plans_have_all_that_a_declaration_has():
    assert NAMES[-len(SHAPES) :] == tuple(shape.name for shape in SHAPES)
    compiled = json.loads(plans())
    assert [len(plan["marks"]) for plan in compiled] == [len(shape.marks) for shape in SHAPES]
    steps = compiled[0]["parts"][0][0]["steps"]
    assert steps == [{"keys": ["logprobs"], "lengths": ["1"]}]
    [path] = json.loads(plans((toolkit.Shape(tokens="a_b.c[0][k=v][]"),)))[0]["parts"][0]
    keys = {"keys": ["a_b.c", "aB.c", "a_b", "aB"], "lengths": ["2", "2", "1", "1"]}
    assert path["steps"][0] == keys
    assert path["steps"][1]["keys"] == ["c"]
    assert path["steps"][2:] == [{"index": "0"}, {"key": "k", "value": "v"}, {}]


def test_plans_that_are_not_json():
    with pytest.raises(ValueError, match="declarations"):
        scanner.declare(b"[{")
