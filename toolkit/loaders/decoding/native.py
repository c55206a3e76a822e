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

from toolkit.limits import LIMITS, Limits
from toolkit.loaders import buffers
from toolkit.loaders.buffers import Decoded
from toolkit.loaders.formats import openai_chat
from toolkit.loaders.framing.frames import Frames
from toolkit.loaders.scanner import scan_block

_ENVELOPED, _JOINED = 2, 3  # verdicts of `scan_block`
_TOKENS = 2  # of its tables
_MANY, _FEW_ROWS = 16, 1024  # of blocks, and rows of each


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
    if limits.nesting < LIMITS.nesting:
        return None
    found = scan_block(frames.data, frames.starts, frames.stops, frames.breaks, window)
    if found is None:
        return None
    verdicts, (*tables, members) = found
    most = tables[_TOKENS]["n_alternatives"].to_numpy().max(initial=0)
    if most > limits.alternatives:
        return None
    return Scanned(verdicts, tables, members["frame"].to_numpy())


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
    fields = (buffers.BODIES, buffers.PARTS, buffers.TOKENS, buffers.ALTERNATIVES)
    return Decoded(
        *(
            _with_rest([block.scanned.tables[i] for block in blocks], declared, at)
            for i, declared in enumerate(fields)
        ),
        rejects=no_rejects(),
        members=pa.table(members, schema=buffers.MEMBERS),
    )


@cache
def no_rejects() -> pa.Table:
    """Return the table of rejects without a row."""
    return buffers.REJECTS.empty_table()


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
