"""Drop repeated content: some records of a stream repeat all of the response, or an item of it.

What came first is kept, because it is often more precise. A copy is used only where nothing came
before of what it repeats; this is decided for text, tool calls and tokens each.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.arrow import null_where, numpy, text_lengths
from toolkit.loaders.buffers import (
    KIND_COPY,
    KIND_FINAL_COPY,
    PART_COUNTS,
    PART_TEXTS,
    Decoded,
    Flags,
    Ints,
)


def without_copies(decoded: Decoded, owner: Ints) -> Decoded:
    """Remove from copies the content that their streams brought before.

    Parameters
    ----------
    decoded : Decoded
        In the order of the records.
    owner : int64 array
        For each body the first record of its response.
    """
    bodies = np.repeat(np.arange(len(owner)), numpy(decoded.bodies, "n_parts"))
    is_copy = np.isin(numpy(decoded.bodies, "kind"), (KIND_FINAL_COPY, KIND_COPY))[bodies]
    item, part = (pc.fill_null(decoded.bodies[name], -1).to_numpy() for name in ("item", "part"))
    keys = [owner[bodies], numpy(decoded.parts, "choice"), item[bodies], part[bodies]]
    n_keys = 2 + (keys[2] >= 0) + (keys[3] >= 0)  # that say what a copy repeats
    groups = {n: _grouped(keys[:n]) for n in np.unique(n_keys[is_copy]).tolist()}

    def came_before(has: Flags) -> Flags:
        came = np.zeros(len(bodies), bool)
        for n, group in groups.items():
            rows = np.flatnonzero(has)
            first = np.full(len(bodies), len(bodies))
            np.minimum.at(first, group[rows], rows)
            came |= is_copy & (n_keys == n) & (first[group] < np.arange(len(bodies)))
        return came

    counts = np.add.reduce([numpy(decoded.parts, name) for name in PART_COUNTS])
    columns = {name: decoded.parts[name] for name in decoded.parts.column_names}
    has_text = np.logical_or.reduce([text_lengths(columns[name]) > 0 for name in PART_TEXTS])
    has_calls = text_lengths(columns["tool_calls"]) > 0
    for names, has in ((PART_TEXTS, has_text), (("tool_calls",), has_calls)):
        drop = pa.array(came_before(has))
        for name in names:
            columns[name] = null_where(drop, columns[name].combine_chunks())
    drop = came_before(counts > 0)
    for name in PART_COUNTS:
        columns[name] = pa.array(np.where(drop, 0, numpy(decoded.parts, name)))
    kept = np.repeat(~drop, counts)
    kept_alternatives = np.repeat(kept, numpy(decoded.tokens, "n_alternatives"))
    return decoded._replace(
        parts=pa.table(columns, schema=decoded.parts.schema),
        tokens=decoded.tokens.filter(pa.array(kept)),
        alternatives=decoded.alternatives.filter(pa.array(kept_alternatives)),
    )


def _grouped(keys: list[Ints]) -> Ints:
    """Return the group of each row: rows with equal keys are of one."""
    group: Ints = np.unique(np.stack(keys, axis=1), axis=0, return_inverse=True)[1].ravel()
    return group
