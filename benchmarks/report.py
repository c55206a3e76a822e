"""Tables of results: aligned on the terminal, as Markdown, in the README."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

README = Path(__file__).with_name("README.md")
_BEGIN = "<!-- results: written by `python -m benchmarks --write-readme` -->"
_END = "<!-- end of the results -->"
_LIBRARIES = (
    "numpy",
    "pandas",
    "pyarrow",
    "duckdb",
    "polars",
    "msgspec",
    "orjson",
    "pysimdjson",
    "openai",
)


@dataclass(frozen=True)
class Table:
    """A titled table: every row has the same keys, which are the headings."""

    title: str
    rows: list[dict[str, Any]]
    note: str = ""

    def text(self) -> str:
        """Return it aligned by blanks."""
        cells = self._cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if place == 0 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in cells
        ]
        rule = "-" * max(map(len, lines))
        head = [self.title, *([self.note] if self.note else []), "", lines[0], rule]
        return "\n".join([*head, *lines[1:]])

    def markdown(self) -> str:
        """Return it as a section of Markdown."""
        head, *rows = self._cells()
        rule = ["---", *("---:" for _ in head[1:])]
        lines = ["| " + " | ".join(row) + " |" for row in (head, rule, *rows)]
        note = [self.note, ""] if self.note else []
        return "\n".join([f"### {self.title}", "", *note, *lines])

    def _cells(self) -> list[list[str]]:
        names = list(self.rows[0])
        return [names, *([_text(row[name]) for name in names] for row in self.rows)]


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def machine() -> str:
    """Name what the numbers depend on: processor, cores, Python, libraries."""
    cores = len(usable_cores())
    versions = []
    for name in _LIBRARIES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return (
        f"{_processor()}, {cores} cores, {platform.system()}, "
        f"Python {platform.python_version()}; {', '.join(versions)}."
    )


def usable_cores() -> range | set[int]:
    import os

    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def write_readme(tables: Sequence[Table], path: Path = README) -> None:
    """Put the tables between the marks in the README."""
    before, mark, rest = path.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not mark or not end:
        raise ValueError(f"{path.name} lacks the lines {_BEGIN!r} and {_END!r}")
    body = "\n\n".join([machine(), *(table.markdown() for table in tables)])
    path.write_text(f"{before}{_BEGIN}\n{body}\n{_END}{after}")
