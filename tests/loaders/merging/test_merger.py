"""Merging chunks gives the rows of the whole response."""

import json
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests import strategies
from tests.oracle import (
    PLACE,
    STREAMED,
    assert_conserved,
    read_naively,
    read_tables,
    rows_by_response,
)

pytestmark = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")


def chunk(id_="x", choices=(), **fields):
    return {"id": id_, "object": "chat.completion.chunk", "choices": list(choices), **fields}


def part(index=0, text=None, *, tokens=(), role=None, finish=None, **fields):
    delta = {"role": role} if role else {}
    if text is not None:
        delta["content"] = text
    built = {"index": index, "delta": delta | fields.pop("delta", {}), "finish_reason": finish}
    if tokens:
        built["logprobs"] = {"content": [entry(token) for token in tokens]}
    return built | fields


def entry(token, logprob=-0.5):
    return {"token": token, "logprob": logprob, "bytes": list(token.encode()), "top_logprobs": []}


def stream(id_="x", text="ab", **fields):
    """Return a complete stream: role, one token per chunk, finish reason."""
    return [
        chunk(id_, [part(0, "", role="assistant")], **fields),
        *(chunk(id_, [part(0, token, tokens=[token])], **fields) for token in text),
        chunk(id_, [part(0, finish="stop")], **fields),
    ]


USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
DONE = "[DONE]"


def sse(*events):
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return "".join(f"data: {text}\n\n" for text in texts).encode()


def load(*events, **options):
    lp = toolkit.read(sse(*events), **options)
    assert_conserved(lp)
    return lp


def texts(lp):
    return [lp.text(row) for row in range(len(lp))]


def tokens_of(lp, row=0):
    return [token["token"] for token in rows_by_response(lp)[row]["tokens"]]


# Rule 2, by property


def comparable(lp):
    """Return rows by response id, without what rule 2 excludes; null and empty text are equal."""
    found = {}
    for id_, rows in zip(
        lp.responses["response_id"].to_pylist(),
        rows_by_response(lp, without=(*PLACE, *STREAMED)),
        strict=True,
    ):
        assert id_ not in found, "one response became two"
        for choice in rows["choices"]:
            for name in ("content", "refusal", "reasoning"):
                choice[name] = choice[name] or None
        found[id_] = rows
    return found


def with_stream_notes(wholes, chunks, expected):
    """Add the note that only streams have: usage beside one of several choices is no total."""
    for whole in wholes:
        own = [c for c in chunks if c["id"] == whole["id"]]
        usage_chunks = [c for c in own if c.get("usage")]
        if len(whole["choices"]) > 1 and usage_chunks and usage_chunks[-1]["choices"]:
            expected[whole["id"]]["response"]["notes"] = ["cumulative_usage"]
    return expected


def loaded(chunks, container, data):
    if container == "objects":
        return toolkit.from_responses(chunks)
    if container == "iterator":
        return toolkit.from_responses(iter([iter(chunks)]))
    if container == "jsonl":
        return toolkit.read(strategies.as_jsonl(chunks))
    return toolkit.read(
        strategies.as_sse(
            chunks,
            prefix=data.draw(st.sampled_from(("data: ", "data:"))),
            end=data.draw(st.sampled_from(("\n", "\r\n", "\r"))),
            done=data.draw(st.booleans()),
            comments=data.draw(st.booleans()),
        )
    )


@given(
    strategies.recordings(),
    st.sampled_from(("sse", "sse", "jsonl", "objects", "iterator")),
    st.data(),
)
def test_whole_and_streamed_are_equal(recording, container, data):
    wholes, chunks = recording
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", toolkit.ToolkitWarning)
        whole = toolkit.read(strategies.as_jsonl(wholes))
        streamed = loaded(chunks, container, data)
    assert_conserved(whole)
    assert_conserved(streamed)
    assert streamed.rejects.num_rows == 0
    expected = with_stream_notes(wholes, chunks, comparable(whole))
    assert comparable(streamed) == expected
    own = [sum(c["id"] == answer["id"] for c in chunks) for answer in wholes]
    by_id = dict(
        zip(
            streamed.responses["response_id"].to_pylist(),
            streamed.responses["n_chunks"].to_pylist(),
            strict=True,
        )
    )
    assert by_id == {answer["id"]: n for answer, n in zip(wholes, own, strict=True)}


