"""Read one answer in every declared format, and as token lists that lie in rows."""

import json

import pytest

import toolkit
from tests.loaders.formats.samples import ENTRIES, HELLO, WORLD
from tests.loaders.formats.test_contract import places
from tests.oracle import assert_conserved
from toolkit.loaders.formats import detect
from toolkit.loaders.formats.declared import SHAPES
from toolkit.loaders.formats.shape import Shape

TEXT = "Hello wörld"
IDS = [11, 12]
BY_ID = [
    {"11": {"logprob": -0.25, "rank": 1, "decoded_token": "Hello"}},
    {
        "12": {"logprob": -1.5, "rank": 2, "decoded_token": " wörld"},
        "13": {"logprob": -0.5, "rank": 1, "decoded_token": " there!"},
    },
]
TRIPLES = [[-0.25, 11, "Hello"], [-1.5, 12, " wörld"]]
NATIVE = [
    {"id": 11, "text": "Hello", "logprob": -0.25},
    {"id": 12, "text": " wörld", "logprob": -1.5},
]
LOGPROBS = {"content": ENTRIES, "refusal": None}
CHOICE = {"message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
RECORDS = {
    "vllm_output": {
        "request_id": "r",
        "outputs": [{"index": 0, "text": TEXT, "token_ids": IDS, "logprobs": BY_ID}],
    },
    "triton_vllm": {"model_name": "m", "text_output": [TEXT], "logprobs": json.dumps(BY_ID)},
    "ray_data_llm": {"generated_text": TEXT, "generated_tokens": IDS, "logprobs": BY_ID},
    "tgi_generate": {"generated_text": TEXT, "details": {"tokens": NATIVE}},
    "sglang_generate": {
        "text": TEXT,
        "meta_info": {"finish_reason": {"type": "stop"}, "output_token_logprobs": TRIPLES},
    },
    "cohere_chat": {
        "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": [{"type": "text", "text": TEXT}]},
        "logprobs": [
            {"text": "Hello", "token_ids": [11], "logprobs": [-0.25]},
            {"text": " wörld", "token_ids": [12], "logprobs": [-1.5]},
        ],
    },
    "helm": {
        "request_states": [
            {"instance": {"id": "i"}, "result": {"completions": [{"text": TEXT, "tokens": NATIVE}]}}
        ]
    },
    "langchain": {"content": TEXT, "type": "ai", "response_metadata": {"logprobs": LOGPROBS}},
    "haystack": {
        "role": "assistant",
        "content": [{"text": TEXT}],
        "meta": {"finish_reason": "stop", "logprobs": LOGPROBS},
    },
    "pydantic_ai": {
        "kind": "response",
        "parts": [{"part_kind": "text", "content": TEXT}],
        "provider_details": {"logprobs": ENTRIES},
    },
    "vercel_ai": {
        "text": TEXT,
        "finishReason": "stop",
        "providerMetadata": {"openai": {"logprobs": ENTRIES}},
    },
    "oci_chat": {
        "chatResponse": {
            "choices": [
                {
                    "message": {"role": "ASSISTANT", "content": [{"type": "TEXT", "text": TEXT}]},
                    "logprobs": {"tokens": ["Hello", " wörld"], "tokenLogprobs": ["-0.25", "-1.5"]},
                }
            ]
        }
    },
    "dashscope": {"request_id": "r", "output": {"choices": [CHOICE | {"logprobs": LOGPROBS}]}},
    "transcription": {"transcript": TEXT, "logprobs": ENTRIES},
}
GENERATE = {
    "request_id": "r",
    "choices": [{"index": 0, "token_ids": IDS, "logprobs": LOGPROBS, "finish_reason": "stop"}],
}
BEDROCK = {
    "generation": TEXT,
    "generation_token_count": 2,
    "logprobs": [{"11": -0.25}, {"12": -1.5}],
}
ROWS = {
    "a logprobs object": {"answer": TEXT, "logprobs": LOGPROBS},
    "a list of entries": {"output": TEXT, "token_info": ENTRIES},
    "nested": {"meta": {"scores": {"logprobs": ENTRIES}}, "reply": TEXT},
    "arrays": {"generation": TEXT, "tokens": ["Hello", " wörld"], "logprobs": [-0.25, -1.5]},
    "dicts by text": {
        "text": TEXT,
        "logprobs": [{"Hello": -0.25}, {" there!": -0.5, " wörld": -1.5}],
    },
    "chosen": {
        "answer": TEXT,
        "steps": [{"chosen": HELLO, "alternatives": []}, {"chosen": WORLD, "alternatives": []}],
    },
    "keyed by id": {"q-1": {"answer": TEXT, "logprobs": ENTRIES}},
    "beside its answer": {"response": {"choices": [CHOICE]}, "logprobs": ENTRIES},
    "pairs of a text and a logprob": {
        "out": TEXT,
        "logprobs": [["Hello", -0.25], [" wörld", -1.5]],
    },
    "pairs of a logprob and a text": {
        "out": TEXT,
        "logprobs": [[-0.25, "Hello"], [-1.5, " wörld"]],
    },
    "alternatives as lists of entries": {
        "text": TEXT,
        "tokens": ["Hello", " wörld"],
        "token_logprobs": [-0.25, -1.5],
        "top_logprobs": [[HELLO], [WORLD]],
    },
    "a table of rows as lists": {"columns": ["a", "b", "c"], "data": [["q", TEXT, ENTRIES]]},
    "a list as text": {"answer": TEXT, "logprobs": json.dumps(ENTRIES)},
    "a choice alone": CHOICE | {"index": 0, "logprobs": LOGPROBS},
    "a legacy choice alone": {
        "index": 0,
        "text": TEXT,
        "finish_reason": "stop",
        "logprobs": {"tokens": ["Hello", " wörld"], "token_logprobs": [-0.25, -1.5]},
    },
    "as text": {"raw": json.dumps({"choices": [CHOICE | {"logprobs": LOGPROBS}]})},
}


