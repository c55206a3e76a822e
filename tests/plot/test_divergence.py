"""The plot of a divergence shows the positions of `compare_tokens`."""

import numpy as np

import toolkit
from toolkit import plot


def test_each_position_that_differs_is_a_step(data):
    a, b = (toolkit.read(data / f"given_{name}.jsonl.gz") for name in ("q4_1", "q4_0"))
    ax = plot.divergence(a, b, channel="prompt")
    values = np.sort(toolkit.compare_tokens(a, b, channel="prompt")["kl_lower"].dropna())
    curve = ax.lines[0]
    np.testing.assert_array_equal(curve.get_xdata(), values)
    assert curve.get_ydata()[0] == 1.0
    assert curve.get_ydata()[-1] == 1 / len(values)
    report = toolkit.metrics.divergence(a, b, channel="prompt").set_index("measure")
    marks = [line.get_xdata()[0] for line in ax.lines[1:]]
    assert marks == report.loc["kl_lower", ["median", "p99"]].tolist()
