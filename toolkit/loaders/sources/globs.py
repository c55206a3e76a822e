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
from collections.abc import Callable, Iterable, Iterator, Sequence
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
    if not start and os.curdir in re.split(_SEPARATOR, pattern):  # then it may match . itself
        start = os.path.join(os.curdir, "")
    tops = glob.glob(start) if MAGIC.search(start) else [start]
    return [hit for top in tops for hit in _below(top, rest)]


def _parts(path: str) -> list[str]:
    return [part for part in re.split(_SEPARATOR, path) if part not in ("", os.curdir)]


def _below(top: str, pattern: Sequence[str]) -> Iterator[str]:
    """Yield the paths below a directory of which the parts match, and the directory if it does."""
    end, base = len(pattern), top or os.path.join(os.curdir, "")
    reached = {base: _after_deep({0}, pattern)}  # places in the pattern after each directory
    if end in reached[base] and os.path.isdir(top):
        yield top
    for folder, subfolders, names in walk(base):
        before = reached.pop(folder)
        for name in names:
            if end in _after(name, before, pattern):
                yield top + os.path.join(folder, name)[len(base) :]
        for name in list(subfolders):
            path = os.path.join(folder, name)
            places = reached[path] = _after(name, before, pattern)
            if end in places:
                yield top + path[len(base) :]
            if not places:
                del reached[path]
                subfolders.remove(name)


def walk(
    top: str, onerror: Callable[[OSError], object] | None = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield each directory at and below one, its subdirectories, and its other entries.

    Unlike `os.walk`, it is not recursive, so that depth has no limit. Links to directories are
    omitted. The caller may remove subdirectories from the list to skip them.
    """
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        subfolders: list[str] = []
        names: list[str] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not entry.is_symlink():
                        is_folder = entry.is_dir(follow_symlinks=False)
                        (subfolders if is_folder else names).append(entry.name)
                    elif not os.path.isdir(entry.path):
                        names.append(entry.name)
        except OSError as error:
            if onerror is not None:
                onerror(error)
            continue
        yield folder, subfolders, names
        waiting += [os.path.join(folder, name) for name in subfolders]


def matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether the parts of a path match those of a pattern.

    ``**`` matches any number of parts. Only a part of a pattern that begins with a dot matches one
    that does.

    Examples
    --------
    >>> matches(["a", "b", "c.jsonl"], ["**", "*.jsonl"]), matches([".a", "b"], ["**", "b"])
    (True, False)
    """
    places = _after_deep({0}, pattern)
    for part in parts:
        places = _after(part, places, pattern)
    return len(pattern) in places


def _after(part: str, places: set[int], pattern: Sequence[str]) -> set[int]:
    """Return the places in a pattern after a part of a path, from those before it."""
    found = set()
    for place in places - {len(pattern)}:
        name = pattern[place]
        if part.startswith(".") and not name.startswith("."):
            continue
        if name == _DEEP:
            found.add(place)
        elif fnmatch.fnmatchcase(part, name):
            found.add(place + 1)
    return _after_deep(found, pattern)


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