def found(lp):
    return list(zip(lp.tokens["token"].to_pylist(), lp.tokens["logprob"].to_pylist(), strict=True))


@pytest.mark.parametrize("name", RECORDS)
def test_a_declared_format(name):
    lp = toolkit.read(json.dumps(RECORDS[name]).encode())
    assert_conserved(lp)
    assert found(lp) == [("Hello", -0.25), (" wörld", -1.5)]
    assert lp.text(0) == TEXT
    assert lp.responses["format"].to_pylist() == [name]
    assert lp.responses["notes"].to_pylist() == [[]]
    assert lp.choices["alignment"].to_pylist() == ["exact"]
    assert toolkit.from_responses(RECORDS[name]).tokens.num_rows == 2


@pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
@pytest.mark.parametrize("name", RECORDS)
def test_a_damaged_record_raises_nothing(name):
    damaged = []
    for path in filter(None, places(RECORDS[name])):
        for odd in (7, "odd", [], [[]], [None], {"a": -1}):
            record = json.loads(json.dumps(RECORDS[name]))
            target = record
            for key in path[:-1]:
                target = target[key]
            target[path[-1]] = odd
            damaged.append(record)
    assert_conserved(toolkit.read("\n".join(map(json.dumps, damaged)).encode()))


def test_tokens_without_the_text_of_the_answer():
    lp = toolkit.read(json.dumps(GENERATE).encode())
    assert found(lp) == [("Hello", -0.25), (" wörld", -1.5)]
    assert lp.responses.select(["format", "response_id", "kind"]).to_pylist() == [
        {"format": "vllm_generate", "response_id": "r", "kind": "completion"}
    ]


