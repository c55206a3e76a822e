"""The plot of risk and coverage shows what the metric table says."""

import numpy as np
import pytest

import toolkit
from toolkit import plot


def test_risk_coverage(judged):
    confidence, correct = judged
    ax = plot.risk_coverage(confidence, correct)
    table = toolkit.metrics.risk_coverage(confidence, correct)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), table["risk"])
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), table["coverage"])
    assert ax.lines[1].get_ydata()[0] == pytest.approx(0.13)
