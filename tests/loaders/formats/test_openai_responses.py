"""Streams of the Responses API send everything several times: each token must count once."""

import json

import pytest

import toolkit
from tests.loaders.formats.test_dialects import entry
from tests.oracle import assert_conserved

pytestmark = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
PARTS = {(1, 0): ["Hi", "!"], (1, 1): [" You"], (3, 0): [" there", "."]}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"x":1}'}
DELTA, DONE, PART, ITEM = (
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
)


def part_of(tokens):
    listed = [entry(token) for token in tokens]
    return {"type": "output_text", "text": "".join(tokens), "logprobs": listed}


def message(index):
    parts = [part_of(tokens) for (item, _), tokens in PARTS.items() if item == index]
    return {"type": "message", "id": f"m{index}", "role": "assistant", "content": parts}


REASONING = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
OUTPUT = [REASONING, message(1), CALL, message(3)]
RESPONSE = {"id": "r1", "object": "response", "status": "completed", "output": OUTPUT}


def events():
    """Yield the events of a stream with four items, one of them of two parts."""
    yield {"type": "response.created", "response": RESPONSE | {"status": None, "output": []}}
    yield {"type": "response.in_progress", "response": RESPONSE | {"status": None, "output": []}}
    for i, item in enumerate(OUTPUT):
        at = {"output_index": i, "item_id": f"m{i}"}
        bare = {"content": [], "arguments": ""}
        yield {"type": "response.output_item.added", **at, "item": item | bare}
        for j, part in enumerate(item.get("content", ())):
            inside = at | {"content_index": j}
            yield {"type": "response.content_part.added", **inside, "part": part_of([])}
            for token in PARTS[i, j]:
                yield {"type": DELTA, **inside, "delta": token, "logprobs": [entry(token)]}
            yield {"type": DONE, **inside, "text": part["text"], "logprobs": part["logprobs"]}
            yield {"type": PART, **inside, "part": part}
        for part in item.get("summary", ()):
            inside = at | {"summary_index": 0}
            kind = "response.reasoning_summary_text"
            yield {"type": f"{kind}.delta", **inside, "delta": part["text"]}
            yield {"type": f"{kind}.done", **inside, "text": part["text"]}
            yield {"type": "response.reasoning_summary_part.done", **inside, "part": part}
        if item is CALL:
            kind = "response.function_call_arguments"
            yield {"type": f"{kind}.delta", **at, "delta": CALL["arguments"]}
            yield {"type": f"{kind}.done", **at, "arguments": CALL["arguments"]}
        yield {"type": ITEM, **at, "item": item}
    yield {"type": "response.completed", "response": RESPONSE}


def read(records):
    lp = toolkit.read("".join(f"data: {json.dumps(each)}\n\n" for each in records).encode())
    assert_conserved(lp)
    assert lp.rejects.num_rows == 0
    assert len(lp) == 1
    return lp


def tokens_of(lp):
    return lp.tokens["token"].to_pylist()


def choice_of(lp):
    [choice] = lp.choices.to_pylist()
    calls = json.loads(choice["tool_calls"] or "[]")
    choice["tool_calls"] = [call["function"] for call in calls]
    return {name: choice[name] for name in choice if name not in ("response_key",)}


WHOLE = choice_of(toolkit.read(json.dumps(RESPONSE).encode()))


def without(*kinds):
    return [each for each in events() if not any(each["type"].startswith(kind) for kind in kinds)]


LESSER = ("response.reasoning_summary", "response.function_call_arguments")


@pytest.mark.parametrize(
    "dropped",
    [
        (),
        (DELTA,),
        (DELTA, DONE),
        (DELTA, PART),
        (DELTA, DONE, PART, "response.output_item.added", *LESSER),
        (DELTA, DONE, PART, "response.output_item", *LESSER),
        (ITEM,),
        (DONE, PART, ITEM),
    ],
    ids=lambda dropped: ",".join(kind.removeprefix("response.") for kind in dropped) or "nothing",
)
def test_whichever_events_are_there_the_answer_is_the_same(dropped):
    lp = read(without(*dropped))
    assert choice_of(lp) == WHOLE
    assert tokens_of(lp) == [token for tokens in PARTS.values() for token in tokens]


@pytest.mark.parametrize("which", [None, (1, 0), (3, 0)])
def test_deltas_without_logprobs_get_those_of_their_done_events(which):
    records = list(events())
    for each in records:
        if each["type"] == DELTA and (each["output_index"], each["content_index"]) != which:
            each["logprobs"] = []
    assert choice_of(read(records)) == WHOLE


def test_a_stream_that_was_cut_anywhere():
    records = list(events())
    for n in range(1, len(records) + 1):
        seen = [each["delta"] for each in records[:n] if each["type"] == DELTA]
        lp = read(records[:n])
        assert tokens_of(lp) == seen
        assert lp.responses["response_id"].to_pylist() == ["r1"]
        cut = [each for each in records[:n] if each["type"] not in (DELTA, DONE)]
        parts = [each["part"]["text"] for each in cut if each["type"] == PART]
        assert "".join(tokens_of(read(cut))) == "".join(parts)


def test_events_that_bring_nothing_are_control():
    records = [{"type": "response.web_search_call.in_progress", "output_index": 0}, *events()]
    lp = read(records)
    # content_part.added of three parts, arguments.done, reasoning.added, and the search
    assert lp.ledger["control"].to_pylist() == [6]
    assert lp.ledger["records"].to_pylist() == [len(records) - 6]


@pytest.mark.parametrize("kind", [DONE, PART, ITEM])
def test_logs_of_nothing_but_done_events(kind):
    """Each answer has items with ids of their own, and their numbers begin again."""
    answers = []
    for name in "abc":
        copies = [json.loads(json.dumps(each)) for each in events() if each["type"] == kind]
        for each in copies:
            each["item_id"] = name + each["item_id"]
            if "item" in each:
                each["item"]["id"] = each["item_id"]
        answers += copies
    lp = toolkit.read("".join(json.dumps(each) + "\n" for each in answers).encode())
    assert_conserved(lp)
    assert len(lp) == 3
    assert tokens_of(lp) == [token for tokens in PARTS.values() for token in tokens] * 3


@pytest.mark.parametrize("end", [None, -1])
def test_streams_that_interleave_are_told_apart_by_their_items(end):
    """Only the first and the last events name their response; the others name its items."""
    both = []
    for name in ("r1", "r2"):
        records = [json.loads(json.dumps(each)) for each in events()]
        records = [each for each in records if each.get("output_index", 0) < 2]
        for each in records:
            if "response" in each:
                each["response"]["id"] = name
            else:
                each["item_id"] = name + each["item_id"]
            if "item" in each:
                each["item"]["id"] = each["item_id"]
        both.append(records[:end])
    n = next(i for i, each in enumerate(both[0]) if each["type"] == DELTA)
    mixed = [each for pair in zip(*(records[n:] for records in both), strict=True) for each in pair]
    text = "".join(f"data: {json.dumps(each)}\n\n" for each in (*both[0][:n], *both[1][:n], *mixed))
    lp = toolkit.read(text.encode())
    assert_conserved(lp)
    assert lp.responses["response_id"].to_pylist() == ["r1", "r2"]
    assert tokens_of(lp) == ["Hi", "!", " You"] * 2
