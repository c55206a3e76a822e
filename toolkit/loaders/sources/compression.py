"""Decompress gzip, zstd and bz2, detected from magic bytes, and report data that is cut."""

from __future__ import annotations

import bz2
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar, Protocol

import pyarrow as pa

from toolkit.errors import SourceError
from toolkit.loaders.sources.size_limits import Expansion

_FIRST = 1 << 16  # bytes of the first chunk of an uncompressed source
_CHUNK = 1 << 16  # compressed bytes that are read at a time
_GZIP = re.compile(rb"\x1f\x8b")
_BZ2 = re.compile(rb"BZh[1-9]")
_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")
_CUT = "compressed data ends too early; what came before was read"
_CORRUPT = "compressed data is corrupt, or is followed by something else; what came before was read"


class TruncatedSourceError(SourceError):
    """Compressed data ends too early, is corrupt, or is followed by something else."""

    reason: ClassVar[str] = "truncated_source"


class Reader(Protocol):
    """An object that `Source` can read from."""

    def read(self, size: int, /) -> bytes | str | None:
        """Return at most `size` bytes (or characters); an empty value or None at the end."""


class _Decoder(Protocol):
    """The interface of `bz2.BZ2Decompressor`, which `_Gzip` has too."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """Decompresses one gzip member and checks its CRC and length."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        block = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        # After a full block there may be more output, even if all input was consumed.
        self.needs_input = len(block) < max_length
        return block


def decompress(reader: Reader, block_bytes: int, max_ratio: int) -> Iterator[bytes]:
    """Yield the content of a reader in blocks, decompressed if it is compressed.

    Parameters
    ----------
    reader : Reader
    block_bytes : int
        Largest size of a block in bytes.
    max_ratio : int
        Largest number of decompressed bytes per compressed byte; see `Expansion`.
    """
    head = b""
    while len(head) < 4 and (more := read_bytes(reader, 4 - len(head))):
        head += more
    expansion = Expansion(max_ratio)
    chunks = expansion.count_compressed(_chunks(reader, head, _CHUNK))
    if _GZIP.match(head):
        pieces = _decompress_members(chunks, _Gzip, block_bytes)
    elif _BZ2.match(head):
        pieces = _decompress_members(chunks, bz2.BZ2Decompressor, block_bytes)
    elif _ZSTD.match(head):
        pieces = _decompress_zstd(chunks, block_bytes)
    else:
        yield from _chunks(reader, head, block_bytes)
        return
    yield from _regroup(expansion.check_decompressed(pieces), block_bytes)


def read_bytes(reader: Reader, size: int) -> bytes:
    """Read bytes, or characters in UTF-8.

    Lone surrogates become bytes that are not UTF-8, so that the decoder rejects their record.
    """
    data = reader.read(size)
    if isinstance(data, str):
        return data.encode("utf-8", "surrogatepass")
    if data is None:
        return b""
    return data if isinstance(data, bytes) else bytes(memoryview(data))  # a number is not bytes


def _chunks(reader: Reader, head: bytes, size: int) -> Iterator[bytes]:
    """Yield the head and the bytes after it in chunks of at most `size` bytes."""
    # The first chunk is small, because it is copied to follow the head.
    chunk = head + read_bytes(reader, min(_FIRST, size)) if len(head) >= 4 else head
    while chunk:
        for start in range(0, len(chunk), size):
            yield chunk[start : start + size]
        chunk = read_bytes(reader, size)


def _regroup(pieces: Iterable[bytes], block_bytes: int) -> Iterator[bytes]:
    """Join pieces into blocks; before an error, yield the pieces so far."""
    held: list[bytes] = []
    size = 0
    try:
        for piece in pieces:
            if held and size + len(piece) > block_bytes:
                yield b"".join(held)
                held, size = [], 0
            held.append(piece)
            size += len(piece)
    except Exception:
        if held:
            yield b"".join(held)
        raise
    if held:
        yield b"".join(held)


def _decompress_members(
    chunks: Iterable[bytes], new: Callable[[], _Decoder], block_bytes: int
) -> Iterator[bytes]:
    """Decompress gzip members or bz2 streams that follow one another."""
    decoder = new()
    for chunk in chunks:
        data = chunk
        while data or not (decoder.needs_input or decoder.eof):
            if decoder.eof:
                data = data.lstrip(b"\0")  # tapes pad with zeros
                if not data:
                    break
                decoder = new()
            try:
                piece = decoder.decompress(data, block_bytes)
            except (OSError, zlib.error) as error:
                raise TruncatedSourceError(_CORRUPT) from error
            if piece:
                yield piece
            data = decoder.unused_data if decoder.eof else b""
    if not decoder.eof:
        raise TruncatedSourceError(_CUT)


class _ChunkFile:
    """A file object that gives Arrow's decompressor the chunks of a source."""

    closed = False

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""
        self.fault: Exception | None = None

    def read(self, size: int) -> bytes:
        try:
            self._rest = self._rest or next(self._chunks, b"")
        except Exception as error:  # kept, to be distinguished from those of the decompressor
            self.fault = error
            raise
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


def _decompress_zstd(chunks: Iterator[bytes], block_bytes: int) -> Iterator[bytes]:
    """Decompress zstd frames that follow one another."""
    file = _ChunkFile(chunks)
    stream = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")
    size = min(block_bytes, _CHUNK)
    # Before Arrow raises it fills the buffer, but does not report how far. The byte 0xff never
    # occurs in UTF-8, so it marks the part that was not filled.
    blank = b"\xff" * size
    while True:
        buffer = bytearray(blank)
        try:
            n = stream.readinto(buffer)
        except Exception as error:
            if piece := bytes(buffer).rstrip(b"\xff"):
                yield piece
            if file.fault is not None or not isinstance(error, OSError | pa.ArrowException):
                raise
            message = _CUT if "Truncated" in str(error) else _CORRUPT
            raise TruncatedSourceError(message) from error
        if not n:
            return
        yield bytes(buffer[:n])
