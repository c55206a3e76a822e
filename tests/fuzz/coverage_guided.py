"""Fuzz framing and decoding, guided by coverage: ``python -m tests.fuzz.coverage_guided``.

`tests.fuzz` mutates records, of which the scanner takes half; libFuzzer knows nothing of JSON, and
its inputs are whole sources. An input is cut into blocks in two ways, framed, and decoded by both
decoders. Nothing may be raised, both cuts must give the same frames, every byte must be counted,
and the decoders must agree. This needs atheris: ``pip install '.[fuzz]'``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from unittest import mock

_INSTRUMENTED = [
    *(
        "toolkit.loaders.framing.detect",
        "toolkit.loaders.decoding.strict_json",
        "toolkit.loaders.formats.detect",
        "toolkit.loaders.decoding.body_reader",
    ),
    *(
        "toolkit.loaders.decoding.entry_reader",
        "toolkit.loaders.decoding.reference",
        "toolkit.loaders.merging.assign",
    ),
]
_LIMIT = 400  # bytes of a record, so few that some inputs have records that are too long


def check(data: bytes) -> None:
    """Frame and decode an input; its first byte is the size of the blocks, less one."""
    from tests.fuzz import compare

    step, data = 1 + data[0] if data else 1, data[1:]
    whole = _framed([data])
    if _flat(whole) != _flat(_framed([data[i : i + step] for i in range(0, len(data), step)])):
        raise AssertionError(f"blocks of {step} bytes make a difference")
    if data and not whole:
        return  # a cassette that is not valid YAML
    if sum(frames.counts.bytes for frames in whole) != len(data):
        raise AssertionError("bytes were not counted")
    for frames in whole:
        if not compare.same(compare.native(frames), compare.reference(frames)):
            raise AssertionError("the decoders differ")


def _framed(blocks: list[bytes]) -> list:
    """Return the frames of blocks; none if they are a cassette that cannot be read."""
    from toolkit.errors import SourceError
    from toolkit.loaders.framing.detect import frame

    # The head is small, because the blocks of the head are joined.
    with mock.patch("toolkit.loaders.framing.detect.HEAD_BYTES", 50):
        try:
            return list(frame(blocks, _LIMIT))
        except SourceError:
            return []


def _flat(parts) -> tuple[list, list[int]]:
    """Return all frames and the sums of all counts."""
    frames, counts, before = [], [0] * 4, 0
    for part in parts:
        spans = zip(*(column.tolist() for column in part[1:6]), strict=True)
        frames += [(part.data[start:stop], *place) for start, stop, *place in spans]
        frames += [("done", before + at) for at in part.breaks.tolist()]
        before += len(part.starts)
        counts = [a + b for a, b in zip(counts, part.counts[:4], strict=True)]
    return sorted(frames, key=repr), counts


def main() -> None:
    """Run for a time or a number of inputs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument(
        "--inputs", type=int, default=-1, help="number of inputs, instead of a time"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--corpus", type=Path, help="folder that keeps the inputs with new coverage"
    )
    options = parser.parse_args()
    import atheris

    with atheris.instrument_imports(include=_INSTRUMENTED):
        import toolkit.loaders.read  # noqa: F401
    from tests.fuzz.seeds import seeds

    with tempfile.TemporaryDirectory() as folder:
        corpus = options.corpus or Path(folder)
        corpus.mkdir(exist_ok=True)
        for i, record in enumerate(seeds()):
            if len(record) < 2000:
                (corpus / f"seed-{i}").write_bytes(b"\x40" + _in_container(record, i))
        arguments = [
            *(f"-seed={options.seed}", "-max_len=4096", "-rss_limit_mb=0", "-timeout=20"),
            *("-close_fd_mask=0", "-print_final_stats=1", "-verbosity=1"),
            f"-max_total_time={options.seconds if options.inputs < 0 else 0}",
            f"-runs={options.inputs}",
            f"-artifact_prefix={folder}/",
        ]
        atheris.Setup([sys.argv[0], *arguments, str(corpus)], check)
        atheris.Fuzz()


def _in_container(record: bytes, i: int) -> bytes:
    """Return a source that contains a record, in the containers in turn."""
    containers = [
        record + b"\n" + record,
        b"data: " + record + b"\n\ndata: [DONE]\n\n",
        b"[" + record + b",\n" + record + b"]",
        record.replace(b"{", b"{\n ", 1),
    ]
    return containers[i % len(containers)]


if __name__ == "__main__":
    main()
