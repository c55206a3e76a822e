"""What the native scanner reads of framed records, and the column buffers made of it.

The scanner reads what it is certain of and defers the rest, untouched. A block is scanned without
knowing those before it, on any thread; where its records stand among all is added later, for many
blocks at once.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from toolkit import columns
from toolkit.columns import Decoded
from toolkit.formats import openai_chat
from toolkit.framing import Frames
from toolkit.limits import LIMITS, Limits

try:
    from toolkit import _scan
except ImportError:  # no compiler was at hand when the toolkit was installed
    _scan = None

_ENVELOPED, _JOINED = 2, 3  # verdicts of `_scan.scan`
_TOKENS = 2  # of its tables
_MANY, _FEW_ROWS = 16, 1024  # of blocks, and rows of each


def decoder() -> str:
    """Return which decoder reads records: ``"native"`` or ``"reference"``.

    Both give the same tables. The native one is there if the toolkit was installed with a C++
    compiler at hand, or from a wheel.

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
    """What the native scanner made of a block.

    Attributes
    ----------
    verdicts : uint8 array, shape (n_frames,)
        0: deferred, 1: read, 2: read out of an envelope, 3: joined to the body of an earlier one.
    tables : list of pyarrow.RecordBatch
        Bodies, parts, tokens and alternatives of what was read, without its places.
    members : int64 array, shape (n_joined,)
        The frames that were joined, body by body.
    """

    verdicts: np.ndarray
    tables: list[pa.RecordBatch]
    members: np.ndarray

    @property
    def envelopes(self) -> int:
        """Wrappers taken off."""
        return int(np.count_nonzero(self.verdicts == _ENVELOPED))


def scan_frames(frames: Frames, window: int = 0, limits: Limits = LIMITS) -> Scanned | None:
    """Read what is certain of a block.

    None if there is no native scanner, or something in the block may be over a limit: the reference
    decoder then tells where.

    Needs nothing of the blocks before, and other threads go on meanwhile.

    Parameters
    ----------
    frames : Frames
    window : int
        Join chunks that lie at most so many records apart; 0: none.
    limits : Limits
    """
    if _scan is None or limits.nesting < LIMITS.nesting:
        return None
    verdicts, *capsules = _scan.scan(
        frames.data, frames.starts, frames.stops, frames.breaks, window
    )
    *tables, members = (pa.RecordBatch._import_from_c_capsule(*pair) for pair in capsules)
    most = tables[_TOKENS]["n_alternatives"].to_numpy().max(initial=0)
    if most > limits.alternatives:
        return None
    return Scanned(np.frombuffer(verdicts, np.uint8), tables, members["frame"].to_numpy())


class Placed(NamedTuple):
    """A scanned block, and where its records stand.

    Attributes
    ----------
    scanned : Scanned
    bodies, members : dict of str to int64 array
        Places of the bodies and of the records that were joined to them, by column.
    """

    scanned: Scanned
    bodies: dict[str, np.ndarray]
    members: dict[str, np.ndarray]


def placed(scanned: Scanned, frames: Frames, record: np.ndarray, epoch: int) -> Placed:
    """Tell where the records of a scanned block stand.

    Parameters
    ----------
    scanned : Scanned
    frames : Frames
        The block.
    record : int64 array, shape (n_frames,)
        Ordinals of the records; anything for those that were deferred.
    epoch : int
        ``[DONE]`` markers before the block.
    """
    places = {
        "record": record,
        "line": frames.lines,
        "byte_offset": frames.offsets,
        "length": frames.lengths,
    }
    heads = np.flatnonzero((scanned.verdicts != 0) & (scanned.verdicts != _JOINED))
    bodies = {name: values[heads] for name, values in places.items()}
    bodies["epoch"] = epoch + np.searchsorted(frames.breaks, heads, side="right")
    return Placed(scanned, bodies, {name: each[scanned.members] for name, each in places.items()})


def completed(blocks: list[Placed]) -> Decoded:
    """Make column buffers of the blocks, which follow each other.

    Parameters
    ----------
    blocks : list of Placed
        At least one.

    Returns
    -------
    Decoded
        Without rejects.
    """
    at, members = (
        {name: np.concatenate([block[i][name] for block in blocks]) for name in blocks[0][i]}
        for i in (1, 2)
    )
    fields = (columns.BODIES, columns.PARTS, columns.TOKENS, columns.ALTERNATIVES)
    return Decoded(
        *(
            _with_rest([block.scanned.tables[i] for block in blocks], declared, at)
            for i, declared in enumerate(fields)
        ),
        rejects=no_rejects(),
        members=pa.table(members, schema=columns.MEMBERS),
    )


@cache
def no_rejects() -> pa.Table:
    """Return the table of rejects without a row."""
    return columns.REJECTS.empty_table()


def _with_rest(
    batches: list[pa.RecordBatch], fields: pa.Schema, places: dict[str, np.ndarray]
) -> pa.Table:
    """Add the columns that the scanner leaves to others."""
    table = pa.Table.from_batches(batches)
    if len(batches) > _MANY and table.num_rows < _FEW_ROWS * len(batches):
        table = table.combine_chunks()  # small blocks stand in much larger memory
    if table.schema.equals(fields):
        return table
    n = table.num_rows
    scanned = dict(zip(table.column_names, table.columns, strict=True))
    arrays = []
    for field in fields:
        if field.name in scanned:
            arrays.append(scanned[field.name])
        elif field.name in places:
            arrays.append(pa.array(places[field.name], field.type))
        elif field.name == "format":
            arrays.append(pa.repeat(pa.scalar(openai_chat.NAME, field.type), n))
        elif field.name == "notes":
            none = pa.array(np.zeros(n + 1, np.int32))
            notes = pa.ListArray.from_arrays(none, pa.array([], pa.string()))
            arrays.append(notes.cast(field.type))
        else:
            arrays.append(pa.nulls(n, field.type))
    return pa.Table.from_arrays(arrays, schema=fields)