@given(strategies.recordings())
def test_generated_answers_equal_the_naive_reader(recording):
    wholes, chunks = recording
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", toolkit.ToolkitWarning)
        whole = toolkit.read(strategies.as_jsonl(wholes))
        streamed = toolkit.read(strategies.as_jsonl(chunks))
    assert read_tables(whole) == read_naively(strategies.as_jsonl(wholes))
    assert read_tables(streamed) == read_naively(strategies.as_jsonl(chunks))


@given(strategies.recordings())
def test_the_chunk_column_tells_which_chunk_brought_a_token(recording):
    _, chunks = recording
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", toolkit.ToolkitWarning)
        lp = toolkit.from_responses(chunks)
    key_of = dict(
        zip(
            lp.responses["response_id"].to_pylist(),
            lp.responses["response_key"].to_pylist(),
            strict=True,
        )
    )
    expected = set()
    ordinal = dict.fromkeys(key_of, -1)
    for each in chunks:
        ordinal[each["id"]] += 1
        for choice in each["choices"]:
            lists = choice.get("logprobs") or {}
            n = sum(len(entries or []) for entries in lists.values())
            if n:
                at = (key_of[each["id"]], choice["index"], ordinal[each["id"]])
                expected.add((*at, n))
    found = {}
    for row in lp.tokens.to_pylist():
        at = (row["response_key"], row["choice"], row["chunk"])
        found[at] = found.get(at, 0) + 1
    assert {(*at, n) for at, n in found.items()} == expected


# Shapes of streams


def test_role_only_first_and_usage_only_last():
    lp = load(*stream(), chunk("x", usage=USAGE), DONE)
    [response] = lp.responses.to_pylist()
    assert texts(lp) == ["ab"]
    assert response["n_chunks"] == 5
    assert {name: response[name] for name in USAGE} == USAGE
    assert response["notes"] == []
    assert response["finished"]
    [choice] = lp.choices.to_pylist()
    assert (choice["role"], choice["finish_reason"], choice["alignment"]) == (
        "assistant",
        "stop",
        "exact",
    )
    assert lp.tokens["chunk"].to_pylist() == [1, 2]


@pytest.mark.parametrize("first", [[], [part(0, "", role="assistant")]])
def test_the_number_of_choices_is_that_of_the_whole_stream(first):
    """The first chunk may have no choice, or only one of several."""
    lp = load(
        chunk("x", first),
        chunk("x", [part(0, "a", finish="stop")]),
        chunk("x", [part(1, "b", finish="stop")]),
    )
    assert lp.responses["n_choices"].to_pylist() == [2]
    assert lp.responses["finished"].to_pylist() == [True]


def test_a_stream_is_finished_when_every_choice_is():
    parts = [chunk("x", [part(0, "a", finish="stop")]), chunk("x", [part(1, "b")])]
    assert load(*parts).responses["finished"].to_pylist() == [False]
    assert load(*parts, chunk("x", [part(1, finish="length")])).responses[
        "finished"
    ].to_pylist() == [True]
    assert load(chunk("x")).responses["finished"].to_pylist() == [False]


