"""Compare the native framers with the Python framers on mutated sources, cut at random.

The frames, their lines and offsets and all counts must be equal, whatever the blocks. A long run is
``python -m tests.fuzz.framing --inputs 1000000``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from random import Random
from typing import NamedTuple
from unittest import mock

import numpy as np

from toolkit.loaders import scanner
from toolkit.loaders.framing.detect import frame
from toolkit.loaders.framing.frames import Counts

_TEXTS = ["a", "", "{", "]}", '"', "\\", "\\\\", "a,b", "\n", "[DONE]", "data: {", "é\U0001f600"]
_PIECES = [b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b" ", b"\n", b"\r", b"\r\n", b"\n{",
           b"\n  {", b"1", b"x", b"[DONE]", b"data:", b"\ndata: ", b":c\n", b"event: x\n", b"\n\n",
           b" " * 70, b"\xff", b'{"a": 1}', b"[]"]  # fmt: skip
_BETWEEN_LINES = [b"\n", b"\n", b"\n", b"\r\n", b"\r"]
_BETWEEN_VALUES = [b"\n", b"\n\n", b"", b" ", b",\n", b"\r\n", b"\n" + b" " * 66]
_BETWEEN_ELEMENTS = [b",", b", ", b",\n", b",\n  ", b"\n,", b"\r\n , "]


class Framed(NamedTuple):
    """All frames of a source: text, line, offset and length of each; what is counted; its end."""

    frames: list[tuple[bytes, int, int, int]]
    breaks: list[int]
    counts: Counts
    end_line: int


def framed(blocks: list[bytes], max_bytes: int) -> Framed:
    """Frame blocks and join what was found."""
    frames: list[tuple[bytes, int, int, int]] = []
    breaks: list[int] = []
    end_line = 1
    counts = np.zeros(5, int)
    # The head is small, because the blocks of the head are joined.
    with mock.patch("toolkit.loaders.framing.detect.HEAD_BYTES", 40):
        for part in frame(blocks, max_bytes):
            breaks += (part.breaks + len(frames)).tolist()
            spans = zip(*(column.tolist() for column in part[1:6]), strict=True)
            frames += [(part.data[start:stop], *place) for start, stop, *place in spans]
            counts += part.counts
            end_line = max(end_line, part.end_line)
    return Framed(frames, breaks, Counts(*counts.tolist()), end_line)


def python_framed(blocks: list[bytes], max_bytes: int) -> Framed:
    """Frame blocks as without the extension."""
    with mock.patch.object(scanner, "_scan", None):
        return framed(blocks, max_bytes)


def source(random: Random) -> bytes:
    """Return events, documents or an array, mutated at up to three places."""
    values = [_value(random, 0) for _ in range(random.choice([1, 2, 3, 8]))]
    make = random.choice([_events, _documents, _array, _array])
    data = make(values, random)
    for _ in range(random.choice([0, 0, 1, 1, 2, 3])):
        at = random.randrange(len(data) + 1)
        stop = at + random.choice([0, 0, 1, 3])
        data = data[:at] + random.choice([b"", *_PIECES]) + data[stop:]
    return data


def _value(random: Random, depth: int) -> object:
    kind = random.randrange(4 if depth < 3 else 2)
    if kind == 0:
        return random.choice([1, -0.5, None, True])
    if kind == 1:
        return "".join(random.choices(_TEXTS, k=random.choice([1, 2, 40])))
    inner = [_value(random, depth + 1) for _ in range(random.randrange(4))]
    return inner if kind == 2 else {f"k{i}": each for i, each in enumerate(inner)}


def _dumped(value: object, random: Random) -> bytes:
    text = json.dumps(
        value, indent=random.choice([None, None, 0, 2]), ensure_ascii=random.random() < 0.5
    )
    return text.encode().replace(b"\n", random.choice([b"\n", b"\n", b"\r\n"]))


def _objects(values: list[object], random: Random) -> list[bytes]:
    return [_dumped({"v": value} if random.random() < 0.9 else value, random) for value in values]


def _events(values: list[object], random: Random) -> bytes:
    end = random.choice(_BETWEEN_LINES)
    blank = end if random.random() < 0.8 else b""
    data = random.choice([b"", b": hi" + end, b"event: x" + end])
    for text in _objects(values, random):
        for line in text.splitlines():
            data += random.choice([b"data: ", b"data: ", b"data:"]) + line + end
        data += random.choice([b"", b"", b"id: 1" + end, b":" + end]) + blank
        data += random.choice([b"", b"", b"", b"data: [DONE]" + end + blank])
    return data


def _documents(values: list[object], random: Random) -> bytes:
    between = random.choice(_BETWEEN_VALUES)
    return b'{\n"a": 1\n}' + between + between.join(_objects(values, random)) + between


def _array(values: list[object], random: Random) -> bytes:
    space = random.choice([b"", b"\n", b"\n  "])
    array = b"[" + space + random.choice(_BETWEEN_ELEMENTS).join(_objects(values, random)) + space
    return array + b"]" + random.choice([b"", b"\n", b"\n" + array + b"]"])


def cuts(data: bytes, random: Random) -> list[bytes]:
    """Cut a source at random, or into blocks of one size."""
    step = random.choice([0, 0, 1, 63, 64, 65, len(data)])
    inner = range(step, len(data), step) if step else []
    if not step:
        inner = sorted(random.randrange(len(data) + 1) for _ in range(random.choice([1, 2, 5])))
    bounds = [0, *inner, len(data)]
    return [data[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


def frame_exactly(data: bytes) -> None:
    """Frame a text at the very end of its memory, so that a sanitizer detects any access beyond."""
    exact = np.frombuffer(data, np.uint8).copy()
    scanner.find_events(exact, 0, 0, 1 << 20)
    scanner.find_lines(exact, 0, len(exact))
    for is_open in (False, True):
        state = {"line": 1, "depth": int(is_open), "is_open": is_open, "in_array": False}
        state |= {"follows_value": False, "quoted": is_open, "ends_line": True}
        scanner.find_documents(exact, 0, len(exact), **state, max_bytes=1 << 20, most=1 << 15)


def run(inputs: int, seed: int) -> Iterator[int]:
    """Compare the framers, and yield the number of sources so far.

    Raises
    ------
    AssertionError
        At the first difference, with the source and its blocks.
    """
    random = Random(seed)
    for done in range(inputs):
        data = source(random)
        max_bytes = random.choice([1 << 20, 1 << 20, 100, 20])
        expected = python_framed([data], max_bytes)
        for blocks in ([data], cuts(data, random)):
            if framed(blocks, max_bytes) != expected:
                raise AssertionError(f"framed differently: {blocks!r}, {max_bytes=}")
        frame_exactly(data)
        yield done + 1


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.framing", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if scanner.decoder() != "native":
        parser.error("the native scanner was not built")
    for done in run(options.inputs, options.seed):
        if done % 10_000 == 0:
            print(f"{done:,} sources", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
