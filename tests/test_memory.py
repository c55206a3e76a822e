"""Memory does not grow with the length of a line or with the number of files."""

import gzip
import json
import os
import subprocess
import sys
import textwrap

import pytest

import toolkit
from tests.conftest import ROOT

MIB = 1 << 20
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="measured as POSIX tells it"),
]
SCRIPT = """
import resource, sys, warnings
sys.path.insert(0, {root!r})
warnings.simplefilter("ignore")
import toolkit
from tests.test_memory import Endless

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def add(n, parts):
    reasons = []
    for part in parts:
        n += len(part)
        reasons += part.rejects["reason"].to_pylist()
    return [n, *reasons]

n_open = 0
list(toolkit.scan({small!r}))
before = peak()
found = []
{code}
print(*found, peak() - before)
"""


class Endless:
    """A file with a record, something very long, and a record; it is not on the disk."""

    def __init__(self, head: bytes, piece: bytes, size: int, tail: bytes) -> None:
        self.left = [head, *[piece] * (size // len(piece)), tail]

    def read(self, size: int) -> bytes:
        piece = self.left.pop(0) if self.left else b""
        if len(piece) > size:
            self.left.insert(0, piece[size:])
        return piece[:size]


def run(code: str, small: list[str]) -> list[str]:
    script = SCRIPT.format(root=os.fspath(ROOT), code=textwrap.dedent(code), small=small)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


SMALL = [os.fspath(ROOT / "data" / "pairs_whole.jsonl")]
GOOD = b'{"choices": [{"message": {"content": "Hi"}}]}'
LONG = {
    "line": (GOOD + b'\n{"a": "', b"x" * MIB, b'"}\n' + GOOD),
    "event": (b"data: " + GOOD + b'\n\ndata: {"a": "', b"x" * MIB, b'"}\n\ndata: ' + GOOD),
    "event of many lines": (
        b"data: " + GOOD + b'\n\ndata: {"a": [\n',
        b'data: "x",\n' * 100_000,
        b"data: 1]}\n\ndata: " + GOOD,
    ),
    "element": (b"[" + GOOD + b',\n{"a": "', b"x" * MIB, b'"},\n' + GOOD + b"]"),
    "document": (
        b"{\n" + GOOD[1:] + b'\n{\n"a": ["',
        b'x", "' * 200_000,
        b'"]}\n{\n' + GOOD[1:],
    ),
    "blanks": (GOOD + b"\n", b" " * MIB, b"\n" + GOOD),
}


@pytest.mark.parametrize("name", LONG)
def test_a_record_without_end_is_not_held(name):
    """512 MiB in one record (or 32, in three million lines) where 4 MiB are allowed."""
    piece = LONG[name][1]
    code = """
    from tests.test_memory import LONG
    head, piece, tail = LONG[{name!r}]
    limits = toolkit.Limits(record_bytes=4 << 20)
    found = add(0, toolkit.scan(Endless(head, piece, {size}, tail), limits=limits))
    """
    size = (512 if len(piece.split(b"\n", 2)) < 3 else 32) * MIB
    *found, grown = run(code.format(name=name, size=size), SMALL)
    assert found == ["2", "too_long"]
    assert int(grown) < 60 * 1024


def test_a_bomb_of_one_line(tmp_path):
    """1 GiB in one line, of 1 MiB of gzip."""
    bomb = tmp_path / "bomb.jsonl.gz"
    with gzip.open(bomb, "wb", compresslevel=6) as file:
        file.write(GOOD + b'\n{"a": "')
        for _ in range(1024):
            file.write(b"x" * MIB)
        file.write(b'"}\n' + GOOD)
    code = f"""
    for limits in (toolkit.Limits(expansion=10**6), toolkit.Limits(expansion=100)):
        found += add(0, toolkit.scan({os.fspath(bomb)!r}, limits=limits))
    """
    *found, grown = run(code, SMALL)
    assert found == ["2", "too_long", "1", "truncated", "source_over_limit"]
    assert int(grown) < 300 * 1024


def test_files_without_number(tmp_path):
    """20,000 files need the memory of 5,000 plus their names, and few are open at a time."""
    line = (json.dumps({"id": "a", **json.loads(GOOD)}) + "\n").encode()
    for i in range(20_000):
        (tmp_path / f"{i:06d}.json").write_bytes(line)
    code = f"""
    import os
    for n in (5_000, 20_000):
        listed = [{os.fspath(tmp_path)!r} + f"/{{i:06d}}.json" for i in range(n)]
        responses = 0
        for part in toolkit.scan(listed):
            responses += len(part)
            n_open = max(n_open, len(os.listdir("/proc/self/fd")))
        found += [responses, peak()]
    found.append(n_open)
    """
    few, peak_of_few, many, peak_of_many, n_open, _ = map(int, run(code, SMALL))
    assert (few, many) == (5_000, 20_000)
    assert (peak_of_many - peak_of_few) * 1024 < 1500 * 15_000
    assert n_open < 64


def test_reads_in_one_process_leave_nothing():
    done = subprocess.run(
        [sys.executable, "-m", "tests.stress.repeat", "--reads", "400"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_metrics_of_an_export_do_not_load_it(tmp_path):
    """Five times as many answers need the same memory; loaded they need 40 MiB and more."""
    entry = {"token": "word", "logprob": -0.5}
    top = [{"token": f"w{k}", "logprob": -0.5 - k} for k in range(4)]
    choice = {
        "message": {"content": "word" * 200},
        "logprobs": {"content": [{**entry, "top_logprobs": top}] * 200},
    }
    line = json.dumps({"model": "m", "choices": [choice]}).encode() + b"\n"
    for n in (400, 2000):
        (tmp_path / f"{n}.jsonl").write_bytes(line * n)
        toolkit.export(tmp_path / f"{n}.jsonl", tmp_path / f"{n}")
    code = f"""
    for n in (400, 2000):
        dataset = toolkit.open_dataset({os.fspath(tmp_path)!r} + f"/{{n}}")
        assert dataset.usage(by="model")["n_responses"].tolist() == [n]
        assert "unfinished" in set(dataset.check()["code"])
        found += [dataset.corpus_metrics(by="model")["n_ok"].sum() // 200]
        found += [sum(map(len, dataset.sequence_metrics())), peak()]
    """
    *few, peak_of_few = map(int, (found := run(code, SMALL))[:3])
    *many, peak_of_many = map(int, found[3:6])
    assert (few, many) == ([400, 400], [2000, 2000])
    assert peak_of_many - peak_of_few < 40 * 1024