def test_which_chunk_speaks_for_the_response():
    """The first that is not empty; of fingerprint, tier and finish reason the last."""
    names = ("model", "object", "created", "system_fingerprint", "service_tier")
    said = [
        dict.fromkeys(names),
        dict(zip(names, ("", "", 0, "", ""), strict=True)),
        dict(zip(names, ("m1", "o1", 1_700_000_001, "fp1", "t1"), strict=True)),
        dict(zip(names, ("m2", "o2", 1_700_000_002, "fp2", "t2"), strict=True)),
        dict.fromkeys(names),
    ]
    ends = [None, None, "length", "stop", None]
    lp = load(*({**chunk("x", [part(0, finish=e)]), **s} for e, s in zip(ends, said, strict=True)))
    [response] = lp.responses.to_pylist()
    assert response["created"].timestamp() == 1_700_000_001
    found = {name: response[name] for name in names if name != "created"}
    assert found == {
        "model": "m1",
        "object": "o1",
        "system_fingerprint": "fp2",
        "service_tier": "t2",
    }
    assert lp.choices["finish_reason"].to_pylist() == ["stop"]
    assert response["n_chunks"] == 5


def test_the_first_role_is_kept():
    lp = load(chunk("x", [part(0, "a", role="tool")]), chunk("x", [part(0, "b", role="assistant")]))
    assert lp.choices["role"].to_pylist() == ["tool"]


def azure(id_, text, *, trailing=True):
    empty = {"id": "", "object": "", "model": "", "created": 0, "choices": []}
    yield {**empty, "prompt_filter_results": [{"prompt_index": 0}]}
    fields = {"model": "gpt", "created": 1_762_317_021, "system_fingerprint": None}
    yield from stream(id_, text, **fields)
    if trailing:
        offsets = {"content_filter_offsets": {"start_offset": 1}, "index": 0}
        yield {**empty, "choices": [{**offsets, "finish_reason": None}]}


@pytest.mark.parametrize("end", [(), (DONE,)])
def test_azure(end):
    lp = load(*azure("x", "ab"), *end)
    [response] = lp.responses.to_pylist()
    assert texts(lp) == ["ab"]
    assert (response["response_id"], response["model"]) == ("x", "gpt")
    assert response["object"] == "chat.completion.chunk"
    assert response["created"].timestamp() == 1_762_317_021
    assert response["n_chunks"] == 6
    assert response["finished"]
    assert lp.choices.num_rows == 1
    assert lp.choices["finish_reason"].to_pylist() == ["stop"]


def test_azure_streams_in_a_row():
    lp = load(*azure("x", "ab"), DONE, *azure("y", "cd"), DONE)
    assert texts(lp) == ["ab", "cd"]
    assert lp.responses["response_id"].to_pylist() == ["x", "y"]
    assert lp.responses["n_chunks"].to_pylist() == [6, 6]


def test_azure_usage_before_a_trailing_chunk_without_delta():
    first, *rest, trailing = azure("x", "ab")
    lp = load(first, *rest, chunk("x", usage=USAGE), trailing)
    assert lp.responses["completion_tokens"].to_pylist() == [2]
    assert lp.responses["n_chunks"].to_pylist()[0] >= 6
    assert texts(lp) == ["ab"]


def test_usage_is_the_last_that_is_not_null_and_never_a_sum():
    lp = load(
        chunk("x", [part(0, "a", tokens="a")], usage={**USAGE, "completion_tokens": 1}),
        chunk("x", [part(0, "b", tokens="b")], usage={**USAGE, "completion_tokens": 2}),
        chunk("x", [part(0, finish="stop")], usage={**USAGE, "completion_tokens": 3}),
        chunk("x", [], usage=None),
    )
    [response] = lp.responses.to_pylist()
    assert response["completion_tokens"] == 3
    assert response["prompt_tokens"] == 5
    assert response["notes"] == []


def test_usage_before_the_last_tokens_is_noted():
    lp = load(
        chunk("x", [part(0, "a", tokens="a")], usage=USAGE),
        chunk("x", [part(0, "b", tokens="b")]),
    )
    assert lp.responses["notes"].to_pylist() == [["early_usage"]]


