"""One stream of bytes: opened, decompressed, watched and bounded."""

from __future__ import annotations

import errno
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pyarrow as pa

from toolkit.errors import ArgumentError, SourceError
from toolkit.limits import LIMITS, Limits
from toolkit.loaders.sources.compression import TruncatedSourceError, decompressed
from toolkit.loaders.sources.fingerprint import Fingerprint
from toolkit.loaders.sources.locations import Place
from toolkit.loaders.sources.size_limits import OverLimitError, within
from toolkit.loaders.sources.watched import ChangedSourceError, Watched

_LOOK_BYTES = 1 << 20


class UnreadableSourceError(SourceError):
    """A source could not be opened or read."""

    reason: ClassVar[str] = "unreadable_source"


@dataclass(frozen=True, slots=True)
class Source:
    """One stream of bytes with a name.

    Attributes
    ----------
    name : str
        What stands in the ``source`` columns: the path or URI as given or found, ``<stdin>``,
        ``<bytes>``, or the name of a file object. Passwords in a URI are left out.
    place : Place
        Where its bytes come from.

    Examples
    --------
    >>> from toolkit.loaders.sources.resolve import resolve
    >>> [source] = resolve(b'{"choices": []}')
    >>> source.name, list(source.blocks())
    ('<bytes>', [b'{"choices": []}'])
    """

    name: str
    place: Place = field(repr=False, compare=False)

    def size(self) -> int | None:
        """Return its bytes as it is stored; None if they are not known before it is read."""
        try:
            return self.place.size()
        except OSError:
            return None

    def look(self) -> dict[str, Any] | None:
        """Return its `Fingerprint`, without decompressing; None if it can be read only once.

        Raises
        ------
        OSError
            If it cannot be read.
        """
        if self.size() is None:
            return None
        seen = Fingerprint()
        with self.place.open() as reader:
            watching = seen.watching(reader)
            while watching.read(_LOOK_BYTES):
                pass
        return seen.told()

    def blocks(
        self, block_bytes: int = 8 << 20, limits: Limits = LIMITS, seen: Fingerprint | None = None
    ) -> Iterator[bytes]:
        """Read the source from its start, decompressed.

        A file object is read from where it stands and left open.

        Parameters
        ----------
        block_bytes : int
            Most bytes of a block.
        limits : Limits
            `Limits.expansion` and `Limits.source_bytes` are held here.
        seen : Fingerprint, optional
            Takes note of the bytes as they are stored.

        Yields
        ------
        bytes
            Never empty; an empty source yields nothing.

        Raises
        ------
        SourceError
            With an attribute ``reason``: ``unreadable_source``; ``truncated_source`` if
            compressed data is cut, corrupt or followed by something else; ``changed_source`` if the
            file changed meanwhile; ``source_over_limit``. What could be read before is yielded
            first; of corrupt (not of cut) data, less than one block may lack.
        """
        if block_bytes < 1:
            raise ArgumentError(f"block_bytes={block_bytes}; give a whole number from 1")
        try:
            with self.place.open() as reader:
                read = reader if seen is None else seen.watching(reader)
                yield from within(decompressed(read, block_bytes, limits.expansion), limits)
                if isinstance(reader, Watched):
                    reader.check()
        except (zlib.error, EOFError) as error:  # the file object decompresses, as gzip.open does
            raise TruncatedSourceError(f"{self.name}: compressed data is cut or corrupt") from error
        except (TruncatedSourceError, ChangedSourceError, OverLimitError) as error:
            raise type(error)(f"{self.name}: {error}") from error
        except SourceError as error:
            raise UnreadableSourceError(f"{self.name}: {error}") from error
        except (OSError, ValueError, TypeError, pa.ArrowException) as error:
            raise UnreadableSourceError(f"{self.name}: {told(error)}") from error


def told(error: Exception) -> str:
    """Describe an error without quoting anything."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "no such file"
    if isinstance(error, OSError) and error.errno is not None:
        return f"cannot be read ({errno.errorcode.get(error.errno, error.errno)})"
    return f"cannot be read ({type(error).__name__})"
