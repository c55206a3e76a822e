"""Labels: exact paths, honest intervals."""

import math
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toolkit
from tests.metrics.byte_pieces import body, spoken
from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import expected_score, label_distribution, p_true
from toolkit.metrics._label_paths import Labels, Option, Step, masses, ratio_bounds, stated


def one(*steps, **fields):
    """Load an answer of steps, each texts and their probabilities; the first was sampled."""
    pieces = []
    for step in steps:
        others = [(text, math.log(p)) for text, p in step.items()]
        pieces.append((others[0][0].encode(), others[0][1], others))
    return spoken(pieces, **fields)


def by_label(found):
    """Return (lower, upper) of each label, rounded."""
    bounds = zip(found["probability_lower"], found["probability_upper"], strict=True)
    return {
        label: (round(low, 9), round(high, 9))
        for label, (low, high) in zip(found["label"], bounds, strict=True)
    }


# Worked by hand


def test_one_token_labels():
    lp = one({" yes": 0.5, " no": 0.25, " yesterday": 0.125})
    found = label_distribution(lp, ["yes", "no"], renormalise=True)
    assert by_label(found) == {"yes": (0.5, 0.625), "no": (0.25, 0.375)}
    assert found["share"].round(9).tolist() == [round(2 / 3, 9), round(1 / 3, 9)]
    assert found["is_answer"].tolist() == [True, False]
    rest = found[["other", "unobserved", "ambiguous"]].iloc[0]
    assert rest.round(9).tolist() == [0.125, 0.125, 0.0]
    assert label_distribution(lp, ["yes"])["share"].isna().all()


def test_ten_is_not_one():
    scale = [str(score) for score in range(1, 11)]
    # Sampled: 1, then 0. The 1 that was sampled is a 10 or, where something else follows, a 1.
    lp = one({"1": 0.5, "9": 0.25, "8": 0.25}, {"0": 0.75, "\n": 0.25})
    found = by_label(label_distribution(lp, scale))
    assert found["10"] == (0.375, 0.375)
    assert found["1"] == (0.125, 0.125)
    assert found["9"] == (0.25, 0.25)
    # Not sampled: it could be either.
    lp = one({"9": 0.75, "1": 0.25})
    found = by_label(label_distribution(lp, scale))
    assert found["1"] == (0.0, 0.25)
    assert found["10"] == (0.0, 0.25)
    assert found["9"] == (0.75, 0.75)
    # The answer ends after the 1: the probability of this end is unknown.
    lp = one({"1": 1.0})
    assert by_label(label_distribution(lp, scale))["1"] == (0.0, 1.0)
    assert label_distribution(lp, scale)["is_answer"].tolist()[0]
    assert label_distribution(lp, scale, renormalise=True)["share"].tolist()[0] == 1.0
    row = expected_score(lp, (1, 10)).iloc[0]
    assert row[["score", "score_lower", "score_upper", "coverage"]].tolist() == [1, 1, 10, 1]


def test_labels_of_several_tokens():
    labels = {"good": "very good", "bad": "very bad"}
    lp = one({"very": 0.8, "ok": 0.2}, {" good": 0.5, " bad": 0.25, " ugly": 0.25})
    assert by_label(label_distribution(lp, labels)) == {"good": (0.4, 0.4), "bad": (0.2, 0.2)}
    lp = one({"ok": 0.8, "very": 0.2})
    found = label_distribution(lp, labels)
    assert by_label(found) == {"good": (0.0, 0.2), "bad": (0.0, 0.2)}
    assert found["ambiguous"].tolist() == [0.2, 0.2]


def test_case_and_space_are_merged_where_declared():
    lp = one({"Yes": 0.5, " yes": 0.25, "yes\n": 0.125, " YES": 0.125})

    def lower(**options):
        return label_distribution(lp, ["yes"], **options)["probability_lower"].tolist()

    assert lower(ignore_space=False) == [0.0]
    assert lower() == [0.375]
    assert lower(ignore_space=False, ignore_case=True) == [0.5]
    assert lower(ignore_case=True) == [1.0]
    assert label_distribution(lp, {"y": ["Yes", " yes"]}, ignore_space=False)[
        "probability_lower"
    ].tolist() == [0.75]


