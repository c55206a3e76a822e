"""``python -m benchmarks``: run the contests and print their tables."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import report
from benchmarks.sections import SECTIONS, Settings


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    options = _parser().parse_args(arguments)
    options.cache.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        folder=options.cache,
        mb=options.mb,
        threads_mb=options.threads_mb,
        big_mb=options.big_mb,
        k=options.k,
        repeats=options.repeats,
        tokens=options.tokens,
        modules=options.peers,
        seed=options.seed,
    )
    chosen = options.only or tuple(name for name in SECTIONS if name != "big")
    chosen += ("big",) if options.big and "big" not in chosen else ()
    print(report.machine(), flush=True)
    tables = []
    for name in chosen:
        for table in SECTIONS[name](settings):
            tables.append(table)
            print("", table.markdown() if options.markdown else table.text(), sep="\n", flush=True)
    if options.json:
        found = {"machine": report.machine(), "tables": [asdict(table) for table in tables]}
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    if options.write_readme:
        report.write_readme(tables)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--only", type=_sections, default=(), metavar="NAME,...", help=", ".join(SECTIONS))
    add("--big", action="store_true", help="also export a large file, plain and gzipped")
    add("--mb", type=float, default=64, help="size of a corpus (default %(default)s)")
    add("--threads-mb", type=float, default=256, help="of that for threads (%(default)s)")
    add("--big-mb", type=float, default=2000, help="of the large file (%(default)s)")
    add("--k", type=_numbers, default=(5, 20), help="alternatives per token (5,20)")
    add("--tokens", type=int, default=10_000_000, help="rows for metrics (%(default)s)")
    add("--repeats", type=int, default=5, help="runs that count (%(default)s)")
    add("--peers", type=_names, default=(), help="contestants, by module (all installed)")
    add("--seed", type=int, default=0, help="of the corpora (%(default)s)")
    add("--cache", type=Path, default=Path(tempfile.gettempdir()) / "logprob-benchmarks")
    add("--json", type=Path, help="also write the tables to this file")
    add("--markdown", action="store_true", help="print Markdown")
    add("--write-readme", action="store_true", help="put the tables into benchmarks/README.md")
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _sections(text: str) -> tuple[str, ...]:
    names = _names(text)
    if unknown := [name for name in names if name not in SECTIONS]:
        raise argparse.ArgumentTypeError(f"no section {unknown[0]!r}; choose of {list(SECTIONS)}")
    return names


if __name__ == "__main__":
    main()
