"""Drop repeated content: the last record of some streams repeats all of the response.

The content of the stream itself is kept, because it came first and is often more precise. The final
copy is used only where nothing came before; this is decided for text, tool calls and tokens each.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import schema
from toolkit.arrow import numpy, truth
from toolkit.loaders.buffers import KIND_FINAL_COPY, PART_COUNTS, PART_TEXTS, Decoded, Flags, Ints


def without_copies(decoded: Decoded, owner: Ints, payload: Flags) -> tuple[Decoded, Flags]:
    """Remove from final copies the content that their streams brought before.

    Parameters
    ----------
    decoded : Decoded
    owner : int64 array
        For each body the first record of its response.
    payload : bool array
        For each part whether it brings text, tool calls or tokens.

    Returns
    -------
    Decoded
    payload : bool array
    """
    bodies = np.repeat(np.arange(len(owner)), numpy(decoded.bodies, "n_parts"))
    is_copy = (numpy(decoded.bodies, "kind") == KIND_FINAL_COPY)[bodies]
    keys = np.stack([owner[bodies], numpy(decoded.parts, "choice")], axis=1)
    group = np.unique(keys, axis=0, return_inverse=True)[1].ravel()

    def came_before(has: Flags) -> Flags:
        came: Flags = np.isin(group, group[~is_copy & has])
        return is_copy & came

    counts = np.add.reduce([numpy(decoded.parts, name) for name in PART_COUNTS])
    columns = {name: decoded.parts[name] for name in decoded.parts.column_names}
    has_text = np.logical_or.reduce([_has_text(columns[name]) for name in PART_TEXTS])
    for names, has in ((PART_TEXTS, has_text), (("tool_calls",), _has_text(columns["tool_calls"]))):
        drop = pa.array(came_before(has))
        for name in names:
            nothing = pa.scalar(None, schema.TEXT)
            columns[name] = pc.if_else(drop, nothing, columns[name].combine_chunks())
    drop = came_before(counts > 0)
    for name in PART_COUNTS:
        columns[name] = pa.array(np.where(drop, 0, numpy(decoded.parts, name)))
    kept = np.repeat(~drop, counts)
    kept_alternatives = np.repeat(kept, numpy(decoded.tokens, "n_alternatives"))
    remaining = decoded._replace(
        parts=pa.table(columns, schema=decoded.parts.schema),
        tokens=decoded.tokens.filter(pa.array(kept)),
        alternatives=decoded.alternatives.filter(pa.array(kept_alternatives)),
    )
    brings = np.logical_or.reduce(
        [*(_has_text(columns[name]) for name in (*PART_TEXTS, "tool_calls")), (counts > 0) & ~drop]
    )
    return remaining, payload & brings


def _has_text(texts: pa.Array | pa.ChunkedArray) -> Flags:
    return truth(pc.greater(pc.binary_length(texts), 0))
