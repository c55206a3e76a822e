"""The rules that assign chunks to responses, without texts and tables."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.loaders.buffers import KIND_CHUNK, KIND_EITHER, KIND_ERROR, KIND_FINAL_COPY
from toolkit.loaders.merging.assign import LATE, Assigner
from toolkit.loaders.merging.assign_block import Chunks, assign_block
from toolkit.loaders.merging.streams import Chunk, Rejected, Stream

OPENS, TEXT, FINISH, OPENS_WITH_TEXT, NOTHING, TEXT_AND_FINISH = (
    (True, False, False),
    (False, True, False),
    (False, False, True),
    (True, True, False),
    (False, False, False),
    (False, True, True),
)


class Feeder:
    """Number chunks and assign them one by one."""

    def __init__(self, window=1000):
        self.assigner = Assigner(window)
        self.record = -1
        self.done_markers = 0

    def __call__(self, id_, *deltas, usage=False, kind=KIND_CHUNK, row=""):
        """Return the response of a chunk; a delta is a shape (of choice 0), or choice and shape."""
        self.record += 1
        plain = [(0, *delta) if len(delta) == 3 else (delta[0], *delta[1]) for delta in deltas]
        place = (self.record, self.record, 0, self.done_markers)
        chunk = Chunk(*place, kind, id_, usage, plain, row)
        return self.assigner.assign(chunk)

    def done(self):
        self.done_markers += 1

    def reject(self):
        self.record += 1
        self.assigner.gap(Rejected(self.record))

    def notes(self):
        return {record: codes for record, codes in self.assigner.notes.items() if codes}


@pytest.fixture
def feed():
    return Feeder()


def test_a_stream_is_named_by_its_first_record(feed):
    assert [feed("a", OPENS), feed("a", TEXT), feed("a", FINISH), feed("a", usage=True)] == [0] * 4


def test_two_ids_are_two_streams(feed):
    found = [feed("a", OPENS), feed("b", OPENS), feed("a", TEXT), feed("b", TEXT)]
    assert found == [0, 1, 0, 1]


def test_without_an_id_the_last_active_is_meant(feed):
    assert [feed("a", TEXT), feed("b", TEXT), feed("a", TEXT), feed("", TEXT)] == [0, 1, 0, 0]


def test_a_nameless_first_chunk_is_taken_over(feed):
    assert [feed(""), feed("a", OPENS), feed("a", TEXT)] == [0, 0, 0]


def test_a_nameless_chunk_with_choices_is_not_taken_over(feed):
    assert [feed("", TEXT), feed("a", OPENS)] == [0, 1]


@pytest.mark.parametrize("id_", ["", "a"])
@pytest.mark.parametrize("shape", [OPENS, TEXT, OPENS_WITH_TEXT])
def test_after_the_finish_it_is_another_response(feed, id_, shape):
    feed(id_, TEXT)
    feed(id_, FINISH)
    assert feed(id_, shape) == 2


@pytest.mark.parametrize("id_", ["", "a"])
def test_after_the_finish_nothing_and_usage_still_belong(feed, id_):
    feed(id_, TEXT)
    feed(id_, FINISH)
    assert feed(id_, NOTHING) == 0
    assert feed(id_, OPENS, usage=True) == 0
    assert feed(id_, usage=True) == 0


def test_another_choice_after_the_finish_still_belongs(feed):
    feed("a", (0, TEXT))
    feed("a", (0, FINISH))
    assert feed("a", (1, OPENS)) == 0


def test_usage_alone_closes(feed):
    feed("a", TEXT)
    feed("a", FINISH)
    feed("a", usage=True)
    assert feed("a", TEXT) == LATE
    assert feed("a", usage=True) == 0
    assert feed("a", OPENS) == 5


def test_usage_before_any_text_closes_nothing(feed):
    assert [feed("a", OPENS), feed("a", usage=True), feed("a", TEXT)] == [0, 0, 0]


def test_usage_beside_a_choice_closes_nothing(feed):
    assert [feed("a", TEXT, usage=True), feed("a", TEXT, usage=True)] == [0, 0]


def test_done_closes_what_is_finished(feed):
    feed("a", TEXT)
    feed("b", TEXT)
    feed("b", FINISH)
    feed("a", TEXT)
    feed.done()
    assert feed("a", TEXT) == 0
    assert feed("b", TEXT) == LATE


def test_done_closes_the_only_open_response(feed):
    feed("a", TEXT)
    feed.done()
    assert feed("a", TEXT) == LATE


def test_done_that_could_be_of_two_responses_closes_neither(feed):
    feed("a", TEXT)
    feed("b", TEXT)
    feed.done()
    assert [feed("a", TEXT), feed("b", TEXT)] == [0, 1]


def test_each_done_closes_the_response_that_finished_first(feed):
    for name in "ab":
        feed(name, TEXT)
    for name in "ab":
        feed(name, FINISH)
    feed.done()
    feed("c", TEXT)
    assert list(feed.assigner.open) == [1, 4]
    feed.done()
    feed("c", TEXT)
    assert list(feed.assigner.open) == [4]


def test_late_usage_is_taken_once(feed):
    feed("a", TEXT)
    feed("a", FINISH)
    feed.done()
    assert feed("a", usage=True) == 0
    assert feed.notes() == {0: {"late_usage"}}
    assert feed("a", TEXT, usage=True) == LATE


@pytest.mark.parametrize("id_", ["", "a"])
def test_usage_alone_may_come_again(feed, id_):
    feed(id_, TEXT)
    feed(id_, FINISH)
    feed(id_, usage=True)
    assert feed(id_, usage=True) == 0
    assert feed(id_, NOTHING, usage=True) == LATE
    assert feed.notes() == {}


def test_a_choice_that_finishes_twice(feed):
    assert [feed("a", TEXT), feed("a", FINISH), feed("a", FINISH), feed("b", TEXT)] == [0, 0, 0, 3]
    assert [feed("b", FINISH), feed("b", FINISH, usage=True)] == [3, 3]
    assert feed.notes() == {0: {"index_finished_twice"}}


def test_what_may_be_whole_joins_no_response_with_an_id(feed):
    assert feed("a", TEXT) == 0
    assert feed("", TEXT_AND_FINISH, kind=KIND_EITHER) == 1
    assert feed("a", TEXT) == 0
    assert [feed("", TEXT), feed("", FINISH, kind=KIND_EITHER)] == [0, 4]


def test_a_row_names_the_response_of_a_chunk_without_an_id(feed):
    found = [feed("", TEXT, row=name) for name in ("q1", "q2", "q1", "q2")]
    assert found == [0, 1, 0, 1]
    assert [feed("", FINISH, row="q1"), feed("", TEXT, row="q1")] == [0, 5]
    assert feed("", kind=KIND_ERROR, row="q2") == 1
    assert feed("", kind=KIND_ERROR, row="q3") == 7


def test_the_window():
    feed = Feeder(window=3)
    assert [feed("a", TEXT), feed("b", TEXT), feed("b", TEXT), feed("a", TEXT)] == [0, 1, 1, 0]
    for _ in range(3):
        feed("b", TEXT)
    assert feed("a", TEXT) == LATE
    assert feed("a", OPENS) == 8


def test_rejected_records_count_for_the_window():
    feed = Feeder(window=3)
    feed("a", TEXT)
    for _ in range(3):
        feed.reject()
    assert feed("a", TEXT) == LATE
    assert feed.notes() == {0: {"gap"}}


def test_a_gap_is_noted_on_what_is_open(feed):
    feed("a", TEXT)
    feed("a", FINISH)
    feed("a", usage=True)
    feed("b", TEXT)
    feed.reject()
    feed("c", TEXT)
    assert feed.notes() == {3: {"gap"}}


def test_an_error_breaks_off_the_last_active(feed):
    feed("a", TEXT)
    feed("b", TEXT)
    assert feed("", kind=KIND_ERROR) == 1
    assert feed("b", FINISH) == 1
    feed("b", usage=True)
    feed("a", FINISH)
    assert feed("", kind=KIND_ERROR) == 6


def test_an_error_with_an_id_breaks_off_that_stream(feed):
    feed("a", TEXT)
    feed("b", TEXT)
    assert feed("a", kind=KIND_ERROR) == 0


def test_an_error_alone(feed):
    assert feed("", kind=KIND_ERROR) == 0
    assert feed("a", TEXT) == 1


@given(st.data())
def test_any_interleaving_of_whole_streams(data):
    """Streams with different ids never mix, in whatever order their chunks come."""
    queues = {}
    for name in "abcd"[: data.draw(st.integers(1, 4))]:
        n = data.draw(st.integers(1, 3))
        steps = [[(i, OPENS)] for i in range(n)]
        middle = data.draw(st.lists(st.integers(0, n - 1), max_size=5))
        steps += [[(i, TEXT)] for i in middle] + [[(i, FINISH)] for i in range(n)]
        queues[name] = steps + data.draw(st.sampled_from(([], [[]])))
    feed, owners, first = Feeder(), defaultdict(set), {}
    while queues:
        name = data.draw(st.sampled_from(sorted(queues)))
        step = queues[name].pop(0)
        owner = feed(name, *step, usage=not step)
        first.setdefault(name, feed.record)
        owners[name].add(owner)
        if not queues[name]:
            del queues[name]
    assert owners == {name: {record} for name, record in first.items()}
    assert feed.notes() == {}


@given(st.data())
def test_any_chunks_at_all(data):
    """An owner is LATE, a record before that is itself an owner, or the chunk's own record."""
    feed = Feeder(window=data.draw(st.integers(1, 8)))
    shapes = st.sampled_from((OPENS, TEXT, FINISH, OPENS_WITH_TEXT, NOTHING))
    deltas = st.lists(st.tuples(st.integers(0, 2), shapes), max_size=2)
    owners = {}
    for _ in range(data.draw(st.integers(1, 20))):
        event = data.draw(st.integers(0, 9))
        kinds = {2: KIND_ERROR, 3: KIND_EITHER, 4: KIND_FINAL_COPY}
        if event == 0:
            feed.done()
        elif event == 1:
            feed.reject()
        else:
            id_ = data.draw(st.sampled_from(("", "a", "b")))
            owner = feed(
                id_,
                *data.draw(deltas),
                usage=data.draw(st.booleans()),
                kind=kinds.get(event, KIND_CHUNK),
            )
            owners[feed.record] = owner
            assert owner == LATE or owners[owner] == owner
            assert owner <= feed.record
    assert set(feed.notes()) <= set(owners.values())
    for codes in feed.notes().values():
        assert codes <= {"gap", "late_usage", "index_finished_twice"}


