"""How many independent answers clustered ones are worth, against plain loops and simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.metrics._arrays.effective import (
    Tallies,
    clustered_interval,
    effective_size,
    of_answers,
    of_clusters,
    of_segments,
    running,
)
from toolkit.metrics._arrays.proportions import agresti_coull

ANSWERS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=1, max_size=30)


def arrays(answers):
    hit, codes = zip(*answers, strict=True)
    return np.array(hit, float), np.array(codes)


@given(ANSWERS, st.integers(0, 30))
def test_tallies_are_those_of_plain_loops(answers, cut):
    hit, codes = arrays(answers)
    cut = min(cut, len(hit))
    parts = of_segments(hit, codes, np.array([0, cut, len(hit)]))
    for i, piece in enumerate((slice(0, cut), slice(cut, None))):
        groups = {
            code: [h for h, c in zip(hit[piece], codes[piece], strict=True) if c == code]
            for code in codes[piece].tolist()
        }
        k, n = (np.array([f(each) for each in groups.values()], float) for f in (sum, len))
        np.testing.assert_allclose([each[i] for each in parts], of_clusters(k, n))
    np.testing.assert_allclose([each[-1] for each in running(hit, codes)], of_answers(hit, codes))


@given(ANSWERS)
def test_single_answers_are_worth_themselves(answers):
    hit, _ = arrays(answers)
    got = clustered_interval(of_answers(hit, np.arange(len(hit))), 0.9)
    expected = agresti_coull(hit.mean(), np.array(float(len(hit))), 0.9)
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_copies_are_worth_their_clusters():
    hit, codes = np.repeat([1.0, 0.0, 1.0], 5), np.repeat(np.arange(3), 5)
    assert effective_size(of_answers(hit, codes), 0.95) == 3
    many = np.repeat(np.arange(200) % 3 > 0, 5).astype(float)
    worth = effective_size(of_answers(many, np.repeat(np.arange(200), 5)), 0.95)
    assert worth == pytest.approx(200, rel=0.03)  # estimated, and a little less for t


def test_independent_answers_in_clusters_are_worth_themselves():
    rng = np.random.default_rng(0)
    sizes = [
        float(
            effective_size(
                of_answers((rng.random(1000) < 0.7).astype(float), np.repeat(np.arange(200), 5)),
                0.95,
            )
        )
        for _ in range(50)
    ]
    assert 900 < np.mean(sizes) <= 1000


def test_no_answer_has_no_interval():
    none = Tallies(*(np.zeros(1) for _ in Tallies._fields))
    assert np.isnan(clustered_interval(none, 0.95)).all()
