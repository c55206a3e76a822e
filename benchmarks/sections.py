"""What is measured: reading, threads, exporting, metrics, importing."""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import corpus, tables
from benchmarks.containers import PARSED
from benchmarks.contest import Contestant, Result, run
from benchmarks.corpus import Spec
from benchmarks.peers import PEERS, TOOLKIT, Peer
from benchmarks.report import Table, usable_cores

_SLICE = 8  # slow contestants read an eighth
_STREAMING = ("toolkit", "pyarrow", "duckdb", "polars")


@dataclass(frozen=True)
class Settings:
    """Options of a run.

    Attributes
    ----------
    folder : Path
        Where corpora are kept.
    mb : float
        Size of a corpus, in 10^6 bytes.
    threads_mb, big_mb : float
        The same for the sections on threads and on large files.
    k : tuple of int
        Alternatives per token.
    repeats : int
    tokens : int
        Rows of the tables that metrics are computed of.
    modules : tuple of str
        Contestants to run, by module; empty: all that are installed.
    seed : int
    """

    folder: Path
    mb: float = 64
    threads_mb: float = 256
    big_mb: float = 2000
    k: tuple[int, ...] = (5, 20)
    repeats: int = 5
    tokens: int = 10_000_000
    modules: tuple[str, ...] = ()
    seed: int = 0


def installed(settings: Settings) -> list[Peer]:
    """Return the contestants that can run, the toolkit first."""
    return [
        peer
        for peer in PEERS
        if all(importlib.util.find_spec(name) for name in peer.needs)
        and (peer is TOOLKIT or not settings.modules or peer.module in settings.modules)
    ]


def read(settings: Settings) -> Iterator[Table]:
    """Time JSON to tables, one thread."""
    specs = [(f"whole responses, k={k}", Spec(k=k, seed=settings.seed)) for k in settings.k]
    base = Spec(k=settings.k[0], seed=settings.seed)
    specs += [
        ("stream chunks, one stream after the other", corpus.as_streamed(base)),
        ("stream chunks, four streams in turn", corpus.as_streamed(base, interleaved=True)),
        ("camelCase", replace(base, camel=True)),
        ("half a surrogate pair in 1 % of the responses", replace(base, deferred=0.01)),
    ]
    for title, spec in specs:
        path = corpus.cached(settings.folder, spec, settings.mb)
        contestants = _readers(settings, spec, path, "read")
        note = f"{path.stat().st_size / 1e6:.0f} MB of JSONL; one thread"
        yield Table(f"Read: {title}", _rows(run(contestants), "MB/s"), f"{note}.")


_ROWS = ("rows", "rows, columns", "lists in rows")
_KEPT = {
    "whole responses": (Spec(), ("lines", "array", "pretty", "pretty array", *_ROWS)),
    "responses of 10 kB": (Spec(short=True), ("lines", *_ROWS)),
    "stream chunks": (Spec(streamed=True), ("lines", "data", "rows", "sse", "array")),
    "other formats": (Spec(), ("lines", "responses", "responses in rows", "langchain", "ollama")),
    "formats that scripts must take apart": (Spec(), ("lines", *PARSED)),
}
"""What the records of a table are, and the containers to compare; lines are the first."""
SCRIPTS = ("json", "msgspec")  # what people would write instead
_PARSERS = ("json_parse",)  # what each script must do first


def containers(settings: Settings) -> Iterator[Table]:
    """Time the same answers as lines, in rows, events, arrays and pretty-printed; one thread."""
    for title, (base, names) in _KEPT.items():
        others = _PARSERS if names[-1] in PARSED else SCRIPTS
        peers = [peer for peer in installed(settings) if peer.module in ("toolkit", *others)]
        contestants = []
        for name in names:
            spec = replace(base, k=settings.k[0], container=name, seed=settings.seed)
            path = corpus.cached(settings.folder, spec, settings.mb / 4)
            contestants += [_reader(peer, spec, path, settings, "read") for peer in peers]
        found = iter(run(contestants))
        rows = [_kept(name, [next(found) for _ in peers]) for name in names]
        for row in rows:
            row["× lines"] = row["toolkit MB/s"] / rows[0]["toolkit MB/s"]
        note = f"About {settings.mb / 4:.0f} MB of each container, in its own bytes; one thread."
        yield Table(f"Containers: {title}", rows, note)


def _kept(name: str, results: list[Result]) -> dict[str, Any]:
    """Return the row of a container: the speed of each contestant in CPU seconds."""
    rates = {f"{each.contestant.name} MB/s": each.cpu_rate for each in results}
    least = max((each.cpu_rate for each in results[1:]), default=results[0].cpu_rate)
    return {"": name, **rates, "× the faster script": results[0].cpu_rate / least}


