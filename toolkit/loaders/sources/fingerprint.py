"""Compute the size and SHA-256 of a source while it is read."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypedDict

from toolkit.loaders.sources.compression import Reader, read_bytes

_LARGE = 1 << 18  # bytes from which hashing on another thread pays off


class FingerprintRecord(TypedDict):
    """The fingerprint of a source as it is stored, before decompression."""

    bytes: int
    modified_ns: int | None
    sha256: str


class Fingerprint:
    """The size, time and hash of the bytes of a source as they are stored, before decompression.

    Attributes
    ----------
    bytes : int
        Bytes read so far.
    modified_ns : int or None
        Time of the file's last change, in nanoseconds since 1970; None if it is not a file.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self.modified_ns: int | None = None
        self._hash = hashlib.sha256()
        self._pool: ThreadPoolExecutor | None = None
        self._pending: Future[None] | None = None

    def wrap(self, reader: Reader) -> Reader:
        """Return a reader that adds every byte it reads to this fingerprint."""
        if hasattr(reader, "fileno") and isinstance(getattr(reader, "name", None), str):
            self.modified_ns = os.fstat(reader.fileno()).st_mtime_ns
        return _FingerprintingReader(reader, self)

    def add(self, data: bytes) -> None:
        """Add the next bytes; large blocks are hashed on another thread."""
        self.bytes += len(data)
        self._wait()
        if len(data) < _LARGE:
            self._hash.update(data)
            return
        self._pool = self._pool or ThreadPoolExecutor(1)
        self._pending = self._pool.submit(self._hash.update, data)

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()
            self._pending = None

    def finish(self) -> FingerprintRecord:
        """Stop the hashing thread and return the fingerprint of all bytes."""
        self._wait()
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        return {
            "bytes": self.bytes,
            "modified_ns": self.modified_ns,
            "sha256": self._hash.hexdigest(),
        }


class _FingerprintingReader:
    def __init__(self, reader: Reader, fingerprint: Fingerprint) -> None:
        self._reader = reader
        self._fingerprint = fingerprint

    def read(self, size: int, /) -> bytes:
        raw = read_bytes(self._reader, size)
        self._fingerprint.add(raw)
        return raw
