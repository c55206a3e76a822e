"""Find the files and directories that a pattern matches, each once.

Unlike `glob.glob`, ``**`` does not follow links to directories, as a search of a directory does
not: a link to a directory above would give each file again and again.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

MAGIC = re.compile(r"[*?\[]")
"""What makes a name a pattern."""

_DEEP = "**"  # any number of directories
_SEPARATOR = f"[{re.escape(os.sep + (os.altsep or ''))}]"
_DEEP_PART = re.compile(rf"(?:\A|(?<={_SEPARATOR}))\*\*(?={_SEPARATOR}|\Z)")


def hits(pattern: str) -> list[str]:
    """Return the paths that a pattern matches; hidden ones only if it names their dot."""
    deep = _DEEP_PART.search(pattern)
    if deep is None:
        return glob.glob(pattern)
    start, rest = pattern[: deep.start()], _parts(pattern[deep.start() :])
    tops = glob.glob(start) if MAGIC.search(start) else [start]
    return [hit for top in tops for hit in _below(top, rest)]


def _parts(path: str) -> list[str]:
    return [part for part in re.split(_SEPARATOR, path) if part not in ("", os.curdir)]


def _below(top: str, pattern: Sequence[str]) -> Iterator[str]:
    """Yield the paths below a directory of which the parts match, and the directory if it does."""
    shows_hidden = any(part.startswith(".") for part in pattern)
    base = top or os.path.join(os.curdir, "")
    if top and matches([], pattern):
        yield top
    for folder, subfolders, names in os.walk(base):
        if not shows_hidden:
            subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        below = _parts(folder[len(base) :])
        real = [name for name in subfolders if not os.path.islink(os.path.join(folder, name))]
        for name in (*names, *real):
            if matches([*below, name], pattern):
                yield top + os.path.join(*below, name)


def matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether the parts of a path match those of a pattern.

    ``**`` matches any number of parts. Only a part of a pattern that begins with a dot matches one
    that does.

    Examples
    --------
    >>> matches(["a", "b", "c.jsonl"], ["**", "*.jsonl"]), matches([".a", "b"], ["**", "b"])
    (True, False)
    """
    places = _after_deep({0}, pattern)  # in the pattern, after the parts so far
    for part in parts:
        found = set()
        for place in places:
            if place == len(pattern):
                continue
            name = pattern[place]
            if part.startswith(".") and not name.startswith("."):
                continue
            if name == _DEEP:
                found.add(place)
            elif fnmatch.fnmatchcase(part, name):
                found.add(place + 1)
        places = _after_deep(found, pattern)
    return len(pattern) in places


def _after_deep(places: set[int], pattern: Sequence[str]) -> set[int]:
    """Return places in a pattern, and those after each ``**`` at them, which may match nothing."""
    found = set(places)
    for place in range(len(pattern)):
        if place in found and pattern[place] == _DEEP:
            found.add(place + 1)
    return found


def each_once(paths: Iterable[str]) -> set[str]:
    """Return one path to each file: of those that differ by links to directories, the one with the
    fewest.
    """
    places: dict[str, list[str]] = defaultdict(list)
    real_folder = cache(os.path.realpath)
    for path in paths:
        folder, name = os.path.split(path)
        places[os.path.join(real_folder(folder or os.curdir), name)].append(path)
    return {min(same, key=_n_links) if len(same) > 1 else same[0] for same in places.values()}


def _n_links(path: str) -> tuple[int, str]:
    """Return the number of links among the directories of a path, and the path."""
    n, folder = 0, os.path.dirname(path)
    while folder and folder != os.path.dirname(folder):
        n += os.path.islink(folder)
        folder = os.path.dirname(folder)
    return n, path
