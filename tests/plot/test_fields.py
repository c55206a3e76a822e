"""The plot of JSON fields shows what the metric table says."""

import numpy as np

import toolkit
from toolkit import plot


def test_field_confidence(data):
    lp = toolkit.read(data / "structured.jsonl")
    ax = plot.field_confidence(lp)
    fields = toolkit.field_metrics(lp)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == fields["path"].drop_duplicates().tolist()
    for row, path in enumerate(names):
        own = fields.loc[fields["path"] == path, "probability"]
        np.testing.assert_array_equal(ax.lines[2 * row].get_xdata(), own)
        assert ax.lines[2 * row + 1].get_xdata()[0] == own.median()
