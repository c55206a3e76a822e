"""Compute the declared columns that follow from other columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from toolkit.schema.codes import CENSORED_AT, CENSORED_AT_OR_BELOW, INVALID_ABOVE


def is_top1(tokens: pa.Table, alternatives: pa.Table) -> pa.BooleanArray:
    """Return ``tokens.is_top1``: whether each sampled token was the likeliest at its position.

    A logprob is usable if its status is ok; tiny positives count as 0. The logprob of a token is
    that of its own entry among the alternatives if it has one, because servers may round the two
    differently; else it is the token's own.

    Parameters
    ----------
    tokens : pyarrow.Table
        With ``logprob`` and ``n_alternatives``.
    alternatives : pyarrow.Table
        With ``logprob`` and ``is_sampled``, in the order of the tokens.

    Returns
    -------
    pyarrow.BooleanArray, one value per token
        False if an alternative is likelier. Null if the token, or each of its alternatives, has no
        usable logprob.

    Examples
    --------
    >>> import pyarrow as pa
    >>> tokens = pa.table({"logprob": [-0.1, -9.0, -1.0], "n_alternatives": [1, 1, 0]})
    >>> entries = pa.table({"logprob": [-0.1, -0.1], "is_sampled": [True, False]})
    >>> is_top1(tokens, entries).to_pylist()
    [True, False, None]
    """
    sampled = _usable(tokens["logprob"])
    entries = _usable(alternatives["logprob"])
    sizes = tokens["n_alternatives"].to_numpy()
    ends = np.cumsum(sizes, dtype=np.int64)
    own = np.flatnonzero(alternatives["is_sampled"].to_numpy())
    own = own[entries[own] > -np.inf]
    scored = sampled.copy()
    scored[np.searchsorted(ends, own, side="right")] = entries[own]
    likeliest = np.full(len(sizes), -np.inf)
    has_list = sizes > 0
    if len(entries):
        likeliest[has_list] = np.maximum.reduceat(entries, (ends - sizes)[has_list])
    is_known = (sampled > -np.inf) & (likeliest > -np.inf)
    return pa.array(scored >= likeliest, mask=~is_known)


def is_censored(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which logprobs are a server's sentinel or clamp, for which status is censored.

    Examples
    --------
    >>> import numpy as np
    >>> is_censored(np.array([-0.5, -1000.0, -1000.5, -9999.0, -np.inf, np.nan])).tolist()
    [False, True, False, True, True, False]
    """
    return (values <= CENSORED_AT_OR_BELOW) | (values == CENSORED_AT)


def _usable(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return the logprobs of status ok, at most 0; -inf in the place of others."""
    values = column.to_numpy()  # null becomes NaN
    if len(values) and values.min() > CENSORED_AT and values.max() <= 0.0:
        return values  # as almost always; NaN fails the comparisons
    usable = ~is_censored(values) & (values <= INVALID_ABOVE)
    return np.where(usable, np.minimum(values, 0.0), -np.inf)
