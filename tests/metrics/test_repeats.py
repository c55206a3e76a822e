"""The noise of repeated requests, against noise that is known."""

import math

import numpy as np
import pytest

import toolkit
from tests.metrics.byte_pieces import body
from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import noise_floor, prefix_survival
from toolkit.metrics._arrays.survival import kaplan_meier


def run(*answers, ids=None):
    """Load a run; each answer is (token, logprob[, others]) triples."""
    bodies = [body([(t.encode(), *rest) for t, *rest in tokens]) for tokens in answers]
    return toolkit.from_responses(bodies, custom_id=ids)


def noisy(rng, sigma, n=200, length=50):
    """Return two runs of the same answers, whose logprobs have independent Gaussian noise."""
    true = rng.uniform(-3, -1, (n, length))
    return [
        run(*[[("x", float(p)) for p in row] for row in true + rng.normal(0, sigma, true.shape)])
        for _ in range(2)
    ]


# The noise floor


@pytest.mark.parametrize("sigma", [0.001, 0.05])
def test_sigma_is_that_of_the_noise(sigma):
    a, b = noisy(np.random.default_rng(1), sigma)
    row = noise_floor(a, b).iloc[0]
    assert row["n_tokens"] == 10_000
    assert row["sigma"] == pytest.approx(sigma, rel=0.03)
    assert row["p90_abs_difference"] == pytest.approx(1.645 * sigma * math.sqrt(2), rel=0.05)
    assert row["near_tie"] == pytest.approx(3 * row["sigma"] * math.sqrt(2))
    assert row["n_bit_equal"] == 0


def test_a_run_has_no_noise_against_itself(samples):
    lp = toolkit.read(samples / "capitals_batch.jsonl")
    found = noise_floor(lp, lp)
    assert list(found) == schema.NOISE_FLOOR.names
    row = found.iloc[0]
    assert (row["n_pairs"], row["bit_equal_share"], row["sigma"]) == (100, 1.0, 0.0)
    assert (row["n_flips"], row["max_abs_difference"]) == (0, 0.0)


def test_large_differences_are_not_noise():
    """The median ignores one token in ten that is another number altogether."""
    rng = np.random.default_rng(2)
    true = rng.uniform(-3, -1, 2000)
    other = true + rng.normal(0, 0.01 * math.sqrt(2), 2000)
    other[::10] -= 2.0
    a, b = ([("x", float(p)) for p in values] for values in (true, other))
    row = noise_floor(run(a), run(b)).iloc[0]
    assert row["sigma"] == pytest.approx(0.01, rel=0.25)
    assert row["max_abs_difference"] > 1.5


def test_flips_are_near_ties_or_changes():
    def answer(top, noise=0.0):
        listed = [("a", top), ("b", -1.0), ("c", -4.0)]
        best = max(listed, key=lambda each: each[1])[0]
        return [*[("x", -1.0 + noise)] * 3, (best, -1.0, listed)]

    a = run(answer(-1.0 + 0.002), answer(-0.5), answer(-1.0), [("x", -1.0, [("x", -1.0)])])
    b = run(
        answer(-1.0 - 0.002, 0.003), answer(-1.5, 0.003), answer(-1.0 - 1e-9, 0.003),
        [("y", -1.0, [("y", -1.0)])],
    )  # fmt: skip
    row = noise_floor(a, b).iloc[0]
    assert row["sigma"] == pytest.approx(1.4826 * 0.003 / math.sqrt(2))
    # The gaps 0.002 and 0.002 are noise, 0.5 and 0.5 are a change; an exact tie is not a flip here,
    # because the first of equals is taken; a list of one entry has no gap.
    assert row[["n_flips", "n_near_ties", "n_changes", "n_unknown"]].tolist() == [4, 2, 1, 1]


def test_flips_of_nearly_certain_answers_are_measured_by_their_gaps():
    """Logits have noise; most tokens are so certain that their logprobs hardly move."""
    rng, s = np.random.default_rng(5), 0.05
    true = np.where(np.arange(4000) % 20 == 0, rng.uniform(-0.1, 0.1, 4000), 9.0)

    def side():
        answers = []
        for gap in true + rng.normal(0, s, len(true)):
            p = 1 / (1 + math.exp(-gap))
            listed = sorted([("a", math.log(p)), ("b", math.log1p(-p))], key=lambda e: -e[1])
            answers.append([(*listed[0], listed)])
        return run(*answers)

    row = noise_floor(side(), side()).iloc[0]
    assert row["sigma"] < 0.001
    assert row["near_tie"] == pytest.approx(2.576 * s * math.sqrt(2), rel=0.1)
    assert row["n_flips"] > 30
    assert row["n_near_ties"] >= 0.95 * row["n_flips"]


