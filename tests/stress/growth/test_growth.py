"""The work of a load grows as its input; ``python -m tests.stress.growth`` measures the time."""

import math
import subprocess
import sys
from pathlib import Path
from time import process_time
from unittest import mock

import pytest

import toolkit
from tests.stress.growth.measure import SIZES, load, warm
from tests.stress.growth.shapes import SHAPES
from toolkit.loaders.decoding.decoder import Decoder
from toolkit.loaders.decoding.native import scan_frames
from toolkit.loaders.framing.detect import frame

SLOWER = ("exported", "sources", "members", "parquet", "csv", "cassette", "sexagesimal")
QUICK = [name for name in SHAPES if not any(word in name for word in SLOWER)]
N = 60
# Those that take most for each byte, with what multiplies their n.
LARGE = {
    "empty_objects_in_gzip_exported": 1,
    "sources": 2,
    "parquet_rows": 0.5,
    "tool_calls_of_a_stream": 2,
}


def calls(source):
    """Return how many functions a load calls, in Python and in C."""
    count = 0

    def profile(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        load(source)
    finally:
        sys.setprofile(before)
    return count


def test_calls_grow_as_the_input(subtests):
    """A loop in a loop shows in the number of calls, which does not depend on the machine."""
    warm()
    fixed = calls(b'{"choices": [{"message": {"content": "a"}}]}')
    for name in QUICK:
        make, _ = SHAPES[name]
        with subtests.test(name):
            load(make(N))  # imports, and fills caches
            counts = [max(calls(make(N * factor)) - fixed, 10 * N) for factor in SIZES]
            exponent = math.log(counts[-1] / counts[0], SIZES[-1])
            assert exponent <= 1.15, counts


def test_copies_that_grow_with_the_input_are_not_made_for_each_part():
    """They show in no number of calls, but in time: four times as much, or sixteen."""
    make, _ = SHAPES["choices_of_an_answer"]
    seconds = []
    for n in (4000, 16_000):
        source = make(n)
        times = []
        for _ in range(2):
            start = process_time()
            load(source)
            times.append(process_time() - start)
        seconds.append(min(times))
    assert seconds[1] < 8 * seconds[0]


def test_the_rest_of_the_rejects_is_counted_together():
    """What is not listed takes no call for each record."""
    counts = []
    with mock.patch("toolkit.loaders.batches.LISTED", 100):
        for n in (10_000, 30_000):
            counts.append(calls(b"{}\n[]\n" * n))
    assert counts[1] - counts[0] < 10_000  # of 40,000 records


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells the peak")
def test_memory_is_within_its_bounds():
    """In a process of its own, which forks before other threads run."""
    for name, scale in LARGE.items():
        options = ["--memory", "--scale", str(scale), name]
        command = [sys.executable, "-m", "tests.stress.growth", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(toolkit.decoder() == "reference", reason="there is one decoder")
@pytest.mark.parametrize("name", ["good_and_odd_in_turn", "a_chunk_and_an_error_in_turn"])
def test_turns_between_the_decoders_make_no_tables(name):
    """Each of them would keep 77 KB: the bodies of a block are gathered at once."""
    make, _ = SHAPES[name]
    decoder = Decoder()
    for frames in frame([make(500)]):
        decoder.frames(frames, scan_frames(frames))
    bodies = decoder.take().bodies
    assert bodies.num_rows >= 500
    assert bodies["record"].num_chunks <= 4
