"""The plot of two runs of an evaluation shows the table of their differences."""

import numpy as np
import pandas as pd

import toolkit
from toolkit import plot


def test_a_dot_and_an_interval_for_each_group():
    rng = np.random.default_rng(6)
    a = pd.DataFrame({"custom_id": range(60), "topic": ["x", "y", "$z$"] * 20})
    a["correct"] = rng.random(60) < 0.5
    b = a.assign(correct=rng.random(60) < 0.7)
    ax = plot.compare_evaluations(a, b, by="topic")
    table = toolkit.compare_evaluations(a, b, by="topic")
    assert ax.lines[1].get_xdata().tolist() == table["difference"].tolist()
    drawn = [path.vertices[:, 0].tolist() for path in ax.collections[0].get_paths()]
    assert drawn == table[["newcombe_lower", "newcombe_upper"]].to_numpy().tolist()
    assert [text.get_text() for text in ax.get_yticklabels()] == ["$z$", "x", "y"]
