"""The one door to the native scanner `toolkit._scan`, an optional C++ extension."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

try:
    from toolkit import _scan
except ImportError:  # the toolkit was installed without a C++ compiler
    _scan = None


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


def scan_block(
    data: bytes,
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    breaks: NDArray[np.int64],
    window: int,
) -> tuple[NDArray[np.uint8], list[pa.RecordBatch]] | None:
    """Scan the records of a block; other Python threads run meanwhile.

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
    verdicts : uint8 array, shape (n_records,)
        0: deferred, 1: read, 2: read from inside an envelope, 3: joined to an earlier body.
    tables : list of pyarrow.RecordBatch
        Bodies, parts, tokens, alternatives and members.

    None if the scanner is not installed.
    """
    if _scan is None:
        return None
    verdicts, *capsules = _scan.scan(data, starts, stops, breaks, window)
    tables = [pa.RecordBatch._import_from_c_capsule(*pair) for pair in capsules]
    return np.frombuffer(verdicts, np.uint8), tables


def find_lines(
    text: bytes, start: int, stop: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], bool] | None:
    """Find the lines of ``text[start:stop]``.

    Returns
    -------
    starts, stops : int64 array
        Bounds of each line, without the line end.
    usual : bool
        Whether every line begins as JSON lines do.

    None if the scanner is not installed.
    """
    if _scan is None:
        return None
    starts, stops, usual = _scan.lines(text, start, stop)
    return np.frombuffer(starts, np.int64), np.frombuffer(stops, np.int64), usual
