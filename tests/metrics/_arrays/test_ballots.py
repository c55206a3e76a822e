"""Votes on arrays against plain counting."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.metrics._arrays import ballots

VOTES = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 4), st.sampled_from([0.0, 0.1, 0.2, 0.3, 2.0]))
)


def sizes_of(votes):
    """Return the weights of each label of each group."""
    found = {}
    for group, label, weight in votes:
        found.setdefault(group, {}).setdefault(label, []).append(weight)
    return {
        group: {label: math.fsum(weights) for label, weights in labels.items()}
        for group, labels in found.items()
    }


@given(VOTES)
def test_ranks_and_entropies_are_those_of_plain_counting(votes):
    groups, labels = (np.array([vote[i] for vote in votes], np.int64) for i in range(2))
    cells = ballots.cells(groups, labels)
    sizes = ballots.sums(np.array([vote[2] for vote in votes]), cells.of, len(cells.groups))
    ranks, entropies = ballots.ranking(sizes, cells, 4), ballots.entropies(sizes, cells, 4)
    expected = sizes_of(votes)
    for group in range(4):
        own = sorted(expected.get(group, {}).values(), reverse=True)
        total = math.fsum(own)
        assert ranks.total[group] == pytest.approx(total)
        if not total:
            assert math.isnan(ranks.share[group])
            assert math.isnan(entropies[group])
            continue
        second = own[1] if len(own) > 1 else 0.0
        assert ranks.share[group] == pytest.approx(own[0] / total)
        assert ranks.margin[group] == pytest.approx((own[0] - second) / total, abs=1e-12)
        best = cells.labels[ranks.cell[group]]
        assert expected[group][best] == pytest.approx(own[0])
        entropy = -math.fsum(size / total * math.log(size / total) for size in own if size)
        assert entropies[group] == pytest.approx(entropy, abs=1e-12)


@given(VOTES, st.sampled_from([0.01, 0.3, 0.5, 1.0]))
def test_the_weightiest_are_kept(votes, share):
    groups, weights = (np.array([vote[i] for vote in votes]) for i in (0, 2))
    kept = ballots.kept(weights, groups.astype(np.int64), share, 4)
    for (group, _, weight), flag in zip(votes, kept, strict=True):
        own = sorted((w for g, _, w in votes if g == group), reverse=True)
        assert flag == (weight >= own[max(1, math.floor(share * len(own) + 1e-9)) - 1])


def test_sums_do_not_depend_on_the_order():
    values, of = np.array([0.1, 0.2, 0.3, 0.3, 0.2, 0.1]), np.array([0, 0, 0, 1, 1, 1])
    left, right = ballots.sums(values, of, 2)
    assert left == right