def test_usage_of_single_choices_is_noted():
    lp = load(
        chunk("x", [part(0, "a", finish="stop")], usage=USAGE),
        chunk("x", [part(1, "b", finish="stop")], usage=USAGE),
    )
    assert lp.responses["notes"].to_pylist() == [["cumulative_usage"]]


def test_several_tokens_per_chunk_and_none_beside_the_text():
    """SGLang and llama.cpp: logprobs come with another chunk than their text."""
    lp = load(
        chunk("x", [part(0, "a", tokens="abc")]),
        chunk("x", [part(0, "bc")]),
        chunk("x", [part(0, "", tokens="d")]),
        chunk("x", [part(0, "d", finish="stop")]),
    )
    assert tokens_of(lp) == ["a", "b", "c", "d"]
    assert lp.tokens["chunk"].to_pylist() == [0, 0, 0, 2]
    assert lp.tokens["position"].to_pylist() == [0, 1, 2, 3]
    assert texts(lp) == ["abcd"]


def test_two_deltas_of_one_choice_in_a_chunk():
    lp = load(chunk("x", [part(0, "a", tokens="a"), part(0, "b", tokens="b", finish="stop")]))
    assert texts(lp) == ["ab"]
    assert tokens_of(lp) == ["a", "b"]
    assert lp.choices.num_rows == 1
    assert lp.responses["notes"].to_pylist() == [[]]


def test_three_choices_interleaved_and_uneven():
    order = [0, 1, 2, 2, 0, 1, 1, 1, 0]
    chunks = [chunk("x", [part(i, str(n), tokens=[str(n)])]) for n, i in enumerate(order)]
    ends = [chunk("x", [part(i, finish="stop")]) for i in (2, 0, 1)]
    lp = load(*chunks, *ends, DONE)
    assert [lp.text(0, choice=i) for i in range(3)] == ["048", "1567", "23"]
    assert tokens_of(lp) == list("048156723")
    assert lp.choices["choice"].to_pylist() == [0, 1, 2]


def test_a_choice_may_begin_after_another_has_ended():
    lp = load(
        chunk("x", [part(0, "a", role="assistant")]),
        chunk("x", [part(0, finish="stop")]),
        chunk("x", [part(1, "b", role="assistant")]),
        chunk("x", [part(1, finish="stop")]),
    )
    assert len(lp) == 1
    assert [lp.text(0, choice=i) for i in range(2)] == ["a", "b"]


def test_tool_calls_by_index():
    def calls(*fragments, finish=None):
        return chunk("x", [part(0, finish=finish, delta={"tool_calls": list(fragments)})])

    lp = load(
        calls({"index": 0, "id": "a", "type": "function", "function": {"name": "f"}}),
        calls({"index": 1, "id": "b", "function": {"name": "g", "arguments": ""}}),
        calls({"index": 1, "function": {"arguments": "{"}}),
        calls(
            {"index": 0, "function": {"arguments": "[1"}},
            {"index": 1, "function": {"arguments": "}"}},
            {"index": 0, "function": {"arguments": "]"}},
        ),
        calls({"index": 0, "id": None, "function": {"name": None, "arguments": None}}),
        chunk("x", [part(0, finish="tool_calls")]),
    )
    assert json.loads(lp.choices["tool_calls"][0].as_py()) == [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "[1]"}},
        {"id": "b", "function": {"name": "g", "arguments": "{}"}},
    ]


# Ends


def test_done_ends_a_stream():
    lp = load(*stream("x", "ab"), DONE, *stream("x", "cd"), DONE)
    assert texts(lp) == ["ab", "cd"]
    assert lp.ledger["done"].to_pylist() == [2]


def test_a_missing_done_loses_nothing():
    lp = load(*stream("x", "ab"), *stream("y", "cd"))
    assert texts(lp) == ["ab", "cd"]
    assert lp.responses["finished"].to_pylist() == [True, True]


def test_an_unfinished_stream_is_kept():
    lp = load(*stream("x", "ab")[:-1])
    assert texts(lp) == ["ab"]
    assert lp.responses["finished"].to_pylist() == [False]
    assert lp.choices["finish_reason"].to_pylist() == [None]


