"""Streams whose chunks repeat the tokens of the chunks before them: each token counts once."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests.loaders.merging.test_merger import chunk, entry, part, stream, tokens_of
from tests.oracle import assert_conserved

pytestmark = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
NOTE = "cumulative_logprobs"
ABC = [("A", -0.1), ("B", -0.2), ("C", -0.3)]


def load(records):
    """Read records with the scanner and without it."""
    text = "".join(json.dumps(each) + "\n" for each in records).encode()
    lp = toolkit.read(text)
    assert_conserved(lp)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toolkit.loaders.batches.scan_frames", lambda *_: None)
        slow = toolkit.read(text)
    for name in ("responses", "choices", "tokens", "alternatives"):
        assert lp[name].equals(slow[name])
    return lp


def chunks(lists, texts=None, **usage):
    """Return chunks with these lists of (token, logprob), and texts."""
    texts = [each[-1][0] for each in lists] if texts is None else texts
    found = []
    for i, (pairs, text) in enumerate(zip(lists, texts, strict=True)):
        finish = "stop" if i == len(lists) - 1 else None
        entries = {"content": [entry(*pair) for pair in pairs]}
        found.append(chunk(choices=[part(0, text, logprobs=entries, finish=finish)]))
    if usage:
        found.append(chunk(usage={"completion_tokens": usage["n"]}))
    return found


def prefixes(pairs):
    return [pairs[: n + 1] for n in range(len(pairs))]


def notes(lp):
    return lp.responses["notes"].to_pylist()[0]


def test_deltas_with_cumulative_logprobs():
    lp = load(chunks(prefixes(ABC)))
    assert tokens_of(lp) == ["A", "B", "C"]
    assert lp.tokens["chunk"].to_pylist() == [0, 1, 2]
    assert lp.tokens["position"].to_pylist() == [0, 1, 2]
    assert lp.choices["alignment"].to_pylist() == ["exact"]
    assert lp.choices["n_content_tokens"].to_pylist() == [3]
    assert notes(lp) == [NOTE]


def test_texts_that_are_cumulative_too():
    lp = load(chunks(prefixes(ABC), ["A", "AB", "ABC"], n=3))
    assert tokens_of(lp) == ["A", "B", "C"]
    assert lp.text(0) == "ABC"
    assert notes(lp) == [NOTE]


def test_a_last_chunk_that_repeats_the_list():
    lp = load(chunks([ABC[:2], ABC, ABC], ["AB", "C", ""]))
    assert tokens_of(lp) == ["A", "B", "C"]
    assert notes(lp) == [NOTE]


def test_alternatives_go_with_their_tokens():
    records = chunks(prefixes(ABC))
    for each in records:
        for found in each["choices"][0]["logprobs"]["content"]:
            found["top_logprobs"] = [entry(found["token"], found["logprob"]), entry("z", -3.0)]
    lp = load(records)
    assert lp.alternatives["token"].to_pylist() == ["A", "z", "B", "z", "C", "z"]
    assert lp.alternatives["position"].to_pylist() == [0, 0, 1, 1, 2, 2]


def test_one_of_two_choices():
    records = chunks(prefixes(ABC))
    for each, token in zip(records, "xyz", strict=True):
        each["choices"].append(part(1, token, tokens=[token]))
    lp = load(records)
    assert tokens_of(lp) == ["A", "B", "C", "x", "y", "z"]


A, B = ("A", -0.1), ("B", -0.2)


@pytest.mark.parametrize(
    ("lists", "texts", "usage"),
    [
        ([[A], [A, A], [A, A, A]], ["A", "AA", "AAA"], {}),
        ([[A], [A, A], [A, A, A]], ["A", "AA", "AAA"], {"n": 6}),
        ([[A], [A, A]], ["A", "AA"], {"n": 3}),
        ([[A], [A, B]], ["A", "AB"], {}),
        ([[A], [A, B]], ["A", "AB"], {"n": 3}),
        ([[A], [A], [A]], ["A", "A", "A"], {}),
        ([[A], [("A", -0.2), B]], ["A", "AB"], {}),
        ([[A, B], [A]], ["AB", "A"], {}),
        ([[A], [A], [A]], ["", "", ""], {}),
    ],
)
def test_tokens_that_truly_repeat(lists, texts, usage):
    lp = load(chunks(lists, texts, **usage))
    assert tokens_of(lp) == [token for pairs in lists for token, _ in pairs]
    assert NOTE not in notes(lp)


@given(st.text("ab ", min_size=1, max_size=30), st.data())
def test_cumulative_is_as_sent_once(text, data):
    pairs = [(token, -0.5 - i / 8) for i, token in enumerate(text)]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text)), max_size=8)) | {len(text)})
    deltas = [text[a:b] for a, b in zip([0, *cuts], cuts, strict=False)]
    lp = toolkit.read(
        "".join(
            json.dumps(each) + "\n" for each in chunks([pairs[:n] for n in cuts], deltas)
        ).encode()
    )
    assert [(row["token"], row["logprob"]) for row in lp.tokens.to_pylist()] == pairs
    assert lp.text(0) == text


def sglang(n, finish=None, id_="g1"):
    listed = [[logprob, ord(token), token] for token, logprob in ABC[:n]]
    info = {"id": id_, "finish_reason": finish, "prompt_tokens": 2, "completion_tokens": n}
    text = "".join(token for token, _ in ABC[:n])
    return {"text": text, "meta_info": info | {"output_token_logprobs": listed}}


def test_sglang_streams():
    end = {"type": "stop"}
    records = [sglang(1), sglang(1, id_="g2"), sglang(2), sglang(3, end), sglang(2, end, id_="g2")]
    lp = load(records)
    assert [tokens_of(lp, row) for row in (0, 1)] == [["A", "B", "C"], ["A", "B"]]
    assert [lp.text(0), lp.text(1)] == ["ABC", "AB"]
    assert lp.responses["completion_tokens"].to_pylist() == [3, 2]
    assert lp.responses["kind"].to_pylist() == ["stream", "stream"]
    assert lp.choices["finish_reason"].to_pylist() == ["stop", "stop"]


def test_the_prompt_comes_with_every_chunk():
    records = [sglang(1), sglang(2), sglang(3, {"type": "stop"})]
    for each in records:
        each["meta_info"]["input_token_logprobs"] = [[None, 1, "Say"], [-0.5, 2, " it"]]
    lp = load(records)
    assert [(row["channel"], row["token"]) for row in lp.tokens.to_pylist()] == [
        *(("content", token) for token in "ABC"),
        *(("prompt", token) for token in ("Say", " it")),
    ]
    assert lp.choices["n_prompt_tokens"].to_pylist() == [2]


def test_sglang_streams_that_are_not_cumulative():
    records = [sglang(1), sglang(2), sglang(3, {"type": "stop"})]
    for i, each in enumerate(records):
        each["text"] = ABC[i][0]
        each["meta_info"]["output_token_logprobs"] = [[ABC[i][1], 1, ABC[i][0]]]
    lp = load(records)
    assert tokens_of(lp) == ["A", "B", "C"]
    assert lp.text(0) == "ABC"
    assert notes(lp) == []


def vllm(n, *, finished=None, reason=None):
    steps = [
        {str(ord(token)): {"logprob": logprob, "rank": 1, "decoded_token": token}}
        for token, logprob in ABC[:n]
    ]
    ids = [ord(token) for token, _ in ABC[:n]]
    output = {"index": 0, "text": "ABC"[:n], "token_ids": ids, "logprobs": steps}
    found = {"request_id": "r", "outputs": [output | {"finish_reason": reason}]}
    return found if finished is None else found | {"finished": finished}


def test_outputs_of_vllm():
    records = [vllm(1, finished=False), vllm(2, finished=False)]
    records.append(vllm(3, finished=True, reason="stop"))
    lp = load(records)
    assert tokens_of(lp) == ["A", "B", "C"]
    assert lp.text(0) == "ABC"
    whole = load([vllm(3), vllm(3, finished=True, reason="stop"), vllm(3)])
    assert whole.responses["kind"].to_pylist() == ["completion"] * 3


def test_ordinary_streams_beside_a_cumulative_one():
    records = [*stream("x", "aa"), *chunks(prefixes(ABC)), *stream("y", "aba")]
    for i, each in enumerate(records[4:7]):
        each["id"] = "c"
        assert i < 3
    lp = load(records)
    assert [tokens_of(lp, row) for row in range(3)] == [
        ["a", "a"],
        ["A", "B", "C"],
        ["a", "b", "a"],
    ]