def test_a_blank_alone_is_on_the_way():
    lp = one({"yes": 0.75, " ": 0.25})
    assert by_label(label_distribution(lp, ["yes", "no"])) == {
        "yes": (0.75, 1.0),
        "no": (0.0, 0.25),
    }
    lp = one({" ": 0.75, "no": 0.25}, {"yes": 0.5, "no": 0.5})
    assert by_label(label_distribution(lp, ["yes", "no"])) == {
        "yes": (0.375, 0.375),
        "no": (0.625, 0.625),
    }


def test_characters_over_tokens_are_bytes():
    raw = "是".encode()
    pieces = [
        (raw[:1], math.log(0.5), [("否", math.log(0.5))]),
        (raw[1:], math.log(0.75)),
    ]
    found = label_distribution(spoken(pieces), ["是", "否"], ignore_case=True)
    assert by_label(found) == {"是": (0.375, 0.5), "否": (0.5, 0.625)}
    assert found["is_answer"].tolist() == [True, False]


def test_the_place_can_be_chosen():
    lp = one({"So": 1.0}, {":": 1.0}, {" yes": 0.75, " no": 0.25}, {".": 1.0})
    for options in ({"position": 2}, {"after": ":"}):
        found = label_distribution(lp, ["yes", "no"], **options)
        assert found["probability_lower"].tolist() == [0.75, 0.25]
        assert found["position"].tolist() == [2, 2]
    missing = label_distribution(lp, ["yes"], after="?")
    assert missing["reason"].tolist() == ["no_place"]
    assert missing["probability_lower"].isna().all()
    inside = label_distribution(lp, ["es"], after="y")
    assert inside["reason"].tolist() == ["no_place"]
    assert label_distribution(lp, ["yes"], position=9)["reason"].tolist() == ["no_tokens"]


def test_what_cannot_be_used_says_why():
    lp = toolkit.from_responses(
        [
            body([(b"a", None)]),
            body([(b"a", -9999.0)]),
            body([(b"a", -0.1, [("a", 0.0), ("b", 0.0)])]),
        ]
    )
    found = label_distribution(lp, ["a"])
    assert found["reason"].tolist() == ["no_probabilities", "no_probabilities", "excess_mass"]
    assert found[["probability_lower", "probability_upper", "other"]].isna().all(axis=None)
    assert found["is_answer"].all()


def test_a_token_sent_twice_counts_once():
    top = [("a", math.log(0.5)), ("a", math.log(0.5)), ("b", math.log(0.25))]
    lp = spoken([(b"a", math.log(0.5), top)])
    assert label_distribution(lp, ["a", "b"])["probability_lower"].tolist() == [0.5, 0.25]


# Against a model that is known

PIECES = [b"a", b"b", b"ab", b"aa", b"c", b" ", b""]
FORMS = [["a"], ["ab"], ["aab", "ba"], ["abab"]]


def truth(model, forms, depth):
    """Enumerate all paths of a model and return each label's probability; slow and plain."""
    of = {form: i for i, own in enumerate(forms) for form in own}
    found = [0.0] * len(forms)

    def walk(path, text, reached, weight):
        for piece, p in model(path).items():
            longer = text + piece.decode()
            label = of.get(longer, reached)
            if any(form != longer and form.startswith(longer) for form in of) and len(path) < depth:
                walk((*path, piece), longer, label, weight * p)
            elif label is not None:
                found[label] += weight * p

    walk((), "", None, 1.0)
    return found


