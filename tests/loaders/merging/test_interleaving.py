"""Several streams in one source, each with its [DONE]: nothing is lost and nothing is joined."""

import json
import random

import pytest

import toolkit

N_CASES = 1500
pytestmark = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")


def chunks_of(name, rng, *, has_id, finishes, has_usage):
    """Return the tokens of a stream, and its chunks with the [DONE] that ends it."""
    tokens = [f"{name}{i}" for i in range(rng.randint(1, 5))]
    deltas = [{"role": "assistant", "content": ""}, *({"content": token} for token in tokens), {}]
    records = []
    for i, delta in enumerate(deltas):
        token = delta.get("content")
        entries = [{"token": token, "logprob": -0.5 - i, "top_logprobs": []}] if token else []
        is_last = i == len(deltas) - 1
        choice = {"index": 0, "delta": delta, "logprobs": {"content": entries} if entries else None}
        choice["finish_reason"] = "stop" if is_last and finishes else None
        records.append({"choices": [choice]})
    if has_usage:
        records.append({"choices": [], "usage": {"completion_tokens": len(tokens)}})
    if has_id:
        records = [{"id": name, **record} for record in records]
    return tokens, [*map(json.dumps, records), "[DONE]"]


def kinds(cases):
    """Return which kinds of sources there are: whether all, some or no streams have each thing."""
    found = set()
    for text, expected in cases:
        records = text.decode().split("data: ")[1:]
        counts = (
            sum('"finish_reason": "stop"' in each for each in records),
            sum('"usage"' in each for each in records),
        )
        how = [(n > 0) + (n == len(expected)) for n in counts]
        found.add(('"id"' in records[0], *how))
    return found


def interleaved(streams, rng):
    """Merge lists at random, each in its own order."""
    left = [list(stream) for stream in streams]
    while any(left):
        yield rng.choice([stream for stream in left if stream]).pop(0)


def case(seed):
    """Return the text of a source, and the tokens of each stream in it."""
    rng = random.Random(seed)
    has_id = rng.random() < 0.8
    finishes, has_usage = rng.choice((0, 0.5, 1)), rng.choice((0, 0.5, 1))  # how often
    made = [
        chunks_of(
            f"{name}-",
            rng,
            has_id=has_id,
            finishes=rng.random() < finishes,
            has_usage=rng.random() < has_usage,
        )
        for name in "abcdef"[: rng.randint(3, 6)]
    ]
    streams = [records for _, records in made]
    # Without ids only streams one after the other can be told apart.
    order = interleaved(streams, rng) if has_id else [each for part in streams for each in part]
    text = "".join(f"data: {record}\n\n" for record in order)
    return text.encode(), sorted(tokens for tokens, _ in made)


def tokens_by_response(lp):
    found = {}
    for row in lp.tokens.select(["response_key", "token"]).to_pylist():
        found.setdefault(row["response_key"], []).append(row["token"])
    return found


@pytest.mark.parametrize("threads", [1, 2])
def test_interleaved_streams_with_a_done_each(threads):
    cases = [case(seed) for seed in range(N_CASES)]
    assert len(kinds(cases)) == 2 * 3 * 3  # with and without ids, finish reasons and usage
    lp = toolkit.read([text for text, _ in cases], threads=threads)
    assert lp.rejects.num_rows == 0
    found = [[] for _ in cases]
    for key, tokens in tokens_by_response(lp).items():
        found[key >> 32].append(tokens)
    wrong = [i for i, (_, expected) in enumerate(cases) if sorted(found[i]) != expected]
    assert not wrong, (len(wrong), cases[wrong[0]], found[wrong[0]])
    assert len(lp) == sum(len(expected) for _, expected in cases)
    finished = lp.choices["finish_reason"].to_pylist()
    assert set(finished) == {"stop", None}
