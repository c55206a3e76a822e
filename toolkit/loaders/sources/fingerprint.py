"""What is seen of a source while it is read: how many bytes, and their hash."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from toolkit.loaders.sources.compression import Reader

_LARGE = 1 << 18  # bytes that are worth another thread


class Fingerprint:
    """The bytes of a source as it is stored, compressed if it is.

    Attributes
    ----------
    bytes : int
        How many were read.
    modified_ns : int or None
        When the file was last written, in nanoseconds since 1970; None: it is no file.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self.modified_ns: int | None = None
        self._hash = hashlib.sha256()
        self._pool: ThreadPoolExecutor | None = None
        self._pending: Future[None] | None = None

    def watching(self, reader: Reader) -> Reader:
        """Return a reader of the same bytes that are seen here."""
        if hasattr(reader, "fileno") and isinstance(getattr(reader, "name", None), str):
            self.modified_ns = os.fstat(reader.fileno()).st_mtime_ns
        return _Watching(reader, self)

    def add(self, data: bytes) -> None:
        """Take the next bytes; many are hashed on another thread."""
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

    def told(self) -> dict[str, Any]:
        """End, and return what was seen."""
        self._wait()
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        return {
            "bytes": self.bytes,
            "modified_ns": self.modified_ns,
            "sha256": self._hash.hexdigest(),
        }


class _Watching:
    def __init__(self, reader: Reader, seen: Fingerprint) -> None:
        self._reader = reader
        self._seen = seen

    def read(self, size: int, /) -> bytes | str | None:
        data = self._reader.read(size)
        raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data or b"")
        self._seen.add(raw)
        return raw
