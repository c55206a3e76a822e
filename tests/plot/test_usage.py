"""The plot of usage shows what the metric table says."""

import numpy as np

import toolkit
from toolkit import plot


def test_usage_over_time(data):
    lp = toolkit.read(data / "capitals_batch.jsonl")
    ax = plot.usage_over_time(lp, span="10s")
    table = toolkit.usage_over_time(lp, span="10s")
    for line, name in zip(ax.lines, ("prompt_tokens", "completion_tokens"), strict=True):
        np.testing.assert_array_equal(line.get_ydata()[:-1], table[name].fillna(0).astype(float))
