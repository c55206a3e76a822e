"""Tokens aligned with a text."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.byte_pieces import body, spoken
from toolkit import from_responses, schema
from toolkit.metrics._alignment.texts import aligned, decoded, texts


def align(sent, *pieces):
    return aligned(sent, pa.array(pieces, schema.BINARY), 0)


@pytest.mark.parametrize(
    ("sent", "pieces", "text", "text_of", "starts"),
    [
        ("ab", [b"a", b"b"], "ab", "sent", [0, 1, 2]),
        ("abc", [b"a", b"b"], "abc", "sent", [0, 1, 2]),  # tokens are its beginning
        ("ab", [b" a", b"b"], "ab", "sent", [-1, 1, 2]),  # a blank in front
        ("ab", [b"ab", b"\n"], "ab", "sent", [0, 2, 3]),  # and a line end after it
        ("ab", [b"<x>", b"ab", b"</x>"], "ab", "sent", [-3, 0, 2, 6]),
        ("a", [b"a", b"b", b"a"], "aba", "tokens", [0, 1, 2, 3]),  # there twice
        ("xy", [b"a", b"b"], "ab", "tokens", [0, 1, 2]),
        (None, [b"a", b"b"], "ab", "tokens", [0, 1, 2]),
        ("ab", [], "ab", "sent", [0]),
        ("💙", [b"\xf0\x9f", b"\x92\x99"], "💙", "sent", [0, 2, 4]),
        (None, [b"\xf0\x9f", b"!"], "�!", "tokens", [0, 2, 3]),
    ],
)
def test_texts_and_tokens_are_brought_together(sent, pieces, text, text_of, starts):
    found = align(sent, *pieces)
    assert (found.text, found.text_of) == (text, text_of)
    assert found.token_starts.tolist() == starts
    assert len(found.char_starts) == len(text) + 1


@given(st.binary(max_size=40))
def test_decoding_is_pythons_and_every_character_has_its_place(data):
    text, starts = decoded(data)
    assert text == data.decode("utf-8", "replace")
    assert len(starts) == len(text) + 1
    assert starts[-1] == len(data)
    assert (np.diff(starts) > 0).all()
    for char, low, high in zip(text, starts, starts[1:], strict=False):
        assert data[low:high].decode("utf-8", "replace") == char


def test_only_answers_with_text_or_tokens_are_given():
    empty = {"choices": [{"message": {"content": None}}]}
    lp = from_responses([body([(b"a", -1.0)]), empty, body([(b"b", -1.0)])])
    assert [(row, text.text) for row, text in texts(lp, "content")] == [(0, "a"), (2, "b")]
    assert list(texts(lp, "refusal")) == []


def test_rows_are_those_of_the_table():
    lp = spoken([(b"a", -1.0), (b"b", -2.0)], [(b"c", -3.0)])
    for _, text in texts(lp, "content"):
        n = len(text.token_starts) - 1
        run = lp.tokens.slice(text.first_row, n)
        assert "".join(run["token"].to_pylist()) == text.text


def test_tokens_without_bytes_are_their_text():
    entries = [{"token": "ä", "logprob": -1.0}, {"token": "b", "logprob": -1.0}]
    choice = {"message": {"content": "äb"}, "logprobs": {"content": entries}}
    ((_, text),) = texts(from_responses({"choices": [choice]}), "content")
    assert (text.text_of, text.token_starts.tolist()) == ("sent", [0, 2, 3])
