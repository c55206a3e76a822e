"""Open streams, found by when they were active."""

from hypothesis import given
from hypothesis import strategies as st

from toolkit.loaders.merging.streams import OpenStreams, Stream


@given(st.data())
def test_the_latest_and_the_oldest_are_those_of_a_search(data):
    """Also if streams end, come again, and are active ahead of others that are activated later."""
    streams, known = OpenStreams(), {}
    lasts = iter(data.draw(st.permutations(range(60))))
    for _ in range(data.draw(st.integers(1, 60))):
        record = data.draw(st.integers(0, 5))
        last = next(lasts)
        if data.draw(st.integers(0, 4)) == 0:
            streams.pop(record, None)
            known.pop(record, None)
        else:
            stream = streams.get(record) or Stream(record, "")
            stream.last = known[record] = max(last, known.get(record, 0))
            streams.activate(stream)
        before = data.draw(st.integers(0, 60))
        latest, oldest = streams.latest(), streams.oldest(before=before)
        assert (latest and latest.last) == max(known.values(), default=None)
        lowest = min(known.values(), default=before)
        assert (oldest and oldest.last) == (lowest if lowest < before else None)


def test_what_is_remembered_is_no_more_than_what_is_open():
    """Two streams in turn, for long."""
    streams = OpenStreams()
    both = [Stream(0, "a"), Stream(1, "b")]
    for last in range(2, 10_000):
        stream = both[last % 2]
        stream.last = last
        streams.activate(stream)
    assert len(streams._latest) + len(streams._oldest) < 200
    assert streams.latest() is both[1]
    assert streams.oldest(before=9_999) is both[0]
