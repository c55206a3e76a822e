"""Read the variants of the chat schema that servers send: one minimal recording for each."""

import base64
import json
import math

import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests.oracle import assert_conserved, load
from toolkit.loaders.formats.token_lists import TOP

quietly = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")


def entry(token, logprob=-0.5, *, top=(), raw="utf-8", **more):
    sent = {"token": token, "logprob": logprob, "top_logprobs": list(top)}
    return sent | ({"bytes": list(token.encode())} if raw else {}) | more


def whole(entries, text, *, reason="stop", **more):
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    choice |= {"logprobs": {"content": entries}, "finish_reason": reason}
    return {"id": "x-1", "object": "chat.completion", "choices": [choice]} | more


def chunk(text=None, entries=None, *, reason=None, delta=None, choice=(), **more):
    found = {"index": 0, "delta": {"content": text} if delta is None else delta}
    found |= {"logprobs": {"content": entries} if entries is not None else None}
    found |= {"finish_reason": reason, **dict(choice)}
    return {"id": "x-1", "object": "chat.completion.chunk", "choices": [found]} | more


def read(*records):
    lp = load("".join(json.dumps(record) + "\n" for record in records).encode())
    assert_conserved(lp)
    return lp


def sse(*events):
    lp = toolkit.read("".join(event + "\n\n" for event in events).encode())
    assert_conserved(lp)
    return lp


def notes(lp):
    return [set(each) for each in lp.responses["notes"].to_pylist()]


# OpenAI and Azure


def test_openai_sentinel_on_a_sampled_token_that_is_absent_from_the_top():
    lp = read(whole([entry("a", -9999.0, top=[entry("b", -0.1)])], "a"))
    assert lp.tokens["status"].to_pylist() == ["censored"]
    assert lp.tokens["sampled_rank"].to_pylist() == [None]
    assert lp.alternatives["is_sampled"].to_pylist() == [False]


def test_openai_refusal_stream():
    logprobs = {"content": None, "refusal": []}
    first = chunk(delta={"role": "assistant", "content": None, "refusal": ""})
    first["choices"][0]["logprobs"] = logprobs
    more = chunk(delta={"refusal": "No"})
    more["choices"][0]["logprobs"] = {"content": None, "refusal": [entry("No")]}
    lp = read(first, more, chunk(delta={}, reason="stop"))
    assert lp.tokens["channel"].to_pylist() == ["refusal"]
    assert lp.choices["refusal_alignment"].to_pylist() == ["exact"]


@quietly
def test_openai_tool_call_chunks_have_empty_lists():
    def call(arguments, **more):
        calls = [{"index": 0, **more, "function": {"arguments": arguments}}]
        return chunk(delta={"tool_calls": calls}, entries=[])

    lp = read(call('{"a"', id="call_1", type="function"), call(": 1}"), chunk(reason="tool_calls"))
    [calls] = [json.loads(each) for each in lp.choices["tool_calls"].to_pylist()]
    assert calls[0]["function"]["arguments"] == '{"a": 1}'
    assert lp.choices["logprobs_state"].to_pylist() == ["empty"]


def test_openai_obfuscation_is_ignored():
    first = chunk("a", [entry("a")], obfuscation="x7")
    lp = read(first, chunk("b", [entry("b")], obfuscation=""), chunk(delta={}, reason="stop"))
    assert lp.text(0) == "ab"
    assert notes(lp) == [set()]


def test_azure_first_chunk_is_empty_and_the_last_has_no_delta():
    first = {"id": "", "model": "", "object": "", "created": 0, "choices": []}
    filters = {"content_filter_results": {"hate": {"filtered": False}}}
    last = {"id": "", "object": "", "model": "", "created": 0}
    last["choices"] = [{"index": 0, "finish_reason": None, "content_filter_offsets": {}}]
    lp = read(
        first | {"prompt_filter_results": []},
        chunk("a", [entry("a")], choice=filters, model="gpt-4o", created=7),
        chunk(delta={}, reason="stop", choice=filters),
        last,
    )
    assert lp.responses["n_chunks"].to_pylist() == [4]
    assert lp.responses["model"].to_pylist() == ["gpt-4o"]
    assert lp.responses["created"].to_pylist()[0].timestamp() == 7
    assert lp.responses["finished"].to_pylist() == [True]


# Routers


