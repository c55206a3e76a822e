"""The plot of agreement shows what the metric table says."""

import re

import numpy as np

import toolkit
from toolkit import plot


def number(text):
    return (re.findall(r"-?\d+", text) or [None])[0]


def test_agreement(data):
    sums = toolkit.read(data / "arithmetic_n5.jsonl")
    ax = plot.agreement(sums, answer=number)
    table = toolkit.agreement(sums, answer=number)
    dark = [bar.get_height() for bar in ax.patches if bar.get_y() == 0.0]
    assert dark == sorted(table["majority_share"], reverse=True)
    tops = {}
    for bar in ax.patches:
        tops[bar.get_x()] = max(tops.get(bar.get_x(), 0.0), bar.get_y() + bar.get_height())
    np.testing.assert_allclose(list(tops.values()), 1.0)
    assert "35 more omitted" in plot.agreement(sums, max_questions=5).get_title()
