"""Hidden characters are made visible."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.visible_text import (
    is_hidden,
    pieces,
    plain,
    spelled,
    spelled_token,
    token_texts,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" a", " a"),
        ("a b", "a b"),
        (" ", "␣"),
        ("a ", "a␣"),
        ("  a", "␣␣a"),
        ("\n\n", "↵↵"),
        ("\t", "⇥"),
        ("\r\n", "␍↵"),
        ("\x00", "⟨U+0000⟩"),
        ("\x1b[31m", "⟨U+001B⟩[31m"),
        ("\u202e", "⟨U+202E⟩"),
        ("\u200b", "⟨U+200B⟩"),
        ("pass\u200dword", "pass⟨U+200D⟩word"),
        ("\u3164", "⟨U+3164⟩"),
        ("a\U000e0101", "a⟨U+E0101⟩"),
        ("\ufe0f", "⟨U+FE0F⟩"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("👨\u200d👩", "👨\u200d👩"),
        ("क्\u200dष", "क्\u200dष"),
        ("\u2028", "⟨U+2028⟩"),
        ("\ue000", "⟨U+E000⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("", "∅"),
    ],
)
def test_what_hides_is_shown(text, shown):
    assert "".join(piece.text for piece in pieces(text)) == shown


@given(st.text(alphabet=st.characters(), max_size=12))
def test_nothing_is_obeyed_and_nothing_vanishes(text):
    shown = pieces(text)
    assert shown
    assert all(piece.text for piece in shown)
    for piece in shown:
        for i, char in enumerate(piece.text):
            joined = char in "\u200c\u200d" and i > 0
            assert joined or not is_hidden(char), ascii(text)
    own = [piece.text for piece in shown if not piece.is_mark]
    assert len("".join(own)) <= len(text)
    # Every visible letter is still there, in order.
    letters = [c for c in text if unicodedata.category(c) in ("Lu", "Ll") and not is_hidden(c)]
    rest = iter("".join(own))
    assert all(c in rest for c in letters)


def test_a_character_belongs_to_the_token_that_completes_it():
    heart = "💙".encode()
    tokens = [("�", heart[:1]), ("�", heart[1:3]), ("�", heart[3:] + b"!")]
    assert list(token_texts(tokens)) == [("", heart[:1]), ("", heart[1:3]), ("💙!", b"")]


@pytest.mark.parametrize(
    ("token", "raw", "shown"),
    [
        (" a", None, "␣a"),
        (" a", b" a", "␣a"),
        ("", b"", "∅"),
        ("", None, "∅"),
        ("\ufffd", b"\xf0\x9f", "⟨f0 9f⟩"),
        ("\ufffd!", b"\x92\x99!", "⟨92 99⟩!"),
        ("\ufffd", b"a\xff b\xf0", "a⟨ff⟩␣b⟨f0⟩"),
        ("\ufffd", None, "\ufffd"),
        ("\u0301", "\u0301".encode(), "◌\u0301"),
        ("\x1b[0m\n", None, "⟨U+001B⟩[0m↵"),
        ("\udc80", None, "⟨U+DC80⟩"),
    ],
)
def test_a_token_on_its_own_is_spelled(token, raw, shown):
    assert spelled_token(token, raw) == shown


@given(st.text(alphabet=st.characters(), max_size=12), st.none() | st.binary(max_size=12))
def test_a_spelled_token_is_one_line_of_visible_characters(token, raw):
    line = spelled_token(token, raw, most=12)
    assert 0 < len(line) <= 12
    assert all(char in "\u200c\u200d" or not is_hidden(char) for char in line)


def test_short_texts_are_clipped():
    assert spelled("a" * 50, most=5) == "aaaa…"
    assert spelled("", b"\xf0\x9f") == "⟨f0 9f⟩"
    assert len(plain("x" * 200)) == 48
    assert len(plain("x" * 200, most=None)) == 200
    assert plain("a\nb") == "a↵b"


@given(st.text(max_size=40), st.lists(st.integers(1, 6), max_size=20))
@settings(deadline=None)
def test_no_character_is_lost_between_tokens(text, sizes):
    data, at, tokens = text.encode("utf-8", "replace"), 0, []
    for size in sizes:
        tokens.append(("", data[at : at + size]))
        at += size
    tokens.append(("", data[at:]))
    parts = list(token_texts(tokens))
    assert "".join(part for part, _ in parts) == data.decode()
    for (part, rest), (_, raw) in zip(parts, tokens, strict=True):
        assert raw.endswith(rest)
        assert part or rest or not raw
