"""Detect sources that are not text from their first bytes, and read or refuse them.

Parquet, Arrow, CSV and the logs of Inspect become JSON lines. Any other file that is known not to
be text, such as a pickle or a picture, is refused by name, once, and never loaded.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import IO, Any, cast

import pyarrow as pa

from toolkit.limits import Limits
from toolkit.loaders.sources.archives import UnsupportedSourceError, archive_lines
from toolkit.loaders.sources.compression import Reader, TruncatedSourceError
from toolkit.loaders.sources.csv_rows import csv_lines
from toolkit.loaders.sources.rows import LineReader, NoAnswersError, arrow_lines, holding_answers
from toolkit.loaders.sources.size_limits import Expansion, limit_bytes
from toolkit.loaders.sources.suffixes import CSV_SUFFIXES, suffix_of

_HEAD_BYTES = 512  # bytes from which a kind is detected
_BATCH_BYTES = 4 << 20  # bytes of a Parquet file that are decoded at a time, about
_JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s*[{\[]")
_LOAD = "load it yourself, and pass its objects to from_responses"
_CONVERT = "save it as Parquet or JSONL"
_KNOWN = (
    (rb"version https://git-lfs", "a Git LFS pointer, not the file: run git lfs pull"),
    (
        rb"\x80[\x02-\x05]|[}\])]q\0|\((?:dp|lp|i)\d*\n|c(?:copy_reg|__builtin__)\n",
        f"a pickle, which could run code and is not loaded: {_LOAD}",
    ),
    (rb"\x93NUMPY", f"a NumPy array: {_LOAD}"),
    (rb"SQLite format 3\0", f"a SQLite database: query it, and {_CONVERT}"),
    (rb"\x89HDF\r\n\x1a\n", f"an HDF5 file: {_CONVERT}"),
    (rb"PARE", "an encrypted Parquet file: decrypt it first"),
    (rb"ORC(?=.{0,80}[\0-\x08])|Obj\x01|FEA1\0", f"a table in ORC, Avro or Feather 1: {_CONVERT}"),
    (rb"%PDF-", "a PDF document, expected JSON or SSE"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP", "an image, expected JSON or SSE"),
    (rb"GGUF.\0|.{5}\0{3}\{", "the weights of a model, expected JSON or SSE"),
    (rb"\xfd7zXZ\0|7z\xbc\xaf\x27\x1c|Rar!\x1a", "an archive that is not read: unpack it first"),
    (rb".{257}ustar(?:\0|  \0)", "a tar archive: unpack it (tar -xf), and pass the folder"),
    (rb"\s*<(?i:!doctype html|html)", "a web page, not a recording: download the file itself"),
)
_PATTERNS = tuple((re.compile(pattern, re.DOTALL), kind) for pattern, kind in _KNOWN)


def unpack(
    blocks: Iterator[bytes],
    reader: Reader,
    name: str,
    block_bytes: int,
    limits: Limits,
    *,
    to_end: bool,
) -> Iterator[bytes]:
    """Yield the text of a source: its blocks as they are, or the rows of a table as JSON lines.

    Parameters
    ----------
    blocks : iterator of bytes
        The decompressed source.
    reader : Reader
        What the blocks are read from. If it can seek, a table is read from it piece by piece; else
        it is held in memory as a whole.
    name : str
        Name of the source, by whose suffix CSV is recognised.
    block_bytes : int
    limits : Limits
    to_end : bool
        Whether to read the stored bytes to their end, those that no row needs too.

    Raises
    ------
    UnsupportedSourceError
        If the source is of a known kind that is not read.
    """
    head, blocks = _peek(blocks)
    if suffix_of(name) in CSV_SUFFIXES and head and not _JSON.match(head):
        _refuse(head)
        delimiter = b"\t" if suffix_of(name) == ".tsv" else None
        lines = holding_answers(csv_lines(blocks, delimiter, limits.record_bytes))
        yield from _in_blocks(lines, block_bytes)
        return
    read = next((read for magic, read in _READERS if head.startswith(magic)), None)
    if read is None:
        _refuse(head)
        yield from blocks
        return
    file, size, position = _random_access(blocks, reader, head, limits)
    expansion = Expansion(limits.expansion, size)
    yield from expansion.check_decompressed(_in_blocks(read(file, limits), block_bytes))
    if to_end and position is not None:
        cast(IO[bytes], reader).seek(position)
        for _ in blocks:
            pass


def _refuse(head: bytes) -> None:
    kind = next((kind for pattern, kind in _PATTERNS if pattern.match(head)), None)
    if kind is not None:
        raise UnsupportedSourceError(f"this is {kind}")


def _peek(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes of a source, and its blocks from the first."""
    held: list[bytes] = []
    size = 0
    fault: Exception | None = None
    try:
        while size < _HEAD_BYTES and not (held and held[0].startswith((b"{", b"["))):
            block = next(blocks, None)
            if block is None:
                break
            held.append(block)
            size += len(block)
    except Exception as error:
        fault = error
    return b"".join(held)[:_HEAD_BYTES], chain(held, blocks if fault is None else _raising(fault))


