"""Bounds on the entropy of truncated lists."""

import math

import numpy as np
import pytest

from toolkit.metrics._arrays.entropy import entropy_lower, entropy_topk, entropy_upper


def test_entropy_lower_packs_the_missing_mass():
    # 0.35 outside, at most 0.1 a token: three of 0.1 and one of 0.05
    full = [0.55, 0.1, 0.1, 0.1, 0.1, 0.05]
    partial = -0.55 * math.log(0.55) - 0.1 * math.log(0.1)
    got = entropy_lower(np.array([partial]), np.array([0.35]), np.log([0.1]))
    assert got[0] == pytest.approx(-math.fsum(p * math.log(p) for p in full), rel=1e-12)


def test_entropy_upper_spreads_the_missing_mass():
    full = [0.7] + [0.03] * 10
    got = entropy_upper(np.array([-0.7 * math.log(0.7)]), np.array([0.3]), 10)
    assert got[0] == pytest.approx(-math.fsum(p * math.log(p) for p in full), rel=1e-12)


def test_entropy_when_everything_underflows():
    nothing, all_missing = np.array([0.0]), np.array([1.0])
    assert entropy_lower(nothing, all_missing, np.array([-800.0])).tolist() == [800.0]
    assert np.isnan(entropy_topk(nothing, nothing)).all()
