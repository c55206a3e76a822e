"""The plot of two runs shows what the metric tables say."""

import numpy as np

import toolkit
from toolkit import plot


def test_compare(data, stories):
    other = toolkit.read(data / "pairs_whole.jsonl")
    ax = plot.compare(stories, other, on="position")
    pairs = toolkit.compare(stories, other, on="position")
    summary = toolkit.compare_summary(pairs).iloc[0]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    shown = np.sort(np.concatenate([line.get_ydata() for line in dots]))
    np.testing.assert_allclose(shown, np.sort(pairs["delta_nll"].dropna()))
    assert ax.lines[1].get_ydata()[0] == summary["delta_nll"]
