"""Turn the samples of an Inspect log (``.eval``, a ZIP archive) into JSON lines.

Nothing is written to the disk, and the names of members are never used as paths.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, ClassVar

from toolkit.errors import SourceError
from toolkit.limits import Limits
from toolkit.loaders.sources.compression import TruncatedSourceError, decompress

_PIECE = 1 << 16  # bytes of a member that are read at a time
_ZSTD = 93  # compression method that older versions of Python do not know
_ENCRYPTED = 1  # flag of a member
_LOG = ("header.json", "_journal/start.json")
_SAMPLE = re.compile(r"samples/(.*?)(?:_epoch_(\d+))?\.json", re.DOTALL)
_KINDS = (
    (
        re.compile(r"(?:[^/]+/)?data\.pkl"),
        "a file of torch, which holds a pickle and is not loaded",
    ),
    (re.compile(r".+\.npy"), "a file of NumPy arrays (.npz)"),
    (re.compile(r"xl/workbook\.xml"), "an Excel workbook; save the sheet as CSV"),
)
_FAULTS = (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, EOFError)


class UnsupportedSourceError(SourceError):
    """A source is of a known kind that is not read."""

    reason: ClassVar[str] = "unsupported_format"


def archive_lines(file: IO[bytes], limits: Limits) -> Iterator[bytes]:
    """Yield the samples of an Inspect log, one on a line, ordered as Inspect does.

    Parameters
    ----------
    file : file object
        It can seek.
    limits : Limits

    Raises
    ------
    UnsupportedSourceError
        If the archive is not a log of Inspect.
    TruncatedSourceError
        If the archive, or at the end if a member of it, is damaged.
    """
    try:
        archive = zipfile.ZipFile(file)
    except (*_FAULTS, ValueError) as error:
        raise TruncatedSourceError("this ZIP archive is cut or corrupt") from error
    members = {member.filename: member for member in archive.infolist()}
    if not any(name in members for name in _LOG):
        raise UnsupportedSourceError(f"this is {_kind(members)}")
    samples = [name for name in members if _SAMPLE.fullmatch(name)]
    n_damaged = 0
    for name in sorted(samples, key=_order):
        try:
            for piece in _pieces(archive, file, members[name], limits):
                # Line ends can only be blanks between the tokens of JSON.
                yield piece.replace(b"\r", b" ").replace(b"\n", b" ")
        except (*_FAULTS, TruncatedSourceError):
            n_damaged += 1
        yield b"\n"
    if n_damaged:
        raise TruncatedSourceError(
            f"{n_damaged} of {len(samples)} samples of this log are damaged or encrypted; "
            "the others were read"
        )


def _kind(members: dict[str, zipfile.ZipInfo]) -> str:
    for pattern, kind in _KINDS:
        if any(map(pattern.fullmatch, members)):
            return kind
    return "a ZIP archive; unpack it, and pass the folder"


def _order(name: str) -> tuple[int, str]:
    """Return the key by which Inspect sorts samples: the epoch, then the id."""
    match = _SAMPLE.fullmatch(name)
    assert match is not None
    sample, epoch = match.groups()
    return int(epoch or 0), sample.zfill(20) if sample.isdecimal() else sample


def _pieces(
    archive: zipfile.ZipFile, file: IO[bytes], member: zipfile.ZipInfo, limits: Limits
) -> Iterator[bytes]:
    if member.flag_bits & _ENCRYPTED:
        raise zipfile.BadZipFile
    if member.compress_type == _ZSTD:
        yield from _checked(decompress(_Stored(file, member), _PIECE, limits.expansion), member)
        return
    with archive.open(member) as reader:
        while piece := reader.read(_PIECE):
            yield piece


def _checked(pieces: Iterator[bytes], member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the pieces of a member, and compare their checksum with that of the archive."""
    checksum = 0
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
        yield piece
    if checksum != member.CRC:
        raise zipfile.BadZipFile


class _Stored:
    """The bytes of a member as they are stored."""

    def __init__(self, file: IO[bytes], member: zipfile.ZipInfo) -> None:
        file.seek(member.header_offset)
        header = file.read(30)
        if len(header) < 30:
            raise zipfile.BadZipFile
        name, extra = struct.unpack("<HH", header[26:30])
        self._at = member.header_offset + 30 + name + extra
        self._left = member.compress_size
        self._file = file

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most `size`."""
        self._file.seek(self._at, io.SEEK_SET)
        data = self._file.read(min(size, self._left))
        self._at += len(data)
        self._left -= len(data)
        return data
