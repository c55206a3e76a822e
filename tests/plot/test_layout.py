"""Tokens laid out as running text."""

from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.plot._glyphs import run_width, runs
from toolkit.plot._layout import flow


@given(st.lists(st.tuples(st.text("ab \n", min_size=1, max_size=30), st.booleans()), max_size=30))
@settings(deadline=None, max_examples=50)
def test_flow_keeps_order_and_width(tokens):
    width = 120.0
    laid = flow([(runs(text, b"", 10.0), ends) for text, ends in tokens], width)
    assert [box.token for box in laid] == sorted(box.token for box in laid)
    assert {box.token for box in laid} == set(range(len(tokens)))
    for box in laid:
        assert box.x + box.width <= width + 1e-6
        assert box.width >= sum(run_width(run) for run, _ in box.runs)
    lines = [box.line for box in laid]
    assert lines == sorted(lines)