# Whole blocks


def columns(chunks):
    """Return chunks as `assign_block` takes them."""
    deltas = [delta for chunk in chunks for delta in chunk.deltas]
    choice, opens, payload, finishes = np.array(deltas, np.int64).reshape(-1, 4).T
    numbers = np.array(
        [(c.record, c.last, c.scope, c.done, c.kind, c.has_usage) for c in chunks], np.int64
    )
    record, last, scope, done, kind, has_usage = numbers.reshape(-1, 6).T
    return Chunks(
        *(record, last, scope, done, kind, has_usage > 0),
        id=pa.array([chunk.id or None for chunk in chunks], pa.large_string()),
        custom_id=pa.array([chunk.custom_id or None for chunk in chunks], pa.large_string()),
        item=np.zeros(len(chunks), np.int64),
        item_id=pa.nulls(len(chunks), pa.large_string()),
        bounds=np.cumsum([0, *(len(chunk.deltas) for chunk in chunks)]),
        **{"choice": choice, "opens": opens > 0, "payload": payload > 0, "finishes": finishes > 0},
    )


def one_by_one(assigner, chunks, rejected):
    owners = []
    for each in sorted([*chunks, *rejected], key=lambda each: each.record):
        if isinstance(each, Chunk):
            owners.append(assigner.assign(each))
        else:
            assigner.gap(each)
    return owners


