"""Status, rank and sampled flag of entries: both decoders, against a naive reading of the rules."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests.fuzz import compare
from tests.oracle import expected_status

BLANKS = b" \t\n\v\f\r"


def entry(token, logprob, bytes_=None, id_=None):
    fields = {"token": token, "logprob": logprob, "bytes": bytes_, "token_id": id_}
    return {name: value for name, value in fields.items() if value is not None or name == "logprob"}


def record(positions):
    entries = [{**own, "top_logprobs": top} for own, top in positions]
    choice = {"message": {"content": "x"}, "logprobs": {"content": entries}}
    return json.dumps({"object": "chat.completion", "choices": [choice]}).encode()


def decode(positions, how):
    """Return the slots of the sampled alternatives, 0 without one, and the sampled ranks."""
    decoded = how(compare.framed([record(positions)]))
    flags = decoded.alternatives["is_sampled"].to_pylist()
    slots = []
    for _, top in positions:
        own, flags = flags[: len(top)], flags[len(top) :]
        assert sum(own) <= 1
        slots.append(own.index(True) + 1 if any(own) else 0)
    return slots, decoded.tokens["sampled_rank"].to_pylist()


def evidence(own, other):
    """Return how well an alternative matches the token, by what both have."""
    for strength, name in ((3, "token_id"), (2, "bytes"), (1, "token")):
        if own.get(name) is not None and other.get(name) is not None:
            return strength if own[name] == other[name] else 0
    return 0


def may_be(own, other):
    if own.get("token_id") is not None and other.get("token_id") is not None:
        return False
    texts = [each.get("bytes") for each in (own, other)]
    if None in texts:
        texts = [each["token"].encode() for each in (own, other)]
    return (
        any(not text for text in texts) or len({bytes(text).strip(BLANKS) for text in texts}) == 1
    )


def naive_slot(own, top):
    def is_same(other):
        return own["logprob"] == other["logprob"] and expected_status(own["logprob"]) == "ok"

    matches = [
        (-evidence(own, other), not is_same(other), slot)
        for slot, other in enumerate(top, start=1)
        if evidence(own, other)
    ]
    if matches:
        return min(matches)[2]
    fits = [
        slot for slot, other in enumerate(top, start=1) if is_same(other) and may_be(own, other)
    ]
    return fits[0] if len(fits) == 1 else 0


def naive_rank(slot, top):
    if not slot or top[slot - 1]["logprob"] is None:
        return None
    order = sorted(
        (i for i, each in enumerate(top) if each["logprob"] is not None),
        key=lambda i: (-top[i]["logprob"], i),
    )
    return order.index(slot - 1) + 1


ENTRIES = st.builds(
    entry,
    st.sampled_from(["Deep", " Deep", "Deep\n", "deep", "", " ", "\u00a0Deep", "日"]),
    st.sampled_from([-0.5, -0.5, -1.5, -8.25, 0.0, 3.0, -1000.0, -9999.0, None]),
    st.sampled_from([None, None, list(b"Deep"), list(b" Deep"), [32, 255], [255], []]),
    st.sampled_from([None, None, 5, 6]),
)
POSITIONS = st.lists(st.tuples(ENTRIES, st.lists(ENTRIES, max_size=5)), min_size=1, max_size=4)


@given(POSITIONS)
def test_the_sampled_token_is_found_as_the_rule_says(positions):
    slots = [naive_slot(own, top) for own, top in positions]
    ranks = [naive_rank(slot, top) for slot, (_, top) in zip(slots, positions, strict=True)]
    for how in (compare.native, compare.reference):
        assert decode(positions, how) == (slots, ranks)


CASES = {
    "text": (entry(" a", -1.0), [entry("b", -0.5), entry(" a", -1.0)], 2),
    "cut blanks": (entry(" a", -1.0), [entry("b", -0.5), entry("a", -1.0)], 2),
    "cut blanks of the token": (entry("a", -1.0), [entry("b", -0.5), entry("a\n", -1.0)], 2),
    "no text": (entry(" a", -1.0), [entry("", -0.5), entry("", -1.0)], 2),
    "no text of the token": (entry("", -1.0), [entry("b", -0.5), entry(" a", -1.0)], 2),
    "another logprob": (entry(" a", -1.0), [entry("a", -1.0000001)], 0),
    "another text": (entry(" a", -1.0), [entry("b", -1.0)], 0),
    "two fit": (entry(" a", -1.0), [entry("a", -1.0), entry("a\n", -1.0)], 0),
    "two without text": (entry(" a", -1.0), [entry("", -1.0), entry("", -1.0)], 0),
    "another id": (entry(" a", -1.0, None, 5), [entry("a", -1.0, None, 6)], 0),
    "cut bytes": (entry(" a", -1.0, list(b" a")), [entry("a", -1.0, list(b"a"))], 1),
    "other bytes": (entry("a", -1.0, [97]), [entry("a", -1.0, [98])], 0),
    "no bytes": (entry("a", -1.0, [97]), [entry("b", -1.0, [])], 1),
    "a sentinel": (entry(" a", -9999.0), [entry("a", -9999.0)], 0),
    "no logprob": (entry(" a", None), [entry("a", None)], 0),
    "a copy with the logprob": (entry("a", -8.0), [entry("a", -0.1), entry("a", -8.0)], 2),
    "copies without it": (entry("a", -3.0), [entry("a", -0.1), entry("a", -8.0)], 1),
    "not the best evidence": (
        entry("a", -1.0, [97], 5),
        [entry("a", -1.0), entry("x", -4.0, None, 5)],
        2,
    ),
}


@pytest.mark.parametrize("how", [compare.native, compare.reference])
@pytest.mark.parametrize("name", CASES)
def test_a_sampled_token(name, how):
    own, top, slot = CASES[name]
    assert decode([(own, top)], how)[0] == [slot]


def test_alternatives_without_blanks_have_entropy_and_labels():
    top = [("Deep", -0.00023388863), ("Deep", -8.375), ("deep", -12.671875), ("deep", -15.421875)]
    own = entry(" Deep", -0.00023388863)
    lp = toolkit.from_responses(
        json.loads(record([(own, [entry(text, logprob) for text, logprob in top])]))
    )
    [token] = toolkit.token_metrics(lp).to_dict("records")
    assert not token["excess_mass"]
    assert token["entropy_lower"] == pytest.approx(0.0022, abs=1e-4)
    [label] = toolkit.label_distribution(lp, ["Deep"]).to_dict("records")
    assert label["probability_lower"] == pytest.approx(0.99999, abs=1e-5)
    assert "excess_mass" not in toolkit.check(lp)["code"].tolist()