def test_done_ends_an_unfinished_stream_of_the_same_id():
    lp = load(*stream("x", "ab")[:-1], DONE, *stream("x", "cd"), DONE)
    assert texts(lp) == ["ab", "cd"]


def test_an_error_in_mid_stream_keeps_what_came():
    error = {"error": {"message": "engine died", "code": 500}}
    lp = load(*stream("x", "ab")[:-1], error, DONE)
    [response] = lp.responses.to_pylist()
    assert texts(lp) == ["ab"]
    assert tokens_of(lp) == ["a", "b"]
    assert json.loads(response["error"]) == error["error"]
    assert response["n_chunks"] == 4
    assert not response["finished"]


def test_an_error_inside_a_chunk():
    """OpenRouter sends the error beside the choice that it ended."""
    last = chunk("x", [part(0, "", finish="error")], error={"code": 502, "message": "m"})
    lp = load(*stream("x", "ab")[:-1], last)
    [response] = lp.responses.to_pylist()
    assert json.loads(response["error"]) == {"code": 502, "message": "m"}
    assert lp.choices["finish_reason"].to_pylist() == ["error"]
    assert texts(lp) == ["ab"]


def test_an_error_after_a_finished_stream_is_a_response_of_its_own():
    lp = load(*stream("x", "ab"), DONE, {"error": {"message": "m"}})
    assert lp.responses["format"].to_pylist() == ["openai_chat", "error"]
    assert lp.responses["n_choices"].to_pylist() == [1, 0]


def test_an_error_with_an_id_belongs_to_that_stream():
    """The id decides, even if another stream was active last."""
    lp = load(
        *stream("x", "ab")[:-1],
        *stream("y", "cd")[:-1],
        {"id": "x", "error": {"message": "m"}},
        chunk("y", [part(0, finish="stop")]),
    )
    errors = dict(
        zip(lp.responses["response_id"].to_pylist(), lp.responses["error"].to_pylist(), strict=True)
    )
    assert errors == {"x": '{"message":"m"}', "y": None}


def test_a_late_chunk_is_rejected():
    late = chunk("x", [part(0, "c", tokens="c")])
    data = sse(*stream("x", "ab"), chunk("x", usage=USAGE), late, *stream("y", "d"))
    lp = toolkit.read(data)
    assert_conserved(lp)
    assert texts(lp) == ["ab", "d"]
    [reject] = lp.rejects.to_pylist()
    assert reject["reason"] == "late_chunk"
    start = reject["byte_offset"]
    assert json.loads(data[start : start + reject["length"]]) == late
    assert data[:start].count(b"\n") + 1 == reject["line"]
    with pytest.raises(toolkit.errors.RecordError, match="late_chunk"):
        toolkit.read(data, on_error="raise")


def test_usage_after_done_is_taken_with_a_note():
    lp = load(*stream("x", "ab"), DONE, chunk("x", usage=USAGE), DONE)
    [response] = lp.responses.to_pylist()
    assert response["completion_tokens"] == 2
    assert response["notes"] == ["late_usage"]
    assert lp.rejects.num_rows == 0


@pytest.mark.parametrize("id_", ["x", ""])
@pytest.mark.parametrize("end", [(), (DONE,)])
def test_a_second_usage_after_the_end(id_, end):
    more = USAGE | {"completion_tokens": 3}
    for again, notes in ((USAGE, []), (more, ["late_usage"])):
        records = [*stream(id_, "ab"), chunk(id_, usage=USAGE), *end, chunk(id_, usage=again)]
        for options in ({}, {"batch_bytes": 300}):
            batches = list(toolkit.scan(sse(*records), **options))
            assert sum(lp.rejects.num_rows for lp in batches) == 0
            [response] = [row for lp in batches for row in lp.responses.to_pylist()]
            assert response["notes"] == notes
            assert response["completion_tokens"] == again["completion_tokens"]
            assert response["n_chunks"] == 6


