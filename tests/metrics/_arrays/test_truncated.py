"""Bounds of KL divergence and total variation of cut distributions, against whole ones."""

import math

import numpy as np
import pytest

from toolkit.metrics._arrays.divergence import Known, matched
from toolkit.metrics._arrays.truncated import acceptance, bounded, kl_lower


def cut(distributions, k, decimals=None):
    """Keep the k likeliest entries of each distribution; round their logprobs as a server does."""
    ids, codes, p, caps = [], [], [], []
    for i, distribution in enumerate(distributions):
        top = np.argsort(-distribution, kind="stable")[: k[i]]
        kept = distribution[top]
        if decimals is not None:
            kept = np.exp(np.minimum(np.round(np.log(kept), decimals), 0.0))
        ids += [i] * len(top)
        codes += top.tolist()
        p += kept.tolist()
        caps.append(kept.min(initial=1.0))
    spread = 0.0 if decimals is None else 0.5 * 10.0**-decimals
    return Known(np.array(ids), np.array(codes), np.array(p), np.array(caps), spread)


def match(a, b):
    return bounded(matched(a, b))


def pairs(size, n, seed):
    """Return pairs of whole distributions: some alike, some far apart, peaked and flat."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, rng.choice([0.5, 2, 5], (n, 1)), (n, size))
    other = logits + rng.normal(0, rng.choice([0.01, 0.3, 2], (n, 1)), (n, size))
    p, q = (np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (logits, other))
    return p, q, rng.integers(1, min(size, 20) + 1, n)


@pytest.mark.parametrize("decimals", [None, 6, 4, 2])
@pytest.mark.parametrize("size", [3, 12, 200])
def test_bounds_enclose_the_truth_also_if_logprobs_were_rounded(size, decimals):
    n = 500
    p, q, k = pairs(size, n, size)
    entries = match(cut(p, k, decimals), cut(q, k, decimals))
    low, high = acceptance(entries)
    overlap = np.minimum(p, q).sum(axis=1)
    assert (low <= overlap + 1e-12).all()
    assert (overlap <= high + 1e-12).all()
    truth = (p * np.log(p / q)).sum(axis=1)
    found = kl_lower(entries)
    assert (found <= truth + 1e-9).all()
    assert (found >= 0).all()
    if decimals is None and size == 3:  # most lists are nearly whole
        assert np.median(found / truth) > 0.9


def test_the_bound_is_at_least_that_of_shared_entries_and_the_rest():
    p, q, k = pairs(60, 300, 1)
    found = kl_lower(match(cut(p, k), cut(q, k)))
    for i in range(300):
        top = [set(np.argsort(-x[i], kind="stable")[: k[i]].tolist()) for x in (p, q)]
        shared = sorted(top[0] & top[1])
        rest = [1 - x[i, shared].sum() for x in (p, q)]
        simple = math.fsum(p[i, j] * math.log(p[i, j] / q[i, j]) for j in shared)
        simple += rest[0] * math.log(rest[0] / rest[1])
        assert found[i] >= simple - 2e-6  # what a softmax in single precision may lose


def test_whole_lists_are_compared_exactly():
    p, q = np.array([[0.6, 0.3, 0.1]]), np.array([[0.2, 0.5, 0.3]])
    entries = match(cut(p, [3]), cut(q, [3]))
    assert kl_lower(entries)[0] == pytest.approx((p * np.log(p / q)).sum(), abs=1e-5)
    low, high = acceptance(entries)
    assert low[0] == pytest.approx(0.6)
    assert high[0] == pytest.approx(0.6, abs=1e-5)


def test_entries_of_one_list_alone_count_with_the_cap_of_the_other():
    # b's list ends at 0.1, so it gives x at most 0.1 of a's 0.8, and the overlap is at most 0.3:
    # 0.1 on x, 0.2 on what a leaves for everything else.
    a = Known(np.array([0]), np.array([7]), np.array([0.8]), np.array([0.8]))
    b = Known(np.array([0, 0]), np.array([1, 2]), np.array([0.7, 0.1]), np.array([0.1]))
    entries = match(a, b)
    low, high = acceptance(entries)
    assert low[0] == 0.0
    assert high[0] == pytest.approx(0.3, abs=1e-5)
    # Sum over x, and over all else: no less than the divergence of these two outcomes.
    two = 0.8 * math.log(0.8 / 0.1) + 0.2 * math.log(0.2 / 0.9)
    assert kl_lower(entries)[0] >= two - 1e-4


def test_equal_lists_are_at_distance_0_and_no_list_shows_nothing():
    p, _, k = pairs(30, 50, 2)
    same = match(cut(p, k), cut(p, k))
    assert (kl_lower(same) == 0).all()
    assert (acceptance(same)[1] == 1).all()
    none = Known(np.empty(0, int), np.empty(0, int), np.empty(0), np.ones(1))
    entries = match(none, none)
    assert kl_lower(entries).tolist() == [0.0]
    assert [float(x[0]) for x in acceptance(entries)] == [0.0, 1.0]
