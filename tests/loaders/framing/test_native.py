"""The native framers give what the Python framers give, and leave little to them."""

import json
import time

import pytest

import toolkit
from tests.fuzz.framing import Framed, framed, python_framed, run
from toolkit.loaders import scanner
from toolkit.loaders.framing import documents, events
from toolkit.loaders.framing.detect import frame

pytestmark = pytest.mark.skipif(
    toolkit.decoder() != "native", reason="the native scanner was not built"
)

VALUE = {"a": [1, {"b": 'x"]}\\'}], "c": "é\n" * 9, "d": {}}
COMPACT, PRETTY = json.dumps(VALUE).encode(), json.dumps(VALUE, indent=2).encode()
SOURCES = {
    "events": b"data: " + COMPACT + b"\n\ndata: {}\n\ndata: [DONE]\n\n",
    "events, CRLF": b": hi\r\ndata:" + COMPACT + b"\r\nid: 1\r\n\r\ndata: {}\r\n\r\n\r\n",
    "events, returns": b"data: {}\r\rdata: [1]\r\r\rdata: {}\r",
    "stripped events": b'data: {"a":"]"}\ndata: {}\ndata: [DONE]\ndata: {"b":1}\n',
    "odd event": b"data: {}\n\ndata: {\ndata: }\n\n{}\ndata: {}\n\n",
    "pretty": PRETTY + b"\n" + PRETTY + b"\n",
    "array": b"[" + COMPACT + b", " + COMPACT + b"]\n[{}]",
    "pretty array": b"[\n  {\n    1\n  },\n  {}\n]\n",
    "broken array": b'[\n  {"a": "x\n  },\n  {"b": [1}\n,\n  {}, {}\n]\n',
    "impossible": b'[\n{"a": [1\n{"b": 2},\n{}\n]',
    "scalars": b"[{}, 1, {}, , {}]\n{}} {}",
}


@pytest.mark.parametrize("name", SOURCES)
def test_every_cut_makes_no_difference(name):
    data = SOURCES[name]
    for max_bytes in (1 << 20, 30):
        expected = python_framed([data], max_bytes)
        assert framed([data], max_bytes) == expected
        for at in range(len(data) + 1):
            assert framed([data[:at], data[at:]], max_bytes) == expected, at
            assert framed([data[:at], data[at : at + 1], data[at + 1 :]], max_bytes) == expected


def test_mutants_are_framed_alike():
    """The long run is ``python -m tests.fuzz.framing``."""
    assert sum(1 for _ in run(1500, seed=1)) == 1500


def test_a_difference_is_found(monkeypatch):
    find = events.find_events
    monkeypatch.setattr(
        events, "find_events", lambda *part: (found := find(*part)) and found._replace(blank=1)
    )
    with pytest.raises(AssertionError, match="framed differently"):
        list(run(1500, seed=1))


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("more", [b"", b'data: {"', b"\n\n"])
def test_the_line_that_is_reached(name, more):
    """Of a source that cannot be read further, it is the line of the place where it ends."""
    data = SOURCES[name] + more
    assert framed([data], 1 << 20).end_line == len((data + b"|").splitlines())


def test_line_ends_are_counted():
    for n in (0, 1, 63, 64, 65, 200):
        data = (b"a\r\n\n" * 50)[:n]
        assert scanner.count_line_ends(data) == data.count(b"\n") + data.count(b"\r")


@pytest.fixture
def in_python(monkeypatch):
    """Count the bytes that the Python framers take."""
    taken = []
    add_line, consume = events._Events.add_line, documents._Documents.consume

    def add(self, raw):
        taken.append(len(raw))
        add_line(self, raw)

    def take(self, text, **final):
        taken.append(len(text))
        consume(self, text, **final)

    monkeypatch.setattr(events._Events, "add_line", add)
    monkeypatch.setattr(documents._Documents, "consume", take)
    return taken


@pytest.mark.parametrize("is_odd", [False, True])
@pytest.mark.parametrize(
    ("name", "odd"),
    [
        ("events", b'data: {"a":\ndata: 1}\n\n'),
        ("events, CRLF", b'data: {"a":\r\ndata: 1}\r\n\r\n'),
        ("stripped events", b"{}\n"),
        ("pretty", b"oops\n"),
        ("pretty array", b"[1, 2]\n"),
    ],
)
def test_little_is_left_to_python(in_python, name, odd, is_odd):
    """Also of a source in which something is odd."""
    data = SOURCES[name] * 2000
    step = 40_000
    data += (odd if is_odd else b"") + data
    blocks = [data[i : i + step] for i in range(0, len(data), step)]
    n = sum(len(part.starts) for part in frame(blocks))
    assert n >= 4000
    assert sum(in_python) < len(blocks) * 2500


def test_frames_lie_in_the_block():
    """What a framer copies is only what spans blocks."""
    for name in ("events", "pretty", "pretty array"):
        block = SOURCES[name] * 3000
        [part, *rest] = frame([block])
        assert part.data is block
        assert not any(len(each.starts) for each in rest)


@pytest.mark.parametrize("odd", [b"data: {\ndata: }\n\n", b"{}\n", b"data: {\n"])
def test_odd_events_in_turn_take_linear_time(odd):
    data = (b"data: {}\n\n" + odd) * 20_000
    start = time.perf_counter()
    assert sum(len(part.starts) for part in frame([data])) == 40_000
    assert time.perf_counter() - start < 30  # about 0.5 s


@pytest.mark.parametrize("odd", [b"1", b'{"a": [}', b"oops", b"", b'{"\n', b"[[]\n{"])
def test_odd_elements_in_turn_take_linear_time(odd):
    data = b"[" + (b'\n{"a": 1}, ' + odd + b",") * 20_000
    start = time.perf_counter()
    assert sum(part.counts.bytes for part in frame([data])) == len(data)
    assert time.perf_counter() - start < 30  # at most 1 s


@pytest.mark.parametrize("bounds", [(-1, 2), (0, 4), (3, 2)])
def test_parts_beyond_the_data_are_refused(bounds):
    state = {"line": 1, "depth": 0, "in_array": False, "is_open": False, "follows_value": False}
    state |= {"quoted": False, "ends_line": True}
    with pytest.raises(ValueError, match="reaches beyond"):
        scanner.find_documents(b"{}\n", *bounds, **state, max_bytes=9, most=9)
    with pytest.raises(ValueError, match="reaches beyond"):
        scanner.find_events(b"{}\n", 4, 0, 9)


def test_without_the_scanner_nothing_is_framed_natively(monkeypatch):
    monkeypatch.setattr(scanner, "_scan", None)
    assert scanner.find_events(b"data: {}\n\n", 0, 0, 100) is None
    assert framed([SOURCES["array"]], 1 << 20) == python_framed([SOURCES["array"]], 1 << 20)
    assert isinstance(framed([b"{}"], 100), Framed)