def test_orq_events_wrap_chunks_and_numbers_are_floats():
    inner = chunk("a", [{"token": "a", "logprob": -0.5, "bytes": [97.0], "topLogprobs": []}])
    inner["choices"][0]["index"] = 0.0
    lp = read({"data": inner}, {"data": chunk(delta={}, reason="stop")})
    assert lp.tokens["bytes"].to_pylist() == [b"a"]
    assert lp.choices["choice"].to_pylist() == [0]
    assert lp.ledger["envelopes"].to_pylist() == [2]


def test_openrouter_comments_and_usage_on_a_chunk_with_a_choice():
    last = chunk(delta={"role": "assistant", "content": ""}, usage={"total_tokens": 5, "cost": 1})
    lp = sse(
        ": OPENROUTER PROCESSING",
        "data: " + json.dumps(chunk("a", [entry("a")], provider="X")),
        "data: " + json.dumps(chunk(delta={}, reason="stop")),
        "data: " + json.dumps(last),
        "data: [DONE]",
    )
    assert lp.responses["n_chunks"].to_pylist() == [3]
    assert lp.responses["total_tokens"].to_pylist() == [5]
    assert lp.ledger["comments"].to_pylist() == [1]


def test_openrouter_error_in_a_chunk():
    broken = chunk(delta={"content": ""}, reason="error", error={"code": 502, "message": "x"})
    lp = read(chunk("a", [entry("a")]), broken)
    assert json.loads(lp.responses["error"].to_pylist()[0])["code"] == 502
    assert lp.choices["finish_reason"].to_pylist() == ["error"]
    assert lp.tokens.num_rows == 1


def test_litellm_logs_hold_the_response():
    inner = whole([entry("a")], "a")
    lp = read(
        {"id": "log-1", "call_type": "completion", "response": inner, "model": "m"},
        {"id": "log-2", "call_type": "completion", "response": json.dumps(inner)},
    )
    assert lp.responses["custom_id"].to_pylist() == ["log-1", "log-2"]
    assert [lp.text(0), lp.text(1)] == ["a", "a"]


def test_litellm_writes_refusals_among_the_fields_of_the_provider():
    for streamed in (False, True):
        found = chunk("a", [entry("a")], reason="stop") if streamed else whole([entry("a")], "a")
        message = found["choices"][0]["delta" if streamed else "message"]
        message["provider_specific_fields"] = {"refusal": "No"}
        assert read(found).choices["refusal"].to_pylist() == ["No"]


# Self-hosted servers


def test_vllm_token_ids_as_labels():
    top = [entry("token_id:7", raw=None), entry("token_id:9", raw=None)]
    lp = read(whole([entry("token_id:9", -0.75, top=top, raw=None)], "a"))
    assert lp.tokens["token_id"].to_pylist() == [9]
    assert lp.tokens["token"].to_pylist() == ["token_id:9"]
    assert lp.alternatives["is_sampled"].to_pylist() == [False, True]


def test_vllm_sampled_twice_unsorted_and_one_more_than_asked():
    top = [entry("b", -2.0), entry("a", -0.5), entry("b", -2.0)]
    lp = read(whole([entry("b", -2.0, top=top)], "b", prompt_logprobs=[None, {"5": {}}]))
    assert lp.alternatives["slot"].to_pylist() == [1, 2, 3]
    assert lp.alternatives["rank"].to_pylist() == [2, 1, 3]
    assert lp.alternatives["is_sampled"].to_pylist() == [True, False, False]


def prompt_of(lp):
    rows = lp.tokens.filter(pc.equal(lp.tokens["channel"], "prompt")).to_pylist()
    return [(row["token"], row["token_id"], row["logprob"], row["sampled_rank"]) for row in rows]