def test_ids_without_texts():
    lp = toolkit.read(json.dumps(BEDROCK).encode())
    assert found(lp) == [("token_id:11", -0.25), ("token_id:12", -1.5)]
    assert lp.responses["format"].to_pylist() == ["bedrock_import"]


def events(*parts):
    return "".join(f"data: {json.dumps(part)}\n\n" for part in parts).encode()


def test_a_stream_of_cohere():
    said = {"message": {"content": {"text": "Hello"}}}, {"message": {"content": {"text": " wörld"}}}
    spans = RECORDS["cohere_chat"]["logprobs"]
    end = {"finish_reason": "COMPLETE", "usage": {"tokens": {"output_tokens": 2}}}
    lp = toolkit.read(
        events(
            {"type": "message-start", "id": "c", "delta": {"message": {"role": "assistant"}}},
            {"type": "content-start", "index": 0, "delta": {"message": {"content": {"text": ""}}}},
            {"type": "content-delta", "index": 0, "delta": said[0], "logprobs": spans[0]},
            {"type": "content-delta", "index": 0, "delta": said[1], "logprobs": spans[1]},
            {"type": "content-end", "index": 0},
            {"type": "message-end", "delta": end},
        )
    )
    assert_conserved(lp)
    assert found(lp) == [("Hello", -0.25), (" wörld", -1.5)]
    names = ["response_id", "kind", "completion_tokens", "finished", "notes"]
    assert lp.responses.select(names).to_pylist() == [
        dict(zip(names, ("c", "stream", 2, True, []), strict=True))
    ]
    assert lp.text(0) == TEXT


def test_a_stream_of_the_vercel_ai_sdk():
    lp = toolkit.read(
        events(
            {"type": "text-start", "id": "0"},
            {"type": "text-delta", "id": "0", "delta": "Hello"},
            {"type": "text-delta", "id": "0", "delta": " wörld"},
            {
                "type": "finish",
                "finishReason": "stop",
                "usage": {"inputTokens": 3, "outputTokens": 2},
                "providerMetadata": {"openai": {"logprobs": ENTRIES}},
            },
        )
    )
    assert_conserved(lp)
    assert found(lp) == [("Hello", -0.25), (" wörld", -1.5)]
    assert (len(lp), lp.text(0)) == (1, TEXT)
    assert lp.responses["completion_tokens"].to_pylist() == [2]


def test_alternatives_by_id_beside_tokens_that_are_ids():
    """As older versions of mlx-lm send them, in dicts and in pairs."""
    for top in ([{"10": -0.5, "11": -1.5}], [[[10, -0.5], [11, -1.5]]]):
        logprobs = {"tokens": [10], "token_logprobs": [-0.5], "top_logprobs": top}
        lp = toolkit.read(json.dumps({"choices": [CHOICE | {"logprobs": logprobs}]}).encode())
        assert lp.alternatives["token_id"].to_pylist() == [10, 11]
        assert lp.tokens["sampled_rank"].to_pylist() == [1]


def test_one_entry_a_line_leaves_no_note():
    lp = toolkit.read("\n".join(map(json.dumps, ENTRIES)).encode())
    assert found(lp) == [("Hello", -0.25), (" wörld", -1.5)]
    assert lp.responses["notes"].to_pylist() == [[]]


def test_a_dump_of_vllm_is_one_record():
    """An array of ids, text and logprobs is an answer, as a line and in an array."""
    dump = [IDS, TEXT, BY_ID]
    texts = [
        json.dumps([dump, dump]),
        json.dumps([dump, dump], indent=1),
        f"{json.dumps(dump)}\n" * 2,
    ]
    for text in texts:
        lp = toolkit.read(text.encode())
        assert_conserved(lp)
        assert found(lp) == [("Hello", -0.25), (" wörld", -1.5)] * 2
        assert lp.responses["format"].unique().to_pylist() == ["vllm_output"]