def state(assigner, record):
    """Return what chunks after a record depend on."""
    assigner.unfinished(record)  # closes what has no recent chunk
    names = [name for name in Stream.__slots__ if name != "gaps"]  # the notes say the same
    streams = {
        record: [getattr(stream, name) for name in names]
        for record, stream in assigner.open.items()
    }
    notes = {record: codes for record, codes in assigner.notes.items() if codes}
    by_row = {name: stream.record for name, stream in assigner.by_row.items()}
    return streams, notes, assigner.done, assigner.any_closed, set(assigner.owed), by_row


@st.composite
def blocks(draw):
    """A few blocks of chunks and rejected records, most of them of streams without oddities."""
    shapes = st.sampled_from((OPENS, TEXT, TEXT, TEXT, FINISH, NOTHING))
    record = done = 0
    made = []
    for _ in range(draw(st.integers(1, 3))):
        chunks, rejected = [], []
        for _ in range(draw(st.integers(1, 6))):
            event = draw(st.integers(0, 11))
            if event == 0:
                done += 1
            elif event == 1:
                rejected.append(Rejected(record, 0, done))
            else:
                shape = [(draw(st.integers(0, 1)), *draw(shapes))] if event > 2 else []
                id_ = draw(st.sampled_from("ab"))
                usage = not shape or draw(st.integers(0, 9)) == 0
                row = draw(st.sampled_from(("", "p", "q")))
                place = (record, record, 0, done)
                chunks.append(Chunk(*place, KIND_CHUNK, id_, usage, shape, row))
            record += event != 0
        made.append((chunks, rejected))
    return made


@settings(max_examples=500, deadline=None)
@given(blocks(), st.sampled_from((3, 1000)))
def test_a_block_is_assigned_as_its_chunks_are(made, window):
    """Also where streams go on from one block to the next."""
    whole, single = Assigner(window), Assigner(window)
    for chunks, rejected in made:
        expected = one_by_one(single, chunks, rejected)
        found = assign_block(whole, columns(chunks), rejected) if chunks else None
        if found is None:
            found = one_by_one(whole, chunks, rejected)
        assert list(found) == expected
        newest = max([each.record for each in (*chunks, *rejected)], default=0)
        assert state(whole, newest) == state(single, newest)


def test_a_choice_of_an_earlier_block_is_not_taken_for_that_of_another_stream():
    """Choice 1 of stream a has no chunk in the second block, in which b has only choice 0."""
    first = [Chunk(0, 0, 0, 0, KIND_CHUNK, "a", False, [(0, *TEXT), (1, *TEXT)])]
    steps = [("a", TEXT, 0), ("b", FINISH, 0), ("c", FINISH, 0), ("b", NOTHING, 1)]
    second = [
        Chunk(record, record, 0, done, KIND_CHUNK, id_, False, [(0, *shape)])
        for record, (id_, shape, done) in enumerate(steps, start=1)
    ]
    assigner = Assigner(100)
    assert one_by_one(assigner, first, []) == [0]
    assert assign_block(assigner, columns(second), []) is None
    assert one_by_one(assigner, second, []) == [0, 2, 3, LATE]
