"""Compare the decoders on millions of mutants, from the command line."""

from __future__ import annotations

import argparse
import faulthandler
import multiprocessing
import os
import sys
import time
from multiprocessing.connection import wait
from pathlib import Path
from random import Random

import toolkit
from tests.fuzz import compare
from tests.fuzz.mutate import Mutator
from tests.fuzz.seeds import seeds
from toolkit.loaders.formats.lookup import Lookup

BLOCK = 500  # records
_ALONE = 0.5  # share of the blocks that have few rows and are read without options
_WHOLE = 20  # blocks, of which one is compared with its deferred records too


class Finding(AssertionError):
    """A record on which the decoders differ."""

    def __init__(self, record: bytes, original: bytes, lookup: Lookup = compare.CONTENT) -> None:
        super().__init__(f"the decoders differ on {record!r}, {lookup}")
        self.record = record
        self.original = original


def mutator(seed: int) -> Mutator:
    """Return a generator of mutants of all seeds."""
    records = seeds()
    good = set(compare.taken(records))
    return Mutator(
        Random(seed), sorted(good), sorted(record for record in records if record not in good)
    )


def run(inputs: int, seed: int, read: compare.Read = compare.native) -> tuple[int, int]:
    """Compare the decoders on mutants, block by block.

    Parameters
    ----------
    inputs : int
    seed : int
    read : callable
        The decoder under test.

    Returns
    -------
    inputs, taken : int
        Number of records, and of those that the scanner took.

    Raises
    ------
    Finding
        At the first difference, with the shortest record that shows it.
    """
    source = mutator(seed)
    n_taken = done = 0
    while done < inputs:
        is_alone = source.rng.random() < _ALONE
        lookup = source.rng.choice((compare.CONTENT, *compare.LOOKUPS))
        lookup = compare.CONTENT if is_alone else lookup
        mutant = source.mutant if is_alone or lookup.shape is not None else source.contained
        records = [mutant() for _ in range(min(BLOCK, inputs - done))]
        done += len(records)
        good = compare.taken(records, lookup)
        n_taken += len(good)
        whole = done // BLOCK % _WHOLE == 0
        compared = records if whole else good  # the reference decoder reads the others anyway
        if compared and compare.differ(compared, read, lookup):
            _find(compared, read, lookup)
        if good:
            compare.scan_joining(twice(good))
        if whole and compare.joins_differ(twice(records), lookup):
            raise Finding(b"", b"\n".join(records), lookup)
        for record in good:
            source.adopt(record)
    return done, n_taken


def twice(records: list[bytes]) -> list[bytes]:
    """Return each record twice, so that a chunk with text continues itself."""
    return [record for record in records for _ in range(2)]


def _find(records: list[bytes], read: compare.Read, lookup: Lookup) -> None:
    for record in records:
        if compare.differ([record], read, lookup):
            short = compare.shrink(record, lambda raw: compare.differ([raw], read, lookup))
            raise Finding(short, record, lookup)
    raise Finding(b"", b"\n".join(records), lookup)  # they differ only together


def _job(inputs: int, seed: int, folder: Path, results: multiprocessing.SimpleQueue) -> None:
    faulthandler.enable()
    for start in range(0, inputs, 50_000):
        part = min(50_000, inputs - start)
        try:
            results.put(("done", *run(part, seed + start // 50_000)))
        except Finding as finding:
            folder.mkdir(exist_ok=True)
            path = folder / f"seed-{seed + start // 50_000}.bin"
            path.write_bytes(finding.original)
            results.put(("found", str(finding), str(path)))
            return
    results.put(("end",))


def main() -> int:
    """Run the command; the exit status is 1 after a finding or a crash."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--findings", type=Path, default=Path("fuzz-crashes"))
    parser.add_argument("--replay", type=Path, help="read a finding again")
    options = parser.parse_args()
    if toolkit.decoder() != "native":
        parser.error("the native scanner was not built")
    if options.replay:
        failed = compare.differ([options.replay.read_bytes()])
        print("differs" if failed else "equal")
        return int(failed)
    results: multiprocessing.SimpleQueue = multiprocessing.SimpleQueue()
    each = -(-options.inputs // options.jobs)
    jobs = [
        multiprocessing.Process(
            target=_job, args=(each, options.seed + 1_000_000 * i, options.findings, results)
        )
        for i in range(options.jobs)
    ]
    return _watch(jobs, results)


def _watch(jobs: list[multiprocessing.Process], results: multiprocessing.SimpleQueue) -> int:
    began = time.monotonic()
    for job in jobs:
        job.start()
    inputs = taken = ended = failed = 0
    while ended < len(jobs) and not failed:
        wait([results._reader, *(job.sentinel for job in jobs)], timeout=60)
        while not results.empty():
            kind, *found = results.get()
            if kind == "done":
                inputs, taken = inputs + found[0], taken + found[1]
                rate = inputs / (time.monotonic() - began)
                share = taken / inputs
                print(f"{inputs:,} inputs, {share:.1%} taken, {rate:,.0f} a second", flush=True)
            elif kind == "found":
                print(*found, sep="\n", file=sys.stderr)
                failed = 1
            else:
                ended += 1
        if any(job.exitcode not in (None, 0) for job in jobs):
            print("a job died", file=sys.stderr)
            failed = 1
        if ended < len(jobs) and all(job.exitcode is not None for job in jobs) and results.empty():
            break
    for job in jobs:
        if failed:
            job.terminate()
        job.join()
    return failed


if __name__ == "__main__":
    sys.exit(main())
