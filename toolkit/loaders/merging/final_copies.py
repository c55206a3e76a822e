"""Final copies: the last record of some streams has all that came before once more.

What the stream brought itself is kept, being first and often more precise; the copy counts only
where nothing came, for text, tool calls and tokens each.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import schema
from toolkit.arrow import numpy, truth
from toolkit.loaders.buffers import KIND_FINAL_COPY, Decoded

_TEXTS = ("content", "refusal", "reasoning")
_COUNTS = tuple(f"n_{channel}" for channel in schema.CHANNELS)


def without_copies(
    decoded: Decoded, owner: np.ndarray, payload: np.ndarray
) -> tuple[Decoded, np.ndarray]:
    """Take out of final copies what their streams brought before.

    Parameters
    ----------
    decoded : Decoded
    owner : int64 array
        For each body the first record of its response.
    payload : bool array
        For each part whether it brings anything.

    Returns
    -------
    Decoded
    payload : bool array
    """
    bodies = np.repeat(np.arange(len(owner)), numpy(decoded.bodies, "n_parts"))
    is_copy = (numpy(decoded.bodies, "kind") == KIND_FINAL_COPY)[bodies]
    keys = np.stack([owner[bodies], numpy(decoded.parts, "choice")], axis=1)
    group = np.unique(keys, axis=0, return_inverse=True)[1].ravel()

    def came_before(has: np.ndarray) -> np.ndarray:
        return is_copy & np.isin(group, group[~is_copy & has])

    counts = np.add.reduce([numpy(decoded.parts, name) for name in _COUNTS])
    columns = {name: decoded.parts[name] for name in decoded.parts.column_names}
    has_text = np.logical_or.reduce([_has_text(columns[name]) for name in _TEXTS])
    for names, has in ((_TEXTS, has_text), (("tool_calls",), _has_text(columns["tool_calls"]))):
        drop = pa.array(came_before(has))
        for name in names:
            nothing = pa.scalar(None, schema.TEXT)
            columns[name] = pc.if_else(drop, nothing, columns[name].combine_chunks())
    drop = came_before(counts > 0)
    for name in _COUNTS:
        columns[name] = pa.array(np.where(drop, 0, numpy(decoded.parts, name)))
    kept = np.repeat(~drop, counts)
    kept_alternatives = np.repeat(kept, numpy(decoded.tokens, "n_alternatives"))
    left = decoded._replace(
        parts=pa.table(columns, schema=decoded.parts.schema),
        tokens=decoded.tokens.filter(pa.array(kept)),
        alternatives=decoded.alternatives.filter(pa.array(kept_alternatives)),
    )
    brings = np.logical_or.reduce(
        [*(_has_text(columns[name]) for name in (*_TEXTS, "tool_calls")), (counts > 0) & ~drop]
    )
    return left, payload & brings


def _has_text(texts: pa.Array | pa.ChunkedArray) -> np.ndarray:
    return truth(pc.greater(pc.binary_length(texts), 0))
