"""pandas groupby over NumPy columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

import toolkit
from benchmarks.kernels import ANSWER, TOKEN


def load(lp: toolkit.LogprobTables) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Convert the needed columns; labels become categoricals."""
    columns = [*TOKEN, "logprob", "status"]
    return lp.tokens.select(columns).to_pandas(), lp.alternatives.select(columns).to_pandas()


def perplexity(frames: tuple[pd.DataFrame, pd.DataFrame]) -> pa.Table:
    """Group the tokens."""
    tokens = frames[0]
    ok = tokens.loc[tokens["status"] == "ok", [*ANSWER, "logprob"]]
    ok["logprob"] = np.minimum(ok["logprob"], 0.0)
    value = np.exp(-_grouped(ok, ANSWER)["logprob"].mean())
    return _table(value.rename("value"))


def entropy(frames: tuple[pd.DataFrame, pd.DataFrame]) -> pa.Table:
    """Group the alternatives."""
    listed = frames[1]
    ok = listed.loc[listed["status"] == "ok", [*TOKEN, "logprob"]]
    ok["logprob"] = np.minimum(ok["logprob"], 0.0)
    ok["mass"] = np.exp(ok["logprob"])
    ok["partial"] = ok["mass"] * ok.pop("logprob")
    sums = _grouped(ok, TOKEN)[["mass", "partial"]].sum()
    value = np.maximum(0.0, np.log(sums["mass"]) - sums["partial"] / sums["mass"])
    return _table(value.rename("value"))


def _grouped(frame: pd.DataFrame, keys: tuple[str, ...]) -> pd.api.typing.DataFrameGroupBy:
    return frame.groupby(list(keys), sort=False, observed=True)


def _table(value: pd.Series) -> pa.Table:
    return pa.Table.from_pandas(value.reset_index(), preserve_index=False)
