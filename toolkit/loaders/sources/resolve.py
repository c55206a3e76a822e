"""Resolve what a caller names to sources: paths, globs, directories, URIs, file objects, bytes.

Nothing is fetched over HTTP, pipes and devices are not opened by name, and compression is detected
from magic bytes, never from the file name. Blocks are decompressed on demand, so memory is bounded
by the block size.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa

from toolkit.errors import ArgumentError, SourceError
from toolkit.loaders.sources.locations import (
    File,
    FileObject,
    Memory,
    Remote,
    Stdin,
    Unavailable,
)
from toolkit.loaders.sources.source import Source, describe_error

RECORD_SUFFIXES = (".jsonl", ".ndjson", ".json", ".sse", ".har")
"""Suffixes of the files that are always taken from a directory."""
SNIFFED_SUFFIXES = (".txt", ".log", ".bin", ".chunks", ".yaml", ".yml", "")
"""Suffixes of the files that are taken if they begin like JSON, SSE or a VCR cassette."""
COMPRESSION_SUFFIXES = (".gz", ".gzip", ".zst", ".zstd", ".bz2")

_SNIFFED_BYTES = 1 << 12  # bytes at the start of a file that decide whether it is a recording
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9_]*\Z")
_RECORDING = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:[{\[:]|data:|event:|id:|retry:)")
_YAML_SUFFIXES = (".yaml", ".yml")
_CASSETTE = re.compile(rb"(?:(?:#|---|version:)[^\n]*\n|\r?\n)*interactions:")
_GLOB = re.compile(r"[*?\[]")


def resolve(sources: Any) -> list[Source]:
    """Find the sources that a caller names, in the order given.

    Parameters
    ----------
    sources : str, path, file object, bytes, or an iterable of these
        A path; a glob (``*``, ``?``, ``[``, ``**``), unless a file of that very name exists; a
        directory, searched recursively for recordings (hidden files are skipped); ``"-"`` for
        standard input; a URI that Arrow can open (``s3://``, ``gs://``, ``file://``); an open
        file, binary or text; or bytes, which are the text of a recording. The files of globs and
        directories are sorted, each once.

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
    elif hasattr(item, "read"):
        yield Source(_file_name(item), FileObject(item))
    elif isinstance(item, os.PathLike):
        yield from _local(os.fsdecode(item))
    elif isinstance(item, Iterable) and not isinstance(item, dict):
        for inner in item:
            yield from _sources(inner)
    else:
        raise ArgumentError(
            f"a source is a path, a URI, a file object or bytes, found {type(item).__name__}; "
            "for responses in memory, use from_responses"
        )


def _from_string(text: str) -> Iterator[Source]:
    if text == "-":
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
    for name in ("<bytes>", "<file>"):
        found = [i for i, source in enumerate(sources) if source.name == name]
        if len(found) > 1:
            for n, i in enumerate(found, start=1):
                sources[i] = replace(sources[i], name=f"{name[:-1]}-{n}>")
    return sources


def _file_name(file: Any) -> str:
    name = getattr(file, "name", None)
    if isinstance(name, str | bytes | os.PathLike):
        return _printable(os.fsdecode(name)) or "<file>"
    return "<file>"  # the number of a descriptor is not a name


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
    if _exists(name) or not _GLOB.search(path):
        yield _file(name, path)
        return
    found = {file for hit in glob.glob(path, recursive=True) for file in _expanded(hit)}
    if not found:
        yield _unavailable(name, "the pattern matches no file; expected the path of a recording")
    for file in sorted(found):
        yield _file(file, file)


def _expanded(hit: str) -> list[str]:
    """Return the files of a hit of a glob: the file itself, or the recordings in a directory."""
    return list(_recordings(hit)) if os.path.isdir(hit) else [hit]


def _directory(path: str) -> Iterator[Source]:
    unlisted: list[OSError] = []
    found = sorted(_recordings(path, unlisted.append))
    for file in found:
        yield _file(file, file)
    for error in unlisted:
        message = f"the directory cannot be listed: {describe_error(error)}"
        yield _unavailable(str(error.filename), message)
    if not found and not unlisted:
        yield _unavailable(
            path,
            "no recording in this directory; looked for files that end in "
            f"{', '.join(RECORD_SUFFIXES)} (also compressed), and for JSON, SSE or cassettes "
            f"in files that end in {', '.join(filter(None, SNIFFED_SUFFIXES))} "
            "or have no suffix",
        )


def _recordings(
    directory: str, onerror: Callable[[OSError], object] | None = None
) -> Iterator[str]:
    for folder, subfolders, files in os.walk(directory, onerror=onerror):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in files:
            path = os.path.join(folder, name)
            if not name.startswith(".") and os.path.isfile(path) and _is_recording(name, path):
                yield path


def _is_recording(name: str, path: str) -> bool:
    suffix = _suffix(name)
    if suffix in RECORD_SUFFIXES:
        return True
    return suffix in SNIFFED_SUFFIXES and _begins_like_recording(_file(path, path), suffix)


def _suffix(name: str) -> str:
    """Return the suffix before that of compression; a suffix cannot begin with a digit."""
    root, suffix = os.path.splitext(name.lower())
    if suffix in COMPRESSION_SUFFIXES:
        suffix = os.path.splitext(root)[1]
    return suffix if _SUFFIX.match(suffix) else ""


def _begins_like_recording(source: Source, suffix: str) -> bool:
    try:
        head = next(source.blocks(_SNIFFED_BYTES), b"")
    except SourceError:
        return True  # taken, so that its fault is reported
    return (_CASSETTE if suffix in _YAML_SUFFIXES else _RECORDING).match(head) is not None


def _file(name: str, path: str) -> Source:
    return Source(_printable(name), File(path))


def _unavailable(name: str, message: str) -> Source:
    return Source(_printable(name), Unavailable(message))


# URIs


def _remote(uri: str, scheme: str) -> Iterator[Source]:
    from pyarrow import fs

    name = re.sub(r"(?<=://)[^/@]*@", "", uri)
    if scheme in ("http", "https"):
        raise SourceError(f"{name}: nothing is fetched over {scheme}; download it, pass the file")
    try:
        filesystem, path = fs.FileSystem.from_uri(uri)
    except (pa.ArrowException, ValueError, ImportError, OSError) as error:
        raise SourceError(
            f"{name}: cannot open this kind of URI ({type(error).__name__}); expected file://, "
            "s3://, gs:// or another that pyarrow.fs.FileSystem.from_uri accepts; otherwise open "
            "it yourself and pass the file object"
        ) from error
    if isinstance(filesystem, fs.LocalFileSystem):
        for source in _local(path):
            yield replace(source, name=name) if source.name == _printable(path) else source
        return
    try:
        paths = _remote_paths(filesystem, path)
    except (OSError, ValueError, pa.ArrowException) as error:
        yield _unavailable(name, describe_error(error))
        return
    if not paths:
        yield _unavailable(name, "no such file, and no recording matches it or lies below it")
    for found_path in paths:
        found_name = name if found_path == path else f"{scheme}://{found_path}"
        yield Source(_printable(found_name), Remote(filesystem, found_path))


def _remote_paths(filesystem: Any, path: str) -> list[str]:
    """Return the file at the path or, of a directory or pattern, the sorted files."""
    from pyarrow import fs

    kind = filesystem.get_file_info(path).type
    if kind == fs.FileType.File:
        return [path]
    if kind == fs.FileType.Directory:
        files = _listed(filesystem, path)
        return [file for file in files if _is_remote_recording(filesystem, file)]
    if not (wildcard := _GLOB.search(path)):
        return []
    base = posixpath.dirname(path[: wildcard.start()])
    pattern = path.split("/")
    return [file for file in _listed(filesystem, base) if _matches(file.split("/"), pattern)]


def _listed(filesystem: Any, base: str) -> list[str]:
    from pyarrow import fs

    selector = fs.FileSelector(base, recursive=True, allow_not_found=True)
    infos = filesystem.get_file_info(selector)
    files = (info.path for info in infos if info.type == fs.FileType.File)
    return sorted(file for file in files if "/." not in file[len(base) :])


def _is_remote_recording(filesystem: Any, path: str) -> bool:
    suffix = _suffix(posixpath.basename(path))
    if suffix in RECORD_SUFFIXES:
        return True
    source = Source(path, Remote(filesystem, path))
    return suffix in SNIFFED_SUFFIXES and _begins_like_recording(source, suffix)


def _matches(parts: list[str], pattern: list[str]) -> bool:
    """Return whether the parts of a path match a pattern; ``**`` matches any number of parts."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[i:], pattern[1:]) for i in range(len(parts) + 1))
    if not parts or not fnmatch.fnmatchcase(parts[0], pattern[0]):
        return False
    return _matches(parts[1:], pattern[1:])
