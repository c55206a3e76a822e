"""Private kernels of the toolkit (`toolkit.metrics._arrays`), and whole public functions.

`perplexity`, `perplexity_by_counts` and `entropy` are built from kernels that users cannot call;
their rows are labelled "kernel". `token_metrics` and `sequence_metrics` are public.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa

import toolkit
from benchmarks.kernels import ANSWER, TOKEN
from toolkit import arrow, schema
from toolkit.metrics._arrays.entropy import entropy_terms, entropy_topk
from toolkit.metrics._arrays.logprobs import clipped
from toolkit.metrics._arrays.logprobs import perplexity as perplexity_of
from toolkit.metrics._arrays.segments import segment_count, segment_sum
from toolkit.metrics._blocks import BLOCK_ROWS, blocks

_OK = schema.STATUSES.index("ok")


def load(lp: toolkit.LogprobTables) -> toolkit.LogprobTables:
    """Return the tables unchanged."""
    return lp


def perplexity(lp: toolkit.LogprobTables) -> pa.Table:
    """Find the answers by their keys, then reduce."""
    tokens = lp.tokens
    keys = (
        tokens["response_key"].to_numpy(),
        tokens["choice"].to_numpy(),
        arrow.codes(tokens["channel"], schema.CHANNELS),
    )
    n = tokens.num_rows
    starts = [np.zeros(1, np.int64)]
    for at in range(0, n - 1, BLOCK_ROWS):
        end = min(at + BLOCK_ROWS, n - 1)
        changed = np.zeros(end - at, np.bool_)
        for key in keys:
            changed |= key[at + 1 : end + 1] != key[at:end]
        starts.append(np.flatnonzero(changed) + at + 1)
    return _perplexity(tokens, np.concatenate([*starts, [n]]))


def perplexity_by_counts(lp: toolkit.LogprobTables) -> pa.Table:
    """Find the answers by their lengths in the choices table, then reduce."""
    names = [f"n_{channel}_tokens" for channel in schema.CHANNELS]
    counts = np.column_stack([lp.choices[name].to_numpy() for name in names]).ravel()
    offsets = arrow.offsets(counts[counts > 0])
    return _perplexity(lp.tokens, offsets)


def _perplexity(tokens: pa.Table, offsets: np.ndarray) -> pa.Table:
    """Reduce block by block, so that temporary arrays stay in the cache."""
    status = arrow.codes(tokens["status"], schema.STATUSES)
    logprobs = arrow.floats(tokens["logprob"])
    value = np.empty(len(offsets) - 1)
    cuts = np.searchsorted(offsets, np.arange(0, tokens.num_rows, BLOCK_ROWS))
    for first, last in pairwise(np.unique(np.append(cuts, len(value))).tolist()):
        rows = slice(int(offsets[first]), int(offsets[last]))
        bounds = offsets[first : last + 1] - offsets[first]
        ok, logprob = status[rows] == _OK, clipped(logprobs[rows])
        if not ok.all():
            logprob = np.where(ok, logprob, 0.0)
        nll = 0.0 - segment_sum(logprob, bounds)
        value[first:last] = perplexity_of(nll, segment_count(ok, bounds))
    keys = tokens.select(list(ANSWER)).take(offsets[:-1])
    return keys.append_column("value", pa.array(value))


def entropy(lp: toolkit.LogprobTables) -> pa.Table:
    """Reduce block by block; one row per token."""
    value = np.empty(lp.tokens.num_rows)
    for block in blocks(lp):
        ok = arrow.codes(block.alternatives["status"], schema.STATUSES) == _OK
        logprob = clipped(arrow.floats(block.alternatives["logprob"]))
        p = np.exp(logprob)
        if not ok.all():
            p, logprob = np.where(ok, p, 0.0), np.where(ok, logprob, 0.0)
        terms = entropy_terms(p, logprob)
        partial = segment_sum(terms, block.offsets)
        value[block.rows] = entropy_topk(partial, segment_sum(p, block.offsets))
    return lp.tokens.select(list(TOKEN)).append_column("value", pa.array(value))


def token_metrics(lp: toolkit.LogprobTables) -> pd.DataFrame:
    """All 20 columns."""
    return toolkit.token_metrics(lp)


def sequence_metrics(lp: toolkit.LogprobTables) -> pd.DataFrame:
    """All 41 columns."""
    return toolkit.sequence_metrics(lp)