def test_vllm_logprobs_of_the_prompt():
    """The token of the prompt comes first in each dict; its id may lie beside the list."""
    likelier = {"logprob": -0.1, "rank": 1, "decoded_token": "y"}
    sent = [None, {"5": {"logprob": -1.0, "rank": 2, "decoded_token": "x"}, "7": likelier}]
    records = [whole([entry("a")], "a", prompt_logprobs=value) for value in (sent, None)]
    lp = read(*records, {k: v for k, v in records[0].items() if k != "prompt_logprobs"})
    assert notes(lp) == [set(), set(), set()]
    assert lp.choices["n_prompt_tokens"].to_pylist() == [2, 0, 0]
    assert prompt_of(lp) == [("", None, None, None), ("x", 5, -1.0, 2)]
    arrays = {"tokens": ["a"], "token_logprobs": [-0.5]}
    choice = {"index": 0, "text": "a", "logprobs": arrays, "finish_reason": "stop"}
    choice |= {"prompt_logprobs": sent, "prompt_token_ids": [3, 7]}
    lp = read({"id": "c", "choices": [choice, choice | {"index": 1}]})
    assert prompt_of(lp) == [("token_id:3", 3, None, None), ("y", 7, -0.1, 1)] * 2
    odd = whole([entry("a")], "a", prompt_logprobs=[[-0.5, -0.25]])
    assert notes(read(odd)) == [{"unread_logprobs"}]


def echo(choices, **usage):
    """Return a completion of the legacy API from texts with the logprobs of their characters."""
    return {
        "object": "text_completion",
        "usage": usage or None,
        "choices": [
            {
                "index": i,
                "text": text,
                "finish_reason": "length",
                "logprobs": {"tokens": list(text), "token_logprobs": logprobs},
            }
            for i, (text, logprobs) in enumerate(choices)
        ],
    }


def test_echo_is_split_by_the_usage():
    lp = read(echo([("abcd", [None, -1.0, -2.0, -3.0])], prompt_tokens=3, completion_tokens=1))
    assert lp.choices["content"].to_pylist() == ["d"]
    assert lp.choices["alignment"].to_pylist() == ["exact"]
    assert [row[0] for row in prompt_of(lp)] == ["a", "b", "c"]
    assert notes(lp) == [set()]
    perplexity = toolkit.sequence_metrics(lp).set_index("channel")["perplexity"]
    assert perplexity["content"] == pytest.approx(math.exp(3.0))
    assert perplexity["prompt"] == pytest.approx(math.exp(1.5))
    alone = read(echo([("ab", [None, -1.0])], prompt_tokens=2, completion_tokens=0))
    assert alone.choices["content"].to_pylist() == [None]
    assert alone.choices["logprobs_state"].to_pylist() == ["empty"]
    both = [("abx", [None, -1.0, -2.0]), ("abyz", [None, -1.0, -2.0, -3.0])]
    shared = read(echo(both, prompt_tokens=2, completion_tokens=3))  # two answers to one prompt
    assert shared.choices["n_prompt_tokens"].to_pylist() == [2, 2]


def test_echo_of_unknown_length_stays_in_content():
    sent = [("abc", [None, -1.0, -2.0]), ("xyzw", [None, -1.0, -2.0, -3.0])]
    for usage in ({}, {"prompt_tokens": 5, "completion_tokens": 2}):  # of two prompts together
        lp = read(echo(sent, **usage))
        assert lp.choices["n_content_tokens"].to_pylist() == [3, 4]
        assert notes(lp) == [{"echo"}]
    lp = read(echo([("ab", [-0.5, -1.0])], prompt_tokens=1, completion_tokens=2))
    assert lp.choices["n_content_tokens"].to_pylist() == [2]
    assert notes(lp) == [set()]


def test_vllm_cumulative_usage_per_choice():
    def one(index, n):
        usage = {"completion_tokens": n, "total_tokens": n + 3}
        return chunk("a", [entry("a")], choice={"index": index}, usage=usage)

    lp = read(one(0, 1), one(1, 1), one(0, 2), one(1, 2))
    assert notes(lp) == [{"cumulative_usage"}]


def test_vllm_several_tokens_a_chunk_and_stop_reason():
    first = chunk("ab", [entry("a"), entry("b")])
    lp = read(first, chunk("c", [entry("c")], reason="stop", choice={"stop_reason": 7}))
    assert lp.tokens["chunk"].to_pylist() == [0, 0, 1]
    assert lp.choices["alignment"].to_pylist() == ["exact"]


def test_sglang_logprobs_ride_on_the_first_chunk():
    lp = read(chunk("a", [entry("a"), entry("b")]), chunk("b", [], reason="abort"))
    assert lp.choices["alignment"].to_pylist() == ["exact"]
    assert lp.choices["finish_reason"].to_pylist() == ["abort"]


