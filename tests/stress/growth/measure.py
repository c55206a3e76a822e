"""Measure how the time and the memory of a load grow with its input.

Every measurement runs in a process of its own, with one thread, so that neither an earlier one nor
the other cores count.
"""

import contextlib
import ctypes
import gc
import io
import math
import multiprocessing
import os
import tempfile
import warnings
from pathlib import Path
from time import process_time

import pyarrow as pa
import pyarrow.parquet as pq

import toolkit
from tests.stress.growth.shapes import Exported

SIZES = (1, 2, 4)
_FORK = multiprocessing.get_context("fork")
_WARM = b'{"id": "a", "choices": [{"message": {"content": "a"}}], "created": "x"}\n{}\n'


def _memory(name):
    """Return a line of this process's status in bytes: ``VmHWM`` (the peak) or ``VmRSS``."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) << 10
    raise ValueError(name)


def load(source):
    """Load a source, or export a file, whatever comes of it."""
    if isinstance(source, Exported):
        return _export(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return toolkit.read(source, threads=1)
        except toolkit.ToolkitError as error:
            return getattr(error, "tables", None)


def _export(source):
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        path = Path(folder) / source.name
        path.write_bytes(source.data)
        with contextlib.suppress(toolkit.ToolkitError):
            toolkit.export(path, Path(folder) / "out", threads=1)


def _measure(make, n, pipe):
    source = make(n)
    size = size_of(source)
    _trim()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what it holds now
    before, start = _memory("VmRSS"), process_time()
    load(source)
    pipe.send((process_time() - start, _memory("VmHWM") - before, size))


def _trim():
    """Return freed memory to the system, because a load that used it again would show no growth."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    ctypes.CDLL(None).malloc_trim(0)


def in_process(make, n):
    """Load in a process of its own; return its CPU seconds, its peak of memory and its size.

    The source is made there too, so that this process does not keep the memory.
    """
    ours, theirs = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_measure, args=(make, n, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        return math.inf, math.inf, 1
    finally:
        process.join()


def size_of(source):
    """Return about how many bytes a source holds; of a Parquet file, the bytes of its rows.

    The rows of a file repeat, so that it is far smaller than the answers in it.
    """
    if isinstance(source, bytes) and source.startswith(b"PAR1"):
        return int(pq.read_table(io.BytesIO(source)).nbytes)
    if isinstance(source, bytes):
        return len(source)
    if isinstance(source, Exported):
        return len(source.data)
    if isinstance(source, list):
        return sum(map(len, source))
    return int(source.memory_usage(deep=True).sum())


def growth(make, n, repeats=2):
    """Measure a shape at n, 2n and 4n.

    Returns
    -------
    seconds : list of float
    exponent : float
        Of the CPU time from n to 4n, less what the load of one takes.
    memory, size : int
        Bytes of memory of the largest, less what the load of one takes, and its bytes.
    """
    runs = {
        size: min(in_process(make, size) for _ in range(repeats))
        for size in (1, *(n * factor for factor in SIZES))
    }
    seconds = [runs[n * factor][0] for factor in SIZES]
    fixed, smallest, _ = runs[1]
    least = max(seconds[0] - fixed, 1e-3)
    exponent = math.log(max(seconds[-1] - fixed, 1e-3) / least, SIZES[-1] / SIZES[0])
    _, memory, size = runs[n * SIZES[-1]]
    return seconds, exponent, max(memory - smallest, 0), size


def warm():
    """Import whatever a load imports, so that it is not measured."""
    load(_WARM)
    load(Exported("warm.jsonl", _WARM))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
