"""Tokens whose bytes were lost: placed rightly, or said to be unknown."""

import math
import time

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import toolkit
from tests.metrics.byte_pieces import cut, spoken, touching
from toolkit.metrics import field_metrics, span_metrics, word_metrics
from toolkit.metrics._alignment.replacement import LOST, rejoined

LOSSES = ["no bytes", "bytes of U+FFFD"]


def heard(pieces, text, loss="no bytes"):
    """Load an answer as servers send it that decode each token by itself."""
    entries = []
    for raw, logprob in pieces:
        said = raw.decode("utf-8", "replace")
        sent = None if loss == "no bytes" else list(said.encode())
        entries.append({"token": said, "logprob": logprob, "bytes": sent})
    choice = {"message": {"content": text}, "logprobs": {"content": entries}}
    return toolkit.from_responses({"choices": [choice]})


def every_span(lp, text):
    """Return the metrics of all spans of the first answer."""
    key = lp.responses["response_key"][0].as_py()
    n = len(text)
    pairs = [(low, high) for low in range(n + 1) for high in range(low, n + 1)]
    asked = pd.DataFrame(pairs, columns=["start", "end"])
    return span_metrics(lp, asked.assign(response_key=key))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    "cuts", [[6, 7, 8, 9, 10], [6, 8], [7, 9, 12], [5, 6, 8, 10, 15], range(20)]
)
def test_the_field_after_an_emoji_has_its_own_token(cuts, loss):
    text = '{"a":"💙","b":7}'
    raw = text.encode()
    pieces = cut(raw, list(cuts))
    fields = field_metrics(heard(pieces, text, loss)).set_index("path")
    emoji, seven = raw.index("💙".encode()), raw.index(b"7")
    assert fields["value"].tolist() == ["💙", "7"]
    for path, low, high in (("$.a", emoji, emoji + 4), ("$.b", seven, seven + 1)):
        own = [pieces[i][1] for i in touching(pieces, low, high)]
        assert fields.loc[path, "n_tokens"] == len(own)
        assert fields.loc[path, "sum_logprob"] == math.fsum(own) != 0.0


TEXTS = st.text(
    alphabet=st.sampled_from(list('a "') + ["é", "我", "💙", "\ufffd"]), min_size=1, max_size=9
)


@given(TEXTS, st.lists(st.integers(0, 36)), st.sampled_from(LOSSES))
@example("💙éé💙x", [3, 4, 6, 7, 8, 9], "no bytes")
def test_what_is_known_is_true(text, cuts, loss):
    raw = text.encode()
    pieces = cut(raw, cuts)
    whole = every_span(spoken(pieces), text)
    got = every_span(heard(pieces, text, loss), text)
    assert got.iloc[len(text)]["is_aligned"], "all of the text is always known"
    known = got["is_aligned"].to_numpy()
    assert whole["is_aligned"].all()
    pd.testing.assert_frame_equal(got[known], whole[known])
    unknown = got[~known]
    assert (unknown["n_tokens"] == 0).all()
    assert not unknown["is_covered"].any()
    assert unknown[["sum_logprob", "probability", "surprisal_lower"]].isna().all(axis=None)
    # An end is unknown only inside or next to a character that was cut.
    if not any("\ufffd" in piece.decode("utf-8", "replace") for piece, _ in pieces):
        assert known.all()


def test_ascii_around_a_lost_character_leaves_nothing_open():
    pieces = [(b"Hi ", -1.0), (b"\xf0\x9f", -2.0), (b"\x92\x99!", -3.0), (b" ok", -4.0)]
    words = word_metrics(heard(pieces, "Hi 💙! ok"))
    assert words["sum_logprob"].tolist() == [-1.0, -5.0, -4.0]
    assert words["is_aligned"].all()
    assert set(words["text_of"]) == {"sent"}


def test_what_could_stand_in_two_places_is_a_part_of_the_gap():
    joined = b"".join([LOST * 2, "é".encode(), LOST * 4, b"x"])
    found = rejoined("💙éé💙x".encode(), joined)
    assert found.gaps.tolist() == [[0, 12]]
    assert set(found.starts[:-1].tolist()) == {0}
    assert found.starts[-1] == 12


def test_between_lost_characters_nothing_is_known():
    pieces = [(b"\xf0\x9f", -1.0), (b"\x92\x99", -2.0), (b"\xf0\x9f\x92", -3.0), (b"\x99", -4.0)]
    got = every_span(heard(pieces, "💙💙"), "💙💙").set_index(["start", "end"])
    assert not got.loc[(0, 1), "is_aligned"]
    assert got.loc[(0, 1), "n_tokens"] == 0
    assert math.isnan(got.loc[(0, 1), "sum_logprob"])
    assert got.loc[(0, 2), "sum_logprob"] == -10.0
    assert got.loc[(0, 2), "n_partial"] == 0
    assert got.loc[(1, 1), "is_aligned"]


@pytest.mark.parametrize(
    ("sent", "joined"),
    [
        ("ab", "a\ufffdb"),  # nothing lost there
        ("aéb", "a\ufffdc"),
        ("a💙b", "a\ufffdb"),  # one part of a character cannot be four bytes
        ("aéb", "a\ufffd\ufffd\ufffdb"),
        ("éxé", "\ufffd\ufffd"),
        ("b", "a\ufffdb"),
    ],
)
def test_what_does_not_fit_is_unknown(sent, joined):
    assert rejoined(sent.encode(), joined.encode()) is None
    if sent != "b":
        got = every_span(heard([(joined.encode(), -1.0)], sent), sent)
        assert got["is_aligned"].tolist() == (got["start"] == got["end"]).tolist()
        assert (got["n_tokens"] == 0).all()
        assert set(got["text_of"]) == {"sent"}


def test_white_space_around_is_no_part_of_it():
    pieces = [(b" ", -1.0), (b"a\xc3", -2.0), (b"\xa9", -3.0), (b"\n", -4.0)]
    got = every_span(heard(pieces, "aé"), "aé").set_index(["start", "end"])
    assert got.loc[(0, 2), "sum_logprob"] == -5.0
    assert got.loc[(0, 1), "sum_logprob"] == -2.0
    assert got.loc[(0, 2), "n_partial"] == 0


@pytest.mark.parametrize("piece", ["\ufffd\ufffdé", "\ufffd", "é\ufffda", "\ufffd\ufffdééé"])
def test_time_is_bounded(piece):
    data = ("é" * 60_000).encode()
    begin = time.process_time()
    rejoined(data, (piece * 20_000).encode())
    assert time.process_time() - begin < 5