def test_llama_cpp_ids_and_the_least_float():
    top = [entry("a", -0.5, id=7), entry("b", -3.4028234663852886e38, id=9)]
    lp = read(whole([entry("a", -0.5, top=top, id=7)], "a", timings={"predicted_n": 1}))
    assert lp.alternatives["token_id"].to_pylist() == [7, 9]
    assert lp.alternatives["status"].to_pylist() == ["ok", "censored"]


def test_llama_cpp_probabilities_after_sampling():
    sent = {"token": "a", "id": 7, "bytes": [97], "prob": 0.5}
    sent["top_probs"] = [
        {"token": "a", "id": 7, "bytes": [97], "prob": 0.5},
        {"token": "b", "prob": 0.0},
    ]
    lp = read(whole([sent], "a"))
    assert lp.tokens["logprob"].to_pylist() == pytest.approx([-0.693147], abs=1e-6)
    assert lp.alternatives["status"].to_pylist() == ["ok", "censored"]
    assert notes(lp) == [{"from_prob"}]


def test_ollama_v1_omits_empty_lists():
    lp = read(whole([{"token": "a", "logprob": -0.5}], "a", system_fingerprint="fp_ollama"))
    assert lp.tokens["bytes"].to_pylist() == [None]
    assert lp.choices["alignment"].to_pylist() == ["exact"]


def test_tgi_has_no_bytes_no_space_and_another_object():
    lp = sse(
        "data:" + json.dumps(chunk("a", [entry("a", raw=None)]) | {"object": "text_completion"}),
        "data:" + json.dumps(chunk("b", [entry("b", raw=None)], reason="eos_token")),
    )
    assert lp.text(0) == "ab"
    assert lp.responses["kind"].to_pylist() == ["stream"]
    assert lp.responses["finished"].to_pylist() == [True]


def test_tensorrt_llm_trailing_blanks_and_empty_deltas():
    lp = sse(
        "data: "
        + json.dumps(chunk("", [entry("a", top=[entry("a"), entry("b"), entry("c")])]))
        + " ",
        "data: " + json.dumps(chunk("a", [], reason="stop")) + " ",
        "data: [DONE] ",
    )
    assert lp.choices["alignment"].to_pylist() == ["exact"]
    assert lp.tokens["n_alternatives"].to_pylist() == [3]


def test_lmdeploy_vocabulary_form_is_kept():
    lp = read(whole([entry("ĠHello", raw=None, top=[entry("ĠHi", raw=None)])], " Hello"))
    assert lp.tokens["token"].to_pylist() == ["ĠHello"]
    assert lp.tokens["sampled_rank"].to_pylist() == [None]
    assert lp.choices["alignment"].to_pylist() == ["unknown"]


# Vendors


def test_deepseek_reasoning_tokens_have_their_channel():
    body = whole([entry("b", 0.0, top=[entry("b", 0.0), entry("c", -9999.0)])], "b")
    body["choices"][0]["logprobs"]["reasoning_content"] = [entry("a")]
    body["choices"][0]["message"]["reasoning_content"] = "a"
    lp = read(body)
    assert lp.tokens["channel"].to_pylist() == ["content", "reasoning"]
    assert lp.choices["reasoning"].to_pylist() == ["a"]
    assert lp.alternatives["status"].to_pylist() == ["ok", "censored"]


def test_fireworks_has_both_forms():
    body = whole([entry("a", sampling_logprob=-0.4, token_id=7, text_offset=3)], "a")
    body["choices"][0]["logprobs"] |= {"tokens": ["a"], "token_logprobs": [-0.5]}
    lp = read(body)
    assert lp.tokens["token"].to_pylist() == ["a"]
    assert lp.tokens["token_id"].to_pylist() == [7]


def test_together_chunks_have_one_number():
    def one(text, logprob, **more):
        return chunk(delta={"content": text, "token_id": 7}, **more, choice={"logprobs": logprob})

    lp = read(one("a", -0.5), one("b", -1), one("", 0, reason="eos"))
    assert lp.tokens["logprob"].to_pylist() == [-0.5, -1.0]
    assert lp.tokens["token_id"].to_pylist() == [7, 7]
    assert lp.text(0) == "ab"
    assert notes(lp) == [set()]