# Ids


def test_an_id_used_again_after_the_end_is_a_new_response():
    """Without [DONE] between them, the role begins the second response."""
    lp = load(*stream("x", "ab"), *stream("x", "cd"))
    assert texts(lp) == ["ab", "cd"]
    assert lp.responses["response_id"].to_pylist() == ["x", "x"]
    assert lp.tokens["position"].to_pylist() == [0, 1, 0, 1]


def test_an_id_used_again_without_a_role():
    lp = load(*stream("x", "ab"), *stream("x", "cd")[1:])
    assert texts(lp) == ["ab", "cd"]


def tgi(text):
    """Text Generation Inference: no id, and the role in every delta."""
    *body, last = text
    for token in body:
        yield chunk("", [part(0, token, tokens=token, role="assistant")])
    yield chunk("", [part(0, last, tokens=last, role="assistant", finish="length")])


def test_streams_without_ids_in_a_row():
    lp = load(*tgi("abc"), *tgi("de"))
    assert texts(lp) == ["abc", "de"]
    assert lp.responses["response_id"].to_pylist() == [None, None]
    assert lp.responses["n_chunks"].to_pylist() == [3, 2]


def test_no_id_joins_the_open_stream():
    first, *rest = stream("x", "ab")
    lp = load(first, *({**each, "id": ""} for each in rest))
    assert len(lp) == 1
    assert lp.responses["response_id"].to_pylist() == ["x"]
    assert texts(lp) == ["ab"]


@pytest.mark.parametrize("absent", ["null", "no key"])
def test_an_absent_id_is_an_empty_one(absent):
    chunks = list(tgi("ab"))
    for each in chunks:
        each["id"] = None
        if absent == "no key":
            del each["id"]
    lp = load(*chunks)
    assert texts(lp) == ["ab"]


def test_the_last_chunk_of_openrouter_opens_nothing():
    """It has a role and an empty text, as a first chunk has, but also usage."""
    last = chunk("x", [part(0, "", role="assistant")], usage=USAGE)
    lp = load(*stream("x", "ab"), last, DONE)
    [response] = lp.responses.to_pylist()
    assert texts(lp) == ["ab"]
    assert response["completion_tokens"] == 2
    assert response["n_chunks"] == 5
    assert lp.rejects.num_rows == 0


def test_the_last_chunk_of_openrouter_after_the_end():
    """Its usage is accepted although it is late, because alone it would be an empty response."""
    last = chunk("x", [part(0, "", role="assistant")], usage=USAGE)
    lp = load(*stream("x", "ab"), DONE, last)
    [response] = lp.responses.to_pylist()
    assert response["completion_tokens"] == 2
    assert response["notes"] == ["late_usage"]


def test_interleaved_streams_with_a_done_each():
    x, y = stream("x", "abc"), stream("y", "de")
    lp = load(x[0], y[0], y[1], x[1], y[2], x[2], y[3], DONE, x[3], x[4], DONE)
    assert texts(lp) == ["abc", "de"]
    assert lp.rejects.num_rows == 0
    assert lp.responses["notes"].to_pylist() == [[], []]
    assert lp.responses["finished"].to_pylist() == [True, True]


def test_interleaved_streams_whose_ends_cross():
    """The first [DONE] closes both, because both are finished; no value is lost."""
    x, y = stream("x", "ab"), stream("y", "cd")
    events = [each for pair in zip(x, y, strict=True) for each in pair]
    lp = load(
        *events, chunk("y", usage=USAGE), DONE, chunk("x", usage={"completion_tokens": 9}), DONE
    )
    assert texts(lp) == ["ab", "cd"]
    assert lp.responses["completion_tokens"].to_pylist() == [9, 2]
    assert lp.rejects.num_rows == 0


