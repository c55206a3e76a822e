"""The plot of the alternatives at one position shows what the tables say."""

import math

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from toolkit import plot
from toolkit.errors import ArgumentError


def test_alternatives(stories):
    ax = plot.alternatives(stories, response=0, position=3)
    key = stories.responses["response_key"][0].as_py()
    alone = stories.filter(response_key=key)
    entries = [e for e in alone.alternatives.to_pylist() if e["position"] == 3 and e["choice"] == 0]
    entries.sort(key=lambda entry: entry["rank"])
    bars = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    p = [math.exp(entry["logprob"]) for entry in entries]
    found = [bar.get_width() for bar in bars]
    np.testing.assert_allclose(found[: len(p)], p)
    assert sum(found) == pytest.approx(1.0, abs=1e-6)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert sum(name.startswith("▸") for name in names) == 1
    assert names[-1] == "not listed"
    for bad in (-1, 10_000, True, 1.0):
        with pytest.raises(ArgumentError, match="position"):
            plot.alternatives(stories, position=bad)


def test_the_title_says_what_is_before(stories):
    assert plot.alternatives(stories, position=0).get_title() == "position 0 · at the beginning"
    title = plot.alternatives(stories, position=2).get_title()
    assert title == "position 2 · after “ there lived”"


@pytest.mark.parametrize("position", [0, 3, 6])
def test_no_bar_of_a_second_drawing_crosses_a_number(stories, position):
    ax = None
    for number in range(3):
        options = {"position": position, "ax": ax, "label": f"answer {number}"}
        ax = plot.alternatives(stories, response=number, **options)
    ax.figure.draw_without_rendering()
    numbers = [text.get_window_extent() for text in ax.texts if text.get_text()]
    bars = [bar.get_window_extent() for bar in ax.patches if isinstance(bar, Rectangle)]
    assert len(numbers) == len(bars)
    frame = ax.get_window_extent()
    for place, text in enumerate(numbers):
        assert frame.x0 < text.x0 < text.x1 <= frame.x1 + 1
        assert not any(text.x0 < bar.x1 and text.y0 < bar.y1 and bar.y0 < text.y1 for bar in bars)
        assert not any(text.overlaps(other) for other in numbers[:place])
