"""The plot of labels shows what the metric table says."""

import numpy as np
import pytest

import toolkit
from toolkit import plot
from toolkit.errors import ArgumentError


def test_label_heatmap(data):
    reviews = toolkit.read(data / "sentiment_k20.jsonl")
    labels = ["positive", "negative"]
    ax = plot.label_heatmap(reviews, labels)
    table = toolkit.label_distribution(reviews, labels)
    shown = np.asarray(ax.images[0].get_array()).ravel()
    np.testing.assert_array_equal(shown, table["probability_lower"])
    assert len(ax.patches) == table["is_answer"].sum()
    cut = plot.label_heatmap(reviews, labels, max_answers=5)
    assert "15 more omitted" in cut.get_title()
    with pytest.raises(ArgumentError, match="max_answers"):
        plot.label_heatmap(reviews, labels, max_answers=0)
