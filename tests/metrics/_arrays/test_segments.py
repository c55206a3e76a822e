"""Reductions of segments against each segment alone."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

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
def test_worst_tenth_is_the_mean_of_the_lowest_values(segments):
    values, offsets = flat(segments)
    expected = []
    for segment in segments:
        lowest = sorted(known(segment))[: max(1, len(known(segment)) // 10)]
        expected.append(math.fsum(lowest) / len(lowest) if lowest else math.nan)
    same(worst_mean(values, offsets), expected)


@given(st.lists(st.lists(st.booleans(), max_size=20), min_size=1, max_size=8))
def test_longest_run_stays_within_its_segment(segments):
    flags, offsets = flat(segments)
    expected = [
        max(map(len, "".join("x" if f else " " for f in segment).split()), default=0)
        for segment in segments
    ]
    assert longest_run(flags.astype(bool), offsets).tolist() == expected


def test_longest_run_of_nothing():
    assert longest_run(np.empty(0, bool), np.array([0, 0])).tolist() == [0]
