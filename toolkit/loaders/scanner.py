"""The one door to the native scanner `toolkit._scan`, an optional C++ extension."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_scan: ModuleType | None
try:
    from toolkit import _scan
except ImportError:  # the toolkit was installed without a C++ compiler
    _scan = None

DEFERRED, READ, ENVELOPED, JOINED = range(4)
"""Verdicts of `scan_block` on a record: left to the reference decoder; read; read from inside an
envelope; joined to the body of an earlier record."""


def decoder() -> str:
    """Return which decoder reads records: ``"native"`` or ``"reference"``.

    Both give the same tables. The native decoder exists if the toolkit was installed from a wheel
    or with a C++ compiler.

    Returns
    -------
    str

    Examples
    --------
    >>> decoder() in ("native", "reference")
    True
    """
    return "reference" if _scan is None else "native"


class Scanned(NamedTuple):
    """What the native scanner read of a block of records.

    Attributes
    ----------
    verdicts : uint8 array, shape (n_records,)
        `DEFERRED`, `READ`, `ENVELOPED` or `JOINED`.
    bodies, parts, tokens, alternatives : pyarrow.RecordBatch
        Columns of what was read, as in `toolkit.loaders.buffers`, without the position of the
        records.
    members : int64 array, shape (n_joined,)
        The records that were joined to an earlier body, body by body.
    """

    verdicts: NDArray[np.uint8]
    bodies: pa.RecordBatch
    parts: pa.RecordBatch
    tokens: pa.RecordBatch
    alternatives: pa.RecordBatch
    members: NDArray[np.int64]

    @property
    def envelopes(self) -> int:
        """Number of records that were read from inside an envelope."""
        return int(np.count_nonzero(self.verdicts == ENVELOPED))


def scan_block(
    data: bytes,
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    breaks: NDArray[np.int64],
    window: int,
) -> Scanned | None:
    """Scan the records of a block, while other Python threads run.

    Parameters
    ----------
    data : bytes
    starts, stops : int64 array, shape (n_records,)
        Bounds of the records in `data`.
    breaks : int64 array
        Number of records before each ``[DONE]``.
    window : int
        Join chunks that lie at most this many records apart; 0: join none.

    Returns
    -------
    Scanned or None
        None if the scanner is not installed.
    """
    if _scan is None:
        return None
    verdicts, *capsules = _scan.scan(data, starts, stops, breaks, window)
    *tables, members = (pa.RecordBatch._import_from_c_capsule(*pair) for pair in capsules)
    bodies, parts, tokens, alternatives = tables
    frames = members["frame"].to_numpy()
    return Scanned(np.frombuffer(verdicts, np.uint8), bodies, parts, tokens, alternatives, frames)


def find_lines(
    text: bytes, start: int, stop: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], bool] | None:
    """Find the lines of ``text[start:stop]``.

    Returns
    -------
    starts, stops : int64 array
        Bounds of each line, without its line end.
    usual : bool
        Whether every line begins as JSON lines do.

    None if the scanner is not installed.
    """
    if _scan is None:
        return None
    starts, stops, usual = _scan.lines(text, start, stop)
    return np.frombuffer(starts, np.int64), np.frombuffer(stops, np.int64), usual
