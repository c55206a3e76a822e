"""The reference decoder on whole blocks, on some rows of a block, and on objects."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from toolkit.loaders.decoding import reference, strict_json
from toolkit.loaders.decoding.ordinals import Ordinals
from toolkit.loaders.decoding.reference import ReferenceDecoder, Unit
from toolkit.loaders.formats.lookup import Lookup
from toolkit.loaders.framing.detect import frame
from toolkit.loaders.framing.frames import Counts, Frames

DATA = Path(__file__).parents[3] / "data"
GOOD = [
    json.dumps({"id": str(i), "choices": [{"message": {"content": str(i)}}]}).encode()
    for i in range(6)
]
LINES = [*GOOD[:2], b"{broken", b"[DONE]", GOOD[2], GOOD[3] + GOOD[4], b"[DONE]", GOOD[5]]
COLUMNS = ["record", "line", "byte_offset", "length", "scope", "done"]


@pytest.fixture
def block():
    [frames] = frame([b"\n".join([*LINES, b""])])
    return frames


def test_all_rows_count_every_record(block):
    decoder = ReferenceDecoder()
    decoded = decoder.frames(block)
    assert decoded.bodies["record"].to_pylist() == [0, 1, 3, 4, 5, 6]
    assert decoded.bodies["done"].to_pylist() == [0, 0, 1, 1, 1, 2]
    assert decoded.bodies["scope"].to_pylist() == [0] * 6
    assert decoded.rejects["record"].to_pylist() == [2]
    [run] = decoded.rejected.to_pylist()
    assert run == {"record": 2, "n_records": 1, "scope": 0, "done": 0}
    assert decoder.ordinals == Ordinals(record=7, scope=0, done=2)


@pytest.mark.parametrize("rows", [[2], [0, 2, 5], [4], [1, 4, 5], [2, 3], [0, 1, 2, 3, 4, 5]])
def test_some_rows_leave_the_places_of_the_others(block, rows):
    """Row 4 holds two records, so rows after it are decoded only together with it."""
    whole, some = ReferenceDecoder(), ReferenceDecoder()
    everything = whole.frames(block)
    decoded = some.frames(block, np.array(rows))
    lines = set(block.lines[rows].tolist())
    for name, columns in (("bodies", COLUMNS), ("rejects", COLUMNS[:4])):
        expected = [
            row
            for row in getattr(everything, name).select(columns).to_pylist()
            if row["line"] in lines
        ]
        found = getattr(decoded, name).select(columns).to_pylist()
        if 4 not in rows:  # elsewhere it counts as one record
            expected = [row | {"record": row["record"] - (row["line"] > 6)} for row in expected]
        assert found == expected
    assert (some.ordinals.scope, some.ordinals.done) == (whole.ordinals.scope, whole.ordinals.done)


def test_no_rows_only_count(block):
    decoder = ReferenceDecoder()
    decoded = decoder.frames(block, np.array([], np.int64))
    assert (decoded.bodies.num_rows, decoded.rejects.num_rows) == (0, 0)
    assert decoder.ordinals == Ordinals(record=6, scope=0, done=2)


# Cases that surviving mutants showed


ANSWER = b'{"choices": [{"message": {"content": "%s"}}]}'


def test_texts_in_memory_are_read_as_bytes_are():
    good, half = (ANSWER % b"x").decode(), '{"choices": [{"message": {"content": "\ud800"}}]}'
    decoded = ReferenceDecoder().objects([Unit([good, half, good.encode()])])
    assert decoded.parts["content"].to_pylist() == ["x", "x"]
    assert decoded.rejects["reason"].to_pylist() == ["bad_utf8"]


def test_values_of_one_frame_have_lines_of_their_own():
    data = b"\n\n".join([ANSWER % b"x", ANSWER % b"y", b"{bad"])
    numbers = (np.array([n], np.int64) for n in (0, len(data), 5, 100, len(data)))
    frames = Frames(data, *numbers, np.empty(0, np.int64), Counts(0, 0, 0, 0, len(data)))
    decoded = ReferenceDecoder().frames(frames)
    assert decoded.bodies["line"].to_pylist() == [5, 7]
    second = len(ANSWER % b"x") + 2
    assert decoded.bodies["byte_offset"].to_pylist() == [100, 100 + second]
    assert decoded.rejects["line"].to_pylist() == [9]


def test_lone_surrogates_at_a_path_are_replaced():
    record = {"raw": {"choices": [{"message": {"content": "a\ud800"}}]}}
    decoded = ReferenceDecoder(Lookup(path="raw")).objects([Unit([record])])
    assert decoded.parts["content"].to_pylist() == ["a\ufffd"]
    assert decoded.bodies["notes"].to_pylist() == [["lone_surrogate"]]


@pytest.mark.parametrize(
    ("body", "reason"),
    [("", "unknown_format"), ("[]", "empty_record"), ("{bad", "not_json"), ("[" * 99, "too_deep")],
)
def test_exchanges_without_an_answer_are_rejected_by_name(body, reason):
    session = {"Entries": [{"ResponseBody": body}]}
    decoded = ReferenceDecoder().objects([Unit([session])])
    assert decoded.rejects["reason"].to_pylist() == [reason]


def test_numbers_that_json_cannot_express_are_named():
    value = {"a": math.inf, "b": -math.inf, "c": math.nan, "d": 10**400, "e": -(10**400)}
    assert json.loads(strict_json.compact(value)) == {
        "a": "Infinity",
        "b": "-Infinity",
        "c": "NaN",
        "d": "Infinity",
        "e": "-Infinity",
    }


def test_text_after_a_value_is_rejected_with_its_byte():
    text = '{"a": "é"}  x'
    [(reject, *_)] = strict_json.values(text.encode(), text)
    assert reject.reason == "trailing_garbage"
    assert "at byte 13" in reject.message


@pytest.mark.parametrize("name", ["pairs_stream.sse", "sentiment_k20.jsonl", "malformed.jsonl"])
def test_lists_that_become_tables_early_make_no_difference(name, monkeypatch):
    """The column lists of a block become tables whenever they have many rows."""
    frames = [*frame([(DATA / name).read_bytes()])]

    def decoded():
        return [ReferenceDecoder().frames(each) for each in frames]

    expected = decoded()
    monkeypatch.setattr(reference, "_FEW", 2)
    monkeypatch.setattr(reference, "_MANY", 3)
    found = decoded()
    assert found == expected
    assert any(each.bodies["record"].num_chunks > 1 for each in found)
