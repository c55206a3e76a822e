import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.metrics._arrays.entropy import entropy_lower, entropy_topk, entropy_upper
from toolkit.metrics._arrays.logprobs import decimals, mass_exceeds_one, perplexity
from toolkit.metrics._arrays.segments import (
    longest_run,
    segment_count,
    segment_max,
    segment_mean,
    segment_min,
    segment_nansum,
    segment_sum,
    worst_mean,
)

SEGMENTS = st.lists(
    st.lists(st.floats(-50, 0) | st.just(math.nan), max_size=30), min_size=1, max_size=12
)


def flat(segments):
    offsets = np.cumsum([0] + [len(segment) for segment in segments])
    return np.array([x for segment in segments for x in segment], float), offsets


def known(segment):
    return [x for x in segment if not math.isnan(x)]


def same(got, expected):
    np.testing.assert_allclose(got, np.array(expected, float), rtol=1e-12, atol=0)


@given(SEGMENTS)
@settings(max_examples=300, deadline=None)
def test_segment_reductions_are_those_of_each_segment_alone(segments):
    values, offsets = flat(segments)
    clean = [[0.0 if math.isnan(x) else x for x in segment] for segment in segments]
    filled = flat(clean)[0]
    same(segment_sum(filled, offsets), [math.fsum(s) for s in clean])
    same(segment_min(filled, offsets, empty=7), [min(s, default=7) for s in clean])
    same(segment_max(filled, offsets), [max(s, default=math.nan) for s in clean])
    same(segment_count(~np.isnan(values), offsets), [len(known(s)) for s in segments])
    sums = [math.fsum(known(s)) if known(s) else math.nan for s in segments]
    same(segment_nansum(values, offsets), sums)
    means = [total / max(1, len(known(s))) for total, s in zip(sums, segments, strict=True)]
    same(segment_mean(values, offsets), means)


@given(SEGMENTS)
@settings(max_examples=300, deadline=None)
def test_worst_tenth_is_the_mean_of_the_lowest_values(segments):
    values, offsets = flat(segments)
    expected = []
    for segment in segments:
        lowest = sorted(known(segment))[: max(1, len(known(segment)) // 10)]
        expected.append(math.fsum(lowest) / len(lowest) if lowest else math.nan)
    same(worst_mean(values, offsets), expected)


@given(st.lists(st.lists(st.booleans(), max_size=20), min_size=1, max_size=8))
@settings(max_examples=300, deadline=None)
def test_longest_run_stays_within_its_segment(segments):
    flags, offsets = flat(segments)
    expected = [
        max(map(len, "".join("x" if f else " " for f in segment).split()), default=0)
        for segment in segments
    ]
    assert longest_run(flags.astype(bool), offsets).tolist() == expected


def test_longest_run_of_nothing():
    assert longest_run(np.empty(0, bool), np.array([0, 0])).tolist() == [0]


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
