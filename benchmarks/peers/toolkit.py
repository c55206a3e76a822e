"""The toolkit: all five tables with keys, statuses, ranks and alignment, not the two alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

import toolkit
from benchmarks.containers import CONTAINERS
from benchmarks.corpus import Spec
from benchmarks.flat import VALUES, Flat


def read(path: Path, spec: Spec, threads: int) -> toolkit.LogprobTables:
    """Read with the public function."""
    return toolkit.read(path, threads=threads, **CONTAINERS[spec.container].options)


def export(path: Path, spec: Spec, folder: Path, threads: int) -> None:
    """Export with the public function."""
    toolkit.export(path, folder / "dataset", threads=threads)


def exported(folder: Path) -> Flat:
    """Read back what was exported."""
    return flat(toolkit.read_parquet(folder / "dataset"))


def flat(lp: toolkit.LogprobTables) -> Flat:
    """Take the columns that all contestants have."""
    keys, numbers = np.unique(lp.tokens["response_key"].to_numpy(), return_inverse=True)
    return Flat(
        _keyed(lp.tokens, numbers, ["position"]),
        _keyed(
            lp.alternatives,
            np.searchsorted(keys, lp.alternatives["response_key"].to_numpy()),
            ["position", "slot"],
        ),
    )


def _keyed(table: pa.Table, response: np.ndarray, places: list[str]) -> pa.Table:
    return table.select([*places, *VALUES]).add_column(0, "response", pa.array(response))
