"""Bounds of the divergence of two cut distributions."""

import math

import numpy as np
import pytest

from toolkit.metrics._arrays.divergence import Known, bounds, jensen_shannon, matched


def exact(p, q):
    """Return the divergence of two whole distributions, by plain loops."""
    total = 0.0
    for a, b in zip(p, q, strict=True):
        m = (a + b) / 2
        total += 0.5 * (a * math.log(a / m) if a else 0.0) + 0.5 * (b * math.log(b / m) if b else 0)
    return total


def cut(distributions, k):
    """Keep the k likeliest entries of each."""
    ids, codes, p, caps = [], [], [], []
    for i, distribution in enumerate(distributions):
        top = sorted(range(len(distribution)), key=lambda j: -distribution[j])[: k[i]]
        ids += [i] * len(top)
        codes += top
        p += [distribution[j] for j in top]
        caps.append(min((distribution[j] for j in top), default=1.0))
    return Known(np.array(ids), np.array(codes), np.array(p), np.array(caps))


@pytest.mark.parametrize("size", [2, 6, 30])
def test_bounds_enclose_the_truth(size):
    rng = np.random.default_rng(size)
    n = 7000
    p = rng.dirichlet(np.full(size, 0.3), n)
    q = np.where(rng.random((n, 1)) < 0.5, rng.dirichlet(np.full(size, 0.3), n), 0.0)
    near = np.abs(p + rng.normal(0, 0.02, p.shape))
    q = np.where(q.sum(axis=1, keepdims=True) > 0, q, near / near.sum(axis=1, keepdims=True))
    k_a, k_b = rng.integers(0, size + 1, n), rng.integers(0, size + 1, n)
    lower, upper = bounds(matched(cut(p.tolist(), k_a), cut(q.tolist(), k_b)))
    true = np.array([exact(a, b) for a, b in zip(p.tolist(), q.tolist(), strict=True)])
    assert (lower <= true + 1e-12).all()
    assert (true <= upper + 1e-12).all()
    whole = (k_a == size) & (k_b == size)
    np.testing.assert_allclose(lower[whole], true[whole], atol=1e-12)
    np.testing.assert_allclose(upper[whole], true[whole], atol=1e-12)


@pytest.mark.parametrize("decimals", [6, 4, 2])
def test_bounds_enclose_the_truth_also_if_logprobs_were_rounded(decimals):
    rng = np.random.default_rng(decimals)
    n, size, spread = 1000, 8, 0.5 * 10.0**-decimals
    logits = rng.normal(0, 2, (n, size))
    near = logits + rng.normal(0, rng.choice([0.001, 0.1, 2], (n, 1)), logits.shape)
    p, q = (np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (logits, near))
    true = np.array([exact(a, b) for a, b in zip(p.tolist(), q.tolist(), strict=True)])
    k = rng.integers(1, size + 1, n)
    sent = []
    for whole in (p, q):
        known = cut(whole.tolist(), k)
        rounded = np.exp(np.minimum(np.round(np.log(known.p), decimals), 0.0))
        caps = np.array([rounded[known.ids == i].min() for i in range(n)])
        sent.append(Known(known.ids, known.codes, rounded, caps, spread))
    lower, upper = bounds(matched(*sent))
    assert (lower <= true + 1e-12).all()
    assert (true <= upper + 1e-12).all()
    assert (lower > 0.9 * true)[k == size].mean() > 0.25


def test_the_same_lists_have_no_distance():
    same = cut([[0.5, 0.3, 0.2]], [2])
    lower, upper = bounds(matched(same, same))
    assert lower.tolist() == [0.0]
    assert upper.tolist() == pytest.approx([math.log(2) * 0.2])


def test_what_the_other_cannot_have_counts():
    a = Known(np.array([0]), np.array([1]), np.array([0.9]), np.array([0.9]))
    b = Known(np.array([0, 0]), np.array([2, 3]), np.array([0.9, 0.09]), np.array([0.09]))
    lower, upper = bounds(matched(a, b))
    assert lower[0] > 0.45
    assert upper[0] == pytest.approx(math.log(2))


def test_nothing_known_is_anything():
    empty = Known(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.ones(1))
    lower, upper = bounds(matched(empty, empty))
    assert (lower.tolist(), upper.tolist()) == ([0.0], pytest.approx([math.log(2)]))


def test_texts_that_stand_twice_are_one():
    twice = Known(np.array([0, 0]), np.array([1, 1]), np.array([0.25, 0.25]), np.array([0.25]))
    once = Known(np.array([0]), np.array([1]), np.array([0.5]), np.array([0.5]))
    assert bounds(matched(twice, once))[0].tolist() == [0.0]


def test_one_outcome():
    assert jensen_shannon(np.array([0.0]), np.array([0.0])).tolist() == [0.0]
    assert jensen_shannon(np.array([1.0]), np.array([0.0]))[0] == pytest.approx(math.log(2) / 2)