def _readers(settings: Settings, spec: Spec, path: Path, kind: str) -> list[Contestant]:
    """Return the contestants that can take such a corpus, slow ones with a slice of it."""
    peers = [peer for peer in installed(settings) if _fits(peer, spec)]
    if kind == "export":
        peers = [peer for peer in peers if peer.tables]
    small = path
    if any(peer.slow for peer in peers):
        small = corpus.cached(settings.folder, spec, settings.mb / _SLICE)
    contestants = [
        _reader(peer, spec, small if peer.slow else path, settings, kind) for peer in peers
    ]
    if small != path:
        reference = _reader(TOOLKIT, spec, small, settings, kind)
        contestants.append(replace(reference, repeats=0, shown=False))
    return contestants


def _fits(peer: Peer, spec: Spec) -> bool:
    return (
        (peer.camel or not spec.camel)
        and (peer.chunks or not spec.streamed)
        and (peer.surrogates or not spec.deferred)
    )


def _reader(
    peer: Peer,
    spec: Spec,
    path: Path,
    settings: Settings,
    kind: str,
    *,
    threads: int = 1,
    checked: bool = True,
) -> Contestant:
    task = {
        "kind": kind,
        "module": peer.module,
        "path": str(path),
        "spec": asdict(spec),
        "threads": threads,
        "folder": str(settings.folder),
        "checked": checked,
    }
    repeats = max(1, settings.repeats // 2) if peer.slow else settings.repeats
    amount = path.stat().st_size / 1e6
    return Contestant(peer.name, task, amount, repeats, path.name)


def _rows(results: list[Result], unit: str, **more: Callable[[Result], Any]) -> list[dict]:
    """Return rows, fastest first, with how many times faster the toolkit is."""
    ours = results[0].rate
    return [
        {
            "": result.contestant.name,
            unit: result.rate,
            "× slower": ours / result.rate,
            "wall s": result.wall,
            "CPU s": result.cpu,
            "amount": f"{result.contestant.amount:.0f} {unit.partition('/')[0]}",
            "peak RSS MB": result.peak_mb,
            "of it imports": result.baseline_mb,
            **{name.replace("_", " "): value(result) for name, value in more.items()},
        }
        for result in sorted(results, key=lambda result: -result.rate)
    ]


def threads(settings: Settings) -> Iterator[Table]:
    """Time reading and exporting with one thread, two, four, up to all cores."""
    whole = Spec(k=settings.k[0], seed=settings.seed)
    for title, kind, spec, suffix in (
        ("read", "read", whole, ".jsonl"),
        ("read stream chunks", "read", corpus.as_streamed(whole), ".jsonl"),
        ("read gzip", "read", whole, ".jsonl.gz"),
        ("export", "export", whole, ".jsonl"),
    ):
        path = corpus.cached(settings.folder, spec, settings.threads_mb, suffix)
        contestants = []
        for peer in installed(settings):
            if peer is not TOOLKIT and (not peer.parallel or kind == "export" or spec is not whole):
                continue
            if peer is not TOOLKIT and suffix != ".jsonl":
                continue
            for n in _thread_counts():
                contestant = _reader(
                    *(peer, spec, path, settings, kind), threads=n, checked=n < 2 and kind == "read"
                )
                name = f"{peer.name}, {n} thread{'s' if n > 1 else ''}"
                amount = settings.threads_mb  # of JSON, also if it is compressed
                contestants.append(replace(contestant, name=name, amount=amount))
        path.read_bytes()  # into the file cache, for the first of the first runs
        yield Table(f"Threads: {title}", _thread_rows(run(contestants)), _THREADS_NOTE)


_THREADS_NOTE = (
    "Not in the medians: the first run of a process, which has all its memory yet to get from the "
    "system. Serial: the share of the work that more threads did not make faster, by the metric of "
    "Karp and Flatt."
)


def _thread_counts() -> list[int]:
    """Return 1, 2, 4 and so on, up to the number of cores."""
    cores = len(usable_cores())
    return sorted({1, *(n for n in (2, 4, 8, 16, 32, 64) if n <= cores), cores})


def _thread_rows(results: list[Result]) -> list[dict]:
    one = {
        result.contestant.task["module"]: result.rate
        for result in results
        if result.contestant.task["threads"] == 1
    }

    def serial(result: Result) -> float | None:
        n = result.contestant.task["threads"]
        times = result.rate / one[result.contestant.task["module"]]
        return None if n == 1 else 100 * (1 / times - 1 / n) / (1 - 1 / n)

    first = {"first_run_s": lambda result: result.first}
    return _rows(results, "MB/s", **{"serial_%": serial}, **first)


def export(settings: Settings) -> Iterator[Table]:
    """Time JSON to Parquet."""
    spec = Spec(k=settings.k[0], seed=settings.seed)
    path = corpus.cached(settings.folder, spec, settings.mb)
    results = run(_readers(settings, spec, path, "export"))
    size = path.stat().st_size / 1e6
    note = f"{size:.0f} MB of JSONL; one thread; zstd level 1 everywhere."
    rows = _rows(results, "MB/s", written_MB=_written)
    yield Table("Export: JSON to Parquet", rows, note)


def _written(result: Result) -> float:
    return result.checks["written_mb"]


def big(settings: Settings) -> Iterator[Table]:
    """Time JSON to Parquet of a large file, and see whether memory grows with it."""
    spec = Spec(k=settings.k[0], seed=settings.seed)
    results = []
    for size, suffix in ((0.1, ".jsonl"), (1, ".jsonl"), (1, ".jsonl.gz")):
        path = corpus.cached(settings.folder, spec, settings.big_mb * size, suffix)
        megabytes = settings.big_mb * size
        for peer in installed(settings):
            if peer.module not in _STREAMING or (suffix.endswith("gz") and peer is not TOOLKIT):
                continue
            contestant = _reader(peer, spec, path, settings, "export", checked=False)
            name = f"{peer.name}: {megabytes:.0f} MB{' as gzip' if suffix != '.jsonl' else ''}"
            alone = replace(contestant, name=name, amount=megabytes, repeats=0, group=name)
            results += run([alone])
        if size == 1:
            path.unlink()
    rows = [
        {
            "": result.contestant.name,
            "MB/s": result.rate,
            "wall s": result.wall,
            "CPU s": result.cpu,
            "peak RSS MB": result.peak_mb,
            "written MB": _written(result),
        }
        for result in results
    ]
    yield Table("Export of large files", rows, "One run each, one thread.")


def metrics(settings: Settings) -> Iterator[Table]:
    """Time metrics of tables in memory, one thread."""
    spec = Spec(k=settings.k[0], seed=settings.seed)
    path = tables.build(settings.folder, settings.tokens, spec)
    n_tokens, n_alternatives = (tables.rows(path, name) for name in ("tokens", "alternatives"))
    for metric, title, n in (
        ("perplexity", "perplexity by answer, of token rows", n_tokens),
        ("entropy", "top-k entropy by token, of alternative rows", n_alternatives),
    ):
        contestants = [
            _kernel(peer.name, peer.module, metric, path, n, settings)
            for peer in _kernels(settings)
        ]
        if metric == "perplexity":
            contestants.insert(
                1,
                _kernel(
                    "toolkit kernel, lengths known",
                    "toolkit",
                    f"{metric}_by_counts",
                    path,
                    n,
                    settings,
                ),
            )
        rows = _short(run(contestants), "Mrows/s")
        yield Table(f"Metrics: {title}", rows, f"{n:,} rows mapped into memory; one thread.")
    contestants = []
    for metric in ("token_metrics", "sequence_metrics"):
        kernel = _kernel(metric, "toolkit", metric, path, n_alternatives, settings)
        for n in sorted({1, len(usable_cores())}):
            task = kernel.task | {"checked": False, "threads": n}
            name = f"{metric}, {n} thread{'s' if n > 1 else ''}"
            contestants.append(replace(kernel, name=name, task=task, group=name))
    rows = _short(run(contestants), "Mrows/s")
    for row in rows:
        del row["× slower"]
    yield Table("Metrics: the whole public functions", rows, "Rows are alternatives.")


def _kernels(settings: Settings) -> list[Peer]:
    found = {peer.module: peer for peer in installed(settings)}
    names = ("toolkit", "duckdb", "polars", "pandas", "pyarrow")
    shown = {"toolkit": "toolkit kernel"}  # it is not a public function
    return [replace(found[name], name=shown.get(name, name)) for name in names if name in found]


def _kernel(
    name: str, module: str, metric: str, path: Path, rows: int, settings: Settings
) -> Contestant:
    task = {
        "kind": "metric",
        "module": module,
        "metric": metric,
        "path": str(path),
        "threads": 1,
        "checked": True,
    }
    return Contestant(name, task, rows / 1e6, settings.repeats, metric.removesuffix("_by_counts"))


def _short(results: list[Result], unit: str) -> list[dict]:
    kept = ("", unit, "× slower", "wall s", "CPU s")
    return [{name: row[name] for name in kept} for row in _rows(results, unit)]


def imports(settings: Settings) -> Iterator[Table]:
    """Time imports in a fresh interpreter."""
    python = [sys.executable, "-c"]
    commands = {
        "python -c pass": [*python, "pass"],
        "import toolkit": [*python, "import toolkit"],
        "import toolkit; toolkit.read": [*python, "import toolkit; toolkit.read"],
        "import pyarrow": [*python, "import pyarrow"],
        "import pandas": [*python, "import pandas"],
        "logprobs --help": [sys.executable, "-m", "toolkit", "--help"],
    }
    walls: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(2 * settings.repeats + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if turn:  # the first turn warms the file cache
                walls[name].append(time.perf_counter() - start)
    rows = [
        {"": name, "wall ms": 1e3 * statistics.median(found), "least ms": 1e3 * min(found)}
        for name, found in walls.items()
    ]
    yield Table("Import", rows, "A fresh interpreter each time.")


SECTIONS: dict[str, Callable[[Settings], Iterator[Table]]] = {
    "read": read,
    "containers": containers,
    "threads": threads,
    "export": export,
    "metrics": metrics,
    "import": imports,
    "big": big,
}
