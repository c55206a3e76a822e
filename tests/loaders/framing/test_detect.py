"""Frame containers: tables of examples, independent oracles, and properties."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import toolkit
from toolkit.errors import SourceError
from toolkit.loaders.framing import detect, frames, lines
from toolkit.loaders.framing.brackets import nesting
from toolkit.loaders.framing.detect import frame
from toolkit.loaders.framing.frames import Counts

BOM = b"\xef\xbb\xbf"


class Result(NamedTuple):
    texts: list[bytes]
    lines: list[int]
    offsets: list[int]
    lengths: list[int]
    breaks: list[int]
    counts: Counts


def framed(*blocks: bytes) -> Result:
    """Frame blocks, check the form of each part, and join the parts."""
    result = Result([], [], [], [], [], Counts(0, 0, 0, 0, 0))
    for part in frame(blocks):
        assert part.starts.dtype == part.breaks.dtype == part.lines.dtype == np.int64
        assert (np.diff(part.breaks) >= 0).all()
        assert len(part.breaks) == part.counts.done
        result.breaks.extend((part.breaks + len(result.texts)).tolist())
        spans = zip(part.starts.tolist(), part.stops.tolist(), strict=True)
        result.texts.extend(part.data[start:stop] for start, stop in spans)
        result.lines.extend(part.lines.tolist())
        result.offsets.extend(part.offsets.tolist())
        result.lengths.extend(part.lengths.tolist())
        counts = Counts(*(a + b for a, b in zip(result.counts, part.counts, strict=True)))
        result = result._replace(counts=counts)
    return result


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


def dumps(value: object) -> bytes:
    return json.dumps(value).encode()


# JSON lines


@pytest.mark.parametrize(
    ("data", "texts", "lines", "offsets"),
    [
        (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}'], [1, 2], [0, 8]),
        (b'{"a":1}\r\n{"b":2}', [b'{"a":1}', b'{"b":2}'], [1, 2], [0, 9]),
        (BOM + b'{"a":1}\n', [b'{"a":1}'], [1], [3]),
        (b'\n \t\n{"a":1}\n', [b'{"a":1}'], [3], [4]),
        (b'{"a":1} {"b":2}\n{}', [b'{"a":1} {"b":2}', b"{}"], [1, 2], [0, 16]),
        (b'{"a": [1,\n{"b":2}\n', [b'{"a": [1,', b'{"b":2}'], [1, 2], [0, 10]),
        (b'{"a": "x}\n{"b":2}\n', [b'{"a": "x}', b'{"b":2}'], [1, 2], [0, 10]),
        (b'{\n{"b":2}\n', [b"{", b'{"b":2}'], [1, 2], [0, 2]),
        (b'oops\n{"b":2}\n', [b"oops", b'{"b":2}'], [1, 2], [0, 5]),
        (b'{"a":1}\n{"b"', [b'{"a":1}', b'{"b"'], [1, 2], [0, 8]),
        (b'{"a":1}\n[{"b":2}]\n', [b'{"a":1}', b'[{"b":2}]'], [1, 2], [0, 8]),
        (b"[1]\n[2]\n", [b"[1]", b"[2]"], [1, 2], [0, 4]),
        (b'{"a":1}\ndata: {"b":2}\ndata:{"c":3}', [b'{"a":1}', b'{"b":2}', b'{"c":3}'], [1, 2, 3],
         [0, 14, 27]),
        (b'"text"\n1\n\xff\n', [b'"text"', b"1", b"\xff"], [1, 2, 3], [0, 7, 9]),
        (b'{"a":1}\n [DONE\n', [b'{"a":1}', b" [DONE"], [1, 2], [0, 8]),
    ],
)  # fmt: skip
def test_lines(data: bytes, texts: list[bytes], lines: list[int], offsets: list[int]) -> None:
    result = framed(data)
    assert (result.texts, result.lines, result.offsets) == (texts, lines, offsets)


def test_lines_outside_frames_are_counted() -> None:
    result = framed(
        b'[DONE]\n{"a":1}\n\n: note\nevent: x\nid: 7\nretry: 9\ndata:\ndata: [DONE]\r\n{}\n[DONE]'
    )
    assert result.texts == [b'{"a":1}', b"{}"]
    assert result.breaks == [0, 1, 2]
    assert result.counts == Counts(blank=1, done=3, comments=1, control=4, bytes=76)


def naive_lines(data: bytes) -> tuple[list[bytes], list[int], list[int], int]:
    """Split lines one by one; return texts, lines, offsets and the number of blank lines."""
    texts, lines, offsets, blank, offset = [], [], [], 0, 0
    pieces = data.split(b"\n")
    for number, piece in enumerate(pieces, start=1):
        text = piece
        if number < len(pieces) and text.endswith(b"\r"):
            text = text[:-1]
        if text.strip(b" \t\r"):
            texts.append(text)
            lines.append(number)
            offsets.append(offset)
        elif number < len(pieces) or piece:
            blank += 1
        offset += len(piece) + 1
    return texts, lines, offsets, blank


JUNK_LINE = st.text(alphabet='{}[]",\\ \tab1é', max_size=12).map(str.encode)


@given(
    st.lists(st.tuples(JUNK_LINE, st.sampled_from([b"\n", b"\r\n"]))),
    st.sampled_from([b"", b"{", b'{"a', b"tail"]),
    st.lists(st.integers(0, 200), max_size=5),
)
def test_lines_like_the_oracle(
    pairs: list[tuple[bytes, bytes]], tail: bytes, places: list[int]
) -> None:
    data = b'{"first": 1}\n' + b"".join(line + end for line, end in pairs) + tail
    if re.search(rb'(?m)^\{[ \t\r]*\n\s*"', data):
        return  # documents
    texts, lines, offsets, blank = naive_lines(data)
    result = framed(*cut(data, places))
    # A return at the very end is whitespace of the last line.
    assert [text.rstrip(b"\r") for text in result.texts] == [text.rstrip(b"\r") for text in texts]
    assert (result.lines, result.offsets) == (lines, offsets)
    assert result.counts == Counts(blank, 0, 0, 0, len(data))


# Documents and arrays


@pytest.mark.parametrize(
    ("data", "texts", "lines", "offsets"),
    [
        (b'{\n "a": 1\n}\n', [b'{\n "a": 1\n}'], [1], [0]),
        (b'{\n "a": 1\n}\n{\n "b": 2\n}', [b'{\n "a": 1\n}', b'{\n "b": 2\n}'], [1, 4], [0, 12]),
        (b'{\n "a": 1\n}{"b":2},\r\n{"c":3}', [b'{\n "a": 1\n}', b'{"b":2}', b'{"c":3}'],
         [1, 3, 4], [0, 11, 21]),
        (b'{"a":1}\n{\n  "b": 2\n}\n', [b'{"a":1}', b'{\n  "b": 2\n}'], [1, 2], [0, 8]),
        (b'{ "a": {},\n  "b": 2 }\n{ "c": 1 }\n', [b'{ "a": {},\n  "b": 2 }', b'{ "c": 1 }'],
         [1, 3], [0, 22]),
        (b'[{"a":1}, {"b":2}]', [b'{"a":1}', b'{"b":2}'], [1, 1], [1, 10]),
        (BOM + b'[\n{"a":1},\n{"b":2}\n]\n', [b'{"a":1}', b'{"b":2}'], [2, 3], [5, 14]),
        (b'[\n  {\n    "a": [1]\n  },\n  {}\n]', [b'{\n    "a": [1]\n  }', b"{}"], [2, 5], [4, 26]),
        (b'[{"a":"],[{"}, [{"b":2}]]', [b'{"a":"],[{"}', b'[{"b":2}]'], [1, 1], [1, 15]),
        (b'[1, "a,b", null]', [b"1", b'"a,b"', b"null"], [1, 1, 1], [1, 4, 11]),
        (b'[{},\n2]\n{"a"\n:1}', [b"{}", b"2", b'{"a"\n:1}'], [1, 2, 3], [1, 5, 8]),
        (b'[{}\n]\n[{}\n]', [b"{}", b"{}"], [1, 3], [1, 7]),
        # invalid text becomes a frame
        (b"[]", [b"[]"], [1], [0]),
        (b"[{},,{},]", [b"{}", b"", b"{}", b""], [1] * 4, [1, 4, 5, 8]),
        (b"[{}, oops, {}]", [b"{}", b"oops", b"{}"], [1] * 3, [1, 5, 11]),
        (b"[{} oops {}]", [b"{}", b"oops", b"{}"], [1] * 3, [1, 4, 9]),
        (b'[{"a":[1}, {"b":2}', [b'{"a":[1}, {"b":2}'], [1], [1]),
        (b'[{"a":1}}, {"b":2}]', [b'{"a":1}', b"}", b'{"b":2}', b"]"], [1] * 4, [1, 8, 11, 18]),
        (b'{\n "a": 1\n}\nnoise\n{"b":2}', [b'{\n "a": 1\n}', b"noise", b'{"b":2}'], [1, 4, 5],
         [0, 12, 18]),
        # cut at the end
        (b'{\n "a": [1,\n', [b'{\n "a": [1'], [1], [0]),
        (b'[{"a":1}, {"b"', [b'{"a":1}', b'{"b"'], [1, 1], [1, 10]),
        (b'[{"a":1}, ', [b'{"a":1}', b""], [1, 1], [1, 10]),
        (b'[{"a":1}', [b'{"a":1}', b""], [1, 1], [1, 8]),
        (b"[\n", [b""], [2], [2]),
        # broken, then resumed
        (b'{\n "a": "x\n}\n{\n "b": 2\n}', [b'{\n "a": "x\n}', b'{\n "b": 2\n}'], [1, 4], [0, 13]),
        (b'{\n "a": [1\n{\n "b": 2\n}', [b'{\n "a": [1', b'{\n "b": 2\n}'], [1, 3], [0, 11]),
        (b'[\n{"a":"x},\n{"b":2},\n{"c":3}\n]', [b'{"a":"x}', b'{"b":2}', b'{"c":3}'], [2, 3, 4],
         [2, 12, 21]),
        (b'[\n  {\n    "a": "x\n  },\n  {\n    "b": "y\n  },\n  {"c": 3}\n]',
         [b'{\n    "a": "x\n  }', b'{\n    "b": "y\n  }', b'{"c": 3}'], [2, 5, 8], [4, 25, 46]),
    ],
)  # fmt: skip
def test_documents(data: bytes, texts: list[bytes], lines: list[int], offsets: list[int]) -> None:
    for blocks in ([data], [data[i : i + 1] for i in range(len(data))]):
        result = framed(*blocks)
        assert (result.texts, result.lines, result.offsets) == (texts, lines, offsets)
        assert result.lengths == [len(text) for text in texts]
        assert result.counts == Counts(0, 0, 0, 0, len(data))


def test_documents_know_done_markers() -> None:
    result = framed(b'{\n"a":1}\n[DONE]\n[DONE]{\n"b":2}')
    assert (result.texts, result.breaks) == ([b'{\n"a":1}', b'{\n"b":2}'], [1, 1])
    assert result.counts.done == 2


TOKENS = st.sampled_from(
    [b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b'\\"', b" ", b"\n", b"\n{", b"\n  {", b"a",
     b'"x"', b'"k":1', b'{"a":[1]}', b"[DONE]", b"\r\n", b"\r", b"data:", b'data: {"a":1}\n\n',
     b":c\n", b"event: x\n", b"\xff", b"data: [DONE]\n"]
)  # fmt: skip
STARTS = st.sampled_from([b"", b"[", b'{\n"', b"[\n  {", b"data: {", BOM])


@settings(max_examples=200)
@given(
    STARTS,
    st.lists(TOKENS, max_size=25).map(b"".join),
    st.lists(st.integers(0, 200), max_size=7),
    st.sampled_from([1, 2, 3, 7]),
    st.sampled_from([4, 8, 1 << 16]),
    st.sampled_from([1, 3, 1 << 16]),
)
@example(b"[", b'1,2 "a,\n{}', [3], 1, 1 << 16, 1)
@example(b"[\n  {", b',\n, \r{}"\n{}', [9], 2, 1 << 16, 1)
def test_cutting_makes_no_difference(
    start: bytes, rest: bytes, places: list[int], window: int, head: int, most: int
) -> None:
    data = start + rest
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toolkit.loaders.framing.detect.HEAD_BYTES", head)  # whose blocks are joined
        whole = framed(data)
        patch.setattr(frames, "WINDOW", window)
        for module in (frames, detect):
            patch.setattr(module, "MOST_FRAMES", most)
        assert framed(*cut(data, places)) == whole
    assert whole.counts.bytes == len(data)
    assert whole.offsets == sorted(whole.offsets)


@pytest.mark.parametrize(
    "repeated", [b"{}\n", b"\n", b"data: {}\n\n", b"data: {}\r", b"1,", b"{},"]
)
def test_a_block_of_very_many_frames_is_divided(repeated: bytes) -> None:
    data = b"[" * repeated.endswith(b",") + repeated * 200_000
    parts = list(frame([data]))
    assert len(parts) > 4
    assert max(len(part.starts) for part in parts) <= 2 * frames.MOST_FRAMES
    assert sum(part.counts.bytes for part in parts) == len(data)


VALUES = st.sampled_from(
    [b"{}", b'{"a": [1, {"b": "x"}]}', b'{\n  "a": "]}",\n  "b": "\\\\"\n}', b"1", b'"a,b"',
     b"null", b"[1, 2]", b'{"a":\n{"b": 1}}', b'{"a": [\n{"b": 1},\n{"c": 2}\n]}']
)  # fmt: skip


@given(
    st.lists(VALUES, max_size=12),
    st.sampled_from([b",", b",\n", b" ,\n\n  ", b"\n,"]),
    st.sampled_from([b"", b"\n", b"\n  "]),
    st.sampled_from([1, 2, 3, 8, 1 << 16]),
    st.lists(st.integers(0, 400), max_size=5),
)
def test_elements_of_arrays_are_where_they_are_said_to_be(values, comma, space, window, places):
    """The line, offset and text of each, whatever the sizes of blocks and windows."""
    data = b"[" + space + comma.join(values) + space + b"]"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toolkit.loaders.framing.detect.HEAD_BYTES", 8)
        patch.setattr(frames, "WINDOW", window)
        result = framed(*cut(data, places))
    if not values:
        assert result.texts == [data]
        return
    assert result.texts == values
    for value, line, offset in zip(result.texts, result.lines, result.offsets, strict=True):
        assert data[offset : offset + len(value)] == value
        assert line == data.count(b"\n", 0, offset) + 1
    assert result.lengths == [len(value) for value in values]


@settings(max_examples=200)
@given(STARTS.filter(lambda start: start != b"data: {"), st.lists(TOKENS, max_size=25))
def test_nothing_is_dropped(start: bytes, tokens: list[bytes]) -> None:
    data = start + b"".join(tokens)
    result = framed(data)
    text = data.removeprefix(BOM)
    if result.counts.comments or result.counts.control or re.match(rb"\s*(data|event|:)", text):
        return  # events
    left = bytearray(text.rjust(len(data)))
    for text, line, offset, length in zip(*result[:4], strict=True):
        assert data[offset : offset + length] == text
        assert line == data.count(b"\n", 0, offset) + 1
        left[offset : offset + length] = b" " * length
    left = re.sub(rb"data: *\[DONE\]|\[DONE\]", b"", left)
    left = re.sub(rb"(?m)^\s*data:", b"", left)  # among JSON lines
    assert not left.strip(b" \t\r\n,[]")


# Events


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_events(end: bytes) -> None:
    lines = [b": hi", b"event: x", b"data: {", b'data:"a":1}', b"", b"", b"id: 1", b"retry", b"",
             b'data: {"b":2}  ', b"", b"data: [DONE] ", b"", b'data: {"c"']  # fmt: skip
    data = BOM + end.join(lines)
    for blocks in ([data], [data[i : i + 1] for i in range(len(data))]):
        result = framed(*blocks)
        assert result.texts == [b'{\n"a":1}', b'{"b":2}  ', b'{"c"']
        assert result.lines == [3, 10, 14]
        assert result.breaks == [2]
        assert result.counts == Counts(3, 1, 1, 3, len(data))
        assert data[result.offsets[0] :].startswith(b"{" + end)
        assert result.lengths[0] == len(b'{data:"a":1}' + end)
        assert data[result.offsets[1] :].startswith(b'{"b":2}')


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        # the blank lines were stripped
        (b'data: {"a":1}\ndata: {"b":2}\ndata: [DONE]\n', [b'{"a":1}', b'{"b":2}']),
        (b'data: {"a": "x\ndata: {"b":2}\ndata: {"c":3}', [b'{"a": "x', b'{"b":2}', b'{"c":3}']),
        (b'data: {"a": 1\ndata: {"b":2}\ndata: {"c":3}', [b'{"a": 1', b'{"b":2}', b'{"c":3}']),
        (b'data: {"a": 1,\ndata: {"b":2}\ndata: {"c":3}', [b'{"a": 1,', b'{"b":2}', b'{"c":3}']),
        # they were not stripped: JSON over several data lines may begin with complete objects
        (b'data: {}\n\ndata: [\ndata: {"b":2},\ndata: {}\ndata: ]\n',
         [b"{}", b'[\n{"b":2},\n{}\n]']),
        # the first event too, if its lines are one JSON value and not an event that was cut
        (b'data: [\ndata: {"b":2}\ndata: ]\n\ndata: {}\n\n', [b'[\n{"b":2}\n]', b"{}"]),
        (b'data: [\ndata: {"b":2},\ndata: {"c":3}\ndata: ]', [b'[\n{"b":2},\n{"c":3}\n]']),
        (b'data: [\ndata: {"b":2}\n\ndata: {}\n\n', [b"[", b'{"b":2}', b"{}"]),
        (b'data: [\ndata: {"b":2},\ndata: {"c":3}\ndata: {}\n',
         [b"[", b'{"b":2},', b'{"c":3}', b"{}"]),
        (b"data: one\ndata: two\n\n", [b"one\ntwo"]),
        # JSON without data:
        (b'event: x\n{"a":1}\n[2]\n', [b'{"a":1}', b"[2]"]),
        (b'data: {"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
        (b'data: {}\n\n{\n "error": {\n  "code": 1\n }\n}\n: x\n',
         [b"{}", b'{\n "error": {\n  "code": 1\n }\n}']),
        (b'HTTP/1.1 200 OK\r\nServer: x\r\n\r\ndata: {"a":1}\r\n\r\n', [b'{"a":1}']),
        (b":\ndata\ndata:\ndata: \nnonsense\n", []),
    ],
)  # fmt: skip
def test_events_as_they_are_found(data: bytes, texts: list[bytes]) -> None:
    assert framed(data).texts == texts


def test_bare_done_line_is_a_break() -> None:
    result = framed(b'data: {"a":1}\n[DONE]\ndata: {"b":2}\n')
    assert (result.texts, result.breaks) == ([b'{"a":1}', b'{"b":2}'], [1])


def naive_events(data: bytes) -> Iterator[bytes]:
    """Follow the WHATWG rules: one payload for each event that has data."""
    data_lines: list[bytes] = []
    for line in re.split(rb"\r\n|\n|\r", data):
        if not line and data_lines:
            yield b"\n".join(data_lines)
            data_lines = []
        field, _, value = line.partition(b":")
        if field == b"data":
            data_lines.append(value.removeprefix(b" "))
    if data_lines:
        yield b"\n".join(data_lines)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=4), VALUES, max_size=3)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(
    st.lists(
        st.tuples(OBJECTS, st.sampled_from([None, 1]), st.booleans(), ENDS, st.integers(0, 3)),
        min_size=1,
    ),
    st.lists(st.integers(0, 2000), max_size=6),
)
def test_events_like_the_oracle(
    events: list[tuple[dict, int | None, bool, bytes, int]], places: list[int]
) -> None:
    data = b"event: start\n"
    for value, indent, space, end, extras in events:
        for line in json.dumps(value, indent=indent).encode().split(b"\n"):
            data += (b"data: " if space or line.startswith(b" ") else b"data:") + line + end
            data += (b"", b": note" + end, b"id: 1" + end, b"")[extras]
        data += end * (2 if extras == 3 else 1)
    result = framed(*cut(data, places))
    assert result.texts == list(naive_events(data))
    assert [json.loads(text) for text in result.texts] == [event[0] for event in events]
    # A lone return before a newline is one line end, so lines are counted as a reader does.
    firsts = [data[:offset].splitlines() for offset in result.offsets]
    assert result.lines == [len(before) for before in firsts]


# Values written in each container


CONTAINERS = {
    "lines": lambda values: b"\n".join(map(dumps, values)),
    "pretty": lambda values: b"\n".join(json.dumps(v, indent=2).encode() for v in values),
    "unindented": lambda values: b"\n".join(json.dumps(v, indent=0).encode() for v in values),
    "array": dumps,
    "pretty array": lambda values: json.dumps(values, indent=1).encode(),
    "array of lines": lambda values: b"[\n" + b",\n".join(map(dumps, values)) + b"\n]\n",
    "events": lambda values: b"".join(b"data: " + dumps(v) + b"\n\n" for v in values),
    "stripped events": lambda values: b"".join(b"data: " + dumps(v) + b"\n" for v in values),
}
FULL_OBJECTS = st.lists(OBJECTS.filter(bool), min_size=1, max_size=6)


@pytest.mark.parametrize("container", CONTAINERS)
@given(values=FULL_OBJECTS, places=st.lists(st.integers(0, 1000), max_size=4))
def test_values_come_back(container: str, values: list[dict], places: list[int]) -> None:
    result = framed(*cut(CONTAINERS[container](values), places))
    assert [json.loads(text) for text in result.texts] == values


@pytest.mark.parametrize("container", ["lines", "events"])
@given(values=FULL_OBJECTS, data=st.data())
def test_a_broken_value_costs_itself(
    container: str, values: list[dict], data: st.DataObject
) -> None:
    values = [{"id": i, **value} for i, value in enumerate(values)]
    broken = data.draw(st.integers(0, len(values) - 1))
    text = dumps(values[broken])
    place = data.draw(st.integers(1, len(text) - 1))
    insert = data.draw(st.sampled_from([b"", b'"', b"{", b"]", b"\\"]))
    keep = data.draw(st.booleans())
    text = text[:place] + insert + (text[place + 1 :] if keep else b"")
    texts = [dumps(value) for value in values]
    lead, end = (b"data: ", b"\n\n") if container == "events" else (b"", b"\n")
    lines = [*texts[:broken], text, *texts[broken + 1 :]]
    result = framed(b"".join(lead + line + end for line in lines))
    assert result.texts == lines


def test_head_longer_than_the_look() -> None:
    long = b'{"a": "' + b"x" * 100_000 + b'"}'
    assert framed(long + b"\n" + long).texts == [long, long]
    assert framed(b"[" + long + b"," + long + b"]").texts == [long, long]
    assert framed(b'{"a": 1,\n' + long + b"\n" + long).texts == [b'{"a": 1,', long, long]
    pretty = b'{\n "a": "' + b"x" * 100_000 + b'"\n}'
    assert framed(pretty + b"\n" + pretty).texts == [pretty, pretty]


# Errors, speed, nesting


@pytest.mark.parametrize(
    ("head", "texts"),
    [
        (b'{"a":1}\n{"b"', [b'{"a":1}', b'{"b"']),
        (b'{\n"a":1}\n{"b"', [b'{\n"a":1}', b'{"b"']),
        (b'data: {"a":1}\n\ndata: {"b"', [b'{"a":1}', b'{"b"']),
        (b"", []),
    ],
)
def test_source_error_comes_last(head: bytes, texts: list[bytes]) -> None:
    fault = SourceError("cut")

    def blocks() -> Iterator[bytes]:
        yield head
        raise fault

    parts = frame(blocks())
    found = []
    try:
        for part in parts:
            spans = zip(part.starts.tolist(), part.stops.tolist(), strict=True)
            found.extend(part.data[start:stop] for start, stop in spans)
    except SourceError as error:
        found.append(error)
    assert found == [*texts, fault]


@pytest.mark.parametrize("data", [b"", BOM, b"\n", b" ", b"\r\n\r\n"])
def test_nothing_to_frame(data: bytes) -> None:
    result = framed(data)
    assert result.texts == []
    assert result.counts.bytes == len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 3_000_000,
        b'"' * 3_000_000,
        b"\\" * 3_000_000,
        b'{\n"a": "' + b"x" * 3_000_000,
        b'["' + b"a," * 1_500_000,
        b'["a"' + b" " * 3_000_000,
        b"[" + b"1," * 200_000,
        b'data: {"a": "' + b"x" * 3_000_000,
        b"data: {\n" + b'data: "a": 1,\n' * 100_000,
        b"data: {}\r" * 300_000,
    ],
    ids=range(10),
)
def test_time_is_linear(data: bytes) -> None:
    blocks = [data[i : i + 20_000] for i in range(0, len(data), 20_000)]
    start = time.perf_counter()
    assert framed(*blocks).counts.bytes == len(data)
    assert time.perf_counter() - start < 10  # about 0.1 s; 60 s and more if quadratic


def naive_nesting(data: bytes) -> int:
    depth = deepest = 0
    quoted = escaped = False
    for byte in data.decode("latin-1"):
        if escaped and (quoted or byte in '"\\'):  # outside strings a bracket stays one
            escaped = False
            continue
        escaped = byte == "\\"
        if byte == '"':
            quoted = not quoted
        elif not quoted and byte in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif not quoted and byte in "}]":
            depth = max(depth - 1, 0)
    return deepest


@given(st.lists(TOKENS).map(b"".join), st.sampled_from([1, 2, 5, 1 << 16]))
def test_nesting_like_the_oracle(data: bytes, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "WINDOW", window)
        assert nesting(data) == naive_nesting(data)


def test_nesting_of_depths() -> None:
    assert nesting(b"[" * 100_000) == 100_000
    assert nesting(b'[{"a": "[[["}, {}]') == 2
    assert nesting(b"") == 0


@pytest.mark.skipif(toolkit.decoder() != "native", reason="the native scanner was not built")
@given(st.lists(st.sampled_from([b"{", b"[", b"[D", b"\n", b"\r", b"a", b"\r\n"]), max_size=30))
def test_lines_are_the_same_with_and_without_the_scanner(pieces):
    text = b"".join(pieces)
    for start in (0, len(text) // 2):
        for stop in (len(text), len(text) * 3 // 4):
            part = (text, start, max(start, stop))
            native, plain = lines._lines(*part), lines._lines_by_numpy(*part)
            assert [a.tolist() for a in native[:2]] == [a.tolist() for a in plain[:2]]
            assert native[2] == plain[2]