@pytest.mark.parametrize("order", [("x", "y"), ("y", "x")])
def test_rows_are_in_the_order_of_first_chunks(order):
    a, b = (stream(name, name) for name in order)
    lp = load(a[0], b[0], *b[1:], *a[1:])
    assert lp.responses["response_id"].to_pylist() == list(order)
    assert lp.responses["record"].to_pylist() == [0, 1]


def test_one_id_in_two_sources_is_two_responses():
    lp = toolkit.read([sse(*stream("x", "ab")[:3]), sse(*stream("x", "ab")[3:])])
    assert_conserved(lp)
    assert len(lp) == 2
    assert lp.responses["response_key"].to_pylist() == [0, 2**32]


def test_completions_between_chunks():
    whole = {"id": "w", "choices": [{"index": 0, "message": {"content": "w"}}]}
    first, *rest = stream("x", "ab")
    lp = load(first, whole, *rest)
    assert lp.responses["kind"].to_pylist() == ["stream", "completion"]
    assert texts(lp) == ["ab", "w"]


# Windows and gaps


def test_a_stream_of_which_no_chunk_comes_is_closed():
    x, others = stream("x", "abc"), [stream(f"o{i}", "z")[1] for i in range(5)]
    lp = load(*x[:2], *others, *x[2:], stream_window=5)
    assert tokens_of(lp) == ["a"]
    assert lp.rejects["reason"].to_pylist() == ["late_chunk"] * 3
    lp = load(*x[:2], *others, *x[2:], stream_window=6)
    assert tokens_of(lp) == ["a", "b", "c"]
    assert lp.rejects.num_rows == 0


def test_after_the_window_an_id_can_open_again():
    others = [stream(f"o{i}", "z")[1] for i in range(5)]
    lp = load(*stream("x", "ab")[:2], *others, *stream("x", "cd"), stream_window=4)
    assert texts(lp) == ["a", *"zzzzz", "cd"]


@pytest.mark.parametrize("window", [0, -1, True, 2.5, "5", None])
def test_a_window_is_a_whole_number_from_one(window):
    with pytest.raises(toolkit.errors.ArgumentError, match="stream_window"):
        toolkit.read(sse(*stream()), stream_window=window)


def test_a_bad_record_leaves_a_gap_on_open_streams_only():
    x, y, z = (stream(name, name) for name in "xyz")
    lp = load(*x, DONE, y[0], y[1], "{bad", y[2], DONE, *z, DONE)
    assert lp.responses["notes"].to_pylist() == [[], ["gap"], []]
    assert texts(lp) == list("xyz")


def test_a_bad_record_after_done_leaves_no_gap():
    """The stream was closed, so nothing of it can be missing."""
    lp = load(*stream("x", "ab"), DONE, "{bad")
    assert lp.responses["notes"].to_pylist() == [[]]
    lp = load(*stream("x", "ab"), DONE, "{bad", *stream("y", "c"), DONE)
    assert lp.responses["notes"].to_pylist() == [[], []]


def test_a_bad_record_before_a_stream_leaves_no_gap():
    lp = load("{bad", *stream("x", "ab"))
    assert lp.responses["notes"].to_pylist() == [[]]


def test_a_bad_record_leaves_a_gap_on_all_open_streams():
    x, y = stream("x", "ab"), stream("y", "cd")
    lp = load(x[0], y[0], "{bad", *x[1:], *y[1:])
    assert lp.responses["notes"].to_pylist() == [["gap"], ["gap"]]


@pytest.mark.parametrize("key", ["message", "delta"])
def test_kind_is_detected_from_the_keys_of_choices(key):
    """The key ``object`` is ignored, because servers set it wrongly."""
    wrong = {"message": "chat.completion.chunk", "delta": "chat.completion"}[key]
    body = {"id": "x", "object": wrong, "choices": [{"index": 0, key: {"content": "a"}}]}
    lp = load(body)
    assert lp.responses["kind"].to_pylist() == [{"message": "completion", "delta": "stream"}[key]]
    assert texts(lp) == ["a"]