@pytest.mark.parametrize("key", TOP)
@pytest.mark.parametrize("token", [{"token": "a"}, {"text": "a"}, {"id": 5}], ids=str)
def test_alternatives_are_read_under_any_of_their_keys(key, token):
    number = "prob" if key == "probs" else "logprob"
    others = [{**token, "logprob": -1.0}, {"token": "b", number: 0.125}]
    tokens = [{**token, "logprob": -1.0, key: others}, {**token, "logprob": -0.5}]
    body = whole(tokens, "aa")
    for record in (body, {"answer": "aa", "logprobs": tokens}):
        lp = read(record)
        assert lp.tokens["n_alternatives"].to_pylist() == [2, 0], record
        assert lp.alternatives["token"].to_pylist()[1] == "b"


def test_mistral_null_alternatives_and_its_own_reasons():
    sent = {"token": "a", "logprob": -0.5, "bytes": None, "token_id": 7, "top_logprobs": None}
    lp = read(whole([sent], "a", reason="model_length"))
    assert lp.tokens["token_id"].to_pylist() == [7]
    assert lp.choices["finish_reason"].to_pylist() == ["model_length"]
    assert notes(lp) == [set()]


def test_bedrock_gpt_oss_special_tokens_in_the_content():
    entries = [entry("<|channel|>"), entry("final"), entry("a"), entry("b"), entry("<|return|>")]
    lp = read(chunk("ab", entries, choice={"obfuscation": "x"}), chunk(delta={}, reason="stop"))
    assert lp.choices["alignment"].to_pylist() == ["tokens_extra"]
    assert lp.tokens["chunk"].to_pylist() == [0] * 5


def test_xai_finish_reasons_and_fields_are_kept():
    lp = read(whole([entry("a")], "a", reason="REASON_STOP", citations=[]))
    assert lp.choices["finish_reason"].to_pylist() == ["REASON_STOP"]


@quietly
def test_lm_studio_reasoning_without_logprobs():
    lp = read(chunk(delta={"reasoning": "hm"}), chunk(delta={"content": "a"}, reason="stop"))
    assert lp.choices["reasoning"].to_pylist() == ["hm"]
    assert lp.choices["logprobs_state"].to_pylist() == ["absent"]


# Envelopes


def test_inspect_ai_samples():
    answer = {"message": {"role": "assistant", "content": "a"}, "stop_reason": "stop"}
    output = {"model": "m", "choices": [answer | {"logprobs": {"content": [entry("a")]}}]}
    output["usage"] = {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}
    lp = read({"eval": {"task": "t"}, "samples": [{"id": 7, "epoch": 1, "output": output}]})
    assert lp.responses["custom_id"].to_pylist() == ["7"]
    assert lp.responses["prompt_tokens"].to_pylist() == [3]
    assert lp.responses["finished"].to_pylist() == [True]
    assert lp.tokens["token"].to_pylist() == ["a"]


@quietly
@quietly
def test_lm_eval_samples_have_a_choice_for_each_option():
    """An option with the sum of its logprobs is a choice without tokens, as is a generated text."""
    row = {"doc_id": 0, "doc": {}, "target": "a", "arguments": [["Q", " yes"], ["Q", " no"]]}
    named = {f"gen_args_{i}": {"arg_0": "Q", "arg_1": text} for i, text in enumerate(("a", "b"))}
    lp = read(
        row | {"resps": [[["-1.5", "True"]], [["-2.5", "False"]]]},
        row | {"resps": [[[-1.5, True]], [[-2.5, False]]], "arguments": named},
        row | {"doc_id": 1, "resps": [["generated"]]},
    )
    assert lp.choices["content"].to_pylist() == [" yes", " no", "a", "b", "generated"]
    assert lp.responses["custom_id"].to_pylist() == ["0", "0", "1"]
    assert notes(lp) == [{"mean_logprob_only"}, {"mean_logprob_only"}, set()]
    assert lp.tokens.num_rows == 0


def test_rows_with_a_bare_choice():
    choice = whole([entry("a")], "a")["choices"][0]
    lp = read({"question_id": 3, "raw_completion": choice}, {"id": "r", "out": {"x": choice}})
    assert lp.responses["custom_id"].to_pylist() == ["3", "r"]


def test_har_and_text_of_an_event_stream():
    body = f"data: {json.dumps(chunk('a', [entry('a')], reason='stop'))}\n\ndata: [DONE]\n\n"
    har = {"log": {"entries": [{"response": {"content": {"text": body}}}]}}
    lp = read(har)
    assert lp.text(0) == "a"
    assert lp.responses["kind"].to_pylist() == ["stream"]


