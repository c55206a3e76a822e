"""Resolve what a caller names to sources: paths, globs, directories, URIs, file objects, bytes.

Nothing is fetched over HTTP, pipes and devices are not opened by name, and compression is detected
from magic bytes, never from the file name. Blocks are decompressed on demand, so memory is bounded
by the block size.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa

from toolkit.errors import ArgumentError
from toolkit.loaders.sources import globs
from toolkit.loaders.sources.folders import describe_skipped, outside_exports, skipped_kind
from toolkit.loaders.sources.locations import (
    File,
    FileObject,
    Folder,
    Memory,
    Stdin,
    Unavailable,
)
from toolkit.loaders.sources.rows import Table, is_table
from toolkit.loaders.sources.source import Source, describe_error
from toolkit.loaders.sources.stores import Store
from toolkit.loaders.sources.suffixes import (
    RECORD_SUFFIXES,
    SNIFFED_SUFFIXES,
    TABLE_SUFFIXES,
    suffix_of,
)

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def resolve(sources: Any) -> list[Source]:
    """Find the sources that a caller names, in the order given.

    Parameters
    ----------
    sources : str, path, file object, bytes, table, or an iterable of these
        A path; a glob (``*``, ``?``, ``[``, ``**``), unless a file of that very name exists; a
        directory, searched recursively for recordings (hidden files are skipped); ``"-"`` for
        standard input; a URI that Arrow can open (``s3://``, ``gs://``, ``abfs://``, ``file://``),
        also of a folder or with a glob; an open
        file, binary or text; bytes, which are the content of a recording; or a DataFrame, an Arrow
        table or a column of one. The files of globs and directories are sorted, each once: neither
        directories nor ``**`` follow links to directories. Exported datasets in them are skipped. A
        directory of which files were skipped is a source without bytes, after its files.

    Returns
    -------
    list of Source
        A path that does not exist or is not a regular file, and a pattern or directory without
        recordings, becomes a source whose `Source.blocks` raises, so that it does not stop the
        others.

    Raises
    ------
    SourceError
        If a URI has a scheme that cannot be opened, such as ``https``.
    ArgumentError
        If an item is none of the above.

    Examples
    --------
    >>> [source.name for source in resolve([b"{}", b"{}"])]
    ['<bytes-1>', '<bytes-2>']
    """
    return _numbered(list(_sources(sources)))


def _sources(item: Any) -> Iterator[Source]:
    if isinstance(item, str):
        yield from _from_string(item)
    elif isinstance(item, bytes | bytearray | memoryview):
        yield Source("<bytes>", Memory(bytes(item)))
    elif is_table(item):
        yield Source("<table>", Table(item))
    elif hasattr(item, "read"):
        yield Source(_file_name(item), FileObject(item))
    elif isinstance(item, os.PathLike):
        yield from _local(os.fsdecode(item))
    elif isinstance(item, Iterable) and not isinstance(item, dict):
        for inner in item:
            yield from _sources(inner)
    else:
        ways = "for responses in memory, use from_responses"
        if hasattr(item, "collect"):
            ways = f"call its collect(), or {ways}"
        if hasattr(item, "write_parquet"):
            ways = "it has been read, and its write_parquet writes it"
        raise ArgumentError(
            f"a source is a path, a URI, a file object, bytes or a table, found "
            f"{type(item).__name__}; {ways}"
        )


def _from_string(text: str) -> Iterator[Source]:
    if not text:
        yield _unavailable("''", "no such file: the name is empty")
    elif "\0" in text:
        yield _unavailable(text, "no such file: the name has a NUL character, which no path has")
    elif text == "-":
        yield Source("<stdin>", Stdin())
    elif scheme := _SCHEME.match(text):
        yield from _remote(text, scheme[1].lower())
    elif (text.lstrip().startswith("{") or "\n" in text) and not _exists(text):
        raise ArgumentError(
            "a string is the name of a source, found the text of a record; pass it as bytes to "
            "read, or to from_responses"
        )
    else:
        yield from _local(text)


def _numbered(sources: list[Source]) -> list[Source]:
    """Number the sources without a name, if there are several of one kind."""
    for name in ("<bytes>", "<file>", "<table>"):
        found = [i for i, source in enumerate(sources) if source.name == name]
        if len(found) > 1:
            for n, i in enumerate(found, start=1):
                sources[i] = replace(sources[i], name=f"{name[:-1]}-{n}>")
    return sources


def _file_name(file: Any) -> str:
    try:
        name = os.fsdecode(file.name)
    except Exception:  # of any class: there is no name, or a number, or it cannot be asked for
        return "<file>"
    return _printable(name) or "<file>"


def _printable(name: str) -> str:
    """Return a name in which bytes that are not UTF-8 are replaced by U+FFFD."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


# Local paths


def _exists(path: str) -> bool:
    try:
        return os.path.exists(os.path.expanduser(path))
    except ValueError:  # a NUL byte
        return False


def _local(name: str) -> Iterator[Source]:
    path = os.path.expanduser(name)
    if _exists(name) and os.path.isdir(path):
        yield from _directory(path)
        return
    magic = globs.MAGIC.search(path)
    if _exists(name) or magic is None:
        yield _file(name, path)
        return
    hits, inside = _matched(path)
    found = globs.each_once(hits | inside)
    if not found:
        yield _unavailable(name, "the pattern matches no file; expected the path of a recording")
    top = os.path.dirname(path[: magic.start()])
    kept, skipped = outside_exports(found, top, os.path.exists)
    # A pattern that does not name tables matches them as a folder contains them.
    others = set(TABLE_SUFFIXES) - {suffix_of(path)}
    sure = {file for file in hits.intersection(kept) if suffix_of(file) not in others}
    unsure = (file for file in kept if file not in sure and os.path.isfile(file))
    chosen, unread = _chosen(_file(file, file) for file in unsure)
    yield from sorted([*chosen, *(_file(file, file) for file in sure)], key=_location)
    if skipped + unread:
        yield Source(_printable(name), Folder(), skipped + unread)


def _matched(pattern: str) -> tuple[set[str], set[str]]:
    """Return the files that a pattern matches, and those inside of directories that it matches."""
    try:
        hits = set(globs.hits(pattern))
    except ValueError:  # a NUL byte
        return set(), set()
    folders = {hit.rstrip(os.sep): hit for hit in hits if os.path.isdir(hit)}
    outer = (hit for path, hit in folders.items() if os.path.dirname(path) not in folders)
    return hits - set(folders.values()), {file for hit in outer for file in _files(hit)}


def _location(source: Source) -> str:
    return getattr(source.location, "path", "")


def _directory(path: str) -> Iterator[Source]:
    unlisted: list[OSError] = []
    found, skipped = outside_exports(sorted(_files(path, unlisted.append)), path, os.path.exists)
    files = (_file(file, file) for file in found)
    yield from _folder(path, files, skipped, must_hold=not unlisted)
    for error in unlisted:
        message = f"the directory cannot be listed: {describe_error(error)}"
        yield _unavailable(str(error.filename), message)


def _files(directory: str, onerror: Callable[[OSError], object] | None = None) -> Iterator[str]:
    """Yield the regular files of a directory and below that are not hidden."""
    for folder, subfolders, names in globs.walk(directory, onerror):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            path = os.path.join(folder, name)
            if not name.startswith(".") and os.path.isfile(path):
                yield path


# Folders, local and remote


def _folder(
    name: str, files: Iterable[Source], skipped: Counter[str], *, must_hold: bool = True
) -> Iterator[Source]:
    """Yield the files of a folder that hold answers, then the folder if others were skipped."""
    chosen, unread = _chosen(files)
    skipped = skipped + unread
    yield from chosen
    if not chosen and must_hold:
        found = f" (found {describe_skipped(skipped)})" if skipped else ""
        message = (
            f"no recording in this directory{found}; looked for files that end in "
            f"{', '.join(RECORD_SUFFIXES)} (also compressed), for logs of Inspect (.eval), for "
            f"answers in {', '.join(TABLE_SUFFIXES)}, and for JSON, SSE or cassettes in files that "
            f"end in {', '.join(filter(None, SNIFFED_SUFFIXES))} or have no suffix"
        )
        yield replace(_unavailable(name, message), skipped=skipped)
    elif skipped:
        yield Source(_printable(name), Folder(), skipped)


def _chosen(files: Iterable[Source]) -> tuple[list[Source], Counter[str]]:
    """Return the files of a folder that hold answers, and the number of others by kind."""
    chosen = []
    skipped: Counter[str] = Counter()
    for source in files:
        kind = skipped_kind(source)
        if kind is None:
            chosen.append(source)
        else:
            skipped[kind] += 1
    return chosen, skipped


def _file(name: str, path: str) -> Source:
    return Source(_printable(name), File(path))


def _unavailable(name: str, message: str) -> Source:
    return Source(_printable(name), Unavailable(message))


# URIs


def _remote(uri: str, scheme: str) -> Iterator[Source]:
    store = Store.open(uri, scheme)
    if store.is_local:
        for source in _local(store.path):
            is_same = source.name == _printable(store.path)
            yield replace(source, name=store.name) if is_same else source
        return
    try:
        is_folder, paths, skipped = store.files()
    except (OSError, ValueError, pa.ArrowException) as error:
        yield _unavailable(store.name, describe_error(error))
        return
    files = (Source(_printable(store.name_of(path)), store.location(path)) for path in paths)
    if is_folder:
        yield from _folder(store.name, files, skipped)
        return
    yield from files
    if skipped:
        yield Source(_printable(store.name), Folder(), skipped)
    elif not paths:
        yield _unavailable(store.name, store.why_empty())
