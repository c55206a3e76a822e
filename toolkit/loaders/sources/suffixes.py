"""List the suffixes of file names that decide which files of a directory are read, and how."""

from __future__ import annotations

import os
import re

RECORD_SUFFIXES = (".jsonl", ".ndjson", ".json", ".sse", ".har")
"""Suffixes of the files that are always taken from a directory."""
SNIFFED_SUFFIXES = (".txt", ".log", ".bin", ".chunks", ".yaml", ".yml", "")
"""Suffixes of the files that are taken if they begin like JSON, SSE or a VCR cassette."""
CSV_SUFFIXES = (".csv", ".tsv")
"""Suffixes by which CSV is recognised, because its content has no mark."""
TABLE_SUFFIXES = (*CSV_SUFFIXES, ".parquet", ".arrow", ".feather")
"""Suffixes of the files that are taken if a column holds answers."""
ARCHIVE_SUFFIXES = (".eval",)
"""Suffixes of the files that are taken if they are a log of Inspect."""
YAML_SUFFIXES = (".yaml", ".yml")
OTHER_SUFFIXES = (
    *(".md", ".rst", ".html", ".css", ".pdf", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg"),
    *(".py", ".pyi", ".pyc", ".ipynb", ".js", ".ts", ".rb", ".go", ".rs", ".c", ".cpp", ".h"),
    *(".sh", ".bat", ".toml", ".ini", ".cfg", ".lock", *YAML_SUFFIXES),
)
"""Suffixes of documents, pictures and code: nobody expects answers in them, so no warning names
them alone."""
COMPRESSION_SUFFIXES = (".gz", ".gzip", ".zst", ".zstd", ".bz2")

_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9_]*\Z")


def suffix_of(name: str) -> str:
    """Return the suffix before that of compression; a suffix cannot begin with a digit.

    Examples
    --------
    >>> suffix_of("a/answers.JSONL.gz"), suffix_of("gpt-4.1")
    ('.jsonl', '')
    """
    root, suffix = os.path.splitext(name.lower())
    if suffix in COMPRESSION_SUFFIXES:
        suffix = os.path.splitext(root)[1]
    return suffix if _SUFFIX.match(suffix) else ""
