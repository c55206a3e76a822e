"""Read one source: open it, decompress and unpack it, check it for changes, enforce its limits."""

from __future__ import annotations

import errno
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO, ClassVar, NamedTuple, cast

from toolkit import arguments
from toolkit.errors import SourceError
from toolkit.limits import LIMITS, Limits
from toolkit.loaders.sources.compression import TruncatedSourceError, decompress
from toolkit.loaders.sources.containers import unpack
from toolkit.loaders.sources.fingerprint import Fingerprint, FingerprintRecord
from toolkit.loaders.sources.locations import (
    File,
    Location,
    Memory,
    Remote,
    WatchedFile,
)
from toolkit.loaders.sources.size_limits import limit_bytes

_STORE_CODE = re.compile(r"(?:AWS Error |Status\(|Azure Error: \[)([A-Za-z_]+)")
_HASHED_BYTES = 1 << 20  # bytes that are read at a time for a fingerprint alone


class UnreadableSourceError(SourceError):
    """A source could not be opened or read."""

    reason: ClassVar[str] = "unreadable_source"


class Span(NamedTuple):
    """A part of a plain file of JSON lines: the lines that begin in a range of its bytes.

    Attributes
    ----------
    start, stop : int
        The range.
    records, lines : int
        Records and lines of the file before the range.
    size, modified_ns : int
        Of the file when it was cut.
    """

    start: int
    stop: int
    records: int
    lines: int
    size: int
    modified_ns: int


@dataclass(slots=True)
class StoredBytes:
    """Bytes of a source as they are stored, before decompression.

    Attributes
    ----------
    read : int
        How many have been read so far; 0: unknown.
    """

    read: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """One stream of bytes with a name.

    Attributes
    ----------
    name : str
        The value of the ``source`` columns: the path or URI as given or found, ``<stdin>``,
        ``<bytes>``, or the name of a file object. Passwords in a URI are omitted.
    location : Location
        The location that its bytes come from.
    skipped : mapping of str to int
        Of a folder: the files that were not taken, by kind.
    span : Span, optional
        The part of the file that is read; None: all of it.

    Examples
    --------
    >>> from toolkit.loaders.sources.resolve import resolve
    >>> [source] = resolve(b'{"choices": []}')
    >>> source.name, list(source.blocks())
    ('<bytes>', [b'{"choices": []}'])
    """

    name: str
    location: Location = field(repr=False, compare=False)
    skipped: Mapping[str, int] = field(default_factory=dict, repr=False, compare=False)
    span: Span | None = None

    def size(self) -> int | None:
        """Return the stored size in bytes; None if it is unknown before the source is read."""
        if self.span is not None:
            return self.span.stop - self.span.start
        try:
            return self.location.size()
        except OSError:
            return None

    def document(self) -> tuple[int, str] | None:
        """Return size and name of a file that may be a single JSON document; else None."""
        stem, suffix = os.path.splitext(os.path.basename(self.name))
        if suffix.lower() != ".json" or not isinstance(self.location, File):
            return None
        size = replace(self, span=None).size()
        return None if size is None else (size, stem)

    def fingerprint(self) -> FingerprintRecord | None:
        """Return the fingerprint of the stored bytes; None if they can be read only once.

        Raises
        ------
        OSError
            If the source cannot be read.
        """
        if self.size() is None:
            return None
        fingerprint = Fingerprint()
        if isinstance(self.location, Remote):
            fingerprint.modified_ns = self.location.modified_ns
        with self.location.open() as reader:
            wrapped = fingerprint.wrap(reader)
            if self.span is not None and isinstance(reader, WatchedFile):
                reader.seek(self.span.start)
                for at in range(self.span.start, self.span.stop, _HASHED_BYTES):
                    wrapped.read(min(_HASHED_BYTES, self.span.stop - at))
                return fingerprint.finish()
            while wrapped.read(_HASHED_BYTES):
                pass
        return fingerprint.finish()

    def blocks(
        self,
        block_bytes: int = 8 << 20,
        limits: Limits = LIMITS,
        fingerprint: Fingerprint | None = None,
        stored: StoredBytes | None = None,
    ) -> Iterator[bytes]:
        """Read the source from its start, decompressed, and tables as JSON lines.

        A file object is read from its current position and left open.

        Parameters
        ----------
        block_bytes : int
            Largest size of a block in bytes.
        limits : Limits
            `Limits.expansion` and `Limits.source_bytes` are enforced here.
        fingerprint : Fingerprint, optional
            Receives the stored bytes as they are read.
        stored : StoredBytes, optional
            Receives how many bytes were read for the blocks so far.

        Yields
        ------
        bytes
            Never empty; an empty source yields nothing.

        Raises
        ------
        SourceError
            With an attribute ``reason``: ``unreadable_source``; ``unsupported_format`` for a kind
            of file that is not read, such as a pickle; ``truncated_source`` if
            compressed data is cut, corrupt or followed by something else; ``changed_source`` if the
            file changed while it was read; ``source_over_limit``. The data before the fault is
            yielded first, except that of corrupt (not of cut) data up to one block may be missing.
        """
        block_bytes = arguments.whole("block_bytes", block_bytes)
        if fingerprint is not None and isinstance(self.location, Remote):
            fingerprint.modified_ns = self.location.modified_ns
        with faults_of(self.name), self.location.open() as reader:
            watched_reader = reader if fingerprint is None else fingerprint.wrap(reader)
            blocks = decompress(watched_reader, block_bytes, limits.expansion)
            text = unpack(
                *(blocks, reader, self.name, block_bytes, limits),
                to_end=fingerprint is not None,
            )
            # That of a file object of the caller may be slow, and its size is unknown.
            is_own = isinstance(self.location, File | Remote | Memory)
            for block in limit_bytes(text, limits):
                if stored is not None and is_own:
                    stored.read = cast(IO[bytes], reader).tell()
                yield block
            for watched in (reader, self.location):
                if isinstance(watched, WatchedFile | Remote):
                    watched.check_unchanged()


@contextmanager
def faults_of(name: str) -> Iterator[None]:
    """Raise whatever goes wrong while a source is read as a `SourceError` with a reason."""
    try:
        yield
    except (zlib.error, EOFError) as error:  # from a file object that decompresses (gzip.open)
        raise TruncatedSourceError(f"{name}: compressed data is cut or corrupt") from error
    except SourceError as error:
        kind = type(error) if hasattr(error, "reason") else UnreadableSourceError
        raise kind(f"{name}: {error}") from error
    except Exception as error:  # of any class: a file object of the caller may raise it
        raise UnreadableSourceError(f"{name}: {describe_error(error)}") from error


def describe_error(error: Exception, done: str = "read") -> str:
    """Describe an error of reading or writing, without quoting any content."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "no such file"
    if isinstance(error, OSError) and error.errno is not None:
        return f"cannot be {done} ({errno.errorcode.get(error.errno, error.errno)})"
    if isinstance(error, OSError) and (code := _STORE_CODE.search(str(error))):
        return (
            f"the store did not answer as expected ({code[1]}); check the name of the bucket, its "
            "region, and the credentials in the environment, such as AWS_ACCESS_KEY_ID"
        )
    return f"cannot be {done} ({type(error).__name__})"