def test_states_of_logprobs_in_chunks():
    """Absent, null and empty lists add no token, but an empty list shows a request for one."""

    def state(*logprobs):
        chunks = [chunk("x", [part(0, "a")]) for _ in logprobs]
        for each, value in zip(chunks, logprobs, strict=True):
            if value != "absent":
                each["choices"][0]["logprobs"] = value
        return load(*chunks).choices["logprobs_state"].to_pylist()

    empty, nulls = {"content": [], "refusal": None}, {"content": None, "refusal": None}
    assert state("absent", None) == ["absent"]
    assert state(None, nulls) == ["absent"]
    assert state(empty, None) == ["empty"]
    assert state("absent", empty) == ["empty"]
    assert state(empty, {"content": [entry("a")]}, None) == ["present"]


# Answers without id and finish reason


def legacy(text, **more):
    logprobs = {"tokens": [text], "token_logprobs": [-0.5], "top_logprobs": None}
    return {"choices": [{"index": 0, "text": text, "logprobs": logprobs}], **more}


def gemini(text):
    chosen = [{"token": text, "logProbability": -0.5}]
    parts = {"content": {"parts": [{"text": text}]}}
    return {"candidates": [parts | {"logprobsResult": {"chosenCandidates": chosen}}]}


def ollama(text):
    time = "2025-11-13T10:00:00Z"
    message = {"role": "assistant", "content": text}
    tokens = [{"token": text, "logprob": -0.5}]
    return {"model": "m", "created_at": time, "message": message, "done": False, "logprobs": tokens}


def llama(text):
    tokens = [{"token": text, "logprob": -0.5, "id": 3}]
    return {"content": text, "stop": False, "completion_probabilities": tokens}


def tgi_event(text):
    return {"token": {"id": 3, "text": text, "logprob": -0.5, "special": False}}


@pytest.mark.parametrize("write", [legacy, gemini, ollama, llama, tgi_event])
def test_rows_with_ids_hold_answers_of_their_own(write):
    rows = [{"id": name, "raw": write(name)} for name in ("q1", "q2", "q3")]
    lp = load(*rows)
    assert texts(lp) == ["q1", "q2", "q3"]
    assert lp.responses["custom_id"].to_pylist() == ["q1", "q2", "q3"]


@pytest.mark.parametrize("write", [legacy, gemini])
def test_rows_without_ids_hold_answers_of_their_own(write):
    lp = load({"prompt": "a", "raw": write("a")}, {"prompt": "b", "raw": write("b")})
    assert texts(lp) == ["a", "b"]
    assert lp.responses["kind"].to_pylist() == ["completion", "completion"]


@pytest.mark.parametrize("write", [ollama, llama, tgi_event])
def test_rows_of_chunks_with_the_id_of_their_answer(write):
    lp = load(*({"request_id": name, "event": write(name)} for name in "abaab"))
    assert texts(lp) == ["aaa", "bb"]
    assert lp.responses["custom_id"].to_pylist() == ["a", "b"]


def test_legacy_answers_with_usage_and_without_finish_reasons():
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    lp = load(*(legacy(text, object="text_completion", usage=usage) for text in "ab"))
    assert texts(lp) == ["a", "b"]
    waiting = legacy("a", usage=usage)
    waiting["choices"][0]["finish_reason"] = None
    assert texts(load(waiting, waiting)) == ["aa"]


def test_several_answers_under_one_index_are_noted():
    choices = [chunk("x", [part(0, token, tokens=[token])]) for token in "abc"]
    ends = [chunk("x", [part(0, "", finish="stop")])] * 2
    lp = load(*choices, *ends, DONE)
    assert lp.responses["notes"].to_pylist() == [["index_finished_twice"]]
    apart = load(*choices, ends[0], DONE)
    assert apart.responses["notes"].to_pylist() == [[]]
