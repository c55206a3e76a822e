"""Turn what the native scanner read of a block into column buffers.

The scanner reads the records that it is certain of and defers the others, untouched. It scans a
block on any thread, without knowing the blocks before it, so the position and the ordinals of the
records are added here, for many blocks at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from toolkit.arrow import numbers
from toolkit.limits import LIMITS, Limits
from toolkit.loaders import buffers
from toolkit.loaders.buffers import Decoded, Ints
from toolkit.loaders.decoding.ordinals import Ordinals
from toolkit.loaders.decoding.plans import NAMES, lookup_plan, plans
from toolkit.loaders.formats.lookup import Lookup
from toolkit.loaders.formats.shape import Shape
from toolkit.loaders.framing.frames import Frames
from toolkit.loaders.scanner import DEFERRED, EXCHANGED, JOINED, Scanned, declare, scan_block

# Record batches of fewer rows on average are copied into one, because whoever reads a column pays
# for each of them, and each keeps much larger memory alive.
_FEW_ROWS = 1 << 13

_BY_CONTENT = Lookup()

Columns = dict[str, Ints]

declare(plans())


def scan_frames(
    frames: Frames, window: int = 0, limits: Limits = LIMITS, lookup: Lookup = _BY_CONTENT
) -> Scanned | None:
    """Scan a block with the native scanner; other threads run meanwhile.

    Parameters
    ----------
    frames : Frames
    window : int
        Join chunks that lie at most this many records apart; 0: join none.
    limits : Limits
    lookup : Lookup
        What to look for in each record.

    Returns
    -------
    Scanned or None
        None if there is no native scanner, if it cannot find what is looked for, or if something
        in the block may be over a limit: then the reference decoder reads the whole block and
        names the place.
    """
    plan = lookup_plan(lookup)
    if limits.nesting < LIMITS.nesting or plan is None:
        return None
    scanned = scan_block(frames.data, frames.starts, frames.stops, frames.breaks, window, plan)
    if scanned is None:
        return None
    if len(frames.breaks) and (scanned.verdicts == EXCHANGED).any():
        return None  # whose scopes the markers are in is not certain
    most = numbers(scanned.tokens["n_alternatives"]).max(initial=0)
    return scanned if most <= limits.alternatives else None


class Placed(NamedTuple):
    """A scanned block with the position and the ordinals of its records.

    Attributes
    ----------
    scanned : Scanned
    bodies, members : dict of str to int64 array
        Further columns of its bodies, and all columns of its members.
    """

    scanned: Scanned
    bodies: Columns
    members: Columns


class Counted(NamedTuple):
    """What the records of a block that were read are, before each record and before the end.

    Attributes
    ----------
    records, scopes : int64 array, shape (n_frames + 1,)
        Number of records, of which a row may hold several, and of scopes that they begin.
    """

    records: Ints
    scopes: Ints


def counted(verdicts: NDArray[np.integer]) -> Counted:
    """Count what was read of a block.

    Examples
    --------
    >>> found = counted(np.array([DEFERRED, EXCHANGED, 2 + 3, EXCHANGED]))
    >>> found.records.tolist(), found.scopes.tolist()
    ([0, 0, 1, 4, 5], [0, 1, 2, 3, 4])
    """
    is_exchange = np.append(verdicts == EXCHANGED, False)
    scopes = 2 * np.cumsum(is_exchange, dtype=np.int64) - is_exchange
    n = np.append(_n_bodies(verdicts) + (verdicts == JOINED), 0)
    return Counted(np.cumsum(n) - n, scopes)


def _n_bodies(verdicts: NDArray[np.integer]) -> Ints:
    is_one = (verdicts != DEFERRED) & (verdicts != JOINED)
    return np.where(verdicts > EXCHANGED, verdicts.astype(np.int64) - 2, is_one)


def place(scanned: Scanned, frames: Frames, record: Ints, before: Ordinals, begun: Ints) -> Placed:
    """Add the position and the ordinals of the records to a scanned block.

    Parameters
    ----------
    scanned : Scanned
    frames : Frames
        The block.
    record : int64 array, shape (n_frames,)
        Ordinals of the records, the first of each frame; any number for those that were deferred.
    before : Ordinals
        The counters before the block.
    begun : int64 array, shape (n_frames + 1,)
        Scopes that began in the block before each record, and before its end.
    """
    places = {
        "record": record,
        "line": frames.lines,
        "byte_offset": frames.offsets,
        "length": frames.lengths,
    }
    n_bodies = _n_bodies(scanned.verdicts)
    heads = np.repeat(np.arange(len(n_bodies)), n_bodies)
    bodies = {name: values[heads] for name, values in places.items()}
    bodies["record"] += np.arange(len(heads)) - (np.cumsum(n_bodies) - n_bodies)[heads]
    bodies["scope"] = before.scope + begun[heads]
    done = before.done + np.searchsorted(frames.breaks, heads, side="right")
    bodies["done"] = np.where(begun[heads] > 0, 0, done)
    return Placed(scanned, bodies, {name: each[scanned.members] for name, each in places.items()})


def complete(blocks: list[Placed], lookup: Lookup = _BY_CONTENT) -> Decoded:
    """Build the column buffers of consecutive blocks, of which there is at least one.

    Parameters
    ----------
    blocks : list of Placed
    lookup : Lookup
        What was looked for.

    Returns
    -------
    Decoded
        Without rejects.
    """
    scanned = [block.scanned for block in blocks]
    more = _concatenated([block.bodies for block in blocks])
    return Decoded(
        bodies=_complete(
            [each.bodies for each in scanned], buffers.BODIES, more, _names(lookup.shape)
        ),
        parts=_complete([each.parts for each in scanned], buffers.PARTS),
        tokens=_complete([each.tokens for each in scanned], buffers.TOKENS),
        alternatives=_complete([each.alternatives for each in scanned], buffers.ALTERNATIVES),
        rejects=buffers.nothing().rejects,
        rejected=buffers.nothing().rejected,
        members=pa.table(
            _concatenated([block.members for block in blocks]), schema=buffers.MEMBERS
        ),
    )


def _concatenated(blocks: list[Columns]) -> Columns:
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


@cache
def _names(shape: Shape | None) -> pa.Array:
    """Return the names of formats by their codes; not at import, because that imports pandas."""
    return pa.array(NAMES if shape is None else (*NAMES, shape.name))


def _complete(
    batches: list[pa.RecordBatch],
    declared: pa.Schema,
    more: Mapping[str, Ints | pa.Array] = MappingProxyType({}),
    names: pa.Array | None = None,
) -> pa.Table:
    """Add the declared columns that the scanner does not write."""
    table = pa.Table.from_batches(batches)
    if len(batches) > 1 and table.num_rows < _FEW_ROWS * len(batches):
        table = table.combine_chunks()
    if table.schema.equals(declared):
        return table
    n = table.num_rows
    scanned = dict(zip(table.column_names, table.columns, strict=True))
    arrays = []
    for field in declared:
        if field.name == "format" and names is not None:
            arrays.append(names.take(scanned["format"]))
        elif field.name in scanned:
            arrays.append(scanned[field.name])
        elif field.name in more:
            values = more[field.name]
            is_array = isinstance(values, pa.Array)
            arrays.append(values if is_array else pa.array(values, field.type))
        elif field.name == "notes":
            none = pa.array(np.zeros(n + 1, np.int32))  # offsets of empty lists
            notes = pa.ListArray.from_arrays(none, pa.array([], pa.string()))
            arrays.append(notes.cast(field.type))
        else:
            arrays.append(pa.nulls(n, field.type))
    return pa.Table.from_arrays(arrays, schema=declared)