@settings(max_examples=500)
@given(st.integers(0, 2**32), st.integers(1, len(PIECES)))
def test_bounds_enclose_the_truth(seed, k):
    rng = random.Random(seed)
    tables = {}

    def model(path):
        if path not in tables:
            weights = [rng.random() ** 3 for _ in PIECES]
            if len(path) >= 4:
                weights[-1] = 0.0  # no endless silence
            tables[path] = {
                piece: w / sum(weights) for piece, w in zip(PIECES, weights, strict=True)
            }
        return tables[path]

    true = truth(model, FORMS, 5)
    path, steps = (), []
    for _ in range(6):
        table = model(path)
        sampled = rng.choices(PIECES, [table[piece] for piece in PIECES])[0]
        top = sorted(PIECES, key=lambda piece: -table[piece])[:k]
        shown = dict.fromkeys([*top, sampled])
        options = [Option(piece, table[piece], piece == sampled) for piece in shown]
        steps.append(Step(options, max(0.0, 1.0 - sum(o.probability for o in options))))
        path = (*path, sampled)
    labels = Labels(FORMS, ignore_case=False, ignore_space=False)
    found = masses(labels, iter(steps))
    for low, exact, high in zip(found.lower, true, found.upper, strict=True):
        assert low - 1e-9 <= exact <= high + 1e-9
    total = math.fsum(found.lower) + found.other + found.ambiguous + found.unobserved
    assert math.isclose(total, 1.0, abs_tol=1e-9)
    values = [1.0, 2.0, 5.0, 10.0]
    if sum(true) > 1e-12:
        low, high = ratio_bounds(values, found)
        mean = sum(v * p for v, p in zip(values, true, strict=True)) / sum(true)
        assert low - 1e-9 <= mean <= high + 1e-9


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6))
def test_what_is_stated_is_the_longest(path):
    of = {form: i for i, own in enumerate(FORMS) for form in own}
    ends = [b"".join(path[: i + 1]).decode() for i in range(len(path))]
    reached = None
    for text in ends:
        reached = of.get(text, reached)
        if not any(form != text and form.startswith(text) for form in of):
            break
    labels = Labels(FORMS, ignore_case=False, ignore_space=False)
    assert stated(labels, iter(path)) == reached


# Yes or no, and scores


def test_p_true():
    found = p_true(one({" Yes": 0.6, " No": 0.2, " Maybe": 0.1}))
    row = found.iloc[0]
    assert row["p_true"] == pytest.approx(0.75)
    assert row["p_true_lower"] == pytest.approx(0.6 / 0.9)
    assert row["p_true_upper"] == pytest.approx(0.7 / 0.9)
    assert row["coverage"] == pytest.approx(0.8)
    assert row["answer"] == "true"
    none = p_true(one({"Maybe": 1.0})).iloc[0]
    assert none[["p_true", "p_true_lower", "p_true_upper"]].isna().all()
    assert none["coverage"] == 0.0
    assert pd.isna(none["answer"])


def test_expected_score():
    found = expected_score(one({"4": 0.5, "5": 0.25, "good": 0.125})).iloc[0]
    assert found["score"] == pytest.approx((4 * 0.5 + 5 * 0.25) / 0.75)
    assert found["score_lower"] == pytest.approx((2.0 + 1.25 + 0.125) / 0.875)
    assert found["score_upper"] == pytest.approx((2.0 + 1.25 + 0.625) / 0.875)
    assert found["answer"] == 4.0
    words = expected_score(one({"bad": 0.5, "good": 0.5}), {"bad": -1, "good": 1}).iloc[0]
    assert words[["score", "score_lower", "score_upper"]].tolist() == [0.0, 0.0, 0.0]


def test_a_score_at_the_wrong_place_is_no_score():
    row = expected_score(one({"Score": 1.0}, {":": 1.0}, {" 4": 1.0})).iloc[0]
    assert math.isnan(row["score"])
    assert math.isnan(row["answer"])
    assert row["other"] == 1.0
    found = expected_score(one({"Score": 1.0}, {":": 1.0}, {" 4": 1.0}), after="Score:")
    assert found["score"].tolist() == [4.0]


# Rules of all