def test_an_exact_tie_is_noise_without_any():
    left, right = [("a", -0.7), ("b", -0.7)], [("b", -0.7), ("a", -0.7)]
    row = noise_floor(run([("a", -0.7, left)]), run([("b", -0.7, right)])).iloc[0]
    assert (row["n_tokens"], row["n_flips"], row["n_unknown"]) == (0, 1, 1)  # no token is shared
    a = run([("x", -1.0), ("a", -0.7, left)])
    b = run([("x", -1.0), ("b", -0.7, right)])
    row = noise_floor(a, b).iloc[0]
    assert (row["sigma"], row["n_flips"], row["n_near_ties"]) == (0.0, 1, 1)


# Survival of the common prefix


def test_survival_is_that_of_a_plain_product():
    a = run([("a", -1), ("b", -1)], [("a", -1)], [("a", -1), ("b", -1), ("c", -1)], [("x", -1)])
    b = run([("a", -1), ("y", -1)], [("a", -1)], [("a", -1), ("b", -1), ("z", -1)], [("y", -1)])
    found = prefix_survival(a, b)
    assert list(found) == schema.PREFIX_SURVIVAL.names
    # One of four differs at 0; at 1 one of three, and one ends there equal; at 2 the last.
    assert found["position"].tolist() == [0, 1, 2]
    assert found["n_at_risk"].tolist() == [4, 3, 1]
    assert found["n_diverged"].tolist() == [1, 1, 1]
    assert found["n_ended"].tolist() == [0, 1, 0]
    assert found["survival"].tolist() == pytest.approx([3 / 4, 3 / 4 * 2 / 3, 0.0])


def test_an_answer_that_was_cut_did_not_diverge():
    def answer(*tokens, reason="stop"):
        made = body([(t.encode(), -1.0) for t in tokens])
        made["choices"][0]["finish_reason"] = reason
        return made

    short = toolkit.from_responses([answer("a", reason="length"), answer("a", "b")])
    long = toolkit.from_responses([answer("a", "b"), answer("a")])
    found = prefix_survival(short, long)
    assert found[["position", "n_diverged", "n_ended"]].values.tolist() == [[0, 0, 1], [1, 1, 0]]


def test_the_interval_covers_the_survival():
    """Answers diverge at each token with probability 0.02 and end after 40 tokens."""
    rng, hits, n_runs = np.random.default_rng(3), 0, 120
    for _ in range(n_runs):
        time = rng.geometric(0.02, 60) - 1
        ended = time < 40
        curve = kaplan_meier(np.minimum(time, 40), ended, np.arange(60), 0.95)
        at = np.searchsorted(curve.time, 20, "right") - 1
        hits += curve.lower[at] <= 0.98**21 <= curve.upper[at]
    assert 0.91 <= hits / n_runs <= 0.99


def test_the_interval_of_clusters_is_wider():
    rng = np.random.default_rng(4)
    time = np.repeat(rng.geometric(0.05, 40), 5)
    ended = np.ones(200, bool)
    alone = kaplan_meier(time, ended, np.arange(200), 0.95)
    together = kaplan_meier(time, ended, np.repeat(np.arange(40), 5), 0.95)
    width = [curve.upper - curve.lower for curve in (alone, together)]
    assert np.nanmedian(width[1] / width[0]) == pytest.approx(math.sqrt(5), rel=0.1)


def test_figures_are_the_published_ones():
    """Remission times of 21 patients (Freireich et al. 1963), in weeks."""
    time = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    cut = [0, 0, 0, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1]
    curve = kaplan_meier(np.array(time), ~np.array(cut, bool), np.arange(21), 0.95)
    at = [np.flatnonzero(curve.time == t)[0] for t in (6, 7, 10, 13, 16, 22, 23)]
    published = [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482]
    assert curve.survival[at].tolist() == pytest.approx(published, abs=5e-5)


# Arguments


def test_bad_arguments_are_named():
    one = run([("x", -0.5)])
    for options, name in (({"level": 1}, "level"), ({"clusters": ["a", "b"]}, "clusters")):
        with pytest.raises(ArgumentError, match=name):
            prefix_survival(one, one, **options)


def test_empty_runs():
    none = run([("x", -0.5)]).filter(response_key=[])
    assert math.isnan(noise_floor(none, none, on="position").iloc[0]["sigma"])
    assert len(prefix_survival(none, none, on="position")) == 0
