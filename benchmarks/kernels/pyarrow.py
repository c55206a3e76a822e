"""pyarrow's compute functions and group_by."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

import toolkit
from benchmarks.kernels import ANSWER, TOKEN


def load(lp: toolkit.LogprobTables) -> toolkit.LogprobTables:
    """Take the tables as they are."""
    pa.set_cpu_count(1)
    return lp


def perplexity(lp: toolkit.LogprobTables) -> pa.Table:
    """Group the tokens."""
    found = _grouped(_ok(lp.tokens, ANSWER), ANSWER, [("logprob", "mean")])
    value = pc.exp(pc.negate(found["logprob_mean"]))
    return found.select(list(ANSWER)).append_column("value", value)


def entropy(lp: toolkit.LogprobTables) -> pa.Table:
    """Group the alternatives."""
    ok = _ok(lp.alternatives, TOKEN)
    mass = pc.exp(ok["logprob"])
    partial = pc.multiply(mass, ok["logprob"])
    ok = ok.select(list(TOKEN)).append_column("mass", mass).append_column("partial", partial)
    found = _grouped(ok, TOKEN, [("mass", "sum"), ("partial", "sum")])
    mass, partial = found["mass_sum"], found["partial_sum"]
    value = pc.max_element_wise(0.0, pc.subtract(pc.ln(mass), pc.divide(partial, mass)))
    return found.select(list(TOKEN)).append_column("value", value)


def _ok(table: pa.Table, keys: tuple[str, ...]) -> pa.Table:
    table = table.select([*keys, "logprob", "status"])
    table = table.filter(pc.equal(table["status"].cast(pa.string()), "ok"))
    logprob = pc.min_element_wise(table["logprob"], 0.0)
    # Keys of plain numbers group faster than labels.
    codes = pa.chunked_array([chunk.indices for chunk in table["channel"].chunks], pa.int8())
    table = table.set_column(table.schema.get_field_index("channel"), "channel", codes)
    return table.select(list(keys)).append_column("logprob", logprob)


def _grouped(table: pa.Table, keys: tuple[str, ...], sums: list[tuple[str, str]]) -> pa.Table:
    return table.group_by(list(keys), use_threads=False).aggregate(sums)