def test_events_of_a_realtime_session():
    """The transcript repeats what the deltas brought; other events are control."""
    base = "conversation.item.input_audio_transcription"
    deltas = [
        {"type": f"{base}.delta", "item_id": "i", "delta": entry["token"], "logprobs": [entry]}
        for entry in ENTRIES
    ]
    end = {"type": f"{base}.completed", "item_id": "i", "transcript": TEXT, "logprobs": ENTRIES}
    usage = {"type": "tokens", "input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    other = {"type": "session.created", "session": {"id": "s"}}
    for sent in ([other, *deltas, end | {"usage": usage}], [other, end | {"usage": usage}]):
        events = [event | {"event_id": f"e{i}"} for i, event in enumerate(sent)]
        lp = toolkit.read("\n".join(map(json.dumps, events)).encode())
        assert_conserved(lp)
        assert found(lp) == [("Hello", -0.25), (" wörld", -1.5)]
        assert lp.text(0) == TEXT
        assert lp.responses["completion_tokens"].to_pylist() == [2]
        assert lp.ledger["control"].to_pylist() == [1]


def test_what_a_trace_repeats_is_read():
    """The same lists in two places of a record leave no note."""
    body = {"choices": [CHOICE | {"logprobs": LOGPROBS}]}
    row = {"outputs": [{"text": TEXT, "logprobs": json.loads(json.dumps(LOGPROBS))}], "raw": body}
    assert toolkit.read(json.dumps(row).encode()).responses["notes"].to_pylist() == [[]]
    row["outputs"][0]["logprobs"]["content"][0]["logprob"] = -0.3
    [notes] = toolkit.read(json.dumps(row).encode()).responses["notes"].to_pylist()
    assert notes == ["unread_logprobs"]


def test_every_declared_format_is_here_and_matches_alone():
    every = {**RECORDS, "bedrock_import": BEDROCK, "vllm_generate": GENERATE}
    assert {shape.name for shape in SHAPES} == every.keys()
    for name, record in every.items():
        assert {each.NAME for each in detect.FORMATS if each.matches(record)} == {name}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("around", ["{}", "[{}]", "{{}}\n{{}}"])
def test_token_lists_in_rows(name, around):
    text = around.replace("{{}}", "{}").replace("{}", json.dumps(ROWS[name]))
    lp = toolkit.read(text.encode())
    assert_conserved(lp)
    n = len(lp)
    assert n == text.count("Hello w\\u00f6rld") or n == around.count("{}") or n == 2
    assert found(lp) == [("Hello", -0.25), (" wörld", -1.5)] * n
    assert [lp.text(i) for i in range(n)] == [TEXT] * n
    assert set(lp.responses["notes"].to_pylist()[0]) == set()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("candidates", [{"doc_id": "d1", "score": 0.3}]),
        ("choices", [{"label": "A", "text": "ignore"}]),
        ("done", True),
        ("generated_text", "A"),
        ("output", "A"),
        ("content", "A"),
        ("error", None),
        ("request", {"logprobs": True, "top_logprobs": 5}),
    ],
)
def test_columns_of_a_row_do_not_change_its_answer(key, value):
    answer = {"choices": [CHOICE | {"logprobs": LOGPROBS}]}
    for name in ("response", "raw", "result"):
        lp = toolkit.read(json.dumps({"id": "q", key: value, name: answer}).encode())
        assert found(lp) == [("Hello", -0.25), (" wörld", -1.5)], (name, key)
        assert lp.responses["custom_id"].to_pylist() == ["q"]
        assert lp.responses["notes"].to_pylist() == [[]]


@pytest.mark.parametrize("row", [{"custom_id": "q"}, {"custom_id": "q", "error": None}])
@pytest.mark.parametrize("write", [lambda answer: answer, json.dumps])
def test_a_custom_id_beside_the_answer_itself(row, write):
    answer = {"choices": [CHOICE | {"logprobs": LOGPROBS}]}
    lp = toolkit.read(json.dumps(row | {"response": write(answer)}).encode())
    assert lp.tokens.num_rows == 2
    assert lp.responses["custom_id"].to_pylist() == ["q"]


