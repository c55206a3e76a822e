"""Choose the files of a folder that hold answers, and word why the others are skipped."""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import islice

from toolkit.errors import SourceError
from toolkit.loaders.sources.rows import NoAnswersError
from toolkit.loaders.sources.source import Source
from toolkit.loaders.sources.suffixes import (
    ARCHIVE_SUFFIXES,
    RECORD_SUFFIXES,
    SNIFFED_SUFFIXES,
    TABLE_SUFFIXES,
    YAML_SUFFIXES,
    suffix_of,
)

_SNIFFED_BYTES = 1 << 12  # bytes at the start of a file that decide whether it is a recording
_MOST_KINDS = 5  # kinds of skipped files that a message lists
_SNIFFED_ROWS = 100  # rows of a table in which answers are searched
_SNIFFED_TEXT = 1 << 16  # characters of a cell that are searched
_RECORDING = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:[{\[:]|data:|event:|id:|retry:)")
_CASSETTE = re.compile(rb"(?:(?:#|---|version:)[^\n]*\n|\r?\n)*(?:http_)?interactions:")
_ANSWER = re.compile(
    r'"(?:choices|candidates)"\s*:\s*\[\s*\{|"[a-z_]*log_?prob[a-z_]*"\s*:\s*[-\[{]', re.IGNORECASE
)
_EXPORT = ("manifest.json", "_SUCCESS", "responses", "tokens")  # of each exported dataset
# A file of a dataset in an object store, whether it is published or not (toolkit.dataset.runs).
_OF_STORE = re.compile(
    r"(.*)[/\\][0-9a-f]{12}[/\\]"
    r"(?:[a-z]+[/\\]part-[0-9-]+-[0-9a-f]{12}\.parquet|_reports[/\\][0-9]+-[0-9a-f]{12}\.json)"
)
_NEEDS_YAML = "(needs PyYAML: pip install 'logprob-toolkit[yaml]')"


def outside_exports(
    paths: Iterable[str], top: str, exists: Callable[[str], bool]
) -> tuple[list[str], Counter[str]]:
    """Leave out the files of exported datasets, which are not recordings.

    Parameters
    ----------
    paths : iterable of str
    top : str
        The folder that was searched. Only it and folders below it count as exported datasets.
    exists : callable
        Returns whether a file or folder exists.

    Returns
    -------
    list of str
        The other files.
    Counter of str
        The number of files of each dataset, by the words that name it.

    Examples
    --------
    >>> out = {"a/out/manifest.json", "a/out/_SUCCESS", "a/out/responses", "a/out/tokens"}
    >>> outside_exports(["a/b.jsonl", "a/out/manifest.json"], "a", out.__contains__)
    (['a/b.jsonl'], Counter({'of the exported dataset a/out (read_parquet reads it)': 1}))
    """

    paths = list(paths)
    stores = {found[1] for found in map(_OF_STORE.fullmatch, paths) if found}

    @cache
    def export_of(folder: str) -> str | None:
        return next(filter(is_export, _upwards(folder, top.rstrip("/"))), None)

    @cache
    def is_export(folder: str) -> bool:
        return all(exists(posixpath.join(folder, name)) for name in _EXPORT)

    kept: list[str] = []
    skipped: Counter[str] = Counter()
    for path in paths:
        of_store = _OF_STORE.fullmatch(path)
        if of_store:
            export: str | None = of_store[1]
        elif os.path.basename(path) == _EXPORT[0] and os.path.dirname(path) in stores:
            export = os.path.dirname(path)
        else:
            export = export_of(os.path.dirname(path))
        if export is None:
            kept.append(path)
        else:
            skipped[f"of the exported dataset {export} (read_parquet reads it)"] += 1
    return kept, skipped


def _upwards(folder: str, top: str) -> Iterator[str]:
    """Yield a folder and those above it, up to the top."""
    while len(folder) >= len(top):
        yield folder
        if folder == os.path.dirname(folder):
            break
        folder = os.path.dirname(folder)


def skipped_kind(source: Source) -> str | None:
    """Return the kind of a file of a folder that is skipped, in words; None: it is read.

    Examples
    --------
    >>> from toolkit.loaders.sources.locations import Memory
    >>> table = Memory(b"label,count\\ngood,3\\n")
    >>> skipped_kind(Source("a.jsonl", table)), skipped_kind(Source("a.csv", table))
    (None, '.csv without answers')
    """
    suffix = suffix_of(source.name)
    reason: str | None = ""
    if suffix in RECORD_SUFFIXES:
        reason = None
    elif suffix in SNIFFED_SUFFIXES:
        reason = _unless_recording(source, suffix)
    elif suffix in (*TABLE_SUFFIXES, *ARCHIVE_SUFFIXES):
        try:
            is_log = suffix in ARCHIVE_SUFFIXES and next(source.blocks(), b"")
            reason = None if is_log or _holds_answers(source) else "without answers"
        except NoAnswersError:
            reason = "without answers"
        except SourceError:
            reason = "that cannot be read"
    return None if reason is None else f"{suffix or 'without a suffix'} {reason}".rstrip()


def describe_skipped(skipped: Mapping[str, int]) -> str:
    """List kinds of skipped files with their numbers, the most frequent first.

    Examples
    --------
    >>> describe_skipped({".png": 1, ".csv without answers": 2})
    '2 .csv without answers, 1 .png'
    """
    kinds = Counter(skipped).most_common()
    listed = [f"{n} {kind}" for kind, n in kinds[:_MOST_KINDS]]
    others = sum(n for _, n in kinds[_MOST_KINDS:])
    return ", ".join([*listed, f"{others} of other kinds"] if others else listed)


def _unless_recording(source: Source, suffix: str) -> str | None:
    """Return why a file of text is skipped; None if it begins like a recording."""
    try:
        head = next(source.blocks(_SNIFFED_BYTES), b"")
    except SourceError as error:
        is_other = getattr(error, "reason", None) == "unsupported_format"
        return "" if is_other else None  # taken, so that its fault is reported
    if suffix not in YAML_SUFFIXES:
        return None if _RECORDING.match(head) else ""
    if not _CASSETTE.match(head):
        return ""
    try:
        import yaml  # noqa: F401
    except ImportError:
        return _NEEDS_YAML
    return None


def _holds_answers(table: Source) -> bool:
    """Return whether a cell of the first rows of a table holds an answer or logprobs."""
    rows = (json.loads(line) for line in islice(_lines(table), _SNIFFED_ROWS) if line)
    return any(_is_answer(name, value) for row in rows for name, value in row.items())


def _is_answer(name: str, value: object) -> bool:
    text = value if isinstance(value, str) else json.dumps(value)
    text = text[:_SNIFFED_TEXT].lstrip()
    return text.startswith(("{", "[", "data:")) and bool(_ANSWER.search(f'"{name}": {text}'))


def _lines(table: Source) -> Iterator[bytes]:
    rest = b""
    for block in table.blocks():
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