@quietly
def test_har_with_bodies_in_base64():
    def har(text, encoding):
        content = {"text": text, "encoding": encoding}
        return {"log": {"entries": [{"response": {"content": content}}]}}

    body = base64.b64encode(json.dumps(whole([entry("ü")], "ü")).encode()).decode()
    assert read(har(body, "base64")).text(0) == "ü"
    for text, encoding in ((body[1:], "base64"), ("/w==", "base64"), (body, "br"), (7, "base64")):
        assert read(har(text, encoding)).rejects["reason"].to_pylist() == ["not_json"]


def test_rows_with_an_error_beside_the_answer():
    row = {"id": 3, "error": "first try timed out", "response": whole([entry("a")], "a")}
    lp = read(row)
    assert (lp.text(0), lp.responses["custom_id"].to_pylist()) == ("a", ["3"])


def test_rows_with_the_options_of_a_question():
    row = {"id": 4, "choices": ["Paris", "Rome"], "answer": whole([entry("a")], "a")}
    lp = read(row)
    assert (lp.text(0), lp.responses["custom_id"].to_pylist()) == ("a", ["4"])


def test_exchanges_of_a_session_stay_apart():
    body = [f"data: {json.dumps(chunk('a', [entry('a')]) | {'id': ''})}\n", "\n"]
    lp = read({"Entries": [{"ResponseBody": body}, {"ResponseBody": body}]})
    assert [lp.text(0), lp.text(1)] == ["a", "a"]
    assert lp.responses["n_chunks"].to_pylist() == [1, 1]


@quietly
def test_one_bad_exchange_costs_itself():
    good = whole([entry("a")], "a")
    lp = read({"Entries": [{"ResponseBody": {"choices": 7}}, 7, {"ResponseBody": good}]})
    assert lp.rejects["reason"].to_pylist() == ["no_choices", "not_an_object"]
    assert lp.text(0) == "a"


@quietly
def refused(record):
    [reject] = read(record).rejects.to_pylist()
    return reject["message"]


@quietly
def test_a_refusal_says_what_was_found_what_is_nearest_and_what_to_type():
    assert refused({"foo": 1, "bar": []}).startswith(
        "expected a known format, found the keys 'foo', 'bar'; the nearest is openai_chat ("
    )
    assert "the nearest is http_session" in refused({"Entries": [], "ResponseBody": 1})
    steps = [{"tok": "H", "lp": -0.5, "n": 1}, {"tok": "i", "lp": -0.25, "n": 2}]
    record = {"out": "Hi", "run": {"steps": steps}}
    message = refused(record)
    given = "shape=toolkit.Shape(tokens='run.steps[].tok', logprobs='run.steps[].lp', text='out')"
    assert message.endswith(f"if 'run.steps[].lp' are logprobs, pass {given}")
    # What is suggested does read it.
    shape = eval(given.removeprefix("shape="), {"toolkit": toolkit})
    lp = toolkit.read(json.dumps(record).encode(), shape=shape)
    assert (lp.text(0), lp.tokens["logprob"].to_pylist()) == ("Hi", [-0.5, -0.25])
    beside = {"a": {"words": ["x", "y"], "scores": [-0.1, None]}, "said": "xy"}
    assert "toolkit.Shape(tokens='a.words', logprobs='a.scores', text='said')" in refused(beside)
    assert "the value of 'avg_logprob' is not a list" in refused({"q": 1, "avg_logprob": -0.5})


LARGE = st.sampled_from([10**400, -(10**400), "-0.5", "9e999"])


@quietly
@given(st.lists(st.none() | st.floats() | st.integers() | LARGE, min_size=1, max_size=3))
def test_any_numbers_that_may_be_logprobs_are_refused(numbers):
    words = ["a"] * len(numbers)
    steps = [{"t": word, "n": number} for word, number in zip(words, numbers, strict=True)]
    for record in ({"words": words, "scores": numbers}, {"steps": steps}):
        assert "expected a known format" in refused(record)


@quietly
def test_a_refusal_shows_no_content():
    record = {"Who are you?": [{"Secret words": "a b", "and more": -0.5}], "x y": {"z z": [-0.5]}}
    message = refused(record)
    assert not any(word in message for word in ("Who", "Secret", "more'", "z z", "x y"))
