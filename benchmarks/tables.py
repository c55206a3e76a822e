"""Large tables to compute metrics of, as files that all contestants map into memory."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import toolkit
from benchmarks.corpus import Spec, write

NAMES = ("responses", "choices", "tokens", "alternatives")
_ANSWERS = 200


def build(folder: Path, tokens: int, spec: Spec) -> Path:
    """Write the toolkit's tables with at least that many tokens, unless they are there.

    The rows of a small corpus repeat under new response keys.
    """
    target = folder / f"tables-{spec.label}-{tokens}"
    if target.exists():
        return target
    part = target.with_name(f"part-{target.name}")
    part.mkdir(parents=True, exist_ok=True)
    corpus = write(part / "corpus.jsonl", spec, answers=_ANSWERS)
    lp = toolkit.read(corpus)
    times = math.ceil(tokens / lp.tokens.num_rows)
    for name in NAMES:
        table = _repeated(lp[name], times, _ANSWERS)
        with pa.ipc.new_file(part / f"{name}.arrow", table.schema) as writer:
            writer.write_table(table)
    corpus.unlink()
    return part.rename(target)


def _repeated(table: pa.Table, times: int, step: int) -> pa.Table:
    whole = pa.concat_tables([table] * times).combine_chunks()
    keys = table["response_key"].to_numpy()
    keys = (keys + np.arange(times)[:, None] * step).ravel()
    place = table.schema.get_field_index("response_key")
    return whole.set_column(place, table.schema.field(place), pa.array(keys))


def load(folder: Path) -> toolkit.LogprobTables:
    """Map the tables into memory."""
    found = {}
    for name in NAMES:
        with pa.memory_map(str(folder / f"{name}.arrow")) as source:
            found[name] = pa.ipc.open_file(source).read_all()
    return toolkit.LogprobTables(**found)


def summary(table: pa.Table) -> dict[str, float]:
    """Reduce a result to numbers that do not depend on the order of its rows."""
    value = table["value"].cast(pa.float64())
    squares = pc.multiply(value, value)
    return {
        "rows": table.num_rows,
        "keys": float(pc.sum(table["response_key"].cast(pa.float64())).as_py()),
        "sum": pc.sum(value).as_py(),
        "squares": pc.sum(squares).as_py(),
        "most": pc.max(value).as_py(),
    }


def rows(folder: Path, name: str) -> int:
    """Return the number of rows of a table."""
    with pa.memory_map(str(folder / f"{name}.arrow")) as source:
        return pa.ipc.open_file(source).read_all().num_rows