KEYS = [
    *("logprob_data", "my_logprobs", "log_probs", "tokenLogProbs", "LogProbs", "avg_logprob_list"),
    *("prompt_logprobs_raw", "logprobs_v2", "top_logprobs_all", "x_log_prob", "log_prob_history"),
    *(
        "logprobList",
        "LOGPROBS",
        "token_log_prob",
        "cumulativeLogprobs",
        "logProbSums",
        "sum_logprobs",
    ),
    *(
        "logprob_bits",
        "draft_logprobs",
        "ref_logprobs",
        "policy_log_probs",
        "old_logprobs",
        "logprobs1",
    ),
    *("kl_logprobs", "gen_logprob_data", "log_probabilities", "reward_logprobs", "beam_logprobs"),
    *("raw_logprob_scores", "first_logprobs", "label_logprobs"),
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("place", ["body", "choice", "message", "logprobs", "row"])
def test_no_logprobs_vanish(key, place):
    """Under a key that nobody knows they leave a note, whichever decoder reads the record."""
    choice = {**CHOICE, "message": dict(CHOICE["message"]), "logprobs": dict(LOGPROBS)}
    body = {"id": "a", "choices": [choice]}
    row = {"id": "r", "response": body}
    target = {"body": body, "choice": choice, "message": choice["message"], "row": row}
    target.get(place, choice["logprobs"])[key] = [[[-0.5, -1.25]]]
    lp = toolkit.read(json.dumps(row if place == "row" else body).encode())
    assert lp.responses["notes"].to_pylist() == [["unread_logprobs"]]
    assert found(lp) == [("Hello", -0.25), (" wörld", -1.5)]


@pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
def test_a_mean_alone_is_noted():
    lp = toolkit.read(json.dumps({"choices": [CHOICE | {"avg_logprob": -0.3}]}).encode())
    assert lp.responses["notes"].to_pylist() == [["mean_logprob_only"]]


def test_a_trace_that_holds_an_answer_twice_gives_it_once():
    answer = {"id": "c", "choices": [CHOICE | {"logprobs": LOGPROBS}]}
    trace = {"preview": json.dumps(answer), "spans": [{"out": json.dumps(answer)}]}
    assert len(toolkit.read(json.dumps(trace).encode())) == 1
    assert len(toolkit.read(json.dumps({"a": answer, "b": [{"out": answer}]}).encode())) == 1


def test_a_shape_reads_lists_that_a_path_projects():
    shape = Shape(tokens="steps[].tok", logprobs="steps[].lp", text="out", marks=("steps",))
    record = {"out": "Hi", "steps": [{"tok": "Hi", "lp": -0.5}]}
    assert shape.matches(record)
    assert not shape.matches({"out": "Hi"})
    [body] = shape.normalise(record)
    [tokens] = body.obj["choices"][0]["logprobs"].values()
    assert (tokens.texts(), tokens.columns["logprob"]) == (["Hi"], [-0.5])


@pytest.mark.parametrize(("tops", "notes"), [(2, []), (1, ["unread_logprobs"])])
def test_projected_alternatives_were_read_if_each_token_has_some(tops, notes):
    shape = Shape(
        tokens="steps[].tok", logprobs="steps[].lp", alternatives="steps[].top_logprobs", text="out"
    )
    steps = [{"tok": token, "lp": -0.5, "top_logprobs": [{token: -0.5}]} for token in ("H", "i")]
    for step in steps[tops:]:
        del step["top_logprobs"]
    lp = toolkit.read(json.dumps({"out": "Hi", "steps": steps}).encode(), shape=shape)
    assert lp.responses["notes"].to_pylist() == [notes]
    assert len(lp.alternatives) == (tops if not notes else 0)
