"""The toolkit's own kernels (`toolkit.metrics.core`), and the whole of its public functions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa

import toolkit
from benchmarks.kernels import ANSWER, TOKEN
from toolkit import schema
from toolkit.metrics import core, frames

_OK = schema.STATUSES.index("ok")


def load(lp: toolkit.LogprobTables) -> toolkit.LogprobTables:
    """Take the tables as they are."""
    return lp


def perplexity(lp: toolkit.LogprobTables) -> pa.Table:
    """Find the answers by their keys, then reduce."""
    tokens = lp.tokens
    keys = (
        tokens["response_key"].to_numpy(),
        tokens["choice"].to_numpy(),
        frames.codes(tokens["channel"], schema.CHANNELS),
    )
    n = tokens.num_rows
    starts = [np.zeros(1, np.int64)]
    for at in range(0, n - 1, frames.BLOCK_ROWS):
        end = min(at + frames.BLOCK_ROWS, n - 1)
        changed = np.zeros(end - at, np.bool_)
        for key in keys:
            changed |= key[at + 1 : end + 1] != key[at:end]
        starts.append(np.flatnonzero(changed) + at + 1)
    return _perplexity(tokens, np.concatenate([*starts, [n]]))


def perplexity_by_counts(lp: toolkit.LogprobTables) -> pa.Table:
    """Find the answers by what the choices table says of their lengths, then reduce."""
    names = [f"n_{channel}_tokens" for channel in schema.CHANNELS]
    counts = np.column_stack([lp.choices[name].to_numpy() for name in names]).ravel()
    offsets = np.concatenate([[0], np.cumsum(counts[counts > 0])])
    return _perplexity(lp.tokens, offsets)


def _perplexity(tokens: pa.Table, offsets: np.ndarray) -> pa.Table:
    """Reduce block by block, so that what is made in between stays in the cache."""
    status = frames.codes(tokens["status"], schema.STATUSES)
    logprobs = frames.floats(tokens["logprob"])
    value = np.empty(len(offsets) - 1)
    cuts = np.searchsorted(offsets, np.arange(0, tokens.num_rows, frames.BLOCK_ROWS))
    for first, last in pairwise(np.unique(np.append(cuts, len(value))).tolist()):
        rows = slice(int(offsets[first]), int(offsets[last]))
        bounds = offsets[first : last + 1] - offsets[first]
        ok, logprob = status[rows] == _OK, core.clipped(logprobs[rows])
        if not ok.all():
            logprob = np.where(ok, logprob, 0.0)
        nll = 0.0 - core.segment_sum(logprob, bounds)
        value[first:last] = core.perplexity(nll, core.segment_count(ok, bounds))
    keys = tokens.select(list(ANSWER)).take(offsets[:-1])
    return keys.append_column("value", pa.array(value))


def entropy(lp: toolkit.LogprobTables) -> pa.Table:
    """Reduce block by block; the rows are those of the tokens."""
    value = np.empty(lp.tokens.num_rows)
    for block in frames.blocks(lp):
        ok = frames.codes(block.alternatives["status"], schema.STATUSES) == _OK
        logprob = core.clipped(frames.floats(block.alternatives["logprob"]))
        p = np.exp(logprob)
        if not ok.all():
            p, logprob = np.where(ok, p, 0.0), np.where(ok, logprob, 0.0)
        terms = core.entropy_terms(p, logprob)
        partial = core.segment_sum(terms, block.offsets)
        value[block.rows] = core.entropy_topk(partial, core.segment_sum(p, block.offsets))
    return lp.tokens.select(list(TOKEN)).append_column("value", pa.array(value))


def token_metrics(lp: toolkit.LogprobTables) -> pd.DataFrame:
    """All 20 columns."""
    return toolkit.token_metrics(lp)


def sequence_metrics(lp: toolkit.LogprobTables) -> pd.DataFrame:
    """All 41 columns."""
    return toolkit.sequence_metrics(lp)
