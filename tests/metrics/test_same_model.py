"""The permutation test of two sides, by simulation."""

import math

import numpy as np
import pandas as pd
import pytest

import toolkit
from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import same_model
from toolkit.metrics._arrays.permutation import holm, mean_differences, p_value


def body(logprobs, fingerprint=None):
    """Return an answer of one token whose list has these logprobs."""
    top = [{"token": f"t{i}", "logprob": float(p)} for i, p in enumerate(logprobs)]
    top = sorted(top, key=lambda each: -each["logprob"])
    entry = {**top[0], "top_logprobs": top}
    choice = {"message": {"content": top[0]["token"]}, "logprobs": {"content": [entry]}}
    return {"choices": [choice], "system_fingerprint": fingerprint}


def side(rng, prompts, repeats, noise, shift=0.0, **fields):
    """Return a side whose logprobs have noise, and are shifted by turns up and down."""
    bodies, ids = [], []
    for number, true in enumerate(prompts):
        signs = np.resize([1.0, -1.0], len(true))
        for _ in range(repeats):
            bodies.append(body(true + shift * signs + rng.normal(0, noise, len(true)), **fields))
            ids.append(f"q{number}")
    return toolkit.from_responses(bodies, custom_id=ids)


def distributions(rng, n, k=5):
    return [np.sort(np.log(rng.dirichlet(np.ones(k + 1))[:k]))[::-1] for _ in range(n)]


def test_the_size_of_the_test_is_its_level():
    """Where both sides are the same, 5 % of tests are below 0.05, whatever the noise."""
    rng = np.random.default_rng(1)
    values = rng.standard_t(2, (600, 12, 4)) * rng.uniform(0.01, 5, (600, 1, 4))
    in_b = np.arange(12) >= 6
    found = np.array([p_value(mean_differences(each, in_b, 199, rng)) for each in values])
    assert 0.03 <= (found <= 0.05).mean() <= 0.07
    assert (found <= 0.5).mean() == pytest.approx(0.5, abs=0.07)


def test_a_small_shift_is_found():
    rng = np.random.default_rng(2)
    prompts = distributions(rng, 8)
    a = side(rng, prompts, 12, 0.05)
    b = side(rng, prompts, 12, 0.05, shift=0.06)
    row = same_model(a, b, n_permutations=999).iloc[0]
    assert row["p_value"] == row["p_least"] == 0.001
    assert row["excess_lower"] > 0
    assert row["excess"] == pytest.approx(0.06 - row["expected_difference"], abs=0.02)
    same = same_model(a, side(rng, prompts, 12, 0.05), n_permutations=999).iloc[0]
    assert same["p_value"] > 0.05
    assert same["excess_lower"] < 0 < same["excess_upper"]


def test_one_prompt_of_many_is_found():
    rng = np.random.default_rng(3)
    prompts = distributions(rng, 6)
    a = side(rng, prompts, 8, 0.02)
    moved = [prompts[0], prompts[1] + 0.3 * np.array([1, -1, 1, -1, 1]), *prompts[2:]]
    found = same_model(a, side(rng, moved, 8, 0.02), by="custom_id")
    assert list(found) == schema.SAME_MODEL.names
    assert found["custom_id"].tolist() == [f"q{i}" for i in range(6)]
    assert (found["p_holm"] < 0.05).tolist() == [False, True, False, False, False, False]
    assert (found["p_holm"] >= found["p_value"]).all()
    assert found["excess_lower"].isna().all()


def test_figures_worked_by_hand():
    a = toolkit.from_responses(
        [body([-0.5, -1.5], "f1"), body([-0.7, -1.7], "f2")], custom_id=["q"] * 2
    )
    b = toolkit.from_responses(
        [body([-0.9, -1.5], "f3"), body([-0.9, -1.3], "f3")], custom_id=["q"] * 2
    )
    row = same_model(a, b).iloc[0]
    assert row["difference"] == pytest.approx((0.3 + 0.2) / 2)
    assert (row["n_prompts"], row["n_a"], row["n_b"], row["n_tokens"]) == (1, 2, 2, 2)
    assert row["p_least"] == pytest.approx(1 / 3)  # of three ways to make two pairs
    assert (row["fingerprints_a"], row["fingerprints_b"]) == ("f1, f2", "f3")


def test_a_missing_token_has_the_least_logprob_of_its_list():
    def listed(*entries):
        top = [{"token": text, "logprob": p} for text, p in entries]
        entry = {**top[0], "top_logprobs": top}
        return {"choices": [{"message": {"content": "a"}, "logprobs": {"content": [entry]}}]}

    a = toolkit.from_responses([listed(("a", -0.5), ("b", -2.0))], custom_id=["q"])
    b = toolkit.from_responses([listed(("a", -0.5), ("c", -3.0), ("d", -9.0))], custom_id=["q"])
    row = same_model(a, b).iloc[0]
    # Lists are cut to two entries: b is -2 against -3 at the least, c is -3 against -2.
    assert row["difference"] == pytest.approx((0.0 + 1.0 + 1.0) / 3)
    assert row["p_value"] == row["p_least"] == 1.0


def test_prompts_of_one_side_are_left_out():
    rng = np.random.default_rng(4)
    a, b = side(rng, distributions(rng, 2), 2, 0.1), side(rng, distributions(rng, 1), 3, 0.1)
    row = same_model(a, b).iloc[0]
    assert (row["n_prompts"], row["n_a"], row["n_b"], row["n_left_out"]) == (1, 2, 3, 2)
    none = same_model(a, toolkit.from_responses([body([-1.0])], custom_id=["other"]))
    assert none["n_prompts"].tolist() == [0]
    assert none["p_value"].isna().all()
    assert (
        len(same_model(a, toolkit.from_responses([body([-1.0])], custom_id=["z"]), by="custom_id"))
        == 0
    )


def test_a_seed_gives_the_same_result():
    rng = np.random.default_rng(5)
    a, b = (side(rng, distributions(rng, 2), 4, 0.1) for _ in range(2))
    pd.testing.assert_frame_equal(same_model(a, b, seed=7), same_model(a, b, seed=7))


def test_holm_multiplies_the_least_by_most():
    # As statsmodels' multipletests(method="holm") and R's p.adjust.
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx(
        [0.03, 0.06, 0.06, 0.02]
    )
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]


def test_bad_arguments_are_named():
    lp = toolkit.from_responses([body([-1.0])], custom_id=["q"])
    with pytest.raises(ArgumentError, match="a response of b has no custom_id"):
        same_model(lp, toolkit.from_responses([body([-1.0])]))
    for options in ({"by": "model"}, {"level": 0}, {"n_permutations": 0}, {"channel": "text"}):
        (name,) = options
        with pytest.raises(ArgumentError, match=name):
            same_model(lp, lp, **options)
    empty = lp.filter(response_key=[])
    assert math.isnan(same_model(empty, empty)["p_value"][0])