def test_answers_do_not_depend_on_each_other(samples):
    lp = toolkit.read(samples / "sentiment_k20.jsonl")
    labels = ["positive", "negative"]
    whole = label_distribution(lp, labels)
    keys = lp.responses["response_key"].to_pylist()
    parts = [label_distribution(lp.filter(response_key=key), labels) for key in keys]
    pd.testing.assert_frame_equal(whole, pd.concat(parts, ignore_index=True))
    turned = label_distribution(lp, labels[::-1])
    for label in labels:
        np.testing.assert_allclose(
            whole[whole["label"] == label]["probability_lower"],
            turned[turned["label"] == label]["probability_lower"],
        )


def test_reviews_of_the_samples(samples):
    lp = toolkit.read(samples / "sentiment_k20.jsonl")
    found = label_distribution(lp, ["positive", "negative"])
    assert list(found) == schema.LABEL_DISTRIBUTION.names
    rest = found.groupby("response_key")[["other", "ambiguous", "unobserved"]].first().sum(axis=1)
    lower = found.groupby("response_key")["probability_lower"].sum()
    np.testing.assert_allclose(rest + lower, 1.0, atol=1e-9)
    # Naive: the first token's list, exact texts.
    for (key, label), row in found.set_index(["response_key", "label"]).iterrows():
        entries = lp.alternatives.filter(
            np.array(
                [
                    k == key and p == 0
                    for k, p in zip(
                        lp.alternatives["response_key"].to_pylist(),
                        lp.alternatives["position"].to_pylist(),
                        strict=True,
                    )
                ]
            )
        ).to_pylist()
        exact = [math.exp(e["logprob"]) for e in entries if e["token"].strip() == label]
        assert row["probability_lower"] >= math.fsum(exact) - 1e-12


def test_streams_are_wholes(samples):
    found = [
        label_distribution(toolkit.read(samples / name), ["a", "the"]).drop(columns="response_key")
        for name in ("pairs_whole.jsonl", "pairs_stream.sse")
    ]
    pd.testing.assert_frame_equal(*found)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "labels"),
        ("yes", "labels"),
        ([""], "empty"),
        ([" "], "empty"),
        (["a", "a"], "twice"),
        ([" a", "a"], "two labels"),
        ({"x": "a", "y": ["b", "a"]}, "two labels"),
        ({"x": []}, "labels"),
        ({"x": [1]}, "labels"),
        ([1], "labels"),
        (None, "labels"),
    ],
)
def test_bad_labels_are_named(labels, message):
    with pytest.raises(ArgumentError, match=message):
        label_distribution(one({"a": 1.0}), labels)


@pytest.mark.parametrize(
    "options",
    [
        {"channel": "text"},
        {"position": -1},
        {"position": True},
        {"position": 0.0},
        {"after": ""},
        {"after": 3},
        {"ignore_case": 1},
        {"ignore_space": None},
        {"renormalise": "yes"},
    ],
)
def test_bad_options_are_named(options):
    lp = one({"a": 1.0})
    with pytest.raises(ArgumentError, match=next(iter(options))):
        label_distribution(lp, ["a"], **options)
    if "renormalise" not in options:
        with pytest.raises(ArgumentError, match=next(iter(options))):
            p_true(lp, **options)
        with pytest.raises(ArgumentError, match=next(iter(options))):
            expected_score(lp, **options)


@pytest.mark.parametrize(
    "scale",
    [(5, 1), (1, 1), (1,), (1, 2, 3), (1.0, 5.0), (0, 10**6), {}, {"a": "b"}, {1: 2}, 5]
    + [{"a": math.nan}],
)
def test_bad_scales_are_named(scale):
    with pytest.raises(ArgumentError, match="scale"):
        expected_score(one({"a": 1.0}), scale)


@pytest.mark.filterwarnings("ignore:no response:toolkit.ToolkitWarning")
def test_answers_without_tokens_are_null():
    lp = toolkit.from_responses({"choices": [{"message": {"content": "yes"}}]})
    for found in (label_distribution(lp, ["yes"]), p_true(lp), expected_score(lp)):
        assert found["reason"].tolist() == ["no_tokens"]
        numbers = found.select_dtypes("float64")
        assert numbers.isna().all(axis=None)
        assert found["position"].isna().all()
