"""The plot of reliability shows what the metric table says."""

import numpy as np
import pytest

import toolkit
from toolkit import plot


@pytest.mark.parametrize("strategy", ["width", "mass"])
def test_reliability(judged, strategy):
    confidence, correct = judged
    ax = plot.reliability(confidence, correct, strategy=strategy)
    table = toolkit.reliability(confidence, correct, strategy=strategy)
    filled = table[table["n"] > 0]
    np.testing.assert_array_equal(ax.lines[1].get_xdata(), filled["mean_confidence"])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), filled["accuracy"])
    (bars,) = [c for c in ax.collections if hasattr(c, "get_segments")]
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])
    np.testing.assert_allclose(ends[:, 0], filled["accuracy_lower"])
    np.testing.assert_allclose(ends[:, 1], filled["accuracy_upper"])
    (strip,) = ax.child_axes
    assert [bar.get_height() for bar in strip.patches] == table["n"].tolist()
    assert "ECE 0.211" in ax.get_title()
