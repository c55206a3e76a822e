"""Perplexity, decimals of logprobs, and rounding of masses."""

import math

import numpy as np
import pytest

from toolkit.metrics._arrays.logprobs import decimals, mass_exceeds_one, perplexity


def test_perplexity_overflows_to_infinity_without_a_warning():
    # exp(709) is the last whole exponent of a float64
    got = perplexity(np.array([0.0, 709.0, 710.0, 5.0]), np.array([3, 1, 1, 0]))
    assert got[0] == 1.0
    assert got[1] == math.exp(709)
    assert got[2] == math.inf
    assert math.isnan(got[3])


@pytest.mark.parametrize(("text", "expected"), [("-1", 1), ("-0.5", 1), ("-12.34", 2)])
def test_decimals_of_short_numbers(text, expected):
    assert decimals(np.array([float(text)])).tolist() == [expected]


def test_decimals_agree_with_the_shortest_text():
    rng = np.random.default_rng(1)
    digits = rng.integers(1, 7, 5000)
    values = -np.array(
        [round(x, d) for x, d in zip(rng.uniform(0, 60, 5000), digits.tolist(), strict=True)]
    )
    expected = [
        len(f"{x:.17f}") and len(repr(float(x)).split(".")[1])
        for x in values
        if "e" not in repr(float(x))
    ]
    plain = np.array([x for x in values if "e" not in repr(float(x))])
    assert decimals(plain).tolist() == expected
    assert (decimals(rng.uniform(-60, 0, 1000)) == 7).all()


@pytest.mark.parametrize("digits", [2, 3, 4])
def test_rounded_distributions_do_not_exceed_one(digits):
    # the full distribution, so that only rounding can bring the mass above one
    rng = np.random.default_rng(digits)
    logprobs = np.round(np.log(rng.dirichlet(np.ones(12), 5000)), digits)
    mass = np.exp(logprobs).sum(axis=1)
    written = decimals(logprobs.ravel()).reshape(logprobs.shape).max(axis=1)
    assert (mass > 1 + 1e-6).sum() > 1000
    assert not mass_exceeds_one(mass, written).any()
    assert mass_exceeds_one(mass + 2 * 0.5 * 10.0**-digits + 2e-6, written).all()
