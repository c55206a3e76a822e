"""The toolkit's own kernels (`toolkit.metrics.core`), and the whole of its public functions."""

from __future__ import annotations

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
    changed = np.zeros(tokens.num_rows + 1, np.bool_)
    changed[[0, -1]] = True
    for key in (
        tokens["response_key"].to_numpy(),
        tokens["choice"].to_numpy(),
        frames.codes(tokens["channel"], schema.CHANNELS),
    ):
        changed[1:-1] |= key[1:] != key[:-1]
    return _perplexity(tokens, np.flatnonzero(changed))


def perplexity_by_counts(lp: toolkit.LogprobTables) -> pa.Table:
    """Find the answers by what the choices table says of their lengths, then reduce."""
    names = [f"n_{channel}_tokens" for channel in schema.CHANNELS]
    counts = np.column_stack([lp.choices[name].to_numpy() for name in names]).ravel()
    offsets = np.concatenate([[0], np.cumsum(counts[counts > 0])])
    return _perplexity(lp.tokens, offsets)


def _perplexity(tokens: pa.Table, offsets: np.ndarray) -> pa.Table:
    ok = frames.codes(tokens["status"], schema.STATUSES) == _OK
    logprob = core.clipped(frames.floats(tokens["logprob"]))
    if not ok.all():
        logprob = np.where(ok, logprob, 0.0)
    nll = 0.0 - core.segment_sum(logprob, offsets)
    value = core.perplexity(nll, core.segment_count(ok, offsets))
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