def _raising(fault: Exception) -> Iterator[bytes]:
    raise fault
    yield b""


def _in_blocks(lines: Iterator[bytes], block_bytes: int) -> Iterator[bytes]:
    reader = LineReader(lines)
    return iter(lambda: reader.read(block_bytes), b"")


def _random_access(
    blocks: Iterator[bytes], reader: Reader, head: bytes, limits: Limits
) -> tuple[IO[bytes], int, int | None]:
    """Return a file that can seek, its size, and the position that the blocks have reached.

    The position is None if the blocks are used up, because they are compressed or cannot seek.
    """
    file: Any = reader
    try:
        position = file.tell()
        file.seek(0)
        if file.read(len(head)) == head:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            return file, file.tell() if size is None else size, position
        file.seek(position)
    except (AttributeError, OSError, ValueError):  # a pipe
        pass
    data = b"".join(limit_bytes(blocks, limits))
    return io.BytesIO(data), len(data), None


# Files of tables


def _parquet(file: IO[bytes], limits: Limits) -> Iterator[bytes]:
    import pyarrow.parquet as pq

    table = pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20)
    groups = (table.metadata.row_group(i) for i in range(table.metadata.num_row_groups))
    n_bytes = max(1, sum(group.total_byte_size for group in groups))
    rows = min(max(1, _BATCH_BYTES * table.metadata.num_rows // n_bytes), 1024)
    yield from arrow_lines(table.iter_batches(batch_size=rows))


def _arrow_file(file: IO[bytes], limits: Limits) -> Iterator[bytes]:
    table = pa.ipc.open_file(file)
    yield from arrow_lines(table.get_batch(i) for i in range(table.num_record_batches))


def _arrow_stream(file: IO[bytes], limits: Limits) -> Iterator[bytes]:
    yield from arrow_lines(pa.ipc.open_stream(file))


def _reported(kind: str, lines: Callable[..., Iterator[bytes]]) -> Callable[..., Iterator[bytes]]:
    """Return a reader of a kind of file that says which kind is damaged."""

    def report(file: IO[bytes], limits: Limits) -> Iterator[bytes]:
        try:
            yield from holding_answers(lines(file, limits))
        except NoAnswersError:
            raise
        except (pa.ArrowException, OSError, ValueError) as error:
            raise TruncatedSourceError(f"this {kind} file is cut or corrupt") from error

    return report


_READERS: tuple[tuple[bytes, Callable[..., Iterator[bytes]]], ...] = (
    (b"PAR1", _reported("Parquet", _parquet)),
    (b"ARROW1", _reported("Arrow", _arrow_file)),
    (b"\xff\xff\xff\xff", _reported("Arrow", _arrow_stream)),
    (b"PK\x03\x04", archive_lines),
    (b"PK\x05\x06", archive_lines),  # an empty archive
)
