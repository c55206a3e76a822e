"""The one door to the native scanner `toolkit._scan`, an optional C++ extension."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from toolkit.arrow import numbers

_scan: ModuleType | None
try:
    from toolkit import _scan
except ImportError:  # the toolkit was installed without a C++ compiler
    _scan = None

DEFERRED, READ, JOINED, EXCHANGED = range(4)
"""Verdicts of `scan_block` on a record: left to the reference decoder; read; joined to the body of
an earlier record; read out of the text of an answer, which is a scope of its own. A verdict of
``2 + n`` says that n > 1 bodies of the record were read."""


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


def declare(plans: bytes) -> None:
    """Pass the declared formats to the scanner, as JSON; see `toolkit.loaders.decoding.plans`."""
    if _scan is not None:
        _scan.declare(plans)


class Scanned(NamedTuple):
    """What the native scanner read of a block of records.

    Attributes
    ----------
    verdicts : int32 array, shape (n_records,)
        `DEFERRED`, `READ`, `JOINED`, `EXCHANGED`, or 2 and the number of its bodies.
    envelopes : int
        Number of records of which the body lies inside an envelope or a row.
    bodies, parts, tokens, alternatives : pyarrow.RecordBatch
        Columns of what was read, as in `toolkit.loaders.buffers`, without the position of the
        records.
    members : int64 array, shape (n_joined,)
        The records that were joined to an earlier body, body by body.
    """

    verdicts: NDArray[np.int32]
    envelopes: int
    bodies: pa.RecordBatch
    parts: pa.RecordBatch
    tokens: pa.RecordBatch
    alternatives: pa.RecordBatch
    members: NDArray[np.int64]


def scan_block(
    data: bytes,
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    breaks: NDArray[np.int64],
    window: int,
    lookup: bytes = b"",
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
    lookup : bytes
        Where to find the answer of a record and its columns, as JSON; empty: by content. See
        `toolkit.loaders.decoding.plans`.

    Returns
    -------
    Scanned or None
        None if the scanner is not installed.
    """
    if _scan is None:
        return None
    verdicts, envelopes, capsules = _scan.scan(data, starts, stops, breaks, window, lookup)
    *tables, members = (pa.RecordBatch._import_from_c_capsule(*pair) for pair in capsules)
    bodies, parts, tokens, alternatives = tables
    frames = numbers(members["frame"])
    found = np.frombuffer(verdicts, np.int32)
    return Scanned(found, envelopes, bodies, parts, tokens, alternatives, frames)


def repeat(values: NDArray[np.generic], lengths: NDArray[np.int64]) -> NDArray[np.generic]:
    """Repeat each number as often as its length says, while other Python threads run.

    Examples
    --------
    >>> import numpy as np
    >>> repeat(np.array([7, 8, 9]), np.array([2, 0, 1])).tolist()
    [7, 7, 9]
    """
    if _scan is None:
        return np.repeat(values, lengths)
    values, lengths = np.ascontiguousarray(values), np.ascontiguousarray(lengths, np.int64)
    return np.frombuffer(_scan.repeat(values, lengths, int(lengths.sum())), values.dtype)


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
    return _positions(starts), _positions(stops), usual


def count_line_ends(block: bytes) -> int:
    """Return the number of newlines and returns."""
    if _scan is None:
        return block.count(b"\n") + block.count(b"\r")
    return int(_scan.line_ends(block))


class FoundEvents(NamedTuple):
    """The events that were framed of a part of a block.

    Attributes
    ----------
    starts, stops, lines : int64 array
        Bounds of each in the block, and its line.
    breaks : int64 array
        For each ``[DONE]``, the number of events before it.
    at : int
        Where framing stopped; no event is open there.
    line : int
        Number of lines before that.
    blank, comments, control : int
        Lines that are not in an event; see `toolkit.loaders.framing.frames.Counts`.
    has_blanks : bool
        Whether a blank line has ended an event.
    """

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    lines: NDArray[np.int64]
    breaks: NDArray[np.int64]
    at: int
    line: int
    blank: int
    comments: int
    control: int
    has_blanks: bool


def find_events(block: bytes, start: int, line: int, max_bytes: int) -> FoundEvents | None:
    """Frame server-sent events from a position at which no event is open.

    Framing stops before an event that is not simple, as `toolkit.loaders.framing.events` defines
    them, and before one that may continue in the next block. Other threads run meanwhile.

    Parameters
    ----------
    block : bytes
    start : int
    line : int
        Number of lines before it.
    max_bytes : int
        Bytes of a line; a longer one is not simple.

    Returns
    -------
    FoundEvents or None
        None if the scanner is not installed.
    """
    if _scan is None:
        return None
    found = _scan.events(block, start, len(block), line, max_bytes)
    starts, stops, lines, breaks = map(_positions, found[:4])
    return FoundEvents(starts, stops, lines, breaks, *found[4:])


class FoundDocuments(NamedTuple):
    """The JSON values that were framed of a part of a block, and the state after them.

    Attributes
    ----------
    starts, stops, lines : int64 array
        Bounds of each in the block, and its line. A value that was open begins where framing did.
    end : int
        Where framing stopped: at the end of the part, inside a value, or at `at`.
    at : int
        Where the open value, or the gap after the last value, begins.
    line, end_line : int
        Lines of `at` and of `end`.
    depth : int
        Open brackets at `end`.
    in_array, is_open, follows_value, quoted : bool
        Whether there is an open top-level array, an open value, a value before the gap in the
        array, an open string.
    array : int
        Where the array begins; -1: not in this part.
    indent, indent_stop : int
        Bounds of the whitespace before the last value on its line; -1: as it was before.
    """

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    lines: NDArray[np.int64]
    end: int
    end_line: int
    at: int
    line: int
    depth: int
    in_array: bool
    is_open: bool
    follows_value: bool
    quoted: bool
    array: int
    indent: int
    indent_stop: int


def find_documents(
    block: bytes,
    start: int,
    stop: int,
    *,
    line: int,
    depth: int,
    in_array: bool,
    is_open: bool,
    follows_value: bool,
    quoted: bool,
    ends_line: bool,
    max_bytes: int,
    most: int,
) -> FoundDocuments | None:
    """Frame JSON values of a part of a block, from inside a value or where a gap begins.

    Framing stops before a value or a gap that is not simple, as `toolkit.loaders.framing.documents`
    defines them. Other threads run meanwhile.

    Parameters
    ----------
    block : bytes
    start, stop : int
        The part, which does not end in a backslash that escapes what follows.
    line : int
        Line of the start.
    depth, in_array, is_open, follows_value, quoted
        The state at the start; see `FoundDocuments`.
    ends_line : bool
        Whether a newline precedes the start.
    max_bytes : int
        Bytes of a gap; a longer one is not simple.
    most : int
        Frames after which framing stops.

    Returns
    -------
    FoundDocuments or None
        None if the scanner is not installed.
    """
    if _scan is None:
        return None
    state = (line, depth, in_array, is_open, follows_value, quoted, ends_line)
    found = _scan.documents(block, start, stop, *state, max_bytes, most)
    starts, stops, lines = map(_positions, found[:3])
    return FoundDocuments(starts, stops, lines, *found[3:])


def _positions(column: bytes) -> NDArray[np.int64]:
    return np.frombuffer(column, np.int64)
