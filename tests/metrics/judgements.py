"""Judged answers for the tests of calibration: strategies, real ones, naive scores by loops."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

import toolkit
from tests.conftest import ROOT

SAMPLES = ROOT / "../shared/samples"

# Few distinct values, so that ties and edges of bins are frequent, and any other.
CONFIDENCES = st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.7, 0.9, 1.0]) | st.floats(0, 1)
ANSWERS = st.lists(st.tuples(CONFIDENCES, st.sampled_from([0, 1])), min_size=1, max_size=40)


def columns(answers):
    return [c for c, _ in answers], [y for _, y in answers]


def capitals():
    """The 100 capitals: exp(sum_logprob), min_probability, correct."""
    if not SAMPLES.exists():
        pytest.skip("needs ../shared/samples")
    sequences = toolkit.sequence_metrics(toolkit.read(SAMPLES / "capitals_batch.jsonl"))
    labels = pd.read_csv(SAMPLES / "capitals_labels.csv")
    joined = toolkit.join_labels(sequences, labels)
    return np.exp(joined["sum_logprob"]), joined["min_probability"], joined["correct"]


def bin_of(confidence, bins):
    """The number b of the bin (b/bins, (b+1)/bins] on the edges that NumPy and sklearn use."""
    edges = np.linspace(0, 1, bins + 1)
    for b in range(bins):
        if confidence <= edges[b + 1]:
            return b
    raise AssertionError(confidence)


def bins_of(answers, bins):
    found = {}
    for c, y in answers:
        found.setdefault(bin_of(c, bins), []).append((c, y))
    return found


def gap_of(answers):
    return math.fsum(c - y for c, y in answers) / len(answers)


def naive_ece(parts, n):
    return math.fsum(len(part) / n * abs(gap_of(part)) for part in parts)
