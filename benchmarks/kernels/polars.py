"""Polars over the Arrow tables, without keeping the order of groups."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

import toolkit
from benchmarks.kernels import ANSWER, TOKEN

Frames = tuple[pl.LazyFrame, pl.LazyFrame]
_LOGPROB = pl.min_horizontal("logprob", 0.0)


def load(lp: toolkit.LogprobTables) -> Frames:
    """Take over the needed columns; texts of labels become categoricals."""
    tokens = pl.DataFrame(lp.tokens.select([*TOKEN, "logprob", "status"]))
    alternatives = pl.DataFrame(lp.alternatives.select([*TOKEN, "logprob", "status"]))
    return tokens.lazy(), alternatives.lazy()


def perplexity(frames: Frames) -> pa.Table:
    """Group the tokens."""
    return _arrow(
        frames[0]
        .filter(pl.col("status") == "ok")
        .select(*ANSWER, l=_LOGPROB)
        .group_by(ANSWER)
        .agg(value=(-pl.col("l").mean()).exp())
    )


def entropy(frames: Frames) -> pa.Table:
    """Group the alternatives."""
    mass = pl.col("mass")
    return _arrow(
        frames[1]
        .filter(pl.col("status") == "ok")
        .select(*TOKEN, l=_LOGPROB)
        .with_columns(p=pl.col("l").exp())
        .select(*TOKEN, "p", pl=pl.col("p") * pl.col("l"))
        .group_by(TOKEN)
        .agg(mass=pl.col("p").sum(), partial=pl.col("pl").sum())
        .select(*TOKEN, value=(mass.log() - pl.col("partial") / mass).clip(lower_bound=0.0))
    )


def _arrow(frame: pl.LazyFrame) -> pa.Table:
    return frame.collect(engine="streaming").to_arrow()
